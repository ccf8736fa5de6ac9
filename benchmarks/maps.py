"""Maps of two numbers beside UMAP, PCA and t-SNE: neighbours kept, time, and the way back.

    .venv-peers/bin/python benchmarks/maps.py [--only mnist small blobs] [--seeds 3] [--splits 10]
        [--out DIR]

MNIST: the 60,000 training digits are fitted, the 10,000 test digits placed. narrows is given
UMAP's own seconds, then three times as many; UMAP's code is compiled beforehand, and what torch
imports for a first fit is imported. 10-NN accuracy is that of `knn_accuracy`: all training digits
vote in the plane. Trustworthiness compares the pixels of 5,000 test digits
with their places (k = 15, scikit-learn's). The way back is the held-out error of encoding and
decoding; of UMAP, whose inverse takes half a second a point, of 200 digits.

Small sets and blobs: a quarter of the rows is placed after fitting the others, with defaults; the
small ones in ten splits, for a single row of breast_cancer's 143 is .007. t-SNE places no new rows,
so it sees them all, and its accuracy is leave-one-out.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import machine
from narrows import Autoencoder
from narrows.datasets import load_mnist
from narrows.evaluation.classifiers import knn_accuracy

TOPIC = "maps"
TRUSTED = 15
N_INVERTED = 200
BLOBS = {"n_samples": 200_000, "n_features": 50, "centers": 40, "cluster_std": 3.0}
MOST_FOR_TSNE = 5_000
SPLITS, FIRST = 10, 3
Array = NDArray[Any]


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a call gives, and its seconds."""
    began = time.perf_counter()
    found = call()
    return found, time.perf_counter() - began


def new_umap(seed: int | None) -> Any:
    """Return umap-learn's estimator with defaults; a seed would bind it to one core."""
    import umap

    del seed  # as most people run it: on all cores, without a seed
    return umap.UMAP()


def new_narrows(seed: int, **more: Any) -> Autoencoder:
    return Autoencoder(2, objective="neighbors", random_state=seed, **more)


# ---------------------------------------------------------------------- MNIST


def places_of_mnist(model: Any, data: dict[str, Array]) -> dict[str, float]:
    """Fit a model to the training digits, place the others, and measure."""
    _, fit_seconds = timed(lambda: model.fit(data["X"]))
    Z = model.embedding_ if hasattr(model, "embedding_") else model.transform(data["X"])
    model.transform(data["X_test"][:100])  # what compiles when it is first called, has
    Z_test, place_seconds = timed(lambda: model.transform(data["X_test"]))
    one = [timed(lambda: model.transform(data["X_test"][:1]))[1] for _ in range(20)]
    picked = np.random.RandomState(0).choice(10_000, 5_000, replace=False)
    return {
        "fit_seconds": fit_seconds,
        "accuracy": knn_accuracy(Z, data["y"], Z_test, data["y_test"]),
        "trustworthiness": float(
            trustworthiness(data["X_test"][picked], Z_test[picked], n_neighbors=TRUSTED)
        ),
        "place_seconds": place_seconds,
        "one_seconds": float(np.median(one)),
    }


def way_back(model: Any, X: Array) -> dict[str, float]:
    """Return the error of encoding and decoding rows, clipped, and the seconds of decoding."""
    Z = model.transform(X)
    X_hat, seconds = timed(lambda: model.inverse_transform(Z))
    return {
        "error": float(np.square(np.clip(X_hat, 0, 1) - X).mean()),
        "inverse_seconds": seconds,
        "n_inverted": len(X),
    }


def mnist(seeds: int) -> Iterator[dict[str, Any]]:
    """Give a result for each method and seed."""
    X, y = load_mnist("train", return_X_y=True)
    X_test, y_test = load_mnist("test", return_X_y=True)
    data = {"X": X, "y": y, "X_test": X_test, "y_test": y_test}
    new_umap(None).fit(X[:5_000]).transform(X_test[:100])  # compiles
    new_narrows(0, max_steps=1).fit(X[:5_000])  # imports what torch puts off
    pca = PCA(2)
    yield {"method": "PCA", **places_of_mnist(pca, data), **way_back(pca, X_test)}
    for seed in range(seeds):
        reducer = new_umap(seed)
        found = places_of_mnist(reducer, data)
        back = way_back(reducer, X_test[:N_INVERTED]) if seed == 0 else {}
        yield {"method": "UMAP", "seed": seed, **found, **back}
        for times in (1, 3):
            ae = new_narrows(seed, max_seconds=times * found["fit_seconds"])
            ours = places_of_mnist(ae, data)
            name = "narrows" if times == 1 else f"narrows, {times} × the time"
            few = way_back(ae, X_test[:N_INVERTED])
            yield {
                "method": name,
                "seed": seed,
                "n_steps": ae.n_steps_,
                **ours,
                **way_back(ae, X_test),
                "few_error": few["error"],
                "few_seconds": few["inverse_seconds"],
            }


# ---------------------------------------------------------------------- other sets


def sets() -> dict[str, tuple[Array, Array]]:
    """Return rows and labels of each set; tables with columns of deviation 1."""
    found = {}
    for name in ("digits", "breast_cancer", "wine", "iris"):
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        found[name] = (X if name == "digits" else StandardScaler().fit_transform(X), y)
    return found


def placed(name: str, X: Array, y: Array, seed: int) -> Iterator[dict[str, Any]]:
    """Give the accuracy of each method on one split of a set."""
    parts = train_test_split(X, y, random_state=seed, stratify=y)
    train, test, y_train, y_test = parts
    methods = {"PCA": PCA(2), "UMAP": new_umap(seed), "narrows": new_narrows(seed)}
    for method, model in methods.items():
        _, seconds = timed(lambda model=model: model.fit(train))
        Z = model.embedding_ if method == "UMAP" else model.transform(train)
        found = knn_accuracy(Z, y_train, model.transform(test), y_test)
        yield {
            "method": method,
            "data": name,
            "seed": seed,
            "accuracy": found,
            "fit_seconds": seconds,
        }
    if len(X) <= MOST_FOR_TSNE:
        Z, seconds = timed(lambda: TSNE(random_state=seed).fit_transform(X))
        yield {
            "method": "t-SNE",
            "data": name,
            "seed": seed,
            "accuracy": knn_accuracy(Z, y),
            "fit_seconds": seconds,
        }


# ---------------------------------------------------------------------- tables


def mean_of(runs: list[dict[str, Any]], name: str) -> float:
    """Return the mean over seeds of what was measured; NaN where nothing was."""
    values = [run[name] for run in runs if name in run]
    return float(np.mean(values)) if values else float("nan")


def mnist_table(runs: list[dict[str, Any]]) -> str:
    """Return the table of MNIST, means over seeds."""
    rows = []
    for method in dict.fromkeys(run["method"] for run in runs):
        own = [run for run in runs if run["method"] == method]
        error = mean_of(own, "error")
        rows.append(
            [
                method,
                f"{mean_of(own, 'fit_seconds'):.0f}",
                f"{mean_of(own, 'accuracy'):.4f}",
                f"{mean_of(own, 'trustworthiness'):.4f}",
                f"{error:.4f}",
                f"{mean_of(own, 'inverse_seconds'):.3g} ({own[0].get('n_inverted', 0):,})",
                f"{mean_of(own, 'place_seconds'):.3f}",
                f"{1000 * mean_of(own, 'one_seconds'):.2f}",
            ]
        )
    header = ["method", "fit, s", "10-NN accuracy", "trustworthiness", "error of the way back"]
    header += ["decoding, s (rows)", "placing 10,000, s", "placing one, ms"]
    return machine.markdown_table(header, rows)


def set_table(runs: list[dict[str, Any]]) -> str:
    """Return the table of the other sets: accuracies, with seconds in brackets.

    And by how much narrows is above UMAP on the same splits, with its standard error.
    """
    methods = list(dict.fromkeys(run["method"] for run in runs))
    rows = []
    for name in dict.fromkeys(run["data"] for run in runs):
        cells = [name]
        of_method = {
            method: [run for run in runs if run["method"] == method and run["data"] == name]
            for method in methods
        }
        for own in of_method.values():
            words = f"{mean_of(own, 'accuracy'):.4f} ({mean_of(own, 'fit_seconds'):.1f} s)"
            cells.append(words if own else "")
        ours, theirs = (
            np.array([run["accuracy"] for run in of_method[method]])
            for method in ("narrows", "UMAP")
        )
        above = ours - theirs
        spread = f" ± {above.std(ddof=1) / len(above) ** 0.5:.4f}" if len(above) > 1 else ""
        first = f"{above[:FIRST].mean():+.4f}"
        rows.append([*cells, str(len(above)), f"{above.mean():+.4f}{spread}", first])
    header = ["data", *methods, "splits", "narrows above UMAP", f"on the first {FIRST}"]
    return machine.markdown_table(header, rows)


def main() -> None:
    """Measure what was asked for, print each result, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=["mnist", "small", "blobs"])
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--splits", type=int, default=SPLITS, help="of each small set")
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    arguments = parser.parse_args()
    chosen = arguments.only or ["mnist", "small", "blobs"]
    digits, others = [], []

    def note(runs: list[dict[str, Any]], run: dict[str, Any]) -> None:
        runs.append(run)
        print(run, flush=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # UMAP's about its own settings
        if "small" in chosen:
            for name, (X, y) in sets().items():
                for seed in range(arguments.splits):
                    for run in placed(name, X, y, seed):
                        note(others, run)
        if "blobs" in chosen:
            for seed in range(arguments.seeds):
                X, y = datasets.make_blobs(**BLOBS, random_state=seed)
                for run in placed("blobs, 200,000 × 50", X.astype(np.float32), y, seed):
                    note(others, run)
        if "mnist" in chosen:
            for run in mnist(arguments.seeds):
                note(digits, run)
    sections = [machine.markdown_description(machine.describe())]
    if digits:
        sections += [
            f"MNIST, means of {arguments.seeds} seeds; narrows was given UMAP's seconds.",
            mnist_table(digits),
        ]
    if others:
        sections += [
            "10-NN accuracy on rows that were placed after fitting, means of so many splits"
            " (seconds of fitting); t-SNE places no new rows, so its accuracy is leave-one-out.",
            set_table(others),
        ]
    data = {"machine": machine.describe(), "mnist": digits, "others": others}
    machine.write_results(TOPIC, "\n\n".join(sections), data, arguments.out)


if __name__ == "__main__":
    main()
