"""Time from the call of ``fit`` to a given held-out error at 128 numbers, beside the peers.

    python benchmarks/time_to_quality.py --budgets 1 2 2.5 3 5 8 12 20 --repetitions 3

The peers train 784-512-256-128 and back (GELU, Adam 0.001, batch 256) and are measured on the
10,000 test digits after each epoch, their clock standing still meanwhile; compilation is out.
narrows spends a budget by a schedule that ends with it, so its error counts when ``fit``
returns: the budgets are tried from the shortest up, and the time is that of the first one
whose returned model is good enough, from the call of ``fit`` to its return, PCA and its own
held-out measurements included. Imports are out for all.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from statistics import median
from typing import Any

import machine
import peers
import trainers

DEFAULT_PEERS = ["plain-torch", "pythae", "keras-jax"]
DEFAULT_GOALS = [0.0034, 0.0026]
DEFAULT_BUDGETS = [1.0, 2.0, 2.5, 3.0, 5.0, 8.0, 12.0, 20.0]
NEEDED_FACTOR = 5.0  # at the first goal, against the fastest peer

# One program in one repetition: (seconds, held-out error), in order of time.
Trail = list[tuple[float, float]]
Trails = dict[str, list[Trail]]
# What `peers.run` says of each process, in order.
Runs = list[dict[str, Any]]


def trail_of_narrows(seed: int, budgets: list[float], goal: float, runs: Runs) -> Trail:
    """Fit with one budget after another until the returned model reaches the goal."""
    trail: Trail = []
    for budget in sorted(budgets):
        run = peers.run("narrows", "quality", seed, ["--budget", str(budget)])
        runs.append(run)
        trail.append((run["wall_seconds"], run["test_error"]))
        if run["test_error"] <= goal:
            break
    return trail


def trail_of_peer(program: str, seed: int, goal: float, limit: float, runs: Runs) -> Trail:
    """Train a peer until it reaches the goal or the limit."""
    run = peers.run(program, "quality", seed, ["--goal", str(goal), "--limit", str(limit)])
    runs.append(run)
    return [(seconds, error) for seconds, error in run["trail"]]


def collect(options: argparse.Namespace) -> tuple[Trails, Runs]:
    """Run every program once per repetition, in turn."""
    runs: Runs = []
    goal = min(options.goals)
    trails: Trails = {"narrows": [], **{program: [] for program in options.peers}}
    for repetition in range(options.repetitions):
        for program, found in trails.items():
            if program == "narrows":
                trail = trail_of_narrows(repetition, options.budgets, goal, runs)
            else:
                trail = trail_of_peer(program, repetition, goal, options.limit, runs)
            found.append(trail)
            seconds, error = trail[-1]
            print(
                f"{repetition + 1}/{options.repetitions} {program}: {error:.4f} at {seconds:.1f} s"
            )
    return trails, runs


def time_to(goal: float, trail: Trail) -> float:
    """Return the first time at which the error was at or below the goal, or infinity."""
    return next((seconds for seconds, error in trail if error <= goal), math.inf)


def describe_time(times: list[float], last: float, what_ended: str) -> str:
    """Say the median of times, or that most runs did not arrive and how far they came."""
    if math.isinf(median(times)):
        return f"not {what_ended} (at {last:.4f})"
    arrived = [t for t in times if math.isfinite(t)]
    missing = f", {len(times) - len(arrived)} never" if len(arrived) < len(times) else ""
    return f"{median(times):.1f} s ({min(arrived):.1f} to {max(arrived):.1f}{missing})"


def compare(trails: Trails, goals: list[float]) -> list[str]:
    """Return a line for each goal: how many times sooner than the fastest peer."""
    lines = []
    for goal in goals:
        times = {name: median(time_to(goal, t) for t in found) for name, found in trails.items()}
        ours = times.pop("narrows")
        if not times:
            continue
        fastest = min(times, key=times.__getitem__)
        if math.isinf(ours):
            lines.append(f"- {goal}: narrows did not arrive with these budgets: MISSED")
        elif math.isinf(times[fastest]):
            lines.append(f"- {goal}: no peer arrived; narrows took {ours:.1f} s: holds")
        else:
            factor = times[fastest] / ours
            verdict = "holds" if factor >= NEEDED_FACTOR else "MISSED"
            needed = f" (needed {NEEDED_FACTOR}): {verdict}" if goal == max(goals) else ""
            lines.append(f"- {goal}: {factor:.1f} times sooner than {fastest}{needed}")
    return lines


def report(trails: Trails, runs: Runs, options: argparse.Namespace) -> str:
    """Return the whole result as Markdown."""
    header = ["program", *(f"to {goal}" for goal in options.goals), "seconds an epoch"]
    rows = []
    for program, found in trails.items():
        last = median(trail[-1][1] for trail in found)
        ours = program == "narrows"
        ended = f"in {max(options.budgets):.0f} s" if ours else f"in {options.limit:.0f} s"
        cells = [
            describe_time([time_to(goal, t) for t in found], last, ended) for goal in options.goals
        ]
        pace = median(trail[-1][0] / len(trail) for trail in found)
        rows.append([program, *cells, "" if ours else f"{pace:.2f}"])
    budgets = ", ".join(f"{budget:g}" for budget in sorted(options.budgets))
    parts = [
        "# Time to a held-out error at 128 numbers",
        "Mean squared error per pixel on the 10,000 test digits, clipped to [0, 1] for all. Peers: "
        "784-512-256-128 and back, GELU, Adam 0.001, batch 256, each with its framework's initial "
        "values, measured after each epoch with the clock standing still. narrows: its defaults "
        f"with max_seconds of {budgets}; the time of the shortest that gave the error, from the "
        "call of fit to its return, PCA included. Imports and compilation are out. Median (range) "
        f"over {options.repetitions} repetitions, each program in its own process, in turn.",
        machine.markdown_description(machine.describe()),
        machine.markdown_quietness([run["others"] for run in runs]),
        machine.markdown_table(header, rows),
        "\n".join(compare(trails, options.goals)),
    ]
    return "\n\n".join(parts)


def main() -> None:
    """Run the comparison and write its results."""
    parser = argparse.ArgumentParser(description="Time narrows and its peers to a given error.")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--peers", nargs="*", choices=trainers.PROGRAMS, default=DEFAULT_PEERS)
    parser.add_argument("--goals", nargs="+", type=float, default=DEFAULT_GOALS)
    parser.add_argument("--budgets", nargs="+", type=float, default=DEFAULT_BUDGETS)
    parser.add_argument("--limit", type=float, default=600.0, help="seconds given to each peer")
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    options = parser.parse_args()
    trails, runs = collect(options)
    text = report(trails, runs, options)
    print(text)
    data = {"machine": machine.describe(), "goals": options.goals, "runs": runs}
    for path in machine.write_results("time-to-quality", text, data, options.out):
        print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
