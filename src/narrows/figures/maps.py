"""Maps: codes of one to three numbers as a picture that shows what lies where.

Legend: n rows, K numbers of a code, H height, W width, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from narrows.common.limits import is_integer
from narrows.errors import DataError, ParameterError
from narrows.figures.cells import Bounds, number_text, picture_shape, value_range
from narrows.figures.cells import pictures as pictures_of
from narrows.figures.codes import checked_codes
from narrows.figures.colouring import LabelsAre, colouring
from narrows.figures.lettering import Lettering, lettering, shorten
from narrows.figures.map_key import Place, draw_key
from narrows.figures.map_panel import MOST_POINTS, Panel, Thumbnails, draw_panel
from narrows.figures.relief import Points, relief
from narrows.figures.theme import THEMES, Theme, ThemeName, new_figure, quiet_axes

MAP_WIDTHS = (1, 2, 3)
"""Numbers of a code that a map can show."""
USUAL_THUMBNAILS = 32
STRIP = 0.4
"""Height of a strip of one number, in parts of its width."""
_MARGIN, _BELOW, _LEFT = 0.15, 0.42, 0.34
_TITLE_COLUMNS = 9
"""Characters of a title in an inch."""
_BETWEEN = 0.42
"""Between two planes, in inches."""


def map_of(
    Z: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    pictures: ArrayLike | None = None,
    sample_shape: Sequence[int] | None = None,
    bounds: Bounds = None,
    label_names: Sequence[str] | Mapping[Any, str] | None = None,
    labels_are: LabelsAre = "auto",
    labels_name: str = "",
    thumbnails: int = USUAL_THUMBNAILS,
    density: bool = True,
    title: str | None = None,
    side: float | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Draw codes as a map: what lies where, how densely, and what it looks like.

    Parameters
    ----------
    Z : array-like of shape (n, K)
        Codes of one, two or three numbers. Two make a plane; three make three planes, one for each
        pair; one makes a strip, in which points are heaped up where rows lie densely.
    labels : array-like of shape (n,), optional
        What points are coloured by; without them, by how densely rows lie.
    pictures : array-like of shape (n, D), (n, H, W) or (n, H, W, C), optional
        What the rows look like, of which some are drawn, far apart and on dense spots.
    sample_shape : sequence of int, optional
        Shape of a flat picture. Without it a flat picture must be square.
    bounds : pair of float, optional
        The values drawn black and white; by default the smallest and the largest of all.
    label_names : sequence or mapping, optional
        Names of classes, as in `plane`.
    labels_are : {"auto", "classes", "numbers"}, default="auto"
        Whether labels are classes or numbers on a scale. By default text is classes, unless all of
        it is numbers; numbers are classes where they are whole and at most 20 differ.
    labels_name : str, default=""
        What the labels say, written above the key.
    thumbnails : int, default=32
        Pictures on a plane at the most, half as many on each of three; fewer where there is no
        room.
    density : bool, default=True
        Whether the ground is shaded where rows lie densely, in steps that enclose 95, 80, 60, 40
        and 20 % of them.
    title : str, optional
        A line above.
    side : float, optional
        Width of a plane in inches; 6.4, or 4.2 for each of three.
    theme : {"light", "dark"}, default="light"
        Colours of paper and text; the colours of the classes are the same in both.

    Returns
    -------
    Figure
        The map, both directions to one scale. Lengths are in units of the code, which the bar
        below counts; numbers along the sides would say nothing more. Names stand at the densest
        spot of their class where there are at most 20; the key beside the map counts rows.

    Raises
    ------
    DataError
        If codes are not finite or have more than three numbers; if labels or pictures are not one
        per code.
    ParameterError
        For ``thumbnails`` below 0 or an unknown ``labels_are``.
    """
    codes, colours = checked_codes(Z, "A map", *MAP_WIDTHS), THEMES[theme]
    if not is_integer(thumbnails) or thumbnails < 0:
        raise ParameterError(f"thumbnails must be a whole number of 0 or more, got {thumbnails!r}.")
    found = colouring(labels, len(codes), label_names=label_names, labels_are=labels_are)
    most = thumbnails if codes.shape[1] < 3 else -(-thumbnails // 2)
    shown = thumbnails_of(pictures, len(codes), sample_shape, bounds, most)
    letters = lettering([*found.names, title or "", labels_name, "→↑"])
    planes = planes_of(codes)
    side = side or (6.4 if len(planes) == 1 else 4.2)
    height = side * (STRIP if codes.shape[1] == 1 else 1)
    end = _LEFT + len(planes) * side + (len(planes) - 1) * _BETWEEN
    whole = np.array([end + _MARGIN, _BELOW + height + (0.46 if title else _MARGIN)])
    figure = new_figure(float(whole[0]), float(whole[1]), colours)
    place = Place(end + 0.25, _BELOW + height, _BELOW)
    key_end = draw_key(figure, found, labels_name, place, letters, colours, theme)
    whole[0] = max(whole[0], key_end + _MARGIN)
    figure.set_figwidth(float(whole[0]))
    for number, plane in enumerate(planes):
        left = _LEFT + number * (side + _BETWEEN)
        corner, extent = np.array([left, _BELOW]) / whole, np.array([side, height]) / whole
        axes = figure.add_axes((corner[0], corner[1], extent[0], extent[1]))
        (x0, y0), (x1, y1) = plane.middle - plane.reach, plane.middle + plane.reach
        axes.set(xlim=(x0, x1), ylim=(y0, y1), xticks=[], yticks=[])
        quiet_axes(axes, colours)
        # A strip shows by its heaps how densely rows lie.
        shaded = density and codes.shape[1] > 1
        panel = Panel(plane.points, found, shown, shaded, (side, height))
        draw_panel(figure, axes, panel, letters, colours, theme)
        _name_sides(figure, plane, (left, side, height), letters, colours)
    _scale_bar(figure, planes[0], side, letters, colours)
    if len(codes) > MOST_POINTS:
        drawn = f"{MOST_POINTS:,} of {len(codes):,} points"
        _write(figure, drawn, (_LEFT + side - 0.4, 0.2), letters, colours.muted, ha="right")
    if title:
        y = float(whole[1]) - 0.24
        text = shorten(title, int(_TITLE_COLUMNS * whole[0]))
        _write(figure, text, (_LEFT, y), letters, colours.ink, size=11.5)
    return figure


@dataclass(frozen=True)
class Plane:
    """Two numbers of each code, or one that is heaped up.

    Attributes
    ----------
    names : (str, str)
        Of the two sides; empty where a side means nothing.
    points : ndarray (n, 2)
        In the square from −1 to 1.
    middle, reach : ndarray (2,)
        A code is ``middle + reach · point``.
    """

    names: tuple[str, str]
    points: Points
    middle: NDArray[np.float64]
    reach: NDArray[np.float64]


def planes_of(codes: NDArray[np.float64]) -> list[Plane]:
    """Return the planes that codes (n, K) of one to three numbers are drawn as, to one scale."""
    low, high = codes.min(axis=0), codes.max(axis=0)
    middle, reach = low / 2 + high / 2, float((high / 2 - low / 2).max())
    far = max(1.0, float(np.abs(middle).max()))
    if reach <= 1e-12 * far:  # constant codes: one point in the middle
        reach = far
    reach *= 1.08
    places = (codes - middle) / reach
    if codes.shape[1] == 1:
        points = np.stack([places[:, 0], _heaped(places[:, 0])], axis=1)
        ends = np.array([middle[0], 0.0]), np.array([reach, 1.0])
        return [Plane(("z0", ""), points, *ends)]
    return [
        Plane((f"z{i}", f"z{j}"), places[:, [i, j]], middle[[i, j]], np.array([reach, reach]))
        for i, j in combinations(range(codes.shape[1]), 2)
    ]


def _heaped(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return heights between −1 and 1: points fill what lies under the curve of their density."""
    line = np.stack([places, np.zeros_like(places)], axis=1)
    share = np.random.default_rng(0).random(len(places))
    return -0.94 + 1.8 * share * relief(line).at(line)


def thumbnails_of(
    given: ArrayLike | None,
    n: int,
    sample_shape: Sequence[int] | None,
    bounds: Bounds,
    most: int,
) -> Thumbnails | None:
    """Return rows as small pictures, where there are any; parameters as for `map_of`."""
    if given is None or most == 0:
        return None
    rows = np.asarray(given)
    shape = picture_shape(rows, sample_shape)
    if len(rows) != n:
        raise DataError(f"pictures must be one per code, {n} of them; got {len(rows)}.")
    ends = bounds or value_range(rows)
    return Thumbnails(rows, lambda some: pictures_of(some, shape, ends), shape[:2], most)


def _name_sides(
    figure: Figure,
    plane: Plane,
    place: tuple[float, float, float],
    letters: Lettering,
    colours: Theme,
) -> None:
    """Write the names of the two numbers where they grow to."""
    left, side, height = place
    across, up = plane.names
    _write(figure, f"{across} →", (left + side, 0.2), letters, colours.muted, ha="right")
    if up:
        top = _BELOW + height
        _write(figure, up, (left - 0.07, top - 0.22), letters, colours.muted, ha="right")
        _write(figure, "↑", (left - 0.07, top - 0.06), letters, colours.muted, ha="right")


def _scale_bar(
    figure: Figure, plane: Plane, side: float, letters: Lettering, colours: Theme
) -> None:
    """Draw how long some round number of units of the code is."""
    unit = side / (2 * float(plane.reach[0]))
    length = round_length(side / unit / 5)
    ends = [_LEFT, _LEFT + length * unit]
    bar = Line2D(ends, [0.2, 0.2], color=colours.muted, linewidth=1.2, marker="|", markersize=5)
    bar.set_transform(figure.dpi_scale_trans)
    figure.add_artist(bar)
    unit_name = "unit" if length == 1 else "units"
    text = f"{number_text(length)} {unit_name} of the code"
    _write(figure, text, (ends[1] + 0.1, 0.2), letters, colours.muted)


def round_length(length: float) -> float:
    """Return the largest of … 0.1, 0.2, 0.5, 1, 2, 5, 10 … that is no longer than a length."""
    power = 10.0 ** math.floor(math.log10(length))
    return power * max(step for step in (1, 2, 5) if step * power <= length * (1 + 1e-9))


def _write(
    figure: Figure,
    text: str,
    place: tuple[float, float],
    letters: Lettering,
    colour: str,
    *,
    size: float = 8.5,
    ha: str = "left",
) -> None:
    """Write a line at a place in inches from the lower left corner."""
    figure.text(
        *place,
        letters.drawable(text),
        font=letters.font(size),
        color=colour,
        parse_math=False,
        ha=ha,
        va="center_baseline",
        transform=figure.dpi_scale_trans,
    )
