"""The key beside a picture: classes with their counts, or a scale of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from narrows.figures.colouring import (
    NO_NAME,
    Colouring,
    class_colour,
    class_marker,
    scale_colours,
)
from narrows.figures.layout import Pen, add_colour_bar, add_marker, drawn_width, size_of
from narrows.figures.lettering import shorten, tick_text
from narrows.figures.theme import Theme

NAME_COLUMNS = 28
_LINE = 0.235
"""Distance from one line to the next, in inches."""
_GAP = 0.28
"""Distance from the axes to the key, and between columns, in inches."""
_BAR = (0.16, 2.6)
"""Width and largest height of a scale, in inches."""


class Entry(NamedTuple):
    """A line of a key."""

    name: str
    marker: str
    colour: str
    n_rows: str


def draw_key(axes: Axes, labels: Colouring, name: str, pen: Pen) -> None:
    """Draw what the colours of a map mean, right of its axes."""
    if labels.kind == "nothing":
        return
    top = 0.34 if name else 0.0
    if name:
        ink = pen.colours.ink
        pen.write(axes, shorten(name, NAME_COLUMNS), (1, 1), (_GAP, -0.08), size=10, colour=ink)
    if labels.kind == "numbers":
        _draw_scale(axes, labels, int((~labels.known).sum()), top, pen)
        return
    draw_classes(axes, class_entries(labels, pen.colours), pen, top)


def class_entries(labels: Colouring, colours: Theme) -> list[Entry]:
    """Return a line for each class, for classes without a colour, and for rows without a label."""
    n_names = len(labels.names)
    counts = np.bincount(labels.position, minlength=n_names + 2)
    names = [*labels.names, f"+ {labels.n_others:,}", NO_NAME]
    return [
        Entry(name, class_marker(i, n_names), class_colour(i, n_names, colours), f"{count:,}")
        for i, (name, count) in enumerate(zip(names, counts, strict=True))
        if count
    ]


def draw_classes(
    axes: Axes, entries: Sequence[Entry], pen: Pen, top: float = 0.0, gap: float = _GAP
) -> None:
    """Draw lines of a key in columns right of axes; ``top`` and ``gap`` are in inches."""
    most = max(4, int((size_of(axes)[1] - top) / _LINE))
    n_columns = -(-len(entries) // most)
    most = -(-len(entries) // n_columns)
    left = gap
    for first in range(0, len(entries), most):
        names, counts = [], []
        for line, entry in enumerate(entries[first : first + most]):
            y = -top - 0.08 - _LINE * line
            add_marker(axes, entry.marker, entry.colour, (left + 0.06, y))
            name, ink = shorten(entry.name, NAME_COLUMNS), pen.colours.ink
            names.append(pen.write(axes, name, (1, 1), (left + 0.22, y), size=9.5, colour=ink))
            if entry.n_rows:
                counts.append(pen.write(axes, entry.n_rows, (1, 1), (0, y), size=9, ha="right"))
        right = left + 0.22 + drawn_width(names) + (0.16 + drawn_width(counts) if counts else 0)
        for text in counts:
            text.set_x(right)
        left = right + _GAP


def _draw_scale(axes: Axes, labels: Colouring, n_unknown: int, top: float, pen: Pen) -> None:
    """Draw the colours of numbers, and how many rows have none."""
    width, height = _BAR[0], max(0.4, min(_BAR[1], size_of(axes)[1] - top - 0.4))
    low, high = labels.range()
    numbers = [(share, tick_text(low + share * (high - low), high - low)) for share in (0, 0.5, 1)]
    numbers = numbers if high > low else [(0.5, tick_text(low, 0))]
    box = (_GAP, -top - height, width, height)
    add_colour_bar(axes, scale_colours(pen.theme), box, numbers, pen)
    if n_unknown:
        y = -top - height - 0.25
        add_marker(axes, "o", pen.colours.muted, (_GAP + width / 2, y))
        pen.write(axes, f"{NO_NAME}  {n_unknown:,}", (1, 1), (_GAP + width + 0.1, y), size=9)
