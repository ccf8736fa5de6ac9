"""The pictures of a scorecard's page: strips of rows, planes of codes, bars, clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from narrows.evaluation.scores import METHODS, Measure, largest
from narrows.evaluation.shown import Shown
from narrows.web.page import Panel, themed
from narrows.web.words import say

SIDE = 3.9
"""Side of a plane, in inches."""
MOST_BARS = 40
"""Classes that bars are drawn for; if there are more, those with the largest errors."""
MOST_CLUSTERS = 20
"""Clusters up to which their table is shown."""


def strips(shown: Shown) -> list[Panel]:
    """Draw originals above their reconstructions by narrows and PCA."""
    from narrows import figures  # and with it Matplotlib

    found = []
    for strip in shown.strips:
        draw = partial(
            figures.reconstructions,
            strip.rows,
            [("narrows", strip.ours), ("PCA", strip.pca)],
            sample_shape=shown.sample_shape,
            columns=len(strip.rows),
        )
        picture = themed(draw, say("scorecard.pictures.alt", name=strip.name))
        found.append(Panel(strip.name, picture))
    return found


def planes(shown: Shown) -> list[Panel]:
    """Draw the codes of narrows and PCA on planes."""
    from narrows import figures  # and with it Matplotlib

    found = []
    for method, places in shown.planes.items():
        name = METHODS[method]
        draw = partial(figures.plane, places, shown.classes, legend=False, side=SIDE)
        picture = themed(draw, say("scorecard.codes.alt", name=name), palette=True)
        found.append(Panel(name, picture))
    return found


@dataclass(frozen=True)
class Legend:
    """Colour, shape and name of each class on the planes, and how many are not named."""

    entries: Sequence[tuple[str, str, str]]
    n_more: int


def legend(classes: NDArray[np.object_] | None) -> Legend:
    """Return the legend of the planes, from the class of each point."""
    from narrows.figures.colouring import colouring
    from narrows.figures.theme import MARKER_SIGNS, marker_number, palette_colour

    found = colouring(classes, 0 if classes is None else len(classes), labels_are="classes")
    entries = [
        (palette_colour(number), MARKER_SIGNS[marker_number(number)], name)
        for number, name in enumerate(found.names)
    ]
    return Legend(entries, found.n_others)


@dataclass(frozen=True)
class Bars:
    """Classes with bars for their errors, the longest bar's error, and how many have no bar."""

    lines: Sequence[Measure]
    longest: float
    n_hidden: int


def class_bars(lines: Sequence[Measure]) -> Bars:
    """Choose the classes whose errors are drawn as bars, PCA's below ours."""
    drawn = lines if len(lines) <= MOST_BARS else largest(lines, MOST_BARS)
    longest = max(line.scores[method].mean for line in drawn for method in ("narrows", "pca"))
    return Bars(drawn, longest or 1.0, len(lines) - len(drawn))


def cluster_shares(counts: NDArray[np.int64] | None) -> list[list[float]] | None:
    """Return the share of each class's rows in each matched cluster; None if there are too many."""
    if counts is None or len(counts) > MOST_CLUSTERS:
        return None
    shares: list[list[float]] = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).tolist()
    return shares
