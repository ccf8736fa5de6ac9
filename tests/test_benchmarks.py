"""The benchmarks' programs import, and find the digits where the package keeps them."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "benchmarks"


def test_every_benchmark_imports_and_the_digits_are_there():
    names = sorted(path.stem for path in FOLDER.glob("*.py"))
    assert {"mnist", "never_worse", "peers"} <= set(names)
    program = f"""
import importlib
for name in {names}:
    importlib.import_module(name)
import contest
print(*sorted(path.name for path in contest.DEFAULT_DATA.glob("*-images-*.gz")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["t10k-images-idx3-ubyte.gz", "train-images-idx3-ubyte.gz"]
