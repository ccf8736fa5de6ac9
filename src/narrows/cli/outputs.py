"""Writing results: a file of numbers, a folder of pictures, or one sheet of pictures.

Legend: N rows, D features.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from narrows.cli.print import say
from narrows.common.atomic_files import new_folder, replacing
from narrows.common.pixels import pixels_of
from narrows.common.text import count
from narrows.errors import DataError
from narrows.sources.open import Table
from narrows.sources.write import write_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from narrows.estimator import Autoencoder

SHEET_COLUMNS = 10
"""Pictures on a sheet."""


def picture_shape(ae: Autoencoder) -> tuple[int, ...]:
    """Return the shape (H, W) or (H, W, C) of a model's rows.

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

    A new folder appears whole or not at all; in an existing one pictures are replaced one by one.
    All pictures share one grey scale: the model's bounds, or the range of the rows.

    Raises
    ------
    OSError
        Where they cannot be written.
    """
    from PIL import Image

    pixels = pixels_of(rows, picture_shape(ae), ae.bounds_)
    digits = max(5, len(str(len(rows) - 1)))
    with new_folder(folder) as made:
        for number, picture in enumerate(pixels):
            Image.fromarray(picture).save(made / f"{number:0{digits}}.png")


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
    """Write rows as a folder of pictures or as one file of numbers, and print that."""
    if pictures:
        write_pictures(target, ae, rows)
        say(f"wrote {count(len(rows), 'picture')} to {target}/")
        return
    write_table(target, Table(rows, row_names, feature_names(ae)))
    say(f"wrote {count(len(rows), 'row')} of {ae.n_features_in_:,} numbers to {target}")


def rows_for(ae: Autoencoder, table: Table) -> Any:
    """Return rows, with column names where the model has column names to compare them with."""
    return table.frame() if hasattr(ae, "feature_names_in_") else table.values


def feature_names(ae: Autoencoder) -> tuple[str, ...] | None:
    """Return the column names of the data that a model was trained on, if it had any."""
    names = getattr(ae, "feature_names_in_", None)
    return None if names is None else tuple(str(name) for name in names)
