"""What labels are to a picture: classes, numbers on a scale, or nothing at all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_hex
from numpy.typing import ArrayLike, NDArray

from narrows.errors import DataError, ParameterError
from narrows.figures.theme import MARKERS, THEMES, Theme, ThemeName, marker_number, palette_colour

LabelsAre = Literal["auto", "classes", "numbers"]
FEW_CLASSES = 20
"""Labels that are whole numbers are classes if at most so many differ."""
MOST_CLASSES = 60
"""Most classes in a key. On a map these are the most frequent ones; the others share a line."""
NO_NAME = "–"
"""Name of a class whose own name is empty."""


@dataclass(frozen=True)
class Colouring:
    """What gives each row of a map its colour.

    Attributes
    ----------
    kind : {"classes", "numbers", "nothing"}
    names : tuple of str
        Names of the classes that have a colour, in their order.
    counts : tuple of int
        Rows of each of them.
    position : ndarray (n,)
        Class of each row; ``len(names)`` for classes without a colour of their own, and one more
        for rows without a label. Of numbers, 1 where there is no finite one.
    values : ndarray (n,)
        Numbers; zeros where labels are none.
    n_others : int
        Classes without a colour of their own.
    """

    kind: Literal["classes", "numbers", "nothing"]
    names: tuple[str, ...]
    counts: tuple[int, ...]
    position: NDArray[np.intp]
    values: NDArray[np.float64]
    n_others: int = 0

    @property
    def known(self) -> NDArray[np.bool_]:
        """Tell which rows have a label: a class, or a finite number."""
        known: NDArray[np.bool_] = self.position <= len(self.names)
        return known

    def range(self) -> tuple[float, float]:
        """Return the smallest and the largest number."""
        finite = self.values[self.known]
        return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)


def colouring(
    labels: ArrayLike | None,
    n: int,
    *,
    label_names: Sequence[str] | Mapping[Any, str] | None = None,
    labels_are: LabelsAre = "auto",
) -> Colouring:
    """Find out whether the labels of n rows are classes or numbers, by the rules of `map_of`.

    Raises
    ------
    ParameterError, DataError
    """
    if labels_are not in ("auto", "classes", "numbers"):
        raise ParameterError(
            f"labels_are must be 'auto', 'classes' or 'numbers', got {labels_are!r}."
        )
    nowhere: NDArray[np.intp] = np.zeros(n, dtype=np.intp)
    if labels is None:
        return Colouring("nothing", (), (), nowhere, np.zeros(n))
    given = checked_labels(labels, n)
    numbers = None if labels_are == "classes" or label_names is not None else _numbers(given)
    if numbers is None and labels_are == "numbers":
        raise DataError("labels are to be numbers on a scale, but they cannot be read as numbers.")
    if numbers is not None and (labels_are == "numbers" or not _are_few_classes(numbers)):
        position = np.where(np.isfinite(numbers), 0, 1).astype(np.intp)
        return Colouring("numbers", (), (), position, np.where(position == 0, numbers, 0.0))
    return _of_classes(given, label_names)


def checked_labels(labels: ArrayLike, n: int) -> NDArray[Any]:
    """Return labels as an array; raise a DataError if its shape is not (n,)."""
    given = np.asarray(labels)
    if given.shape != (n,):
        raise DataError(
            f"labels must be one per code, of shape ({n},); got an array of shape {given.shape}."
        )
    return given


def _classes_of(labels: NDArray[Any]) -> tuple[list[Any], NDArray[np.intp]]:
    """Return the sorted classes and each row's position among them."""
    items = labels.tolist()
    try:
        classes = sorted(set(items))
    except TypeError:  # classes of several types: 1, "a", None
        classes = sorted(set(items), key=str)
    index = {c: i for i, c in enumerate(classes)}
    return classes, np.array([index[c] for c in items], dtype=np.intp)


def class_name(label: Any, names: Sequence[str] | Mapping[Any, str] | None) -> str:
    """Return the name of a class, or the class itself as text."""
    if isinstance(names, Mapping):
        return str(names.get(label, names.get(str(label), label)))
    if names is not None and isinstance(label, int) and 0 <= label < len(names):
        return str(names[label])
    return str(label)


def _of_classes(
    given: NDArray[Any], label_names: Sequence[str] | Mapping[Any, str] | None
) -> Colouring:
    known = np.isfinite(given) if given.dtype.kind == "f" else np.ones(len(given), dtype=bool)
    classes, found = _classes_of(_whole(given[known]))
    counts = np.bincount(found, minlength=len(classes))
    if all(isinstance(one, str) for one in classes):  # "class 2" before "class 10"
        order = sorted(range(len(classes)), key=lambda i: _natural(classes[i]))
        classes, counts = [classes[i] for i in order], counts[order]
        found = np.argsort(order)[found]
    # The most frequent ones keep a colour, in their own order; ties by that order.
    kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_CLASSES])
    place = np.full(len(classes), len(kept), dtype=np.intp)
    place[kept] = np.arange(len(kept))
    position = np.full(len(given), len(kept) + 1, dtype=np.intp)
    position[known] = place[found]
    return Colouring(
        "classes",
        tuple(class_name(classes[i], label_names) or NO_NAME for i in kept),
        tuple(int(counts[i]) for i in kept),
        position,
        np.zeros(len(given)),
        len(classes) - len(kept),
    )


def _whole(labels: NDArray[Any]) -> NDArray[Any]:
    """Return whole numbers as integers, so that 2 comes before 10 and is not called 2.0."""
    numbers = _numbers(labels)
    if numbers is None or not ((numbers == np.rint(numbers)) & (abs(numbers) < 2**53)).all():
        return labels
    integers = numbers.astype(np.int64)
    same = labels.dtype.kind in "iuf" or (labels.astype(str) == integers.astype(str)).all()
    return integers if same else labels


def _natural(text: str) -> list[tuple[int, str]]:
    """Return what orders texts as readers do, numbers inside them by size."""
    parts = re.split(r"(\d+)", text)
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def _numbers(labels: NDArray[Any]) -> NDArray[np.float64] | None:
    """Return labels as numbers, text that holds numbers included; None where they are none."""
    if labels.dtype.kind in "iuf":
        return labels.astype(np.float64)
    if labels.dtype.kind == "O" and not all(
        isinstance(item, Real) and not isinstance(item, bool) for item in labels
    ):
        return None
    if labels.dtype.kind not in "OUS":
        return None
    try:
        return labels.astype(np.float64)
    except ValueError:
        return None


def _are_few_classes(numbers: NDArray[np.float64]) -> bool:
    finite = np.unique(numbers[np.isfinite(numbers)])
    return bool(len(finite) <= FEW_CLASSES and (finite == np.rint(finite)).all())


def class_colour(number: int, n_names: int, theme: Theme) -> str:
    """Return the colour of a class; grey for what has none of its own."""
    return theme.muted if number >= n_names else palette_colour(number)


def class_marker(number: int, n_names: int) -> str:
    """Return the shape of a class's points; past ten classes it tells those of one colour apart."""
    return MARKERS[0] if number >= n_names else MARKERS[marker_number(number)]


def scale_colours(theme: ThemeName) -> Colormap:
    """Return the colours of numbers, from the smallest to the largest."""
    # The ends that vanish on the paper are left out.
    low, high = (0.0, 0.88) if theme == "light" else (0.14, 1.0)
    colours = colormaps["viridis"](np.linspace(low, high, 256))
    return LinearSegmentedColormap.from_list(f"numbers-{theme}", colours)


def density_colours(theme: ThemeName) -> Colormap:
    """Return the colours of points without labels, from sparse to dense."""
    ends = {"light": ("#8fb0f5", "#2456c7", "#0d2560"), "dark": ("#3d5899", "#8ab0ff", "#eef3ff")}
    return LinearSegmentedColormap.from_list(f"density-{theme}", ends[theme])


def hex_steps(colours: Colormap, n: int = 64) -> list[str]:
    """Return n colours of a scale as ``#rrggbb``."""
    return [to_hex(colour) for colour in colours(np.linspace(0, 1, n))]


def row_colours(labels: Colouring, heights: NDArray[np.float64], theme: ThemeName) -> NDArray[Any]:
    """Return a colour for each row.

    Parameters
    ----------
    labels : Colouring
    heights : ndarray (n,)
        How densely rows lie around each, from 0 to 1, for rows without labels.
    theme : {"light", "dark"}
    """
    colours = THEMES[theme]
    if labels.kind == "classes":
        n_names = len(labels.names)
        table = [class_colour(number, n_names, colours) for number in range(n_names + 2)]
        place = labels.position
    elif labels.kind == "nothing":
        table = hex_steps(density_colours(theme))
        place = np.rint(63 * heights).astype(np.intp)
    else:
        low, high = labels.range()
        share = (labels.values - low) / (high - low) if high > low else np.full(len(heights), 0.5)
        table = [*hex_steps(scale_colours(theme), 256), colours.muted]
        place = np.where(labels.known, np.rint(255 * np.clip(share, 0, 1)), 256).astype(np.intp)
    found: NDArray[Any] = np.array(table)[place]
    return found
