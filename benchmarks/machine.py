"""Say what machine a benchmark ran on, measure its limit, and file the results.

    python benchmarks/machine.py

prints the description. Nothing in it names the host or a path on it.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"

# The instruction sets that decide the rate of a matrix product on a processor.
INSTRUCTION_SETS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "asimd", "sve")
QUIET_SHARE = 0.05  # of all cores; more than this by others makes a time worthless
PACKAGES = (
    "narrows",
    "torch",
    "numpy",
    "scikit-learn",
    "keras",
    "jax",
    "tensorflow",
    "pythae",
    "umap-learn",
    "pynndescent",
    "scikit-image",
    "PyWavelets",
    "bm3d",
)


def read_cpuinfo() -> dict[str, str]:
    """Return the first processor's entries of /proc/cpuinfo, or nothing where there is none."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def count_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that take part and are installed."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def describe() -> dict[str, Any]:
    """Describe processor, memory and versions.

    Returns
    -------
    dict
        Cores, processor, instruction sets, memory in GiB, system, Python and package versions.
    """
    cpu = read_cpuinfo()
    flags = (cpu.get("flags") or cpu.get("Features") or "").split()
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": count_cores(),
        "processor": cpu.get("model name", platform.machine()),
        "instruction_sets": [name for name in INSTRUCTION_SETS if name in flags],
        "memory_gib": round(memory_bytes / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": package_versions(),
    }


def busy_core_seconds() -> float:
    """Return the core-seconds that this machine has worked since it started, for anybody.

    Linux only; elsewhere 0, so that a difference of two calls says nothing rather than something
    wrong.
    """
    try:
        fields = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]
    except OSError:
        return 0.0
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = map(int, fields)
    ticks = user + nice + system + interrupts + soft_interrupts + stolen
    return ticks / os.sysconf("SC_CLK_TCK")


def matrix_rate(precision: str, size: int = 2048, repeats: int = 10) -> float:
    """Measure the rate of square matrix products in torch.

    Parameters
    ----------
    precision : {"float32", "bfloat16"}
        Type of the factors.
    size : int
        Rows and columns of the factors.
    repeats : int
        Products timed one by one; the best counts, as the limit is what the machine can do.

    Returns
    -------
    float
        GFLOP/s, a multiplication and an addition counting two.
    """
    import torch

    a = torch.randn(size, size).to(getattr(torch, precision))
    b = torch.randn(size, size).to(a.dtype)
    torch.mm(a, b)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        torch.mm(a, b)
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds) / 1e9


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def markdown_description(machine: dict[str, Any]) -> str:
    """Return the description as a Markdown paragraph."""
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return (
        f"Machine: {machine['cores']} cores of {machine['processor']} "
        f"({', '.join(machine['instruction_sets'])}), {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}; {packages}."
    )


def markdown_quietness(shares: Sequence[float]) -> str:
    """Say how much of the machine others used, from the share of each run."""
    worst = max(shares)
    text = f"Other processes used at most {worst:.0%} of the cores during a run."
    if worst > QUIET_SHARE:
        n = sum(share > QUIET_SHARE for share in shares)
        text += f" **{n} of {len(shares)} runs were disturbed: do not quote these numbers.**"
    return text


def write_results(topic: str, text: str, data: dict[str, Any], folder: Path) -> list[Path]:
    """Write a result as dated Markdown and JSON.

    Parameters
    ----------
    topic : str
        The name of the claim, used in the file name.
    text : str
        Markdown for people.
    data : dict
        Every single run, for machines.
    folder : Path
        Where to write; made if missing.

    Returns
    -------
    list of Path
        The two files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{datetime.date.today().isoformat()}-{topic}"
    markdown, raw = folder / f"{stem}.md", folder / f"{stem}.json"
    markdown.write_text(text.rstrip() + "\n", encoding="utf-8")
    raw.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return [markdown, raw]


def write_table(topic: str, lines: Sequence[str], rows: Any, folder: Path) -> None:
    """Write a table's lines below what the machine is, and its rows for machines."""
    found = describe()
    text = "\n".join([markdown_description(found), "", *lines])
    write_results(topic, text, {"machine": found, "results": rows}, folder)


if __name__ == "__main__":
    print(markdown_description(describe()))
    for name in ("float32", "bfloat16"):
        print(f"{name}: {matrix_rate(name):.0f} GFLOP/s")
