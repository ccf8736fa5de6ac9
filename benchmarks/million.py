"""Maps of a million rows and more: seconds, memory and neighbours kept, beside umap-learn.

    .venv-peers/bin/python benchmarks/million.py [--rows 1000000 2000000] [--repeats 3]
        [--programs narrows UMAP] [--max-seconds S] [--out DIR]

The rows are ten classes of 50 columns, each a curved sheet in noise. A program fits them in a
process of its own, with its defaults; its code is compiled, and what it imports late is imported,
before. Memory is the most that the process held, less what it held with the data. 10-NN
accuracy is that of 10,000 further rows, placed on the plane; all rows that were fitted vote.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import machine
from narrows import Autoencoder
from narrows.evaluation.classifiers import knn_accuracy

TOPIC = "million"
N_CLASSES, N_COLUMNS, N_FURTHER = 10, 50, 10_000
APART, NOISE = 0.2, 1.0
"""Standard deviations of a class's centre in each column, and of the noise."""
PAGES = Path("/proc/self/statm")
Array = NDArray[Any]


def sheets(n_rows: int, seed: int = 0) -> tuple[Array, Array]:
    """Return rows (n, 50) and their classes (n,)."""
    fixed, rng = np.random.default_rng(0), np.random.default_rng((1, seed))
    centres = fixed.normal(scale=APART, size=(N_CLASSES, N_COLUMNS))
    into = fixed.normal(size=(N_CLASSES, 7, N_COLUMNS)) / 7**0.5
    y = rng.integers(N_CLASSES, size=n_rows)
    X = np.empty((n_rows, N_COLUMNS), dtype=np.float32)
    for kind in range(N_CLASSES):
        own = y == kind
        flat = rng.normal(size=(int(own.sum()), 2))
        products = np.column_stack([flat[:, :1] * flat[:, 1:], flat**2 - 1])
        curved = np.hstack([flat, np.sin(2 * flat), products])
        X[own] = centres[kind] + curved @ into[kind]
    X += NOISE * rng.standard_normal(X.shape, dtype=np.float32)
    return X, y


def new(program: str, seed: int, max_seconds: float | None) -> Any:
    """Return a program's estimator with its defaults."""
    if program == "UMAP":
        import umap

        return umap.UMAP()
    return Autoencoder(2, objective="neighbors", random_state=seed, max_seconds=max_seconds)


def held_now() -> int:
    """Return the bytes that this process holds."""
    return int(PAGES.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(program: str, n_rows: int, seed: int, max_seconds: float | None) -> dict[str, Any]:
    """Fit rows with a program in this process."""
    warnings.simplefilter("ignore")  # UMAP's about its own settings
    few, _ = sheets(5_000, seed + 1)
    first = new(program, seed, None if max_seconds is None else 1.0)
    first.fit(few).transform(few[:100])
    X, y = sheets(n_rows, seed)
    X_new, y_new = sheets(N_FURTHER, seed + 1_000)
    before, began = held_now(), time.perf_counter()
    model = new(program, seed, max_seconds).fit(X)
    seconds = time.perf_counter() - began
    most = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    Z = model.embedding_ if program == "UMAP" else model.transform(X)
    began = time.perf_counter()
    Z_new = model.transform(X_new)
    return {
        "program": program,
        "rows": n_rows,
        "seed": seed,
        "seconds": seconds,
        "memory_gib": (most - before) / 2**30,
        "accuracy": knn_accuracy(Z, y, Z_new, y_new),
        "place_seconds": time.perf_counter() - began,
        "n_steps": getattr(model, "n_steps_", None),
    }


def main() -> None:
    """Measure each program in a process of its own, print each result, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 2_000_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--programs", nargs="+", default=["narrows", "UMAP"])
    parser.add_argument("--max-seconds", type=float, help="for narrows; its own steps otherwise")
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # what a process of its own measures
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(**json.loads(arguments.one))))
        return
    runs = []
    for n_rows in arguments.rows:
        for seed in range(arguments.repeats):
            for program in arguments.programs:
                given = {"program": program, "n_rows": n_rows, "seed": seed}
                one = json.dumps({**given, "max_seconds": arguments.max_seconds})
                command = [sys.executable, __file__, "--one", one]
                said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                runs.append(json.loads(said.stdout.splitlines()[-1]))
                print(runs[-1], flush=True)
    header = ["rows", "program", "fit, s", "memory beside the data, GiB", "10-NN accuracy"]
    header += ["placing 10,000, s", "steps"]
    rows = []
    for n_rows in arguments.rows:
        for program in arguments.programs:
            own = [run for run in runs if (run["rows"], run["program"]) == (n_rows, program)]

            def median(name: str, own: list[dict[str, Any]] = own) -> float:
                return float(np.median([run[name] for run in own]))

            steps = "" if own[0]["n_steps"] is None else f"{median('n_steps'):,.0f}"
            cells = [f"{n_rows:,}", program, f"{median('seconds'):.0f}"]
            cells += [f"{median('memory_gib'):.2f}", f"{median('accuracy'):.4f}"]
            rows.append([*cells, f"{median('place_seconds'):.2f}", steps])
    table = machine.markdown_table(header, rows)
    machine.write_table(
        TOPIC, [f"Medians of {arguments.repeats} seeds.", "", table], runs, arguments.out
    )


if __name__ == "__main__":
    main()
