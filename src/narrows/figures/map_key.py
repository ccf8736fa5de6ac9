"""The key beside a map: classes with their counts, or a scale of numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from narrows.figures.cells import number_text
from narrows.figures.colouring import Colouring, class_colour, class_marker, scale_colours
from narrows.figures.lettering import Lettering, shorten
from narrows.figures.theme import Theme, ThemeName, drawn_width

NAME_COLUMNS = 24
_LINE = 0.235
"""From one line to the next, in inches."""
_GAP = 0.28
"""Between the map and the key, and between columns, in inches."""
_BAR = (0.16, 2.6)
"""Width and largest height of a scale, in inches."""


@dataclass(frozen=True)
class Place:
    """Where a key goes: right of ``left``, from ``top`` down to ``bottom``, in inches."""

    left: float
    top: float
    bottom: float


def draw_key(
    figure: Figure,
    labels: Colouring,
    name: str,
    place: Place,
    letters: Lettering,
    colours: Theme,
    theme: ThemeName,
) -> float:
    """Draw the key; return where it ends, in inches from the left edge.

    The figure keeps its size, so what is drawn may lie beyond its right edge until it is widened.
    """
    if labels.kind == "nothing":
        return place.left - _GAP
    title_right = place.left
    if name:
        text = _text(figure, name, place.left, place.top - 0.08, letters, colours.ink, 10)
        title_right += drawn_width(text, figure)
        place = Place(place.left, place.top - 0.34, place.bottom)
    if labels.kind == "numbers":
        return max(title_right, _scale(figure, labels, place, letters, colours, theme))
    return max(title_right, _classes(figure, labels, place, letters, colours))


def _classes(
    figure: Figure, labels: Colouring, place: Place, letters: Lettering, colours: Theme
) -> float:
    n_names, n_other = len(labels.names), int(labels.is_other.sum())
    lines = [
        (i, shorten(name, NAME_COLUMNS), f"{count:,}")
        for i, (name, count) in enumerate(zip(labels.names, labels.counts, strict=True))
    ]
    if n_other:
        rest = f"+ {labels.n_others:,}" if labels.n_others else "–"
        lines.append((n_names, rest, f"{n_other:,}"))
    most = max(4, int((place.top - place.bottom) / _LINE))
    n_columns = -(-len(lines) // most)
    most = -(-len(lines) // n_columns)
    left = place.left
    for first in range(0, len(lines), most):
        names, counts = [], []
        for line, (number, name, count) in enumerate(lines[first : first + most]):
            y = place.top - 0.08 - _LINE * line
            marker = Line2D(
                [left + 0.06],
                [y],
                linestyle="",
                marker=class_marker(number, n_names),
                color=class_colour(number, n_names, colours),
                markersize=7,
                markeredgewidth=0,
                transform=figure.dpi_scale_trans,
            )
            figure.add_artist(marker)
            names.append(_text(figure, name, left + 0.22, y, letters, colours.ink, 9.5))
            counts.append(_text(figure, count, left, y, letters, colours.muted, 9))
        widest = max(drawn_width(text, figure) for text in names)
        right = left + 0.22 + widest + 0.16 + max(drawn_width(text, figure) for text in counts)
        for text in counts:
            text.set(x=right, ha="right")
        left = right + _GAP
    return left - _GAP


def _scale(
    figure: Figure,
    labels: Colouring,
    place: Place,
    letters: Lettering,
    colours: Theme,
    theme: ThemeName,
) -> float:
    width, height = _BAR[0], min(_BAR[1], place.top - place.bottom - 0.4)
    bottom = place.top - height
    draw_gradient(figure, scale_colours(theme), (place.left, bottom, width, height))
    low, high = labels.range()
    shares = [0.0, 0.5, 1.0] if high > low else [0.5]
    texts = [
        _text(
            figure,
            tick_text(low + share * (high - low), high - low),
            place.left + width + 0.1,
            bottom + height * share + 0.06 * (1 - 2 * share),
            letters,
            colours.muted,
            9,
        )
        for share in shares
    ]
    right = max(drawn_width(text, figure) for text in texts) + place.left + width + 0.1
    n_other = int(labels.is_other.sum())
    if n_other:
        y = bottom - 0.25
        dot = Line2D(
            [place.left + width / 2],
            [y],
            linestyle="",
            marker="o",
            color=colours.muted,
            markersize=7,
            markeredgewidth=0,
            transform=figure.dpi_scale_trans,
        )
        figure.add_artist(dot)
        text = _text(
            figure, f"–  {n_other:,}", place.left + width + 0.1, y, letters, colours.muted, 9
        )
        right = max(right, place.left + width + 0.1 + drawn_width(text, figure))
    return right


def tick_text(value: float, span: float) -> str:
    """Return a number of a scale to about a hundredth of its span, "1,670" or "0.25"."""
    largest = max(abs(value), span)
    if not largest or not 1e-4 <= largest < 1e7:
        return number_text(value)
    decimals = max(0, 2 - math.floor(math.log10(span or largest)))
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text.replace("-", "−")


def draw_gradient(
    figure: Figure, scale: Colormap, box: tuple[float, float, float, float], n: int = 128
) -> None:
    """Draw the colours of a scale in a box (left, bottom, width, height) in inches."""
    left, bottom, width, height = box
    for step, colour in enumerate(scale(np.linspace(0, 1, n))):
        figure.add_artist(
            Rectangle(
                (left, bottom + height * step / n),
                width,
                # A little higher, so that no gap shows between two of them.
                height / n * (1.5 if step < n - 1 else 1),
                color=colour,
                linewidth=0,
                transform=figure.dpi_scale_trans,
            )
        )


def _text(
    figure: Figure,
    text: str,
    x: float,
    y: float,
    letters: Lettering,
    colour: str,
    size: float,
) -> Text:
    return figure.text(
        x,
        y,
        letters.drawable(shorten(text, 28)),
        font=letters.font(size),
        color=colour,
        parse_math=False,
        va="center_baseline",
        transform=figure.dpi_scale_trans,
    )
