"""Whether `max_seconds` is kept, on quiet machines and on busy ones, and what it buys.

    python benchmarks/budgets.py [--seconds 5 30] [--busy 0 1 2] [--threads auto 1] [--out DIR]
                                 [--cases NAME …] [--no-repeats]

Each case is fitted beside so many processes that keep a core busy each. A line tells the seconds
of the whole call as a part of `max_seconds`, the steps, why training ended, the held-out error as
a part of PCA's, and whether `max_steps=n_steps_`, alone on the machine, gives the same bits.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets

import machine
from narrows import Autoencoder
from narrows.sources.mnist import load_mnist

TOPIC = "budgets"


def digits(n_rows: int) -> NDArray[np.float32]:
    """Return the first handwritten digits of MNIST."""
    X: NDArray[np.float32] = load_mnist("train", return_X_y=True)[0][:n_rows]
    return X


def wide(n_rows: int, *shape: int) -> NDArray[np.float32]:
    """Return rows with a curved structure of three directions in noise."""
    rng = np.random.default_rng(0)
    n_columns = int(np.prod(shape))
    hidden = rng.normal(size=(n_rows, 3))
    curves = np.hstack([hidden, np.sin(2 * hidden), hidden[:, :1] * hidden[:, 1:2]])
    rows = curves @ rng.normal(size=(curves.shape[1], n_columns)) / 3
    rows = rows.astype(np.float32) + rng.standard_normal(rows.shape, dtype=np.float32) / 10
    return rows.reshape(n_rows, *shape)


Case = tuple[Callable[[], Any], dict[str, Any]]
CASES: dict[str, Case] = {
    "2": (lambda: digits(60_000), {"n_components": 2}),
    "32": (lambda: digits(60_000), {"n_components": 32}),
    "128": (lambda: digits(60_000), {"n_components": 128}),
    "map": (lambda: digits(10_000), {"n_components": 2, "objective": "neighbors"}),
    "ordered": (lambda: digits(60_000), {"n_components": 32, "ordered": True}),
    "0.9": (lambda: digits(60_000), {"n_components": 0.9}),
    "vae": (lambda: digits(60_000), {"n_components": 8, "objective": "vae"}),
    "iris": (lambda: datasets.load_iris().data, {"n_components": 2, "patience": 10_000}),
    "cancer": (
        lambda: datasets.load_breast_cancer().data,
        {"n_components": 2, "objective": "denoising", "scaling": "standard"},
    ),
    "wide": (lambda: wide(4_000, 18_000), {"n_components": 16}),
    "pictures": (lambda: wide(40, 512, 512), {"n_components": 8}),
}


@contextlib.contextmanager
def busy(n_processes: int) -> Iterator[None]:
    """Keep as many processes running that keep a core busy each."""
    others = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n_processes)
    ]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def weights(ae: Autoencoder) -> list[NDArray[Any]]:
    """Return all parameters of a model's network."""
    return [tensor.numpy() for tensor in ae.model_.net.state_dict().values()]


def measure(
    name: str, seconds: float, n_busy: int, n_threads: Any, *, repeats: bool
) -> dict[str, Any]:
    """Fit a case, and repeat it by its number of steps."""
    read, params = CASES[name]
    X = read()
    given = {"random_state": 0, "n_threads": n_threads, **params}
    with busy(n_busy):
        began = time.perf_counter()
        ae = Autoencoder(max_seconds=seconds, **given).fit(X)
        spent = time.perf_counter() - began
    row = {
        "case": name,
        "max_seconds": seconds,
        "busy": n_busy,
        "threads": n_threads,
        "seconds": spent,
        "n_steps": ae.n_steps_,
        "stopped_because": ae.stopped_because_,
        "ratio": float(ae.validation_error_ / ae.pca_validation_error_),
        "same_bits": None,
    }
    if repeats and ae.model_.record.repeatable:
        again = Autoencoder(max_steps=ae.n_steps_, **given).fit(X)
        pairs = zip(weights(ae), weights(again), strict=True)
        row["same_bits"] = all(np.array_equal(one, other) for one, other in pairs)
    return row


def line(row: dict[str, Any]) -> str:
    """Return a row of the table."""
    same = {True: "yes", False: "**no**", None: ""}[row["same_bits"]]
    return (
        f"| {row['case']} | {row['max_seconds']:g} | {row['busy']} | {row['threads']} |"
        f" {row['seconds']:.2f} | {row['seconds'] / row['max_seconds']:.3f} | {row['n_steps']:,} |"
        f" {row['stopped_because']} | {row['ratio']:.3f} | {same} |"
    )


def main() -> None:
    """Measure, and print a line for each fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, nargs="+", default=[5.0, 30.0])
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", nargs="+", default=["auto", "1"])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--no-repeats", action="store_true")
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    Autoencoder(2, max_steps=5).fit(datasets.load_iris().data)
    lines = [
        "| case | max_seconds | busy cores | threads | seconds | of max_seconds | steps |"
        " stopped because | error, of PCA's | same bits by max_steps |",
        "|---|---:|---:|---|---:|---:|---:|---|---:|---|",
    ]
    print("\n".join(lines), flush=True)
    rows = []
    for seconds in arguments.seconds:
        for n_busy in arguments.busy:
            for asked in arguments.threads:
                for name in arguments.cases:
                    n_threads = asked if asked == "auto" else int(asked)
                    repeats = not arguments.no_repeats
                    rows.append(measure(name, seconds, n_busy, n_threads, repeats=repeats))
                    lines.append(line(rows[-1]))
                    print(lines[-1], flush=True)
    machine.write_table(TOPIC, lines, rows, arguments.out)


if __name__ == "__main__":
    main()
