"""One ordered model beside PCA and beside models trained for one size each; the smallest code.

    python benchmarks/ordered.py [--seconds 90] [--out DIR]

Three tables. On MNIST's 10,000 test digits: the error of every prefix of one model of 128 numbers,
PCA's of as many numbers beside it, both clipped to [0, 1], and the error of a model of the same
seconds trained for that size alone. On MNIST: what ``Autoencoder(0.95)`` needs, and explains of
the test digits. On scikit-learn's own sets: what it needs, beside ``PCA(0.95)``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.decomposition import PCA

import machine
from narrows import Autoencoder
from narrows.datasets import load_mnist

TOPIC = "ordered"
SIZE, SECONDS, SEED, FRACTION = 128, 90, 0, 0.95
ALONE = (2, 8, 32, 128)
"""Sizes that a model is trained for alone."""
SHOWN = (1, 2, 4, 8, 16, 32, 64, 128)
SETS = ("iris", "wine", "breast_cancer", "digits")


def error_of(X_hat: NDArray[Any], X: NDArray[Any]) -> float:
    """Return the mean squared error per pixel, clipped to [0, 1]."""
    return float(np.square(np.clip(X_hat, 0, 1) - X).mean())


def prefixes(X: NDArray[Any], X_test: NDArray[Any], seconds: float) -> dict[str, Any]:
    """Train one ordered model; measure all of its prefixes, and PCA of the same training rows."""
    started = time.perf_counter()
    ae = Autoencoder(SIZE, ordered=True, max_seconds=seconds, random_state=SEED).fit(X)
    took = time.perf_counter() - started
    Z = ae.transform(X_test)
    pca = PCA(SIZE, random_state=SEED).fit(X)
    scores = pca.transform(X_test)
    ours, theirs = [], []
    for n in range(1, SIZE + 1):
        ours.append(error_of(ae.inverse_transform(Z[:, :n]), X_test))
        theirs.append(error_of(scores[:, :n] @ pca.components_[:n] + pca.mean_, X_test))
    return {"error": ours, "pca_error": theirs, "n_steps": ae.n_steps_, "seconds": took}


def alone(X: NDArray[Any], X_test: NDArray[Any], seconds: float) -> dict[int, float]:
    """Return the error of a model of each size, trained for that size alone."""
    errors = {}
    for size in ALONE:
        ae = Autoencoder(size, max_seconds=seconds, random_state=SEED).fit(X)
        errors[size] = error_of(ae.reconstruct(X_test), X_test)
        print(f"alone, {size} numbers: {errors[size]:.5f}", flush=True)
    return errors


def fraction_of_mnist(X: NDArray[Any], X_test: NDArray[Any]) -> dict[str, Any]:
    """Find the smallest code for MNIST with defaults."""
    started = time.perf_counter()
    ae = Autoencoder(FRACTION, random_state=SEED).fit(X)
    return {
        "n_components": ae.n_components_,
        "pca": int(PCA(FRACTION, svd_solver="full").fit(X).n_components_),
        "explained": ae.score(X_test),
        "seconds": time.perf_counter() - started,
    }


def fraction_of(name: str) -> dict[str, int]:
    """Find the smallest code for one of scikit-learn's sets."""
    X = getattr(datasets, f"load_{name}")().data
    ae = Autoencoder(FRACTION, random_state=SEED).fit(X)
    return {"n_components": ae.n_components_, "pca": int(PCA(FRACTION).fit(X).n_components_)}


def main() -> None:
    """Measure, print, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each model")
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    arguments = parser.parse_args()
    X, X_test = (load_mnist(part, return_X_y=True)[0] for part in ("train", "test"))
    found = prefixes(X, X_test, arguments.seconds)
    ratios = np.array(found["error"]) / found["pca_error"]
    print(f"ordered: {ratios.max():.3f} of PCA's at the worst prefix", flush=True)
    single = alone(X, X_test, arguments.seconds)
    rows = []
    for n in SHOWN:
        ours, pca = found["error"][n - 1], found["pca_error"][n - 1]
        own = single.get(n)
        beside = ["", ""] if own is None else [f"{own:.5f}", f"{ours / own:.2f}"]
        rows.append(
            [f"{n}", f"{ours:.5f}", f"{pca:.5f}", f"{100 * (1 - ours / pca):.0f} %", *beside]
        )
        print(*rows[-1], sep="  ", flush=True)
    header = ["numbers", "ordered", "PCA", "less by", "trained for this size alone", "ratio"]
    mnist = fraction_of_mnist(X, X_test)
    print(mnist, flush=True)
    small = {name: fraction_of(name) for name in SETS}
    print(small, flush=True)
    sizes = [["MNIST", f"{mnist['n_components']}", f"{mnist['pca']}"]]
    sizes += [[name, f"{part['n_components']}", f"{part['pca']}"] for name, part in small.items()]
    text = "\n\n".join(
        [
            machine.markdown_description(machine.describe()),
            f"One ordered model of {SIZE} numbers, {found['seconds']:.0f} s"
            f" ({found['n_steps']:,} steps), on MNIST's test digits; mean squared error per pixel,"
            f" clipped. Below PCA's at {int((ratios < 1).sum())} of {SIZE} prefixes, at the worst"
            f" {ratios.max():.3f} of it. Beside it models of {arguments.seconds:g} s each, trained"
            " for one size.",
            machine.markdown_table(header, rows),
            f"Numbers that explain {100 * FRACTION:g} % of the variance of held-out rows"
            f" (`Autoencoder({FRACTION})`, defaults) and, by `PCA({FRACTION})`, of the rows"
            f" themselves. MNIST's took {mnist['seconds']:.0f} s, and explain"
            f" {mnist['explained']:.4f} of the test digits' variance.",
            machine.markdown_table(["data", "narrows", "PCA"], sizes),
        ]
    )
    data = {
        "machine": machine.describe(),
        "prefixes": found,
        "alone": single,
        "mnist": mnist,
        "sets": small,
    }
    machine.write_results(TOPIC, text, data, arguments.out)


if __name__ == "__main__":
    main()
