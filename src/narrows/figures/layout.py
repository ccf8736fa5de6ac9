"""How a picture is laid out: axes, text and keys in inches, on a figure as large as they need.

Figures are built as objects: no pyplot, no global settings, nothing to close. A figure begins as
one inch by one, so that places on it are inches, and `fit` gives it its final size. Fonts are in
points; a picture shown at 100 pixels per inch reads at its intended size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox, ScaledTranslation, Transform
from numpy.typing import NDArray
from rich.console import Console
from rich.text import Text as Columns

from narrows.figures.lettering import BASE_FAMILY, Lettering, lettering, shorten
from narrows.figures.theme import DPI, THEMES, Theme, ThemeName, theme_of

MARGIN = 0.1
"""Margin around the drawing, in inches."""
AXIS_NAMES = ("latent dimension z0", "latent dimension z1", "latent dimension z2")
"""Names of the axes for the first three numbers of a code."""
Corner = tuple[float, float]
"""A corner of axes: (0, 0) is the lower left one, (1, 1) the upper right one."""


def new_figure(theme: ThemeName) -> Figure:
    """Return an empty figure, one inch by one."""
    figure = Figure(figsize=(1, 1), dpi=100, facecolor=theme_of(theme).paper)
    FigureCanvasAgg(figure)
    return figure


def fit(figure: Figure, margin: float = MARGIN) -> Figure:
    """Give a figure the size of what is drawn on it, with a margin; axes keep their size.

    Axes move by whole pixels of a PNG file, so that cells of samples stay even.
    """
    # Older Matplotlib leaves out how far the names of axes reach.
    names = [axis.label for axis in cast("Any", figure).findobj(Axis) if axis.label.get_text()]
    named = [drawn_box(name).transformed(figure.dpi_scale_trans.inverted()) for name in names]
    box = Bbox.union([figure.get_tightbbox(renderer(figure)), *named])
    old = np.array(figure.get_size_inches())
    # A hundredth of a pixel is rounding, and no reason for a further one.
    shift = np.ceil((margin - np.array([box.x0, box.y0])) * DPI - 0.01) / DPI
    new = np.ceil((np.array([box.x1, box.y1]) + shift + margin) * DPI - 0.01) / DPI
    for axes in figure.axes:
        place = axes.get_position()
        corner, size = np.array([place.x0, place.y0]) * old, np.array(place.size) * old
        axes.set_position((*((corner + shift) / new), *(size / new)))
    figure.set_size_inches(*new)
    return figure


def renderer(figure: Figure) -> Any:
    """Return what measures texts on a figure."""
    canvas: Any = figure.canvas  # get_renderer carries no types
    return canvas.get_renderer()


def size_of(axes: Axes) -> NDArray[np.float64]:
    """Return width and height of axes in inches (2,)."""
    size: NDArray[np.float64] = np.array(axes.bbox.size) / float(axes.figure.dpi)
    return size


def inches_from(axes: Axes, corner: Corner) -> Transform:
    """Return the transform of places in inches to the right of a corner of axes and above it."""
    figure, along_axes = cast("Figure", axes.figure), cast("Any", axes.transAxes)
    return figure.dpi_scale_trans + ScaledTranslation(*corner, along_axes)


def drawn_box(artist: Any) -> Bbox:
    """Return the box of an artist in pixels."""
    box: Bbox = artist.get_window_extent(renderer(artist.figure))
    return box


def drawn_width(artists: Iterable[Any]) -> float:
    """Return the width of the widest artist in inches; 0 where there is none."""
    return max((drawn_box(a).width / float(a.figure.dpi) for a in artists), default=0.0)


@dataclass(frozen=True)
class Pen:
    """A font for some texts, and the colours of a theme."""

    letters: Lettering
    theme: ThemeName

    @property
    def colours(self) -> Theme:
        """The colours of paper and text."""
        return THEMES[self.theme]

    def style(self, size: float, colour: str = "", weight: str = "normal") -> dict[str, Any]:
        """Return the properties of a text; grey where no colour is given."""
        return {
            "font": self.letters.font(size, weight),
            "color": colour or self.colours.muted,
            "parse_math": False,
        }

    def write(
        self,
        axes: Axes,
        text: str,
        corner: Corner,
        inches: tuple[float, float],
        *,
        size: float = 8.5,
        colour: str = "",
        weight: str = "normal",
        ha: str = "left",
    ) -> Text:
        """Write a line so many inches to the right of a corner of axes and above it."""
        return axes.figure.text(
            *inches,
            self.letters.drawable(text),
            ha=ha,
            va="center_baseline",
            transform=inches_from(axes, corner),
            **self.style(size, colour, weight),
        )


def write_title(axes: Axes, title: str | None, inches: float, pen: Pen) -> None:
    """Write a line above axes, cut to about so many inches."""
    if title:
        text = shorten(title, max(24, int(10 * inches)))
        pen.write(axes, text, (0, 1), (0, 0.22), size=11.5, colour=pen.colours.ink)


def pen_for(texts: Iterable[str], theme: ThemeName) -> Pen:
    """Return a pen whose font has the characters of all texts."""
    return Pen(lettering(texts), theme)


def half_width(low: NDArray[np.float64], high: NDArray[np.float64]) -> float:
    """Return half the widest of several ranges; for constant values, their distance from 0."""
    reach, far = float((high / 2 - low / 2).max()), float(np.abs([low, high]).max())
    return reach if reach > 1e-12 * far else far or 1.0


def limits(low: float, high: float) -> tuple[float, float]:
    """Return limits a little outside [low, high], also where the two are equal."""
    middle, reach = low / 2 + high / 2, 1.1 * half_width(np.array(low), np.array(high))
    return middle - reach, middle + reach


def quiet_axes(axes: Axes, colours: Theme) -> None:
    """Give axes the theme's colours: grey numbers, no tick marks, a thin frame."""
    axes.set_facecolor(colours.paper)
    axes.tick_params(
        colors=colours.muted, labelsize=8.5, length=0, pad=5, labelfontfamily=BASE_FAMILY
    )
    for spine in axes.spines.values():
        spine.set(color=colours.rule, linewidth=1)


def name_axis(axis: Axis, name: str, pen: Pen, inches: float, unit: str = "") -> None:
    """Name an axis so many inches long; its unit stands in a line of its own.

    A factor or an offset that all numbers of the axis have stands before the unit, or after the
    name.
    """
    axis.get_ticklabels()  # by which the formatter learns what it writes
    formatter: Any = axis.get_major_formatter()
    factor = formatter.get_offset()
    axis.get_offset_text().set_visible(False)
    if factor and unit and factor[0] not in "+−":
        unit = f"{factor} {unit}"
    elif factor:
        name += f" ({factor})" if factor[0] in "+−" else f" (×{factor})"
    lines = [name, f"({unit})"] if unit else [name]
    width = max(12, int(inches * 13))  # columns of ten points in an inch
    text = Columns("\n".join(map(pen.letters.drawable, lines)))
    wrapped = [line.plain.rstrip() for line in text.wrap(Console(), width)]
    axis.set_label_text("\n".join(wrapped).strip(), **pen.style(10))


def finish_axes(axes: Axes, names: Sequence[str], pen: Pen, unit: str = "") -> None:
    """Give axes of final size and limits their look and names; the unit is of the vertical axis."""
    quiet_axes(axes, pen.colours)
    size = size_of(axes)
    name_axis(axes.xaxis, names[0], pen, size[0])
    name_axis(axes.yaxis, names[1], pen, size[1], unit)
    for axis in (axes.xaxis, axes.yaxis):
        thin_out([number for number in axis.get_ticklabels() if number.get_text()])


def thin_out(texts: Sequence[Text]) -> None:
    """Hide texts at even steps until none touch; the last stays, unless it touches the first."""
    boxes = [drawn_box(text) for text in texts]
    for stride in range(1, len(texts)):
        kept = range(0, len(texts), stride)
        if (len(texts) - 1) % stride == 0 and all(
            _apart(boxes[i], boxes[j], 0.04 * texts[0].figure.dpi) for i, j in pairwise(kept)
        ):
            break
    else:
        kept = range(1)
    for number, text in enumerate(texts):
        text.set_visible(number in kept)


def _apart(a: Bbox, b: Bbox, room: float) -> bool:
    across = max(a.x0, b.x0) - min(a.x1, b.x1)
    return bool(max(across - room, max(a.y0, b.y0) - min(a.y1, b.y1)) >= 0)


def add_marker(axes: Axes, marker: str, colour: str, inches: tuple[float, float]) -> None:
    """Draw a class's point so many inches to the right of the upper right corner and above it."""
    x, y = inches
    point = Line2D([x], [y], linestyle="", marker=marker, color=colour, markersize=7)
    point.set(markeredgewidth=0, transform=inches_from(axes, (1, 1)))
    axes.figure.add_artist(point)


def add_colour_bar(
    axes: Axes,
    scale: Colormap,
    box: tuple[float, float, float, float],
    numbers: Sequence[tuple[float, str]],
    pen: Pen,
) -> None:
    """Draw a scale of colours right of axes, with numbers beside it.

    Parameters
    ----------
    axes : Axes
    scale : Colormap
    box : (float, float, float, float)
        Left, bottom, width and height in inches from the upper right corner of the axes.
    numbers : sequence of (float, str)
        Parts of the height, from 0 to 1, and what is written there; left out where they touch.
    pen : Pen
    """
    left, bottom, width, height = box
    bar = axes.inset_axes(box, transform=inches_from(axes, (1, 1)))
    bar.imshow(scale(np.linspace(1, 0, 128))[:, None], aspect="auto")
    bar.set_axis_off()
    thin_out(
        [
            # At its ends the scale is as high as the numbers reach.
            pen.write(axes, text, (1, 1), (left + width + 0.1, y), size=9)
            for share, text in numbers
            for y in [bottom + height * share + 0.06 * (1 - 2 * share)]
        ]
    )
