"""Write tables to ``.npy``, ``.npz`` and ``.csv`` files, each put in place in one step.

Legend: N rows, D features.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from narrows.common.atomic_files import replacing
from narrows.sources.open import Table


def write_table(path: Path, table: Table) -> None:
    """Write rows to a ``.npy``, ``.npz`` (one array, "values") or ``.csv`` file.

    A CSV file gets the names of rows and columns, and pictures as flat rows.

    Raises
    ------
    OSError
        Where the file cannot be written; an older file then stands as it was.
    """
    suffix = path.suffix.lower()
    with replacing(path) as temporary, temporary.open("wb") as file:
        if suffix == ".npy":
            np.save(_OnlyWrite(file), table.values, allow_pickle=False)
        elif suffix == ".npz":
            np.savez(file, values=table.values)
        else:
            _write_csv(file, table)


class _OnlyWrite:
    """A file as NumPy sees a pipe: into a real file its C code writes on a full disk in silence."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self.write = file.write


def _write_csv(file: io.BufferedWriter, table: Table) -> None:
    import pandas as pd

    flat = table.values.reshape(len(table.values), -1)
    names = table.column_names or tuple(f"x{number}" for number in range(flat.shape[1]))
    frame = pd.DataFrame(flat, index=table.row_names, columns=list(names), copy=False)
    frame.to_csv(file, index=table.row_names is not None, encoding="utf-8", lineterminator="\n")
