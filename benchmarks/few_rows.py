"""Seconds of whole calls on few rows, where people meet narrows first.

    python benchmarks/few_rows.py [--repeats 3] [--maps] [--out DIR]

Default fits of scikit-learn's small sets, in a process that has fitted before; the first fit of a
process beside its second; and the command line, from its start to its end. With ``--maps`` also
maps of two numbers, beside umap-learn where that is installed. Medians; held-out errors are those
that the fits report.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets

import machine
from narrows import Autoencoder

TOPIC = "few-rows"
FITS = [("iris", 2), ("wine", 2), ("breast_cancer", 2), ("digits", 2), ("digits", 8)]
MAPS = ["iris", "wine", "breast_cancer", "digits"]
FIRST_FIT = """
import time
import numpy as np
from narrows import Autoencoder
X = np.random.default_rng(0).normal(size=(150, 4))
for _ in range(2):
    began = time.perf_counter()
    Autoencoder(2, max_steps=20, random_state=0).fit(X)
    print(time.perf_counter() - began)
"""


def rows_of(name: str) -> NDArray[np.float64]:
    """Return the rows of one of scikit-learn's small sets."""
    X: NDArray[np.float64] = getattr(datasets, f"load_{name}")().data
    return X


def fit(X: NDArray[np.float64], k: int, **params: Any) -> Callable[[int], Autoencoder]:
    """Return a call that fits rows, given a seed."""
    return lambda seed: Autoencoder(k, random_state=seed, **params).fit(X)


def timed(call: Callable[[int], Any], repeats: int) -> tuple[Any, float]:
    """Call with seeds 0, 1, …; return what the last call gives, and the median of the seconds."""
    seconds = []
    for seed in range(repeats):
        began = time.perf_counter()
        found = call(seed)
        seconds.append(time.perf_counter() - began)
    return found, float(np.median(seconds))


def measure_fits(repeats: int) -> list[dict[str, Any]]:
    """Return seconds of default fits, and the error of the last, as a part of PCA's."""
    found = []
    for name, k in FITS:
        X = rows_of(name)
        ae, seconds = timed(
            lambda seed, X=X, k=k: Autoencoder(k, random_state=seed).fit(X), repeats
        )
        ratio = ae.validation_error_ / ae.pca_validation_error_
        found.append({"call": f"fit {name}, {k} numbers", "seconds": seconds, "ratio": ratio})
    return found


def measure_maps(repeats: int) -> list[dict[str, Any]]:
    """Return seconds of default maps, and those of umap-learn where it is installed."""
    found = []
    has_umap = importlib.util.find_spec("umap") is not None
    for name in MAPS:
        X = rows_of(name)
        _, seconds = timed(
            lambda seed, X=X: Autoencoder(2, objective="neighbors", random_state=seed).fit(X),
            repeats,
        )
        found.append({"call": f"map {name}", "seconds": seconds})
        if has_umap:
            import umap

            umap.UMAP().fit(X)  # compiles
            _, seconds = timed(lambda seed, X=X: umap.UMAP().fit(X), repeats)
            found.append({"call": f"map {name}, umap-learn", "seconds": seconds})
    return found


def measure_processes(repeats: int) -> list[dict[str, Any]]:
    """Return seconds of the first and second fit of a process, and of the command line."""

    def first_and_second(seed: int) -> list[float]:
        del seed
        answer = subprocess.check_output([sys.executable, "-c", FIRST_FIT], text=True)
        return [float(line) for line in answer.split()]

    both = np.median([first_and_second(seed) for seed in range(repeats)], axis=0)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "iris.csv"
        np.savetxt(table, rows_of("iris"), delimiter=",", header="a,b,c,d", comments="")

        def shell(seed: int) -> None:
            command = [sys.executable, "-m", "narrows", "fit", table, "--n-components", "2"]
            out = Path(folder) / f"{seed}.safetensors"
            subprocess.run([*command, "--out", out], check=True, capture_output=True)

        _, seconds = timed(shell, repeats)
    return [
        {"call": "first fit of a process, 20 steps", "seconds": float(both[0])},
        {"call": "second fit", "seconds": float(both[1])},
        {"call": "narrows fit iris.csv, from the shell", "seconds": seconds},
    ]


def main() -> None:
    """Measure, and print a line for each call."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--maps", action="store_true", help="maps, too")
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # a column that carries nearly all the variance is meant
    Autoencoder(2, max_steps=5).fit(rows_of("iris"))
    rows = measure_fits(arguments.repeats)
    rows += measure_maps(arguments.repeats) if arguments.maps else []
    rows += measure_processes(arguments.repeats)
    lines = ["| call | seconds | error as a part of PCA's |", "|---|---:|---:|"]
    for row in rows:
        ratio = f"{row['ratio']:.3f}" if "ratio" in row else ""
        lines.append(f"| {row['call']} | {row['seconds']:.2f} | {ratio} |")
    print("\n".join(lines))
    machine.write_table(TOPIC, lines, rows, arguments.out)


if __name__ == "__main__":
    main()
