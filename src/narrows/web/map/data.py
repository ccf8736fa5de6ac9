"""What the page of a map holds for its script: points, labels and small pictures, packed.

Points are kept to 1/65,535 of the plane's side, two bytes a number; pictures stand on one sheet.

Legend: n rows, H height, W width.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from narrows.figures.colouring import (
    Colouring,
    class_colour,
    density_colours,
    hex_steps,
    scale_colours,
)
from narrows.figures.map_panel import Thumbnails
from narrows.figures.maps import STRIP, Plane
from narrows.figures.relief import relief
from narrows.figures.spots import dense_spots
from narrows.figures.theme import THEME_NAMES, THEMES, marker_number
from narrows.web.words import LANGUAGES, texts_below

MOST_PICTURES = 400
"""Rows that a page holds pictures of."""
PICTURE_SIDE = 64
"""Pixels of the longer side of such a picture at the most."""
MOST_PIXELS = 1_200_000
"""Of the whole sheet; of large pictures there are fewer."""
DOUBTFUL = 0.05
"""Trust below which a row is marked: that of one in twenty rows that are like those of training."""
STEPS = 65_535
"""To which sides of the plane, and scales of numbers, are divided."""


def map_data(
    planes: Sequence[Plane],
    labels: Colouring,
    texts: NDArray[Any] | None,
    row_names: Sequence[str] | None,
    thumbnails: Thumbnails | None,
    trust: NDArray[np.float64] | None,
) -> dict[str, Any]:
    """Return the data of a page, ready for JSON.

    Parameters
    ----------
    planes : sequence of Plane
    labels : Colouring
    texts : ndarray (n,) or None
        The label of each row as text, for rows whose class has no colour of its own.
    row_names : sequence of str or None
    thumbnails : Thumbnails or None
    trust : ndarray (n,) or None
        How far to trust each row, from 0 to 1.
    """
    n_names = len(labels.names)
    is_strip = not planes[0].names[1]
    held: dict[str, Any] = {
        "n": len(labels.position),
        "kind": labels.kind,
        "names": labels.names,
        "counts": labels.counts,
        "colours": [class_colour(i, n_names, THEMES["light"]) for i in range(n_names)],
        "shapes": [marker_number(i) for i in range(n_names)],
        "position": _packed(labels.position),
        "planes": [_plane(plane, labels) for plane in planes],
        "strip": is_strip,
        "aspect": STRIP if is_strip else 1,
        "rows": None if row_names is None else list(row_names),
        "sheet": None if thumbnails is None else _sheet(planes[0], thumbnails),
        "trust": None if trust is None else _packed(STEPS * trust),
        "doubtful": DOUBTFUL,
        "words": {language: texts_below("map.script.", language) for language in LANGUAGES},
    }
    if labels.kind == "numbers":
        low, high = labels.range()
        share = (labels.values - low) / (high - low) if high > low else np.zeros(held["n"])
        held["range"] = [low, high]
        held["values"] = _packed(STEPS * np.clip(share, 0, 1))
        held["scale"] = {theme: hex_steps(scale_colours(theme)) for theme in THEME_NAMES}
    if labels.kind == "nothing":
        held["scale"] = {theme: hex_steps(density_colours(theme)) for theme in THEME_NAMES}
    if labels.n_others and texts is not None:
        different, number = np.unique(texts, return_inverse=True)
        if len(different) <= STEPS:
            held["texts"], held["text_of"] = different.tolist(), _packed(number)
    return held


def _packed(numbers: NDArray[Any]) -> str:
    """Return numbers from 0 to 65,535 as base64, two bytes each, the low one first."""
    return base64.b64encode(np.rint(numbers).astype("<u2").tobytes()).decode("ascii")


def _plane(plane: Plane, labels: Colouring) -> dict[str, Any]:
    return {
        "names": plane.names,
        "reach": float(plane.reach[0]),
        "points": _packed(STEPS * (np.clip(plane.points, -1, 1) + 1) / 2),
        "spots": [_densest(plane, labels, number) for number in range(len(labels.names))],
    }


def _densest(plane: Plane, labels: Colouring, number: int) -> list[float]:
    """Return the densest place of a class, from 0 to 1."""
    own = plane.points[labels.position == number]
    place = own[relief(own).at(own).argmax()]
    return [round(float(side), 5) for side in (place + 1) / 2]


def pictured_rows(plane: Plane, thumbnails: Thumbnails) -> NDArray[np.intp]:
    """Return the rows that a page holds pictures of: spread out, the densest first."""
    height, width = _tile(thumbnails.size)
    most = min(thumbnails.most, MOST_PICTURES, max(1, MOST_PIXELS // (height * width)))
    heights = relief(plane.points).at(plane.points)
    return dense_spots(plane.points, heights, most=most, apart=(1e-4, 1e-4))


def _tile(size: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of a picture on the sheet."""
    share = min(1.0, PICTURE_SIDE / max(size))
    return max(1, round(share * size[0])), max(1, round(share * size[1]))


def _sheet(plane: Plane, thumbnails: Thumbnails) -> dict[str, Any]:
    rows = pictured_rows(plane, thumbnails)
    height, width = _tile(thumbnails.size)
    columns = math.ceil(math.sqrt(len(rows)))
    images = np.rint(255 * thumbnails.make(thumbnails.rows[rows])).astype(np.uint8)
    sheet = Image.new("RGB", (columns * width, math.ceil(len(rows) / columns) * height))
    for number, image in enumerate(images):
        tile = Image.fromarray(image)
        if tile.size != (width, height):
            tile = tile.resize((width, height), Image.Resampling.LANCZOS)
        sheet.paste(tile, (number % columns * width, number // columns * height))
    grey = bool((images == images[..., :1]).all())
    out = BytesIO()
    (sheet.convert("L") if grey else sheet).save(out, format="PNG", optimize=True)
    return {
        "png": f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode('ascii')}",
        "columns": columns,
        "height": height,
        "width": width,
        "rows": rows.tolist(),
    }
