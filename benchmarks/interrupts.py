"""Whether a fit that is stopped at any moment leaves the best model that it had found.

    python benchmarks/interrupts.py [--moments 10] [--out DIR]

Each case is fitted once to its end, and then again and again with an interrupt, as Ctrl-C sends
it, at random moments. A line tells how often there was a model, how often it was not worse than the
best state measured until then, by its error on the same held-out rows, and how often it was better
than PCA where that state was.
"""

from __future__ import annotations

import argparse
import math
import signal
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets

import machine
from budgets import digits
from narrows import MLP, Autoencoder
from narrows.training.progress import Progress

TOPIC = "interrupts"
WORSE = 1.02
"""Factor within which a judged error is not worse than the smallest of many that were measured."""
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "iris, side by side": (lambda: datasets.load_iris().data, {"n_components": 1}),
    "digits, side by side": (lambda: datasets.load_digits().data, {"n_components": 8}),
    "breast_cancer, fold by fold": (
        lambda: datasets.load_breast_cancer().data,
        {"n_components": 2, "network": MLP(hidden=(32,), skip=True), "scaling": "standard"},
    ),
    "MNIST, 20 s": (lambda: digits(60_000), {"n_components": 32, "max_seconds": 20}),
    "map of digits": (
        lambda: datasets.load_digits().data,
        {"n_components": 2, "objective": "neighbors", "max_steps": 300},
    ),
}


class _Watch:
    """A callback that remembers the smallest held-out error, and PCA's, of each run."""

    def __init__(self) -> None:
        self.best: dict[int, float] = {}
        self.pca: dict[int, float] = {}
        self.run = 1

    def __call__(self, progress: Progress) -> None:
        if not math.isnan(progress.validation_error):
            best = self.best.get(progress.run, math.inf)
            self.best[progress.run] = min(best, progress.validation_error)
            self.pca[progress.run] = progress.pca_validation_error
        self.run = progress.run

    def mean_of_done(self, of: dict[int, float]) -> float:
        """Return the mean over the folds that were done, or what the first has so far."""
        found = [of[run] for run in of if run == 1 or run < self.run]
        return float(np.mean(found)) if found else math.inf


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def measure(name: str, n_moments: int) -> dict[str, Any]:
    """Interrupt fits of a case at random moments."""
    read, params = CASES[name]
    X = read()
    began = time.perf_counter()
    Autoencoder(random_state=0, **params).fit(X)
    whole = time.perf_counter() - began
    row = {"case": name, "seconds": whole, "models": 0, "good": 0, "gained": 0, "gaining": 0}
    signal.signal(signal.SIGALRM, _interrupt)
    rng = np.random.default_rng(0)
    for moment in whole * rng.uniform(0.02, 0.98, size=n_moments):
        watch = _Watch()
        ae = Autoencoder(random_state=0, callbacks=(watch,), **params)
        signal.setitimer(signal.ITIMER_REAL, moment)
        try:
            ae.fit(X)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            pass
        if not hasattr(ae, "model_"):
            continue
        row["models"] += 1
        best, ours = watch.mean_of_done(watch.best), float(ae.validation_error_)
        row["good"] += math.isinf(best) or ours <= WORSE * best
        if best < 0.98 * watch.mean_of_done(watch.pca):
            row["gaining"] += 1
            row["gained"] += ours < ae.pca_validation_error_
    return row


def main() -> None:
    """Measure, and print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    Autoencoder(2, max_steps=5).fit(datasets.load_iris().data)
    lines = [
        "| case | seconds of a whole fit | with a model | not worse than the best state |"
        " better than PCA where that was |",
        "|---|---:|---:|---:|---:|",
    ]
    rows = []
    for name in CASES:
        row = measure(name, arguments.moments)
        rows.append(row)
        lines.append(
            f"| {name} | {row['seconds']:.1f} | {row['models']} of {arguments.moments} |"
            f" {row['good']} of {row['models']} | {row['gained']} of {row['gaining']} |"
        )
        print(lines[-1], flush=True)
    machine.write_table(TOPIC, lines, rows, arguments.out)


if __name__ == "__main__":
    main()
