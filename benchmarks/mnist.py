"""Held-out error on MNIST within a time: the default `Autoencoder(k, max_seconds=T)`.

For each (k, T) seeds 0 to 2, each fit in a fresh process; printed are the test error (10,000 test
digits, clipped to [0, 1]), the wall time from the call of `fit` to its return, and the peak memory.

    python benchmarks/mnist.py [--out DIR] [--jobs 128:30 32:60 2:120] [--seeds 3]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import machine

TOPIC = "mnist"
BARS = {(128, 30): 0.0017, (32, 60): 0.0044, (2, 120): 0.0330}


def one(k: int, seconds: float, seed: int) -> dict[str, float]:
    """Fit once, and measure on the test digits."""
    import resource

    from narrows import Autoencoder, evaluate
    from narrows.datasets import load_mnist

    X, _ = load_mnist("train", return_X_y=True)
    X_test, _ = load_mnist("test", return_X_y=True)
    started = time.perf_counter()
    ae = Autoencoder(k, random_state=seed, max_seconds=seconds).fit(X)
    wall = time.perf_counter() - started
    report = evaluate(ae, X_test)
    return {
        "error": report.error,
        "pca_error": report.pca_error,
        "wall": wall,
        "n_steps": ae.n_steps_,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Run every job in processes of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", nargs="*", default=[f"{k}:{t}" for k, t in BARS])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    parser.add_argument("--one", help="internal: K:SECONDS:SEED in this process")
    arguments = parser.parse_args()
    if arguments.one:
        k, seconds, seed = arguments.one.split(":")
        print(json.dumps(one(int(k), float(seconds), int(seed))))
        return
    rows, lines = [], []
    for job in arguments.jobs:
        k, seconds = job.split(":")
        runs = [_in_a_process(f"{k}:{seconds}:{seed}") for seed in range(arguments.seeds)]
        median = statistics.median(run["error"] for run in runs)
        slowest = max(run["wall"] for run in runs)
        bar = BARS.get((int(k), int(float(seconds))))
        rows.append({"k": int(k), "seconds": float(seconds), "median": median, "runs": runs})
        lines.append(
            f"- k={k:>3} T={seconds:>3} s  error {median:.5f} (bar {bar}, PCA"
            f" {runs[0]['pca_error']:.5f})  wall ≤ {slowest:.1f} s  seeds"
            f" {' '.join(format(run['error'], '.5f') for run in runs)}"
            f"  peak {max(run['peak_mib'] for run in runs):.0f} MiB"
        )
        print(lines[-1], flush=True)
    machine.write_table(TOPIC, lines, rows, arguments.out)


def _in_a_process(job: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", job]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    answer: dict[str, float] = json.loads(finished.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    main()
