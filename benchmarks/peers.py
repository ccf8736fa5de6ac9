"""Train one program on MNIST, in a process of its own, and write what it took as JSON.

    python benchmarks/peers.py keras-jax --job tutorial --seed 0 --json out.json

Two jobs, the same layers, batches of 256 and Adam for every program; each program draws its
initial values as its framework does by default:

``tutorial``
    784-256-128-256-784, sigmoid at every layer, Adam 0.01: the tutorial's first net, five epochs.
    Nothing is measured between epochs.
``quality``
    784-512-256-128 and back, GELU, linear code and output, Adam 0.001, until the error on the
    10,000 test digits reaches the lowest goal or the clock reaches the limit. narrows is given
    its own defaults and a budget in seconds instead, and is judged by the model it returns.

Imports are over before a clock starts. In ``quality`` each program first takes a few steps on a
copy, or is set back to its start after them, so that compilation is out of its time too; the
clock stands still while the error is measured. Reconstructions are clipped to [0, 1] for all.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import machine
from contest import DEFAULT_DATA, JOBS, Watch, held_out_error, read_pixels
from trainers import PROGRAMS, train


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run what the command line asks for and return what it took."""
    job = JOBS[options.job]
    if options.epochs is not None:
        job = replace(job, epochs=options.epochs)
    rows = read_pixels(options.data / "train-images-idx3-ubyte.gz")
    test = read_pixels(options.data / "t10k-images-idx3-ubyte.gz")
    watch = Watch(test, options.goal, options.limit)
    reconstruct = train(options.program, job, rows, options.seed, watch, options.budget)
    watch.stop()
    return {
        "program": options.program,
        "job": options.job,
        "seed": options.seed,
        "budget": options.budget,
        "epoch_seconds": watch.epoch_seconds,
        "wall_seconds": watch.wall_seconds,
        "trail": watch.trail,
        "test_error": held_out_error(reconstruct, test),
        "gflop_per_epoch": job.flops_per_row() * len(rows) / 1e9,
    }


def run(
    program: str, job: str, seed: int, arguments: list[str], attempts: int = 1
) -> dict[str, Any]:
    """Train a program in a process of its own.

    Parameters
    ----------
    program : str
        One of ``PROGRAMS``.
    job : str
        A key of ``JOBS``.
    seed : int
        Seed of initial values and order.
    arguments : list of str
        Further options of this file's command line.
    attempts : int
        Times to try while other processes disturb the run; the least disturbed one counts.

    Returns
    -------
    dict
        What the process measured, and ``others``: the share of all cores that other processes
        used meanwhile.

    Raises
    ------
    SystemExit
        If the process fails, with its last words.
    """
    tries: list[dict[str, Any]] = []
    while len(tries) < attempts and not (tries and tries[-1]["others"] <= machine.QUIET_SHARE):
        tries.append(run_once(program, job, seed, arguments))
    return min(tries, key=lambda result: float(result["others"]))


def run_once(program: str, job: str, seed: int, arguments: list[str]) -> dict[str, Any]:
    """Train a program in a process of its own, once."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run.json"
        command = [sys.executable, str(Path(__file__).resolve()), program, "--job", job]
        command += ["--seed", str(seed), "--json", str(out), *arguments]
        start, busy, own = time.perf_counter(), machine.busy_core_seconds(), core_seconds_of_runs()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last_words = "\n".join(done.stderr.strip().splitlines()[-8:])
            raise SystemExit(
                f"{program} ended with {done.returncode} (are the peers installed?):\n{last_words}"
            )
        others = machine.busy_core_seconds() - busy - (core_seconds_of_runs() - own)
        available = (time.perf_counter() - start) * machine.count_cores()
        result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return {**result, "others": max(others / available, 0.0)}


def core_seconds_of_runs() -> float:
    """Return the core-seconds that the finished processes started from here have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Train one program and write what it took."""
    parser = argparse.ArgumentParser(description="Train one program on MNIST and time it.")
    parser.add_argument("program", choices=PROGRAMS)
    parser.add_argument("--job", choices=JOBS, default="tutorial")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="instead of the job's own number")
    parser.add_argument("--goal", type=float, help="held-out error at which to stop")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds of training at most")
    parser.add_argument("--budget", type=float, help="seconds given to narrows' defaults")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder of the idx files")
    parser.add_argument("--json", type=Path, help="where to write what it took")
    options = parser.parse_args()
    if options.budget is not None and options.program != "narrows":
        parser.error("--budget goes with the program narrows")
    text = json.dumps(measure(options))
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
