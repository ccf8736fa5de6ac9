"""Check that a default fit is never worse than PCA on rows that neither has seen.

For each data set and code size there are five random splits. Both learn from three quarters of the
rows, and their errors are measured on the rest. Printed is the mean of our errors over the splits,
divided by the mean of PCA's.

    python benchmarks/never_worse.py [--out DIR] [--only NAME]
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.model_selection import train_test_split

import machine
from narrows import Autoencoder, evaluate
from narrows.datasets import load_mnist

TOPIC = "never-worse"
BETTER = {
    ("digits", 2): 0.70,
    ("digits", 8): 0.70,
    ("s_curve", 2): 0.10,
    ("breast_cancer", 2): 0.95,
}
"""Where there is something to gain: the ratio to PCA's error that must be reached."""
N_HEAVY = 10
"""Columns of heavy-tailed sets."""
FAR_SHARE, FAR_FACTOR = 0.02, 10.0
"""Contaminated rows, and by how much they are longer."""


def data_sets() -> dict[str, tuple[NDArray[np.float64], list[int]]]:
    """Return rows and code sizes by name."""
    random = np.random.RandomState(0)
    found = {}
    for name in ("iris", "wine", "breast_cancer", "digits", "diabetes"):
        X = getattr(datasets, f"load_{name}")().data
        found[name] = (X, sorted({1, 2, X.shape[1] // 2}))
    found["digits"][1].append(8)
    low_rank = random.randn(300, 3) @ random.randn(3, 20)
    constant = random.randn(300, 6) * np.array([1, 0, 1, 0, 1, 1.0]) + 5
    constant[:, 4] += constant[:, 0] ** 2
    huge = random.randn(400, 8) * np.array([1e6, 1, 1, 1, 1, 1, 1, 1])
    found |= {
        "s_curve": (datasets.make_s_curve(2000, random_state=0)[0], [1, 2]),
        "gaussian noise": (random.randn(300, 20), [1, 2, 10]),
        "low rank 3": (low_rank, [1, 2, 3, 5]),
        "20 rows of 500": (random.randn(20, 500), [1, 2, 10]),
        "constant columns": (constant, [1, 2, 3]),
        "huge column": (huge, [1, 2, 4]),
        "huge column, far mean": (huge + 1e8, [1, 2, 4]),
        "heavy tails": (random.standard_t(1.5, size=(400, 10)), [2, 5]),
    }
    return found | heavy_tailed_sets()


def heavy_tailed_sets() -> dict[str, tuple[NDArray[np.float64], list[int]]]:
    """Return rows of which a few are far off, so that luck on these may look like a gain."""
    found = {}
    for n in (300, 1500):
        random = np.random.RandomState(n)
        contaminated = random.randn(n, N_HEAVY)
        contaminated[random.rand(n) < FAR_SHARE] *= FAR_FACTOR
        found[f"t2, {n} rows"] = (random.standard_t(2, size=(n, N_HEAVY)), [2, 5])
        found[f"lognormal, {n} rows"] = (random.lognormal(size=(n, N_HEAVY)), [2, 5])
        found[f"contaminated, {n} rows"] = (contaminated, [2, 5])
    return found


def measure(X: NDArray[np.float64], k: int, n_splits: int = 5) -> dict[str, object]:
    """Fit on five splits, and compare with PCA on the rows left out."""
    errors, pca_errors, seconds = [], [], []
    for split in range(n_splits):
        train, test = train_test_split(X, test_size=0.25, random_state=split)
        started = time.perf_counter()
        ae = Autoencoder(k, random_state=split).fit(train)
        seconds.append(time.perf_counter() - started)
        report = evaluate(ae, test)
        errors.append(report.error)
        pca_errors.append(report.pca_error)
    allowed = 1.01 * np.mean(pca_errors) + 1e-6 * X.var(axis=0).mean()
    return {
        "error": float(np.mean(errors)),
        "pca_error": float(np.mean(pca_errors)),
        "per_split": [e / p if p > 0 else 1.0 for e, p in zip(errors, pca_errors, strict=True)],
        "never_worse": bool(np.mean(errors) <= allowed),
        "seconds": float(np.median(seconds)),
    }


def measure_mnist(k: int) -> dict[str, object]:
    """Fit once on the training digits at default settings, and compare on the test digits."""
    X, _ = load_mnist("train", return_X_y=True)
    X_test, _ = load_mnist("test", return_X_y=True)
    started = time.perf_counter()
    ae = Autoencoder(k, random_state=0).fit(X)
    seconds = time.perf_counter() - started
    report = evaluate(ae, X_test)
    return {
        "error": report.error,
        "pca_error": report.pca_error,
        "per_split": [report.error / report.pca_error],
        "never_worse": report.error <= 1.01 * report.pca_error,
        "seconds": seconds,
    }


def main() -> None:
    """Measure every data set, and print a line for each code size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    parser.add_argument("--only", help="the name of one data set")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # a column that carries nearly all the variance is the point
    rows, lines = [], []
    sets: dict[str, tuple[NDArray[np.float64] | None, list[int]]] = {**data_sets()}
    sets["mnist"] = (None, [2, 3, 10, 32, 128])
    for name, (X, sizes) in sets.items():
        if arguments.only not in (None, name):
            continue
        for k in sizes:
            found = measure_mnist(k) if X is None else measure(X, k)
            row = {"data": name, "k": k, **found}
            ratio = row["error"] / row["pca_error"] if row["pca_error"] > 0 else 1.0
            bar = BETTER.get((name, k))
            row["ratio"], row["bar"] = ratio, bar
            row["holds"] = row["never_worse"] and (bar is None or ratio <= bar)
            rows.append(row)
            splits = " ".join(f"{r:.3f}" for r in row["per_split"])
            lines.append(
                f"- {name:>22} k={k:<3} ratio {ratio:.3f}  [{splits}]  {row['seconds']:.1f} s"
                f"  {'holds' if row['holds'] else 'FAILS'}"
            )
            print(lines[-1], flush=True)
    machine.write_table(TOPIC, lines, rows, arguments.out)


if __name__ == "__main__":
    main()
