"""Pictures of codes: the plane of two numbers, the space of three."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from narrows.common.limits import check, integer
from narrows.errors import DataError
from narrows.figures.colouring import (
    NO_NAME,
    Colouring,
    checked_labels,
    class_colour,
    class_marker,
    colouring,
)
from narrows.figures.key import class_entries, draw_classes
from narrows.figures.layout import (
    AXIS_NAMES,
    Pen,
    finish_axes,
    fit,
    half_width,
    limits,
    name_axis,
    new_figure,
    pen_for,
    write_title,
)
from narrows.figures.lettering import shorten
from narrows.figures.theme import Theme, ThemeName

SHORT_NAME = 3
"""Longest name, in columns, that is written in place of a point in space."""


def plane(
    Z: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    label_names: Sequence[str] | Mapping[Any, str] | None = None,
    title: str | None = None,
    legend: bool = True,
    side: float = 5.2,
    theme: ThemeName = "light",
) -> Figure:
    """Draw two-number codes as a plane, one colour per class.

    Parameters
    ----------
    Z : array-like of shape (n, 2)
        The codes. Both axes are drawn to one scale.
    labels : array-like of shape (n,), optional
        Class of each code: integers or text.
    label_names : sequence or mapping, optional
        Names for the legend: a mapping from label to name, or a sequence indexed by integer
        labels. A label without a name stands for itself.
    title : str, optional
        A line above the plane.
    legend : bool, default=True
        Whether to name the classes, beside the plane and never over it.
    side : float, default=5.2
        Width and height of the plane, in inches; text keeps its size.
    theme : {"light", "dark"}, default="light"
        Colours of paper and text; the colours of the classes are the same in both.

    Returns
    -------
    Figure
        The plane. Points are drawn in a mixed order, so that no class hides another.

    Raises
    ------
    DataError
        If the codes are not finite pairs of numbers, or the labels are not one per code.
    """
    codes = checked_codes(Z, "plane", 2)
    found = colouring(labels, len(codes), label_names=label_names, labels_are="classes")
    pen, figure = pen_for([*found.names, title or ""], theme), new_figure(theme)
    axes = figure.add_axes((0, 0, side, side))
    _scatter(axes, codes, found, pen.colours, side)
    low, high = codes.min(axis=0), codes.max(axis=0)
    middle, reach = low / 2 + high / 2, 1.04 * half_width(low, high)
    (x0, y0), (x1, y1) = middle - reach, middle + reach
    axes.set(xlim=(x0, x1), ylim=(y0, y1))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, min_n_ticks=2))
    finish_axes(axes, AXIS_NAMES[:2], pen)
    if legend:
        _draw_names(axes, found, pen, 0.28)
    write_title(axes, title, side, pen)
    return fit(figure)


def space(
    Z: ArrayLike,
    labels: ArrayLike,
    *,
    label_names: Sequence[str] | Mapping[Any, str] | None = None,
    limit: int = 200,
    theme: ThemeName = "light",
) -> Figure:
    """Draw three-number codes in space, each as the text of its label or as a point.

    Parameters
    ----------
    Z : array-like of shape (n, 3)
        The codes.
    labels : array-like of shape (n,)
        Class of each code. Labels of at most three characters are drawn in place of points, if
        at most 60 differ; others stand in a key.
    label_names : sequence or mapping, optional
        Names of the labels, as in `plane`.
    limit : int, default=200
        Codes drawn, from the first.
    theme : {"light", "dark"}, default="light"
        Colours of paper and box.

    Returns
    -------
    Figure
        The box, with a name at each of its three axes.

    Raises
    ------
    DataError
        If the codes are not finite triples of numbers, or the labels are not one per code.
    ParameterError
        For ``limit`` below 1.
    """
    check("space", {"limit": limit}, {"limit": integer(1)})
    # Importing the toolkit is what makes the name "3d" known to Matplotlib.
    import_module("mpl_toolkits.mplot3d")
    codes = checked_codes(Z, "space", 3)
    labels, codes = checked_labels(labels, len(codes))[:limit], codes[:limit]
    found = colouring(labels, len(codes), label_names=label_names, labels_are="classes")
    names = [*found.names, NO_NAME]
    pen, figure = pen_for(names, theme), new_figure(theme)
    axes: Any = figure.add_axes((0, 0, 5.6, 5.3), projection="3d")  # stubs: plain Axes
    axes.set_box_aspect((1, 1, 0.85))
    if not found.n_others and all(shorten(name, SHORT_NAME) == name for name in names):
        for point, which in zip(codes, found.position, strict=True):
            colour = class_colour(which, len(found.names), pen.colours)
            name = names[min(which, len(found.names))]
            text = axes.text(*point, pen.letters.drawable(name), ha="center", va="center")
            text.set(**pen.style(10, colour, "bold"))
    else:
        _scatter(axes, codes, found, pen.colours, 5.0)
        _draw_names(axes, found, pen, 0.6)
    ends = [limits(values.min(), values.max()) for values in codes.T]
    axes.set(xlim=ends[0], ylim=ends[1], zlim=ends[2])
    _quiet_box(axes, pen)
    figure.draw_without_rendering()  # older Matplotlib measures names and numbers where last drawn
    return fit(figure)


def checked_codes(Z: ArrayLike, name: str, *widths: int) -> NDArray[np.float64]:
    """Return codes (n, K) that a figure can draw: K one of its widths, all of them finite.

    Raises
    ------
    DataError
        That begins with the name of the figure.
    """
    codes = np.asarray(Z)
    if codes.ndim != 2 or codes.shape[1] not in widths or not len(codes):
        shapes = " or ".join(f"(n, {width})" for width in widths)
        raise DataError(
            f"{name} draws codes of shape {shapes} with at least one row; got {codes.shape}."
        )
    codes = codes.astype(np.float64)
    bad = ~np.isfinite(codes).all(axis=1)
    if bad.any():
        raise DataError(
            f"{name} draws finite codes; row {int(bad.argmax())} holds {codes[bad.argmax()]}."
        )
    return codes


def _scatter(
    axes: Any, codes: NDArray[np.float64], labels: Colouring, colours: Theme, side: float
) -> None:
    """Draw codes (n, 2) or (n, 3) in the colours and shapes of their classes, where there are."""
    n, n_names = len(codes), len(labels.names)
    # In points², as the area of a marker is given: about the same ink for any n.
    area = float(np.clip(1100 * side**2 / n, 0.2 * side**2, 1.5 * side**2))
    look = {"depthshade": False} if codes.shape[1] == 3 else {}
    order = np.random.default_rng(0).permutation(n)
    marker = np.array([class_marker(i, n_names) for i in labels.position])
    colour = np.array([class_colour(i, n_names, colours) for i in labels.position])
    for kind in np.unique(marker):
        rows = order[marker[order] == kind]
        axes.scatter(
            *codes[rows].T,
            s=area,
            c=colour[rows] if labels.kind == "classes" else colours.accent,
            marker=kind,
            alpha=0.8,
            linewidths=0,
            clip_on=False,
            **look,
        )


def _draw_names(axes: Axes, labels: Colouring, pen: Pen, gap: float) -> None:
    """Name the classes right of the axes, if there are any."""
    if labels.kind == "classes":
        entries = [entry._replace(n_rows="") for entry in class_entries(labels, pen.colours)]
        draw_classes(axes, entries, pen, gap=gap)


def _quiet_box(axes: Any, pen: Pen) -> None:
    """Give a box of three axes the theme's colours, and its axes their names."""
    axes.set_facecolor(pen.colours.paper)
    axes.tick_params(colors=pen.colours.muted, labelsize=8)
    for number, axis in enumerate((axes.xaxis, axes.yaxis, axes.zaxis)):
        axis.set_pane_color((*to_rgb(pen.colours.paper), 1.0))
        axis.line.set_color(pen.colours.rule)
        # There is no public setter.
        vars(axis)["_axinfo"]["grid"].update(color=pen.colours.rule, linewidth=0.7)
        # Numbers at the ends of two axes would meet in a corner.
        axis.set_major_locator(MaxNLocator(5, prune="both"))
        name_axis(axis, AXIS_NAMES[number], pen, 3.0)
        axis.labelpad = 8
