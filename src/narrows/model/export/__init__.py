"""A model for other programs: its encoder, its decoder and both as one, checked before it stands.

One file here writes one format.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from narrows.common.atomic_files import new_file, new_folder
from narrows.errors import DataError, ParameterError, near_miss
from narrows.model.export.check import Check
from narrows.model.export.installed import check_installed
from narrows.model.export.job import Job
from narrows.model.model import Model


class Exported(NamedTuple):
    """What was written.

    Attributes
    ----------
    files : tuple of Path
    n_checked : int
        Rows that the files were compared with the model on; 0 for a page.
    difference : float
        The largest difference found, as a part of the range of the values.
    errors : (float, float) or None
        Mean squared errors per value of these rows, of the model and of the quantised files.
    """

    files: tuple[Path, ...]
    n_checked: int
    difference: float
    errors: tuple[float, float] | None = None


FORMATS = {
    "onnx": "narrows.model.export.onnx_files",
    "keras": "narrows.model.export.keras_models",
    "torch": "narrows.model.export.torch_programs",
    "html": "narrows.web.explorable",
    "projector": "narrows.model.export.projector",
    "parquet": "narrows.model.export.parquet",
    "card": "narrows.evaluation.card",
}
"""Name to the module that writes it: ``SUFFIX`` (None for a folder), ``NEEDS``, `write`.

It is imported when it is asked for, since a page is made by a room above this one.
"""


def export(
    model: Model,
    path: str | os.PathLike[str],
    to: str,
    rows: NDArray[np.generic] | None = None,
    labels: Any = None,
    row_names: Sequence[str] | None = None,
    *,
    quantize: bool = False,
) -> Exported:
    """Write a model as other programs read it.

    Files that stand there under the same names are replaced, each in one step.

    Parameters
    ----------
    model : Model
    path : path-like
        Of the one file (``.keras``, ``.html``, ``.parquet``), else of the folder, which is made
        where it is not there.
    to : {"onnx", "keras", "torch", "html", "projector", "parquet", "card"}
    rows : ndarray (N, D), optional
        Rows in data units that the files are compared with the model on; by default, drawn from
        the distribution of the model's codes. Formats that show rows need them.
    labels : array-like (N,), optional
        Their labels, for formats that show rows.
    row_names : sequence of str, optional
        Their names.
    quantize : bool
        Whether weights are rounded to 8 bits; ONNX only.

    Raises
    ------
    ParameterError
        For an unknown format, or an option that it does not have.
    ExportError
        Where the model holds what the format cannot express, or the files would give other numbers.
    MissingExtra
        Naming the command that installs what is missing.
    OSError
    """
    if to not in FORMATS:
        known = ", ".join(map(repr, FORMATS))
        raise ParameterError(f"`to` must be one of {known}, got {to!r}.{near_miss(to, FORMATS)}")
    if quantize and to != "onnx":
        raise ParameterError(f"quantize=True is for to='onnx' alone, got to={to!r}.")
    _check_length("y", labels, rows)
    _check_length("row_names", row_names, rows)
    writer: Any = importlib.import_module(FORMATS[to])
    check_installed(f"to={to!r}", *writer.NEEDS)
    check, target = Check(model, rows), Path(path)
    if writer.SUFFIX is not None and target.suffix.lower() != writer.SUFFIX:
        raise ParameterError(
            f"to={to!r} writes one file that ends in {writer.SUFFIX}, got path={str(target)!r}."
        )
    job = Job(model, check, rows, labels, row_names, target.stem, quantize)
    if writer.SUFFIX is None:
        with new_folder(target) as made:
            writer.write(job, made)
            names = [file.name for file in sorted(made.iterdir())]
        files = tuple(target / name for name in names)
    else:
        with new_file(target, writer.SUFFIX) as file:
            writer.write(job, file)
        files = (target,)
    n_checked = len(check.rows) if check.n_compared else 0
    return Exported(files, n_checked, check.worst, check.errors if quantize else None)


def _check_length(name: str, given: Any, rows: NDArray[np.generic] | None) -> None:
    if given is not None and len(given) != (0 if rows is None else len(rows)):
        what = "there is no X" if rows is None else f"X has {len(rows)} rows"
        raise DataError(f"`{name}` has {len(given)} entries, but {what}; give one for each row.")
