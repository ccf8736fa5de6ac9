"""Check that no family gives NaN or collapses without a word, on whatever seed.

Every family found, with its defaults, is fitted to digits, wine and Gaussian noise from several
seeds. The last state is kept, not the best, so that nothing that went wrong is hidden behind the
start at PCA. A collapse is a number of the code that does not vary, or where codes should follow a
distribution of deviation 1, one whose deviation is below 0.1 (variance 0.01: an inactive unit in
the sense of Burda et al., ICLR 2016). It is silent if `fit` gave no warning.

    python benchmarks/families.py [--seeds 20] [--only FAMILY ...] [--out DIR]
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.model_selection import train_test_split

import machine
from narrows import Autoencoder, evaluate
from narrows.errors import NarrowsWarning
from narrows.model.parts import PARTS

TOPIC = "families"
N_SEEDS = 20
N_STEPS = 300
SIZES = {"digits": 8, "wine": 4, "gaussian noise": 4}
SMALLEST_DEVIATION, SMALLEST_SHARE = 0.1, 0.01
"""Deviations below which a number does not vary: where 1 is meant, and of the largest elsewhere."""


def rows_of(name: str) -> NDArray[np.float64]:
    """Return the rows of a data set; wine with columns of deviation 1."""
    if name == "gaussian noise":
        return np.random.RandomState(0).randn(300, 20)
    X = getattr(datasets, f"load_{name}")().data
    return (X - X.mean(axis=0)) / X.std(axis=0) if name == "wine" else X


def measure(family: str, name: str, seed: int) -> dict[str, Any]:
    """Fit once, and look at losses, codes, errors and warnings."""
    train, test = train_test_split(rows_of(name), test_size=0.25, random_state=seed)
    k = SIZES[name]
    ae = Autoencoder(k, objective=family, max_steps=N_STEPS, keep="last", random_state=seed)
    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ae.set_params(n_threads=1).fit(train)
    seconds = time.perf_counter() - started
    said = [str(w.message) for w in caught if issubclass(w.category, NarrowsWarning)]
    Z = ae.transform(test)
    deviations = Z.std(axis=0)
    normal = PARTS["objective"][family]().trained_prior(ae.network_) is not None
    smallest = SMALLEST_DEVIATION if normal else SMALLEST_SHARE * deviations.max()
    report = evaluate(ae, test)
    losses = [row["loss"] for row in ae.history_]
    n_varying = int((deviations > smallest).sum())
    return {
        "family": family,
        "data": name,
        "seed": seed,
        "finite": bool(np.isfinite(losses).all() and np.isfinite(Z).all()),
        "ratio": float(report.error / report.pca_error),
        "n_components": k,
        "n_varying": n_varying,
        "warnings": said,
        "silent_collapse": n_varying < k and not said,
        "seconds": seconds,
    }


def summary(runs: list[dict[str, Any]]) -> list[str]:
    """Return a line of the table for the runs of one family on one data set."""
    ratios = [run["ratio"] for run in runs]
    warned = sum(bool(run["warnings"]) for run in runs)
    return [
        runs[0]["family"],
        runs[0]["data"],
        f"{sum(run['finite'] for run in runs)} of {len(runs)}",
        f"{np.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})",
        f"{min(run['n_varying'] for run in runs)} of {runs[0]['n_components']}",
        str(warned),
        str(sum(run["silent_collapse"] for run in runs)),
    ]


def main() -> None:
    """Fit every family to every set from every seed, and print a line for each family and set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    parser.add_argument("--seeds", type=int, default=N_SEEDS, help="how many")
    parser.add_argument("--only", nargs="*", choices=sorted(PARTS["objective"]), help="families")
    arguments = parser.parse_args()
    families = arguments.only or sorted(PARTS["objective"])
    jobs = list(itertools.product(families, SIZES, range(arguments.seeds)))
    runs, lines = [], []
    with ProcessPoolExecutor(machine.count_cores(), get_context("spawn")) as pool:
        found = pool.map(measure, *zip(*jobs, strict=True))
        for _, group in itertools.groupby(found, key=lambda run: (run["family"], run["data"])):
            runs += (of_pair := list(group))
            lines.append(summary(of_pair))
            print(*lines[-1], sep="  ", flush=True)
    header = [
        "family",
        "data",
        "finite",
        "held-out error / PCA's: median (range)",
        "numbers that vary, at least",
        "fits with a warning",
        "silent collapses",
    ]
    said = sorted({sentence for run in runs for sentence in run["warnings"]})
    text = "\n\n".join(
        [
            machine.markdown_description(machine.describe()),
            f"{arguments.seeds} seeds, {N_STEPS} steps each, the last state kept;"
            f" {sum(run['seconds'] for run in runs):.0f} s of fits in all.",
            machine.markdown_table(header, lines),
            *(["What was warned of:\n\n" + "\n".join(f"- {s}" for s in said)] if said else []),
        ]
    )
    data = {"machine": machine.describe(), "results": runs}
    machine.write_results(TOPIC, text, data, arguments.out)


if __name__ == "__main__":
    main()
