"""Time the training loop on one net, beside its peers and beside the machine's limit.

    python benchmarks/train_speed.py --repetitions 3

Every program trains the tutorial's first net (784-256-128-256-784, sigmoid, Adam 0.01, batch
256) for five epochs on 60,000 digits, each in a process of its own, one at a time, taking turns
over the repetitions, so that a slow spell of the machine falls on all of them. An epoch's time is
the median of epochs 2 to 5 (the first holds compilation and warm-up), then the median over
repetitions; the wall time of all five, from the call to its return, stands beside it. The rate of
matrix products is measured between the repetitions.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
from typing import Any

import machine
import peers
import trainers

# Programs, the peer that each is held against, and how many times faster it has to be.
NEEDED = (
    ("float32", "pythae", 1.2),
    ("float32", "keras-tensorflow", 1.5),
    ("best", "pythae", 2.0),
    ("best", "keras-tensorflow", 3.0),
    ("best", "keras-jax", 1.3),
)
ATTEMPTS = 3  # at a run that other processes disturb
DEFAULT_PROGRAMS = [name for name in trainers.PROGRAMS if name != "narrows"]

Runs = dict[str, list[dict[str, Any]]]
Rates = dict[str, list[float]]


def collect(programs: list[str], repetitions: int) -> tuple[Runs, Rates]:
    """Run every program once per repetition, in turn, measuring the matrix rate in between."""
    runs: Runs = {program: [] for program in programs}
    # Only types that programs use: where bfloat16 is emulated, one product takes minutes.
    rates: Rates = {precision_of(program): [] for program in programs}
    for repetition in range(repetitions):
        for precision, found in rates.items():
            found.append(machine.matrix_rate(precision))
        for program in programs:
            result = peers.run(program, "tutorial", repetition, [], attempts=ATTEMPTS)
            runs[program].append(result)
            print(
                f"{repetition + 1}/{repetitions} {program}: {epoch_time(result):.2f} s an epoch"
                f" ({result['others']:.0%} of the cores used by others)"
            )
    return runs, rates


def epoch_time(run: dict[str, Any]) -> float:
    """Return the median of epochs 2 to the last, in seconds."""
    seconds: list[float] = run["epoch_seconds"][1:]
    return median(seconds)


def precision_of(program: str) -> str:
    """Return the type in which a program multiplies."""
    return "bfloat16" if program == "narrows-bf16" else "float32"


def describe_program(program: str, runs: list[dict[str, Any]], rates: Rates) -> list[str]:
    """Return a program's row of the table."""
    times = [epoch_time(run) for run in runs]
    errors = [run["test_error"] for run in runs]
    rate = runs[0]["gflop_per_epoch"] / median(times)
    precision = precision_of(program)
    return [
        program,
        precision,
        f"{median(times):.2f} ({min(times):.2f} to {max(times):.2f})",
        f"{median(run['wall_seconds'] for run in runs):.1f}",
        f"{median(errors):.4f} ({min(errors):.4f} to {max(errors):.4f})",
        f"{rate:.0f}",
        f"{rate / median(rates[precision]):.0%}",
    ]


def compare(runs: Runs) -> list[str]:
    """Return a line for each speed that has to hold."""
    times = {name: median(epoch_time(run) for run in found) for name, found in runs.items()}
    ours = {name: seconds for name, seconds in times.items() if name.startswith("narrows")}
    lines = []
    for precision, peer, needed in NEEDED:
        name = "narrows-fp32" if precision == "float32" else min(ours, key=ours.__getitem__)
        if name not in times or peer not in times:
            continue
        factor = times[peer] / times[name]
        verdict = "holds" if factor >= needed else "MISSED"
        lines.append(f"- {name}: {factor:.2f} times {peer} (needed {needed}): {verdict}")
    return lines


def compare_errors(runs: Runs) -> list[str]:
    """Return a line that says whether bfloat16 ends where float32 does, give or take a seed."""
    if not {"narrows-fp32", "narrows-bf16"} <= runs.keys():
        return []
    exact = [run["test_error"] for run in runs["narrows-fp32"]]
    short = median(run["test_error"] for run in runs["narrows-bf16"])
    verdict = "holds" if short <= max(exact) else "MISSED"
    return [
        f"- test error in bfloat16, median of seeds: {short:.4f}; in float32, the seeds' spread: "
        f"{min(exact):.4f} to {max(exact):.4f}: {verdict}"
    ]


def report(runs: Runs, rates: Rates) -> str:
    """Return the whole result as Markdown."""
    header = [
        "program",
        "type",
        "seconds an epoch (range)",
        "five epochs, wall s",
        "test error (range)",
        "GFLOP/s",
        "of the matrix rate",
    ]
    limits = ", ".join(f"{name} {median(found):.0f}" for name, found in rates.items())
    rows = [describe_program(name, found, rates) for name, found in runs.items() if found]
    n = max(len(found) for found in runs.values())
    parts = [
        "# Speed of the training loop",
        "784-256-128-256-784, sigmoid, Adam 0.01, batch 256, 60,000 digits, five epochs; medians "
        f"over {n} repetitions with seeds 0 to {n - 1}, each program in its own process, one at a "
        "time, in turn. An epoch is the median of epochs 2 to 5. The wall time runs from the call "
        "to its return: compilation is in it, imports are not. The test error is the mean squared "
        "error per pixel after five epochs; initial values are each program's own default.",
        machine.markdown_description(machine.describe()),
        machine.markdown_quietness([run["others"] for found in runs.values() for run in found]),
        f"Matrix products of 2048 x 2048 in the same run, GFLOP/s: {limits}.",
        machine.markdown_table(header, rows),
        "\n".join(compare(runs) + compare_errors(runs)),
    ]
    return "\n\n".join(parts)


def main() -> None:
    """Run the comparison and write its results."""
    parser = argparse.ArgumentParser(description="Time the training loop beside its peers.")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument(
        "--programs", nargs="+", choices=trainers.PROGRAMS, default=DEFAULT_PROGRAMS
    )
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    options = parser.parse_args()
    runs, rates = collect(options.programs, options.repetitions)
    text = report(runs, rates)
    print(text)
    data = {"machine": machine.describe(), "matrix_gflops": rates, "runs": runs}
    for path in machine.write_results("train-speed", text, data, options.out):
        print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
