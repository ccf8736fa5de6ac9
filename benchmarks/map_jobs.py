"""What maps of digits are good for beyond looking: features, clusters, staying put, trust.

    .venv/bin/python benchmarks/map_jobs.py [--only features alignment trust] [--seeds 3]
        [--out DIR]

Everything is learned from MNIST's 60,000 training digits without labels, at default settings, and
measured on the 10,000 test digits.

Features: 64 numbers by ``objective="neighbors"``, beside PCA's 64 and the pixels. Linear probe: a
logistic regression on all training digits, and on 100 of them (10 of each class, mean of 5 draws);
10-NN accuracy (all training digits vote). Clusters: k-means with ten centres,
learned from training codes; accuracy by the best assignment of clusters to digits, of 64 numbers
and of the plane.

Alignment: the plane refitted with another seed, and on data grown by a tenth, each from the plane
before; movement of the points that both have, in parts of the map's width. Trust: AUROC of noise
and of the digit 7, which these models never saw, against the other test digits.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, roc_auc_score

import machine
from narrows import Autoencoder
from narrows.datasets import load_mnist
from narrows.evaluation.classifiers import knn_accuracy

TOPIC = "map-jobs"
WIDE, FEW, DRAWS = 64, 10, 5
LEFT_OUT = 7
GROWN = 1.1
Array = NDArray[Any]


def new(seed: int, n_components: int = 2) -> Autoencoder:
    return Autoencoder(n_components, objective="neighbors", random_state=seed)


def linear(Z: Array, y: Array, Z_test: Array, y_test: Array) -> float:
    """Return the accuracy of a logistic regression on features of one common scale."""
    scale = Z.std() or 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe = LogisticRegression(max_iter=300).fit(Z / scale, y)
    return float(probe.score(Z_test / scale, y_test))


def few_labels(Z: Array, y: Array, Z_test: Array, y_test: Array) -> float:
    """Return the mean accuracy of the same from ten digits of each class."""
    found = []
    for draw in range(DRAWS):
        random = np.random.RandomState(draw)
        chosen = np.concatenate(
            [random.choice(np.flatnonzero(y == kind), FEW, replace=False) for kind in np.unique(y)]
        )
        found.append(linear(Z[chosen], y[chosen], Z_test, y_test))
    return float(np.mean(found))


def clustered(Z: Array, Z_test: Array, y_test: Array, seed: int) -> float:
    """Return the accuracy of k-means by the best assignment of its clusters to digits."""
    found = KMeans(10, n_init=10, random_state=seed).fit(Z).predict(Z_test)
    counts = confusion_matrix(y_test, found)
    return float(counts[linear_sum_assignment(-counts)].sum() / len(y_test))


def features(name: str, parts: tuple[Array, Array, Array, Array], seed: int) -> dict[str, Any]:
    """Measure all that features are asked for."""
    Z, _, Z_test, y_test = parts
    return {
        "features": name,
        "seed": seed,
        "linear": linear(*parts),
        "few": few_labels(*parts),
        "knn": knn_accuracy(*parts),
        "kmeans": clustered(Z, Z_test, y_test, seed),
    }


def all_features(digits: tuple[Array, ...], seeds: int) -> Iterator[dict[str, Any]]:
    """Give a result for pixels, PCA, and our 64 numbers and plane of each seed."""
    X, y, X_test, y_test = digits
    pca = PCA(WIDE, random_state=0).fit(X)
    yield features("pixels", (X, y, X_test, y_test), 0)
    yield features(f"PCA, {WIDE}", (pca.transform(X), y, pca.transform(X_test), y_test), 0)
    for seed in range(seeds):
        for size in (WIDE, 2):
            began = time.perf_counter()
            ae = new(seed, size).fit(X)
            seconds = time.perf_counter() - began
            parts = ae.transform(X), y, ae.transform(X_test), y_test
            yield {**features(f"narrows, {size}", parts, seed), "fit_seconds": seconds}


def moved(before: Autoencoder, after: Autoencoder, X: Array) -> dict[str, float]:
    """Return how far rows moved, in parts of the width that `movement_` states."""
    apart = np.linalg.norm(after.transform(X) - before.transform(X), axis=1)
    median, far = np.quantile(apart / after.movement_.width, [0.5, 0.95])
    return {"median": float(median), "far": float(far)}


def alignments(digits: tuple[Array, ...], seeds: int) -> Iterator[dict[str, Any]]:
    """Give the movement after another seed, and after data have grown."""
    X, y, X_test, y_test = digits
    n_old = round(len(X) / GROWN)
    for seed in range(seeds):
        for job, n_rows in (("another seed", len(X)), ("grown by a tenth", n_old)):
            before = new(seed).fit(X[:n_rows])
            after = new(seed + 1).fit(X, align_to=before)
            accuracies = [
                knn_accuracy(ae.transform(X), y, ae.transform(X_test), y_test)
                for ae in (before, after)
            ]
            yield {
                "job": job,
                "seed": seed,
                **moved(before, after, X[:n_rows]),
                "before": accuracies[0],
                "after": accuracies[1],
            }


def auroc(usual: Array, strange: Array) -> float:
    """Return how often trust in a usual row is higher than in a strange one."""
    truth = np.r_[np.ones(len(usual)), np.zeros(len(strange))]
    return float(roc_auc_score(truth, np.r_[usual, strange]))


def trusts(digits: tuple[Array, ...], seeds: int) -> Iterator[dict[str, Any]]:
    """Give AUROCs of trust for models that never saw one digit."""
    X, y, X_test, y_test = digits
    usual, unseen = X_test[y_test != LEFT_OUT], X_test[y_test == LEFT_OUT]
    for seed in range(seeds):
        noise = np.random.default_rng(seed).random((1000, X.shape[1]), dtype=np.float32)
        models = {"plane": new(seed), "32 numbers": Autoencoder(32, random_state=seed)}
        for name, ae in models.items():
            ae.fit(X[y != LEFT_OUT])
            trust = [ae.trust(ae.transform(rows), rows) for rows in (usual, noise, unseen)]
            aurocs = [auroc(trust[0], other) for other in trust[1:]]
            yield {
                "model": name,
                "seed": seed,
                "noise": aurocs[0],
                "left out": aurocs[1],
                "median trust": float(np.median(trust[0])),
            }


def table(runs: list[dict[str, Any]], by: str, columns: dict[str, str]) -> str:
    """Return means over seeds, a row for each name."""
    rows = []
    for name in dict.fromkeys(run[by] for run in runs):
        own = [run for run in runs if run[by] == name]
        cells = []
        for key in columns.values():
            values = [run[key] for run in own if key in run]
            digits = 1 if key.endswith("seconds") else 4
            cells.append(f"{np.mean(values):.{digits}f}" if values else "")
        rows.append([name, *cells])
    return machine.markdown_table([by, *columns], rows)


JOBS = {"features": all_features, "alignment": alignments, "trust": trusts}
TABLES = {
    "features": (
        "Features of test digits:",
        "features",
        {
            "linear probe": "linear",
            "from 100 labels": "few",
            "10-NN": "knn",
            "k-means": "kmeans",
            "fit, s": "fit_seconds",
        },
    ),
    "alignment": (
        "Movement in parts of the map's width:",
        "job",
        {
            "median movement": "median",
            "95 % within": "far",
            "10-NN before": "before",
            "10-NN after": "after",
        },
    ),
    "trust": (
        "Trust of models that never saw the digit 7:",
        "model",
        {
            "AUROC, noise": "noise",
            "AUROC, digit 7": "left out",
            "median trust of others": "median trust",
        },
    ),
}
"""Of each job, what stands above its table, what names a row, and its columns."""


def main() -> None:
    """Measure, print each result, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=JOBS, default=list(JOBS), help="which jobs")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    arguments = parser.parse_args()
    digits = *load_mnist("train", return_X_y=True), *load_mnist("test", return_X_y=True)
    found: dict[str, list[dict[str, Any]]] = {}
    for name in arguments.only:
        for run in JOBS[name](digits, arguments.seeds):
            print(run, flush=True)
            found.setdefault(name, []).append(run)
    sections = [
        machine.markdown_description(machine.describe()),
        f"Means of {arguments.seeds} seeds, 10,000 test digits.",
    ]
    for name, runs in found.items():
        title, by, columns = TABLES[name]
        sections += [title, table(runs, by, columns)]
    data = {"machine": machine.describe(), **found}
    machine.write_results(TOPIC, "\n\n".join(sections), data, arguments.out)


if __name__ == "__main__":
    main()
