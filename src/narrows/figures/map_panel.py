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
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from narrows.figures.colouring import Colouring, class_marker, row_colours
from narrows.figures.lettering import Lettering, shorten
from narrows.figures.relief import CELLS, Points, Relief, relief
from narrows.figures.spots import Box, dense_spots, named_spots
from narrows.figures.theme import DPI, Theme, ThemeName

MOST_POINTS = 200_000
"""Points that are drawn; of more, so many at random."""
MOST_NAMED = 20
"""Classes whose names are written on the map."""
FEWEST_NAMED = 8
"""Rows of a class on average from which names do not hide what they name."""
THUMBNAIL = 0.3
"""Longest side of a small picture, in inches."""
_NAME_SIZE, _NAME_COLUMNS = 10.5, 18
_SHARES = (0.95, 0.8, 0.6, 0.4, 0.2)
"""Parts of the rows that the lines of equal density enclose."""
_ALONE = 0.03
"""Part of the rows, those in the emptiest places, that are not drawn as pictures."""


@dataclass(frozen=True)
class Thumbnails:
    """Rows as pictures, of which only those are made that are drawn.

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
        """Tell whether a pixel of a row can be a whole number of those of the screen."""
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


def draw_panel(
    figure: Figure,
    axes: Axes,
    panel: Panel,
    letters: Lettering,
    colours: Theme,
    theme: ThemeName,
) -> None:
    """Draw a plane on axes whose limits and place in the figure are final."""
    whole = relief(panel.points)
    heights = whole.at(panel.points)
    if panel.density:
        _density(axes, whole, panel.points, colours, theme)
    _points(axes, panel, heights, colours, theme)
    boxes = _names(figure, axes, panel, letters, colours)
    if panel.pictures is not None:
        _thumbnails(axes, panel, panel.pictures, heights, boxes, colours, theme)


def _to_axes(axes: Axes, places: Points) -> Points:
    """Bring places of the square from −1 to 1 to the units of the axes."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    low, high = np.array([left, bottom]), np.array([right, top])
    found: Points = low + (places + 1) / 2 * (high - low)
    return found


def _density(axes: Axes, whole: Relief, points: Points, colours: Theme, theme: ThemeName) -> None:
    """Shade where rows lie densely, in steps that enclose parts of the rows."""
    levels = sorted({*whole.above(points, _SHARES)})
    if len(levels) < 2 or levels[0] <= 0:
        return
    middles = (np.arange(CELLS) + 0.5) / CELLS * 2 - 1
    grid = _to_axes(axes, np.stack([middles, middles], axis=1))
    paper, ink = np.array(to_rgb(colours.paper)), np.array(to_rgb(colours.muted))
    deepest = 0.34 if theme == "light" else 0.42
    shades = [
        paper + (ink - paper) * deepest * (step + 1) / len(levels) for step in range(len(levels))
    ]
    limits = axes.get_xlim(), axes.get_ylim()
    surface = grid[:, 0], grid[:, 1], whole.heights
    axes.contourf(*surface, [*levels, 1.01], colors=shades, zorder=0.5)
    # Where points cover the ground, the lines are still seen.
    axes.contour(*surface, levels, colors=colours.ink, linewidths=0.6, alpha=0.45, zorder=2)
    axes.set(xlim=limits[0], ylim=limits[1])


def _points(
    axes: Axes,
    panel: Panel,
    heights: NDArray[np.float64],
    colours: Theme,
    theme: ThemeName,
) -> None:
    n = len(panel.points)
    order = np.random.default_rng(0).permutation(n)[:MOST_POINTS]
    # In points², as the area of a marker is given: a quarter of the plane's, shared by all.
    width, height = panel.size
    area = float(np.clip(0.2 * 72**2 * width * height / n, 1.0, 36))
    # This is the place where a row's own opacity would come in.
    opacity = float(np.clip(1.25 - 0.17 * np.log10(n), 0.35, 0.85))
    colour = row_colours(panel.labels, heights, colours, theme)
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
                c=colour[rows],
                marker=kind,
                alpha=opacity,
                linewidths=0,
                clip_on=False,
            )


def _names(
    figure: Figure, axes: Axes, panel: Panel, letters: Lettering, colours: Theme
) -> list[Box]:
    """Write each class's name at its densest spot; return the boxes taken."""
    names = panel.labels.names
    if not 2 <= len(names) <= MOST_NAMED or len(panel.points) < FEWEST_NAMED * len(names):
        return []
    canvas: Any = figure.canvas  # get_renderer carries no types
    texts, sizes, dense = [], [], []
    for number, name in enumerate(names):
        text = axes.text(
            0,
            0,
            letters.drawable(shorten(name, _NAME_COLUMNS)),
            font=letters.font(_NAME_SIZE, "bold"),
            color=colours.ink,
            parse_math=False,
            ha="center",
            va="center",
            zorder=6,
        )
        text.set_path_effects([withStroke(linewidth=3, foreground=colours.paper)])
        texts.append(text)
        box = text.get_window_extent(canvas.get_renderer())
        width, height = panel.unit * (box.width + 6, box.height + 4) / figure.dpi
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


def _thumbnails(
    axes: Axes,
    panel: Panel,
    pictures: Thumbnails,
    heights: NDArray[np.float64],
    boxes: Sequence[Box],
    colours: Theme,
    theme: ThemeName,
) -> None:
    """Draw some rows as pictures, framed in their own colour, each over its row's point."""
    size = panel.unit * pictures.inches()[::-1]
    room = 0.07 * panel.unit  # for the frame, and a gap
    half = size / 2
    middles = np.clip(panel.points, half - 1, 1 - half)
    # What lies all alone would stand for nothing but itself.
    free = heights >= np.quantile(heights, _ALONE)
    for box in boxes:
        left, bottom, right, top = box
        free &= ~(
            (middles[:, 0] + half[0] > left)
            & (middles[:, 0] - half[0] < right)
            & (middles[:, 1] + half[1] > bottom)
            & (middles[:, 1] - half[1] < top)
        )
    chosen = dense_spots(middles, heights, most=pictures.most, apart=size + room, free=free)
    if not len(chosen):
        return
    images = pictures.make(pictures.rows[chosen])
    frames = row_colours(panel.labels, heights, colours, theme)[chosen]
    limits = axes.get_xlim(), axes.get_ylim()
    corners = _to_axes(axes, np.stack([middles[chosen] - half, middles[chosen] + half], axis=1))
    for image, ((left, bottom), (right, top)), frame in zip(images, corners, frames, strict=True):
        shown = axes.imshow(
            image,
            extent=(left, right, bottom, top),
            aspect="auto",
            interpolation="nearest" if pictures.is_sharp else "antialiased",
            zorder=4,
        )
        shown.set_clip_on(False)
        axes.add_patch(
            Rectangle(
                (left, bottom),
                right - left,
                top - bottom,
                fill=False,
                edgecolor=frame,
                linewidth=1.6,
                zorder=5,
                clip_on=False,
            )
        )
    axes.set(xlim=limits[0], ylim=limits[1])
