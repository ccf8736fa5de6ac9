"""Named lines on one pair of axes: none hidden under another, no text on another.

Legend: n points of a line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression

from narrows.figures.layout import Pen, drawn_box, finish_axes, inches_from, limits, size_of
from narrows.figures.lettering import number_text, shorten
from narrows.figures.spots import Box, overlaps
from narrows.figures.theme import PALETTE, Theme

Array = NDArray[np.float64]
NAME_COLUMNS = 24
_LINE = 0.21
"""Distance from one name to the next, in inches."""
_TOUCHING = 2.0
"""Two lines that are closer than so many pixels, at 100 per inch, look like one."""
_DASH = 3.0
"""Length of a stripe, in widths of the line."""
_PLACES = (("left", 1), ("center", 0), ("right", -1))
"""Where a text stands beside a point: its alignment, and the direction in which it is moved."""


@dataclass(frozen=True, eq=False)
class Line:
    """A named line: its points (n,), with NaN where nothing was measured, and its colour."""

    name: str
    x: Array
    y: Array
    colour: str

    def pixels(self, axes: Axes) -> Array:
        """Return the points that are there (m, 2), in pixels."""
        points = np.stack([self.x, self.y], axis=1)[np.isfinite(self.y)]
        places: Array = axes.transData.transform(points)
        return places


def line_colours(names: Sequence[str], colours: Theme) -> Mapping[str, str]:
    """Return a colour for each line: grey for PCA, the accent for narrows."""
    known = {"PCA": colours.muted, "narrows": colours.accent}
    others = [name for name in names if name not in known]
    return known | {name: PALETTE[(1 + i) % len(PALETTE)] for i, name in enumerate(others)}


def draw_lines(
    axes: Axes,
    lines: Sequence[Line],
    pen: Pen,
    labels: tuple[str, str, str],
    *,
    pca_error: float | None = None,
    log_x: bool = False,
    x_ticks: Array | None = None,
) -> None:
    """Draw named lines, each with its name to the right, and PCA's error as a line across.

    Parameters
    ----------
    axes : Axes
        Of final size.
    lines : sequence of Line
    pen : Pen
    labels : (str, str, str)
        Names of both axes, and the unit of the vertical one.
    pca_error : float, optional
    log_x : bool
        Whether the horizontal axis may be logarithmic; otherwise it begins at 0.
    x_ticks : ndarray, optional
        Where the horizontal axis has its numbers.
    """
    every_x = np.concatenate([[] if log_x else [0.0], *(line.x for line in lines)])
    across = [] if pca_error is None else [pca_error]
    _scale(axes, "x", every_x, log_x)
    _scale(axes, "y", np.concatenate([across, *(line.y for line in lines)]), True)
    if x_ticks is not None:
        axes.set_xticks(x_ticks, [f"{x:g}" for x in x_ticks])
        axes.xaxis.set_minor_locator(NullLocator())
    elif not log_x and np.array_equal(every_x, np.rint(every_x)):
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    named = [*lines]
    if pca_error is not None:
        ends, error = np.array(axes.get_xlim()), np.full(2, float(pca_error))
        named.append(Line("PCA", ends, error, pen.colours.muted))
        # Above the curves: what lies under it shows in its gaps.
        axes.plot(ends, error, color=pen.colours.muted, lw=1.5, ls=(0, (4, 3)), zorder=5)
    for line, look in zip(lines, _stripes(axes, lines), strict=True):
        axes.plot(line.x, line.y, color=line.colour, lw=2, mew=0, zorder=3, **look)
    finish_axes(axes, labels[:2], pen, labels[2])
    axes.grid(axis="y", color=pen.colours.rule, lw=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    _write_names(axes, named, pen)


def _scale(axes: Axes, which: str, values: Array, may_log: bool) -> None:
    """Choose a logarithmic or a plain axis, its limits and its ticks."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    axis = axes.xaxis if which == "x" else axes.yaxis
    if may_log and low > 0 and high / low > 5:
        pad = (high / low) ** 0.1
        axes.set(**{f"{which}scale": "log", f"{which}lim": (low / pad, high * pad)})
        steps = (1.0, 2.0, 5.0) if high / low < 1e3 else (1.0,)
        axis.set_major_locator(LogLocator(subs=steps, numticks=9))
        axis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value, 6)))
        axis.set_minor_locator(NullLocator())
    else:
        axes.set(**{f"{which}lim": limits(low, high)})
        axis.set_major_locator(MaxNLocator(6))


def _stripes(axes: Axes, lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Return dashes and the size of points for each line, by which all that coincide are seen.

    Of m lines that coincide, the first is solid and the others are dashed, so that each colour
    covers 1/m.
    """
    drawn = [line.pixels(axes) for line in lines]
    looks = []
    for i, line in enumerate(lines):
        group = [j for j in range(len(lines)) if j == i or _coincide(drawn[i], drawn[j])]
        place, m = group.index(i), len(group)
        gap = _DASH * (m - 1)
        dashes = (_DASH * (m - place), (_DASH, gap)) if place else "-"
        marker = "o" if len(line.x) <= 30 else ""
        looks.append({"ls": dashes, "marker": marker, "ms": 5 + 3 * min(m - 1 - place, 2)})
    return looks


def _coincide(a: Array, b: Array) -> bool:
    """Tell whether more than half of the points of a line, in pixels, lie on another line."""
    if not len(a) or not len(b):
        return False
    fewer, other = (a, b) if len(a) <= len(b) else (b, a)
    level = np.interp(fewer[:, 0], other[:, 0], other[:, 1], left=np.nan, right=np.nan)
    return bool(np.mean(np.abs(level - fewer[:, 1]) < _TOUCHING) > 0.5)


def _write_names(axes: Axes, lines: Sequence[Line], pen: Pen) -> None:
    """Write each name right of the axes, level with its line's end or as near as there is room.

    A dotted line leads to a name from where its line ends, if it is far or at another height.
    """
    ends = {line: line.pixels(axes)[-1] for line in lines if np.isfinite(line.y).any()}
    order = sorted(ends, key=lambda line: float(ends[line][1]))
    corner, dpi = np.array([axes.bbox.x0, axes.bbox.y0]), float(axes.figure.dpi)
    places = [(ends[line] - corner) / dpi for line in order]
    if not order:
        return
    steps = _LINE * np.arange(len(order))
    # Each name at least one line above the last one, with the smallest sum of squared moves.
    heights = isotonic_regression([y for _, y in places] - steps) + steps
    right = size_of(axes)[0]
    for line, (x, y), height in zip(order, places, heights, strict=True):
        name = shorten(line.name, NAME_COLUMNS)
        inches = (0.14, float(height))
        pen.write(axes, name, (1, 0), inches, size=10, colour=line.colour, weight="bold")
        if right - x > 0.5 or abs(height - y) > 0.04:
            lead = Line2D([x + 0.06, right + 0.1], [y, height], color=line.colour, lw=0.8)
            lead.set(linestyle=(0, (1, 2)), transform=inches_from(axes, (0, 0)))
            axes.figure.add_artist(lead)


class FreeRoom:
    """Room for texts on axes beside lines: none is written on another, or on a line."""

    def __init__(self, axes: Axes, lines: Sequence[Line]) -> None:
        self.axes = axes
        self.taken: list[Box] = []
        self.points = np.concatenate([_dense(line.pixels(axes)) for line in lines])

    def write(
        self, text: str, point: tuple[float, float], above: bool, style: dict[str, Any]
    ) -> None:
        """Write a text beside a point in data units, nowhere if there is no room.

        Parameters
        ----------
        text : str
        point : (float, float)
        above : bool
            Whether room is looked for above the point first, or below it.
        style : dict
            Properties of the text.
        """
        for up in (1, -1) if above else (-1, 1):
            # Errors fall as codes grow: upper right and lower left are away from the line.
            for ha, right in _PLACES[::up]:
                written = self.axes.annotate(
                    text,
                    point,
                    xytext=(4 * right, 6 * up),
                    textcoords="offset points",
                    ha=ha,
                    va="bottom" if up > 0 else "top",
                    annotation_clip=False,
                    **style,
                )
                box = drawn_box(written)
                if self._is_free(box.x0, box.y0, box.x1, box.y1):
                    self.taken.append((box.x0, box.y0, box.x1, box.y1))
                    return
                written.remove()

    def _is_free(self, left: float, bottom: float, right: float, top: float) -> bool:
        ground = self.axes.bbox
        if left < ground.x0 or bottom < ground.y0 or right > ground.x1 + 8:
            return False
        x, y = self.points.T
        on_line = (left < x) & (x < right) & (bottom < y) & (y < top)
        return not overlaps((left, bottom, right, top), self.taken) and not bool(on_line.any())


def _dense(points: Array) -> Array:
    """Return points along a line, closer together than a letter is high."""
    if len(points) < 2:
        return points
    steps = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    where = np.arange(0, steps[-1], 2.0)
    found: Array = np.stack([np.interp(where, steps, values) for values in points.T], axis=1)
    return found
