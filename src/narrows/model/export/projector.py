"""Files for TensorBoard's embedding projector: codes, names and labels, a sheet of pictures.

``tensorboard --logdir`` reads the folder by its ``projector_config.pbtxt``; the projector on the
web takes the two tables.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from narrows.common.pixels import pixels_of
from narrows.model.export.job import Job

SUFFIX: str | None = None
NEEDS: tuple[str, ...] = ()
MOST_SHEET = 8_192
"""Pixels along a side of the sheet, at the most, as TensorBoard takes them."""


def write(job: Job, folder: Path) -> None:
    """Write ``tensors.tsv``, ``metadata.tsv``, ``projector_config.pbtxt`` and ``sprite.png``.

    Raises
    ------
    ParameterError
        Without rows.
    """
    rows, codes = job.rows_to_show("projector"), job.codes()
    np.savetxt(folder / "tensors.tsv", codes, fmt="%.8g", delimiter="\t")
    lines = ["id\tlabel", *(f"{_cell(name)}\t{_cell(label)}" for name, label in job.names())]
    (folder / "metadata.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    sprite, shape = "", job.model.picture_shape
    if shape is not None:
        high, wide = _write_sheet(pixels_of(rows, shape, job.model.bounds), folder / "sprite.png")
        sprite = (
            '  sprite {\n    image_path: "sprite.png"\n'
            f"    single_image_dim: {wide}\n    single_image_dim: {high}\n  }}\n"
        )
    (folder / "projector_config.pbtxt").write_text(
        'embeddings {\n  tensor_name: "codes"\n  tensor_path: "tensors.tsv"\n'
        f'  metadata_path: "metadata.tsv"\n{sprite}}}\n',
        encoding="utf-8",
    )


def _cell(text: str) -> str:
    """Return a text without what would end a cell."""
    return " ".join(text.split()) or "–"


def _write_sheet(pictures: NDArray[np.uint8], path: Path) -> tuple[int, int]:
    """Write pictures row by row on a square sheet; return height and width of one on it."""
    columns = math.ceil(math.sqrt(len(pictures)))
    high, wide = pictures.shape[1:3]
    share = min(1.0, MOST_SHEET / columns / max(high, wide))
    high, wide = max(1, int(share * high)), max(1, int(share * wide))
    first = Image.fromarray(pictures[0])
    sheet = Image.new(first.mode, (columns * wide, columns * high))
    for number, picture in enumerate(pictures):
        tile = Image.fromarray(picture)
        if tile.size != (wide, high):
            tile = tile.resize((wide, high), Image.Resampling.LANCZOS)
        sheet.paste(tile, (number % columns * wide, number // columns * high))
    sheet.save(path, format="PNG", optimize=True)
    return high, wide
