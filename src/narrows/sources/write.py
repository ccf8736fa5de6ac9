"""Write tables to ``.npy``, ``.npz`` and ``.csv`` files, each put in place in one step.

Legend: N rows, D features.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from narrows.common.atomic_files import replacing
from narrows.sources.csv import escaped
from narrows.sources.open import Table

if TYPE_CHECKING:
    import pandas as pd


def write_table(path: Path, table: Table) -> None:
    """Write rows to a ``.npy``, ``.npz`` (one array, "values") or ``.csv`` file.

    A CSV file gets the names of rows and columns, and pictures as flat rows.

    Raises
    ------
    OSError
        Where the file cannot be written; an older file then stands as it was.
    """
    suffix, values = path.suffix.lower(), table.values
    if suffix == ".csv":
        import pandas as pd

        flat = values.reshape(len(values), -1)
        names = table.column_names or tuple(f"x{number}" for number in range(flat.shape[1]))
        frame = pd.DataFrame(flat, table.row_names, list(names), copy=False)
        write_frame(path, frame, index=table.row_names is not None)
        return
    with replacing(path) as temporary, temporary.open("wb") as file:
        if suffix == ".npy":
            np.save(_OnlyWrite(file), values, allow_pickle=False)
        else:
            np.savez(file, values=values)


class _OnlyWrite:
    """Hides that this is a file: NumPy's C code, writing to one, says nothing of a full disk."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self.write = file.write


def write_frame(path: Path, frame: pd.DataFrame, *, index: bool = False) -> None:
    """Write a pandas frame to a CSV file, with names of rows where ``index`` is true.

    Names and texts that a spreadsheet would take for formulas are escaped.

    Raises
    ------
    OSError
        As `write_table`.
    """
    safe = frame.copy(deep=False)
    for place, dtype in enumerate(frame.dtypes):
        if dtype.kind not in "biuf":
            safe.isetitem(place, frame.iloc[:, place].map(escaped).to_numpy())
    safe.columns = safe.columns.map(escaped)
    if index:
        safe.index = safe.index.map(escaped)
    with replacing(path) as temporary, temporary.open("wb") as file:
        safe.to_csv(file, index=index, encoding="utf-8", lineterminator="\n")
