"""Pictures of numbers: error against code size, and error as training goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from narrows.errors import DataError
from narrows.figures.cells import MARGIN
from narrows.figures.lettering import Lettering, lettering, shorten
from narrows.figures.theme import (
    PALETTE,
    THEMES,
    Theme,
    ThemeName,
    new_figure,
    padded,
    quiet_axes,
    widen,
)
from narrows.model.size_curve import SizeCurve

FEW_SIZES = 8
"""Code sizes up to which each has its tick."""
Lines = Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]  # name: (x, y)


def scree(
    sizes: Sequence[int] | SizeCurve,
    curves: Mapping[str, Sequence[float]] | None = None,
    *,
    marks: Mapping[str, int] | None = None,
    x_label: str = "k",
    y_label: str = "MSE",
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
        By name of the method, a code size to mark on its curve, as one that is recommended.
    x_label, y_label : str
        Axis labels.
    theme : {"light", "dark"}, default="light"
        Colours.

    Returns
    -------
    Figure
        An axis is logarithmic where its values are positive and span more than a factor of
        five. With one or two curves of at most eight sizes the values stand beside the points.

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
    lines = {name: (where[order], value[order]) for name, value in values.items()}
    figure, axes = _line_figure(lines, THEMES[theme], x_label, y_label)
    if where.size <= FEW_SIZES:
        axes.set_xticks(where[order], [f"{size:g}" for size in where[order]])
        axes.xaxis.set_minor_locator(NullLocator())
        if len(lines) <= 2:
            _write_values(axes, lines, THEMES[theme])
    if marks:
        _mark(axes, lines, marks, THEMES[theme])
    return figure


def _mark(axes: Axes, lines: Lines, marks: Mapping[str, int], colours: Theme) -> None:
    """Mark sizes on curves: a ring, a line down to the axis, the size outside the curves."""
    places = {}
    for name, size in marks.items():
        if name not in lines or size not in lines[name][0]:
            raise DataError(
                f"scree cannot mark {size} on {name!r}; marks are sizes of a curve that is drawn."
            )
        x, y = lines[name]
        places[name] = size, float(y[x == size][0])
    middle = np.mean([size for size, _ in places.values()])
    for name, (size, error) in places.items():
        colour = _line_colour(name, colours) or colours.ink
        floor = axes.get_ylim()[0]
        axes.plot([size, size], [floor, error], color=colour, lw=1, ls=(0, (2, 3)))
        axes.plot([size], [error], "o", ms=7, mew=2, mec=colour, mfc=colours.paper, zorder=4)
        above = size >= middle  # the curve of the larger size lies to the upper right
        axes.annotate(
            f"{size:,}",
            (size, error),
            xytext=(6, 5) if above else (-7, -4),
            textcoords="offset points",
            ha="left" if above else "right",
            va="bottom" if above else "top",
            fontsize=9,
            color=colour,
        )


def training(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    pca_error: float | None = None,
    x_label: str = "epoch",
    y_label: str = "MSE",
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
        Axis labels: "epoch", "s".
    theme : {"light", "dark"}, default="light"
        Colours.

    Returns
    -------
    Figure
        The curves, each named at its end.

    Raises
    ------
    DataError
        If nothing is given, or positions and errors of a curve differ in length.
    """
    lines = {}
    for name, (where, errors) in curves.items():
        lines[name] = np.asarray(where, dtype=np.float64), np.asarray(errors, dtype=np.float64)
        if lines[name][0].shape != lines[name][1].shape or not lines[name][0].size:
            raise DataError(
                f"training needs one error per position: the curve {name!r} has "
                f"{len(where)} positions and {len(errors)} errors."
            )
    if not lines:
        raise DataError("training needs at least one curve.")
    figure, axes = _line_figure(
        lines, THEMES[theme], x_label, y_label, across=("PCA", pca_error), log_x=False
    )
    if all(np.array_equal(x, np.rint(x)) for x, _ in lines.values()):
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    return figure


def terms(
    history: Sequence[Mapping[str, float]],
    units: Mapping[str, str],
    *,
    x_label: str = "epoch",
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
    x_label : str
        Axis label.
    theme : {"light", "dark"}, default="light"
        Colours.

    Returns
    -------
    Figure
        Each term named at its end. An axis is logarithmic where its values are positive and span
        more than a factor of five.

    Raises
    ------
    DataError
        If the history has no epoch, or none of the terms.
    """
    panels: dict[str, dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]] = {}
    for name, unit in units.items():
        if history and name in history[0]:
            pairs = [(row["epoch"], row.get(name, np.nan)) for row in history]
            where, values = np.array(pairs, dtype=np.float64).T
            panels.setdefault(unit, {})[name] = where, values
    if not panels:
        raise DataError(
            f"terms needs at least one epoch with one of the terms {', '.join(units) or '(none)'};"
            f" got {len(history)} epochs" + (f" with {', '.join(history[0])}." if history else ".")
        )
    colours, (width, height, below, above) = THEMES[theme], (5.7, 3.3, 0.57, 0.21)
    figure = new_figure(width, height * len(panels), colours)
    total = height * len(panels)
    names = [name for lines in panels.values() for name in lines]
    palette = dict(zip(names, _colours(names, colours), strict=True))
    for number, (unit, lines) in enumerate(panels.items()):
        bottom = total - (number + 1) * height + below
        axes = figure.add_axes((0.125, bottom / total, 0.7, (height - below - above) / total))
        _draw_lines(axes, lines, colours, (x_label, unit), palette, log_x=False)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    widen(figure, MARGIN)
    return figure


def _line_figure(
    lines: Lines,
    colours: Theme,
    x_label: str,
    y_label: str,
    *,
    across: tuple[str, float | None] = ("", None),
    log_x: bool = True,
) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes that hold named lines."""
    figure = new_figure(5.7, 3.9, colours)
    axes = figure.add_axes((0.125, 0.145, 0.7, 0.8))
    palette = dict(zip(lines, _colours(list(lines), colours), strict=True))
    _draw_lines(axes, lines, colours, (x_label, y_label), palette, across=across, log_x=log_x)
    widen(figure, MARGIN)
    return figure, axes


def _colours(names: Sequence[str], colours: Theme) -> list[str]:
    """Return a colour for each line."""
    palette = iter(PALETTE[1:] * (1 + len(names) // len(PALETTE)))
    return [_line_colour(name, colours) or next(palette) for name in names]


def _draw_lines(
    axes: Axes,
    lines: Lines,
    colours: Theme,
    labels: tuple[str, str],
    palette: Mapping[str, str],
    *,
    across: tuple[str, float | None] = ("", None),
    log_x: bool = True,
) -> None:
    """Draw named lines, each with its name at its right end."""
    letters = lettering([*lines, across[0], *labels])
    ends = []
    every_x = np.concatenate([x for x, _ in lines.values()])
    every_y = np.concatenate([y for _, y in lines.values()])
    for name, (x, y) in lines.items():
        colour = palette[name]
        marker = "o" if len(x) <= 30 else ""
        axes.plot(x, y, color=colour, lw=2, marker=marker, ms=5, mew=0, zorder=3)
        measured = np.flatnonzero(np.isfinite(y))
        if measured.size:
            ends.append((name, float(x[measured[-1]]), float(y[measured[-1]]), colour))
    if across[1] is not None:
        every_y = np.append(every_y, across[1])
        axes.axhline(across[1], color=colours.muted, lw=1.5, ls=(0, (4, 3)), zorder=2)
    _scale(axes, "x", every_x if log_x else np.append(every_x, 0.0), log_x)
    _scale(axes, "y", every_y, True)
    if across[1] is not None:
        ends.append((across[0], axes.get_xlim()[1], float(across[1]), colours.muted))
    quiet_axes(axes, colours)
    axes.grid(axis="y", color=colours.rule, lw=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    for label, setter in ((labels[0], axes.set_xlabel), (labels[1], axes.set_ylabel)):
        setter(letters.drawable(label), font=letters.font(10), color=colours.muted)
    _name_ends(axes, ends, letters)


def _line_colour(name: str, colours: Theme) -> str | None:
    return {"PCA": colours.muted, "narrows": colours.accent}.get(name)


def _scale(
    axes: Axes, which: Literal["x", "y"], values: NDArray[np.float64], may_log: bool
) -> None:
    """Choose a logarithmic or a plain axis, its limits and its ticks."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    axis = axes.xaxis if which == "x" else axes.yaxis
    set_limits = axes.set_xlim if which == "x" else axes.set_ylim
    if may_log and low > 0 and high / low > 5:
        pad = (high / low) ** 0.1
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        set_limits(low / pad, high * pad)
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
    else:
        set_limits(*padded(low, high))
        axis.set_major_locator(MaxNLocator(6))


def _name_ends(axes: Axes, ends: list[tuple[str, float, float, str]], letters: Lettering) -> None:
    """Write each name beside its line's last point, moved apart where names would touch."""
    heights = [float(axes.transData.transform((x, y))[1]) for _, x, y, _ in ends]
    gap = 15 * axes.figure.dpi / 72
    placed: list[float] = []
    for i in sorted(range(len(ends)), key=lambda i: heights[i]):
        heights[i] = max(heights[i], placed[-1] + gap) if placed else heights[i]
        placed.append(heights[i])
    for (name, x, y, colour), height in zip(ends, heights, strict=True):
        shift = (height - float(axes.transData.transform((x, y))[1])) * 72 / axes.figure.dpi
        axes.annotate(
            letters.drawable(shorten(name, 16)),
            (x, y),
            xytext=(9, shift),
            textcoords="offset points",
            font=letters.font(10, "bold"),
            color=colour,
            va="center",
            annotation_clip=False,
            parse_math=False,
        )


def _write_values(
    axes: Axes,
    lines: Lines,
    colours: Theme,
) -> None:
    """Write each point's value outside the lines: to the upper right, and to the lower left.

    Errors fall as codes grow, so that these are the sides away from a falling line.
    """
    mean = {name: np.nanmean(y) for name, (_, y) in lines.items() if np.isfinite(y).any()}
    upper = max(mean, key=lambda name: mean[name], default=None)
    for name, (x, y) in lines.items():
        for i, (where, value) in enumerate(zip(x, y, strict=True)):
            if np.isfinite(value):
                axes.annotate(
                    f"{value:.2g}",
                    (where, value),
                    xytext=(1, 9) if name == upper else (-1, -14),
                    textcoords="offset points",
                    # The first two sizes, 2 and 3, lie close together: make room.
                    ha=("left" if i else "center") if name == upper else "right",
                    fontsize=8.5,
                    color=_line_colour(name, colours) or colours.muted,
                    annotation_clip=False,
                )
