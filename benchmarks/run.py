"""Run every benchmark, one after another; nothing else should run on the machine meanwhile.

    python benchmarks/run.py

Results are printed, and written to ``benchmarks/results`` with the date and the machine. Those
that time peers run in an environment of their own, ``.venv-peers`` (`make bench-peers` makes it).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PEERS = HERE.parent / ".venv-peers" / "bin" / "python"


def main() -> None:
    """Run what is ours, then what needs the peers."""
    for name in (
        "mnist",
        "jobs",
        "ordered",
        "map_jobs",
        "judging",
        "never_worse",
        "few_rows",
        "families",
        "pictures",
        "gpu",
    ):
        subprocess.run([sys.executable, str(HERE / f"{name}.py")], check=True)
    if not PEERS.exists():
        print("peers are left out: run `make bench-peers` first")
        return
    for name in (
        "train_speed",
        "time_to_quality",
        "generation",
        "denoising",
        "likelihood",
        "maps",
        "million",
    ):
        subprocess.run([str(PEERS), str(HERE / f"{name}.py")], check=True)


if __name__ == "__main__":
    main()
