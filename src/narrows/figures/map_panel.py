"""One plane of a map: density underneath, points, small pictures, names of classes.

Everything is placed in the square from −1 to 1; the axes themselves are in units of the code.

Legend: n points, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from narrows.figures.colouring import Colouring, class_marker, row_colours
from narrows.figures.layout import Pen, drawn_box
from narrows.figures.lettering import shorten
from narrows.figures.relief import CELLS, Points, Relief, relief
from narrows.figures.spots import Box, Rows, dense_spots, named_spots
from narrows.figures.theme import DPI

MOST_POINTS = 200_000
"""Most points that are drawn. If there are more, a random choice is drawn."""
MOST_NAMED = 20
"""Classes whose names are written on the map."""
FEWEST_NAMED = 8
"""Names are written if classes have so many rows on average; with fewer, names would hide them."""
THUMBNAIL = 0.3
"""Longest side of a small picture, in inches."""
_NAME_SIZE, _NAME_COLUMNS = 10.5, 18
_SHARES = (0.95, 0.8, 0.6, 0.4, 0.2)
"""Parts of all rows within each line of equal density."""
_ALONE = 0.03
"""Part of the rows, those in the emptiest places, that are not drawn as pictures."""


@dataclass(frozen=True)
class Thumbnails:
    """Rows as pictures; a picture is made only if it is drawn.

    Attributes
    ----------
    rows : ndarray (n, …)
    make : callable
        From rows to pictures (m, H, W, 3) in [0, 1].
    size : (int, int)
        Height and width in pixels.
    most : int
        Pictures on a plane.
    """

    rows: NDArray[Any]
    make: Callable[[NDArray[Any]], NDArray[np.float64]]
    size: tuple[int, int]
    most: int

    @property
    def is_sharp(self) -> bool:
        """Tell whether each pixel of a row can be drawn as a whole number of screen pixels."""
        return max(self.size) <= 1.25 * THUMBNAIL * DPI

    def inches(self) -> tuple[float, float]:
        """Return height and width of a small picture."""
        longest = max(self.size)
        pixel = max(1, round(THUMBNAIL * DPI / longest)) / DPI
        pixel = pixel if self.is_sharp else THUMBNAIL / longest
        return self.size[0] * pixel, self.size[1] * pixel


@dataclass(frozen=True)
class Panel:
    """What a plane shows.

    Attributes
    ----------
    points : ndarray (n, 2)
        In the square from −1 to 1.
    labels : Colouring
    pictures : Thumbnails or None
    density : bool
        Whether the ground is shaded where rows lie densely.
    size : (float, float)
        Width and height in inches.
    """

    points: Points
    labels: Colouring
    pictures: Thumbnails | None
    density: bool
    size: tuple[float, float]

    @property
    def unit(self) -> NDArray[np.float64]:
        """Return how long an inch is, to the right and upwards (2,)."""
        return 2 / np.array(self.size)

    @property
    def half_picture(self) -> NDArray[np.float64]:
        """Return half the width and height of a small picture (2,)."""
        assert self.pictures is not None
        return self.unit * self.pictures.inches()[::-1] / 2

    @property
    def middles(self) -> Points:
        """Return where the middle of each row's picture would stand (n, 2)."""
        return np.clip(self.points, self.half_picture - 1, 1 - self.half_picture)


def draw_panel(axes: Axes, panel: Panel, pen: Pen) -> None:
    """Draw a plane on axes whose limits and size are final."""
    whole = relief(panel.points)
    heights = whole.at(panel.points)
    colours = row_colours(panel.labels, heights, pen.theme)
    if panel.density:
        _draw_density(axes, whole, panel.points, pen)
    _draw_points(axes, panel, colours)
    boxes = _write_names(axes, panel, pen)
    if panel.pictures is not None:
        _draw_thumbnails(axes, panel, panel.pictures, _spots(panel, heights, boxes), colours)


def _to_axes(axes: Axes, places: Points) -> Points:
    """Bring places of the square from −1 to 1 to the units of the axes."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    low, high = np.array([left, bottom]), np.array([right, top])
    found: Points = low + (places + 1) / 2 * (high - low)
    return found


def _draw_density(axes: Axes, whole: Relief, points: Points, pen: Pen) -> None:
    """Shade where rows lie densely, in steps that enclose parts of the rows."""
    levels = sorted({*whole.above(points, _SHARES)})
    if len(levels) < 2 or levels[0] <= 0:
        return
    middles = (np.arange(CELLS) + 0.5) / CELLS * 2 - 1
    grid = _to_axes(axes, np.stack([middles, middles], axis=1))
    paper, ink = np.array(to_rgb(pen.colours.paper)), np.array(to_rgb(pen.colours.muted))
    deepest = 0.34 if pen.theme == "light" else 0.42
    shades = [
        paper + (ink - paper) * deepest * (step + 1) / len(levels) for step in range(len(levels))
    ]
    limits = axes.get_xlim(), axes.get_ylim()
    surface = grid[:, 0], grid[:, 1], whole.heights
    axes.contourf(*surface, [*levels, 1.01], colors=shades, zorder=0.5)
    # Where points cover the ground, the lines are still seen.
    axes.contour(*surface, levels, colors=pen.colours.ink, linewidths=0.6, alpha=0.45, zorder=2)
    axes.set(xlim=limits[0], ylim=limits[1])


def _draw_points(axes: Axes, panel: Panel, colours: NDArray[Any]) -> None:
    n = len(panel.points)
    order = np.random.default_rng(0).permutation(n)[:MOST_POINTS]
    # In points², as the area of a marker is given: a quarter of the plane's, shared by all.
    width, height = panel.size
    area = float(np.clip(0.2 * 72**2 * width * height / n, 1.0, 36))
    opacity = float(np.clip(1.25 - 0.17 * np.log10(n), 0.35, 0.85))
    places, n_names = _to_axes(axes, panel.points), len(panel.labels.names)
    markers = [class_marker(number, n_names) for number in range(n_names + 2)]
    kinds = np.array(markers)[panel.labels.position]
    for kind in dict.fromkeys(markers):
        rows = order[kinds[order] == kind]
        if len(rows):
            axes.scatter(
                places[rows, 0],
                places[rows, 1],
                s=area,
                c=colours[rows],
                marker=kind,
                alpha=opacity,
                linewidths=0,
                clip_on=False,
            )


def _write_names(axes: Axes, panel: Panel, pen: Pen) -> list[Box]:
    """Write each class's name at its densest spot; return the boxes taken."""
    names = panel.labels.names
    if not 2 <= len(names) <= MOST_NAMED or len(panel.points) < FEWEST_NAMED * len(names):
        return []
    texts, sizes, dense = [], [], []
    for number, name in enumerate(names):
        text = axes.text(
            0,
            0,
            pen.letters.drawable(shorten(name, _NAME_COLUMNS)),
            ha="center",
            va="center",
            zorder=6,
            path_effects=[withStroke(linewidth=3, foreground=pen.colours.paper)],
            **pen.style(_NAME_SIZE, pen.colours.ink, "bold"),
        )
        texts.append(text)
        box = drawn_box(text)
        width, height = panel.unit * (box.width + 6, box.height + 4) / axes.figure.dpi
        sizes.append((width, height))
        rows = np.flatnonzero(panel.labels.position == number)
        own = panel.points[rows]
        dense.append((rows, relief(own).at(own)))
    boxes: list[Box] = []
    spots = named_spots(panel.points, dense, sizes)
    for text, spot, (width, height) in zip(texts, spots, sizes, strict=True):
        if spot is None:
            text.remove()
            continue
        text.set_position(tuple(_to_axes(axes, spot[None])[0]))
        x, y = spot
        boxes.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    return boxes


def _spots(panel: Panel, heights: NDArray[np.float64], boxes: Sequence[Box]) -> Rows:
    """Return the rows that are drawn as pictures: on dense spots, and on no name."""
    assert panel.pictures is not None
    half = panel.half_picture
    middles = panel.middles
    # A row that lies alone would stand for no other row.
    free = heights >= np.quantile(heights, _ALONE)
    for left, bottom, right, top in boxes:
        low, high = np.array([left, bottom]) - half, np.array([right, top]) + half
        free &= ~((low < middles) & (middles < high)).all(axis=1)
    apart = 2 * half + 0.07 * panel.unit  # for the frame, and a gap
    return dense_spots(middles, heights, most=panel.pictures.most, apart=apart, free=free)


def _draw_thumbnails(
    axes: Axes, panel: Panel, pictures: Thumbnails, chosen: Rows, colours: NDArray[Any]
) -> None:
    """Draw rows as pictures, framed in their own colour, each over its row's point."""
    if not len(chosen):
        return
    limits = axes.get_xlim(), axes.get_ylim()
    middles, half = panel.middles[chosen], panel.half_picture
    corners = _to_axes(axes, np.stack([middles - half, middles + half], axis=1))
    images = pictures.make(pictures.rows[chosen])
    for image, (low, high), frame in zip(images, corners, colours[chosen], strict=True):
        shown = axes.imshow(
            image,
            extent=(low[0], high[0], low[1], high[1]),
            aspect="auto",
            interpolation="nearest" if pictures.is_sharp else "antialiased",
            zorder=4,
        )
        shown.set_clip_on(False)
        edge = Rectangle(low, *(high - low), fill=False, edgecolor=frame, linewidth=1.6, zorder=5)
        axes.add_patch(edge).set_clip_on(False)
    axes.set(xlim=limits[0], ylim=limits[1])
