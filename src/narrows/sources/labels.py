"""Read labels: one per row, from a ``.npy``, ``.csv`` or ``.txt`` file, or of MNIST.

Legend: N rows.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.errors import DataError
from narrows.sources.csv import not_utf8, unescaped
from narrows.sources.mnist import load_mnist
from narrows.sources.open import checked_file, is_mnist, read_npy

LABEL_SUFFIXES = (".npy", ".csv", ".txt")


def read_labels(source: str, n_rows: int) -> NDArray[Any]:
    """Read one label per row.

    Parameters
    ----------
    source : str
        A path to a ``.npy``, ``.csv`` or ``.txt`` file, or ``mnist:train`` or ``mnist:test``.
    n_rows : int
        Of the data; a text file of one line more begins with a header. A blank line is an empty
        label, except at the end of the file.

    Raises
    ------
    As `read_table`, and DataError where there is not one label per row.
    """
    if is_mnist(source):
        labels: NDArray[Any] = load_mnist(source.removeprefix("mnist:"), return_X_y=True)[1]
    else:
        path = Path(source)
        suffix = checked_file(path, LABEL_SUFFIXES)
        labels = read_npy(path) if suffix == ".npy" else _read_label_lines(path, n_rows)
        labels = labels.reshape(-1) if labels.shape[1:] == (1,) else labels
    if labels.shape != (n_rows,):
        held = f"{len(labels)} labels" if labels.ndim == 1 else f"an array of shape {labels.shape}"
        raise DataError(
            f"{source} holds {held}, but the data has {n_rows} rows; give one label per row."
        )
    return labels


def check_labels(source: str) -> None:
    """Find out, before any work is done, whether there is such a file of labels.

    Raises
    ------
    As `read_labels`, except for the content of the file.
    """
    if not is_mnist(source):
        checked_file(Path(source), LABEL_SUFFIXES)


def _read_label_lines(path: Path, n_rows: int) -> NDArray[Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from error
    if path.suffix.lower() == ".txt":
        rows = [[line] if line.strip() else [] for line in text.splitlines()]
    else:
        rows = list(csv.reader(io.StringIO(text)))
        widest = max((len(row) for row in rows), default=0)
        if widest > 1:
            raise DataError(
                f"{path} has {widest} columns; give one label per row, and nothing else."
            )
    # A blank line is an empty label, but for those at the end.
    while rows and not rows[-1]:
        rows.pop()
    labels = [unescaped(row[0].strip()) if row else "" for row in rows]
    return np.array(labels[1:] if len(labels) == n_rows + 1 else labels)
