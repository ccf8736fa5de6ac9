"""Where results go: a file of numbers, a folder of pictures, or one sheet of pictures.

Legend: N rows, D features.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from narrows.cli.printing import say
from narrows.common.atomic_files import (
    check_folder,
    check_target,
    naming,
    replacing,
    temporary_beside,
)
from narrows.common.text import count
from narrows.errors import DataError, FileExists
from narrows.sources.open import DATA_SUFFIXES, Table
from narrows.sources.write import write_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from narrows.estimator import Autoencoder

Kind = Literal["file", "folder", "sheet"]
SHEET_COLUMNS = 10
"""Pictures on a sheet."""


def check_out(out: str, *, overwrite: bool, sheet: bool = False) -> Kind:
    """Tell what ``--out`` asks for, and that it can be written, before any work is done.

    Parameters
    ----------
    out : str
        A file, or a folder: what ends in a slash, has no suffix, or is one already.
    overwrite : bool
    sheet : bool, default=False
        Whether a single ``.png`` is allowed.

    Raises
    ------
    As `narrows.common.atomic_files.check_target`.
    """
    path = Path(out)
    if out.endswith(("/", os.sep)) or path.is_dir() or not path.suffix:
        _check_picture_folder(path, overwrite)
        return "folder"
    suffixes = (*DATA_SUFFIXES, ".png") if sheet else DATA_SUFFIXES
    check_target(path, suffixes, overwrite=overwrite, others=", or a folder/ of pictures")
    return "sheet" if path.suffix.lower() == ".png" else "file"


def _check_picture_folder(path: Path, overwrite: bool) -> None:
    if path.exists() and not path.is_dir():
        raise FileExists(f"{path} is a file; name another folder in --out.")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise FileExists(
            f"{path} is a folder with files in it; choose another --out, or add to it with"
            " --overwrite, which replaces pictures of the same name."
        )
    check_folder(path if path.is_dir() else path.parent)


def picture_shape(ae: Autoencoder) -> tuple[int, ...]:
    """Return (H, W) or (H, W, C) of a model's rows, as `Model.picture_shape` finds it.

    Raises
    ------
    DataError
        Where rows are no pictures.
    """
    shape = ae.model_.picture_shape
    if shape is None:
        raise DataError(
            f"A row of this model has the shape {ae.sample_shape_}, which is not known to be a"
            " picture (height, width); write a .npy, .npz or .csv file, or fit with --set"
            " sample_shape=HEIGHT,WIDTH."
        )
    return shape


def write_pictures(folder: Path, ae: Autoencoder, rows: NDArray[Any]) -> None:
    """Write one PNG picture per row, named by its number: ``00000.png`` and so on.

    A new folder appears whole or not at all; in one that stands, pictures are replaced one by one.
    All pictures share one grey scale: the model's bounds, or else the range of the rows.

    Raises
    ------
    OSError
        Where they cannot be written.
    """
    from PIL import Image

    shape = picture_shape(ae)
    pixels = _pixels(rows, ae.bounds_).reshape(len(rows), *shape)
    pixels = pixels[..., 0] if len(shape) == 3 and shape[2] == 1 else pixels
    digits = max(5, len(str(len(rows) - 1)))
    if folder.is_dir():
        for number, picture in enumerate(pixels):
            with replacing(folder / f"{number:0{digits}}.png") as temporary:
                Image.fromarray(picture).save(temporary, format="PNG")
        return
    made = temporary_beside(folder)
    try:
        with naming(folder, made):
            made.mkdir()
            for number, picture in enumerate(pixels):
                Image.fromarray(picture).save(made / f"{number:0{digits}}.png")
            made.replace(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _pixels(rows: NDArray[Any], bounds: tuple[float, float] | None) -> NDArray[np.uint8]:
    """Bring values to 0 … 255."""
    low, high = bounds or (float(rows.min()), float(rows.max()))
    share = (rows.astype(np.float64) - low) / (high - low if high > low else 1.0)
    return np.rint(255.0 * np.clip(share, 0.0, 1.0)).astype(np.uint8)


def write_sheet(path: Path, ae: Autoencoder, table: Table) -> int:
    """Draw the first originals above and their reconstructions below; return how many."""
    from narrows import figures

    first = Table(np.asarray(table.values[:SHEET_COLUMNS]), column_names=table.column_names)
    figure = figures.reconstructions(
        first.values,
        ae.reconstruct(rows_for(ae, first)).reshape(first.values.shape),
        sample_shape=picture_shape(ae),
        columns=SHEET_COLUMNS,
    )
    write_figure(path, figure)
    return len(first.values)


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure as a PNG file."""
    from narrows import figures

    with replacing(path) as temporary:
        temporary.write_bytes(figures.to_png(figure))


def write_rows(
    ae: Autoencoder,
    rows: NDArray[Any],
    target: Path,
    *,
    pictures: bool,
    row_names: tuple[str, ...] | None = None,
) -> None:
    """Write rows as a folder of pictures or as one file of numbers, and say so."""
    if pictures:
        write_pictures(target, ae, rows)
        say(f"wrote {count(len(rows), 'picture')} to {target}/")
        return
    write_table(target, Table(rows, row_names, feature_names(ae)))
    say(f"wrote {count(len(rows), 'row')} of {ae.n_features_in_:,} numbers to {target}")


def rows_for(ae: Autoencoder, table: Table) -> Any:
    """Return rows with names of columns where the model has names to compare them with."""
    return table.frame() if hasattr(ae, "feature_names_in_") else table.values


def feature_names(ae: Autoencoder) -> tuple[str, ...] | None:
    """Return the names of the columns that a model learned from, where they had names."""
    names = getattr(ae, "feature_names_in_", None)
    return None if names is None else tuple(str(name) for name in names)
