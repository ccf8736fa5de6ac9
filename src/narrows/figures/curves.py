"""Pictures of numbers: error against code size, and error as training goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from narrows.errors import DataError
from narrows.figures.layout import Pen, fit, new_figure, pen_for
from narrows.figures.lettering import number_text
from narrows.figures.lines import FreeRoom, Line, draw_lines, line_colours
from narrows.figures.theme import ThemeName
from narrows.model.fitted import DATA_UNITS
from narrows.model.size_curve import SizeCurve

FEW_SIZES = 8
"""Most code sizes for which each size has a tick."""
ERROR = "mean squared error on held-out rows"
_SIZE = (4.0, 3.1)
"""Width and height of axes in inches."""
_PANEL = (4.0, 2.5)
"""The same for each of several panels."""


def scree(
    sizes: Sequence[int] | SizeCurve,
    curves: Mapping[str, Sequence[float]] | None = None,
    *,
    marks: Mapping[str, int] | None = None,
    x_label: str = "latent dimensions",
    y_label: str = ERROR,
    unit: str = DATA_UNITS,
    theme: ThemeName = "light",
) -> Figure:
    """Draw error against code size, every method on the same axes.

    Parameters
    ----------
    sizes : sequence of int, or SizeCurve
        Code sizes; or ``ae.size_curve_`` of ordered codes, which has its own curves.
    curves : mapping of str to sequence of float
        Error at each size, by name of the method; NaN where it was not measured. "PCA" is drawn
        in grey and "narrows" in the accent colour.
    marks : mapping of str to int, optional
        By name of the method, a code size to mark on its curve, such as a recommended one.
    x_label, y_label : str
        Axis labels.
    unit : str, default="squared data units"
        Unit of the errors, such as ``ae.model_.error_unit``, written below their label; "" for
        none.
    theme : {"light", "dark"}, default="light"
        Colours.

    Returns
    -------
    Figure
        An axis is logarithmic where its values are positive and span more than a factor of
        five. With one or two curves of at most eight sizes the values stand beside the points,
        where there is room. Curves that lie on each other are drawn as stripes.

    Raises
    ------
    DataError
        If nothing is given, a curve does not have one error per size, or a mark is none of them.
    """
    if isinstance(sizes, SizeCurve):
        curves = {"narrows": sizes.error.tolist(), "PCA": sizes.pca_error.tolist()}
        sizes = sizes.n_components.tolist()
    where = np.asarray(sizes, dtype=np.float64)
    values = {name: np.asarray(curve, dtype=np.float64) for name, curve in (curves or {}).items()}
    if where.ndim != 1 or not where.size or not values:
        raise DataError("scree needs at least one code size and one curve.")
    for name, value in values.items():
        if value.shape != where.shape:
            raise DataError(
                f"scree needs one error per code size: {where.size} sizes are given, but the "
                f"curve {name!r} has shape {value.shape}."
            )
    order = np.argsort(where)
    pen, figure = pen_for([*values, x_label, y_label, unit], theme), new_figure(theme)
    colours = line_colours(list(values), pen.colours)
    lines = [
        Line(name, where[order], value[order], colours[name]) for name, value in values.items()
    ]
    axes = figure.add_axes((0, 0, *_SIZE))
    few = where[order] if where.size <= FEW_SIZES else None
    draw_lines(axes, lines, pen, (x_label, y_label, unit), log_x=True, x_ticks=few)
    room = FreeRoom(axes, lines)
    # Of few sizes, each stands on the axis.
    _draw_marks(axes, lines, marks or {}, room if few is None else None, pen)
    if few is not None and len(lines) <= 2:
        _write_values(lines, room, pen)
    return fit(figure)


def _draw_marks(
    axes: Axes, lines: Sequence[Line], marks: Mapping[str, int], room: FreeRoom | None, pen: Pen
) -> None:
    """Mark sizes on curves: a ring, a line down to the axis; with room, the size beside it."""
    by_name = {line.name: line for line in lines}
    for name, size in marks.items():
        if name not in by_name or size not in by_name[name].x:
            raise DataError(
                f"scree cannot mark {size} on {name!r}; marks are sizes of a curve that is drawn."
            )
        line = by_name[name]
        error, floor = float(line.y[line.x == size][0]), axes.get_ylim()[0]
        axes.plot([size, size], [floor, error], color=line.colour, lw=1, ls=(0, (2, 3)))
        (ring,) = axes.plot([size], [error], "o", ms=7, mew=2, zorder=6)
        ring.set(markeredgecolor=line.colour, markerfacecolor=pen.colours.paper)
        if room is not None:
            above = not any(np.interp(size, other.x, other.y) > error for other in lines)
            room.write(f"{size:,}", (size, error), above, pen.style(9, line.colour))


def _write_values(lines: Sequence[Line], room: FreeRoom, pen: Pen) -> None:
    """Write each point's value beside it, above the upper and below the lower curve."""
    for line in lines:
        for i, (x, y) in enumerate(zip(line.x, line.y, strict=True)):
            if np.isfinite(y):
                above = all(line is other or not other.y[i] > y for other in lines)
                room.write(number_text(y, 2), (x, y), above, pen.style(8.5, line.colour))


def training(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    pca_error: float | None = None,
    x_label: str = "epoch",
    y_label: str = ERROR,
    unit: str = DATA_UNITS,
    theme: ThemeName = "light",
) -> Figure:
    """Draw held-out error as training goes on, with PCA's error as a line across.

    Parameters
    ----------
    curves : mapping of str to (positions, errors)
        For each program, where the error was measured (epochs or seconds) and what it was.
    pca_error : float, optional
        PCA's held-out error at the same code size, in the same unit.
    x_label, y_label : str
        Axis labels: "epoch", "seconds".
    unit : str, default="squared data units"
        Unit of the errors, such as ``ae.model_.error_unit``, written below their label; "" for
        none.
    theme : {"light", "dark"}, default="light"
        Colours.

    Returns
    -------
    Figure
        The curves, each named to the right. Curves that lie on each other are drawn as stripes.

    Raises
    ------
    DataError
        If nothing is given, or positions and errors of a curve differ in length.
    """
    pen, figure = pen_for([*curves, x_label, y_label, unit], theme), new_figure(theme)
    colours = line_colours(list(curves), pen.colours)
    lines = []
    for name, (where, errors) in curves.items():
        x, y = np.asarray(where, dtype=np.float64), np.asarray(errors, dtype=np.float64)
        if x.shape != y.shape or not x.size:
            raise DataError(
                f"training needs one error per position: the curve {name!r} has "
                f"{len(where)} positions and {len(errors)} errors."
            )
        lines.append(Line(name, x, y, colours[name]))
    if not lines:
        raise DataError("training needs at least one curve.")
    axes = figure.add_axes((0, 0, *_SIZE))
    draw_lines(axes, lines, pen, (x_label, y_label, unit), pca_error=pca_error)
    return fit(figure)


def terms(
    history: Sequence[Mapping[str, float]],
    units: Mapping[str, str],
    *,
    x_label: str = "epoch",
    y_label: str = "term of the loss",
    theme: ThemeName = "light",
) -> Figure:
    """Draw the terms of a loss apart as training goes on, one panel for each unit.

    Parameters
    ----------
    history : sequence of mapping of str to float
        A row per epoch, as ``ae.history_`` has it.
    units : mapping of str to str
        Terms to draw with their units, as the family's ``units`` states them; those that the
        history does not have are left out.
    x_label, y_label : str
        Axis labels; the unit stands below the second one.
    theme : {"light", "dark"}, default="light"
        Colours.

    Returns
    -------
    Figure
        Each term named to the right. An axis is logarithmic where its values are positive and span
        more than a factor of five.

    Raises
    ------
    DataError
        If the history has no epoch, or none of the terms.
    """
    known = [name for name in units if history and name in history[0]]
    if not known:
        raise DataError(
            f"terms needs at least one epoch with one of the terms {', '.join(units) or '(none)'};"
            f" got {len(history)} epochs" + (f" with {', '.join(history[0])}." if history else ".")
        )
    pen, figure = pen_for([*known, *units.values(), x_label, y_label], theme), new_figure(theme)
    colours = line_colours(known, pen.colours)
    epochs = np.array([row["epoch"] for row in history], dtype=np.float64)
    panels: dict[str, list[Line]] = {}
    for name in known:
        values = np.array([row.get(name, np.nan) for row in history], dtype=np.float64)
        panels.setdefault(units[name], []).append(Line(name, epochs, values, colours[name]))
    for number, (unit, lines) in enumerate(panels.items()):
        axes = figure.add_axes((0, -number * (_PANEL[1] + 0.8), *_PANEL))
        draw_lines(axes, lines, pen, (x_label, y_label, unit))
    return fit(figure)
