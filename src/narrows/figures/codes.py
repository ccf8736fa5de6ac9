"""Pictures of codes: the plane of two numbers, the space of three."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from narrows.errors import DataError
from narrows.figures.lettering import Lettering, lettering, shorten
from narrows.figures.theme import (
    MARKERS,
    PALETTE,
    THEMES,
    Theme,
    ThemeName,
    drawn_width,
    marker_number,
    new_figure,
    padded,
    palette_colour,
    quiet_axes,
)

_LEGEND_ROWS = 20
_LEGEND_LIMIT = 60


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
    codes, colours = checked_codes(Z, "plane", 2), THEMES[theme]
    classes, position = classes_of(labels, len(codes))
    names = [class_name(c, label_names) for c in classes]
    show_legend = legend and bool(names)
    left, bottom, top = 0.45, 0.35, 0.5 if title else 0.15
    letters = lettering([*names, title or ""])
    figure = new_figure(left + side + 0.15, bottom + side + top, colours)
    axes = figure.add_axes((0, 0, 1, 1))
    _scatter(axes, codes, position, bool(names), colours, side)
    _square_limits(axes, codes)
    quiet_axes(axes, colours)
    axes.xaxis.set_major_locator(MaxNLocator(5, min_n_ticks=2))
    axes.yaxis.set_major_locator(MaxNLocator(5, min_n_ticks=2))
    if show_legend:
        _legend_beside(figure, names, letters, colours, top / (bottom + side + top))
    width = figure.get_figwidth()
    height = figure.get_figheight()
    axes.set_position((left / width, bottom / height, side / width, side / height))
    if title:
        figure.text(
            left / width,
            1 - 0.3 / height,
            letters.drawable(shorten(title, 60)),
            font=letters.font(11),
            color=colours.ink,
            parse_math=False,
            va="center",
        )
    return figure


def space(
    Z: ArrayLike,
    labels: ArrayLike,
    *,
    label_names: Sequence[str] | Mapping[Any, str] | None = None,
    limit: int = 200,
    theme: ThemeName = "light",
) -> Figure:
    """Draw three-number codes in space, each as the text of its label.

    Parameters
    ----------
    Z : array-like of shape (n, 3)
        The codes.
    labels : array-like of shape (n,)
        Class of each code; its text is what is drawn.
    label_names : sequence or mapping, optional
        Text to draw instead, as in `plane`.
    limit : int, default=200
        Codes drawn, from the first.
    theme : {"light", "dark"}, default="light"
        Colours of paper and box.

    Returns
    -------
    Figure
        The box with its labels.

    Raises
    ------
    DataError
        If the codes are not finite triples of numbers, or the labels are not one per code.
    """
    # Importing the toolkit is what makes the name "3d" known to Matplotlib.
    import_module("mpl_toolkits.mplot3d")
    codes, colours = checked_codes(Z, "space", 3), THEMES[theme]
    classes, position = classes_of(labels, len(codes))
    codes, position = codes[:limit], position[:limit]
    names = [shorten(class_name(c, label_names), 12) for c in classes]
    letters = lettering(names)
    figure = new_figure(6.4, 5.6, colours)
    axes: Any = figure.add_axes((0.02, 0.03, 0.9, 0.95), projection="3d")  # stubs: plain Axes
    axes.set_facecolor(colours.paper)
    for point, which in zip(codes, position, strict=True):
        text = axes.text(
            *point,
            letters.drawable(names[which]),
            font=letters.font(10, "bold"),
            color=palette_colour(which),
            ha="center",
            va="center",
        )
        text.set_parse_math(False)
    limits = [padded(codes[:, i].min(), codes[:, i].max()) for i in range(3)]
    axes.set(xlim=limits[0], ylim=limits[1], zlim=limits[2])
    axes.set_box_aspect((1, 1, 0.85))
    _quiet_box(axes, colours)
    return figure


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


def classes_of(labels: ArrayLike | None, n: int) -> tuple[list[Any], NDArray[np.intp]]:
    """Return the sorted classes and each row's position among them."""
    if labels is None:
        return [], np.zeros(n, dtype=np.intp)
    values = np.asarray(labels)
    if values.shape != (n,):
        raise DataError(
            f"labels must be one per code, of shape ({n},); got an array of shape {values.shape}."
        )
    items = values.tolist()
    try:
        classes = sorted(set(items))
    except TypeError:  # classes of several types: 1, "a", None
        classes = sorted(set(items), key=str)
    index = {c: i for i, c in enumerate(classes)}
    return classes, np.array([index[c] for c in items], dtype=np.intp)


def class_name(label: Any, names: Sequence[str] | Mapping[Any, str] | None) -> str:
    """Return the name of a class, or the class itself as text."""
    if isinstance(names, Mapping):
        return str(names.get(label, label))
    if names is not None and isinstance(label, int) and 0 <= label < len(names):
        return str(names[label])
    return str(label)


def _scatter(
    axes: Axes,
    codes: NDArray[np.float64],
    position: NDArray[np.intp],
    labelled: bool,
    colours: Theme,
    side: float,
) -> None:
    n = len(codes)
    # In points², as the area of a marker is given: about the same ink for any n.
    area = float(np.clip(1100 * side**2 / n, 0.2 * side**2, 1.5 * side**2))
    order = np.random.default_rng(0).permutation(n)
    shape = position // len(PALETTE) % len(MARKERS)
    for kind in np.unique(shape):
        rows = order[shape[order] == kind]
        colour = [palette_colour(i) for i in position[rows]] if labelled else colours.accent
        axes.scatter(
            codes[rows, 0],
            codes[rows, 1],
            s=area,
            c=colour,
            marker=MARKERS[kind],
            alpha=0.8,
            linewidths=0,
            clip_on=False,
        )


def _square_limits(axes: Axes, codes: NDArray[np.float64]) -> None:
    """Give both axes one scale: the same span, wide enough for the wider of the two."""
    low, high = codes.min(axis=0), codes.max(axis=0)
    middle, reach = (low + high) / 2, float((high - low).max()) / 2
    far = max(1.0, float(np.abs(middle).max()))
    if reach <= 1e-12 * far:  # constant codes: one point in the middle
        reach = far
    reach *= 1.04
    axes.set(
        xlim=(middle[0] - reach, middle[0] + reach), ylim=(middle[1] - reach, middle[1] + reach)
    )


def _legend_beside(
    figure: Figure, names: list[str], letters: Lettering, colours: Theme, top: float
) -> None:
    """Add a legend to the right and widen the figure by what it needs."""
    shown = [letters.drawable(shorten(name, 28)) for name in names[:_LEGEND_LIMIT]]
    handles = [
        Line2D(
            [],
            [],
            linestyle="",
            marker=MARKERS[marker_number(i)],
            color=palette_colour(i),
            markersize=7,
            markeredgewidth=0,
        )
        for i in range(len(shown))
    ]
    if len(names) > len(shown):
        handles.append(Line2D([], [], linestyle=""))
        shown.append(f"+ {len(names) - _LEGEND_LIMIT}")
    plot_width = figure.get_figwidth()
    legend = figure.legend(
        handles,
        ["-"] * len(shown),  # the texts come below: a legend drops labels that start with "_"
        loc="upper right",
        ncols=-(-len(shown) // _LEGEND_ROWS),
        prop=letters.font(10),
        labelcolor=colours.ink,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handletextpad=0.3,
        handlelength=1.2,
        labelspacing=0.55,
        columnspacing=1.2,
    )
    for text, name in zip(legend.get_texts(), shown, strict=True):
        text.set_parse_math(False)
        text.set_text(name)
    figure.set_figwidth(plot_width + 0.1 + drawn_width(legend, figure) + 0.15)
    legend.set_bbox_to_anchor((1 - 0.15 / figure.get_figwidth(), 1 - top))


def _quiet_box(axes: Any, colours: Theme) -> None:
    axes.tick_params(colors=colours.muted, labelsize=8)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((*to_rgb(colours.paper), 1.0))
        axis.line.set_color(colours.rule)
        axis._axinfo["grid"].update(color=colours.rule, linewidth=0.7)  # no public setter
        axis.set_major_locator(MaxNLocator(5))
