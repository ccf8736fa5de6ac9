"""Which rows probes and clusters learn from, and which they are tested on.

Legend: N rows, D features, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from narrows.common.blocks import evenly_spread
from narrows.evaluation.rows import MeasuredRows, Numbers, some_rows
from narrows.web.words import Words, say


@dataclass(frozen=True)
class Split:
    """Rows to learn from and rows to test on; no row is in both.

    Attributes
    ----------
    learn, test : ndarray (n, D) and (m, D)
    learn_classes, test_classes : ndarray (n,) and (m,) of int
    n_classes : int
    about : Words
        Which rows these are.
    """

    learn: NDArray[np.generic]
    learn_classes: Numbers
    test: NDArray[np.generic]
    test_classes: Numbers
    n_classes: int
    about: Words


def split(data: MeasuredRows, seed: int) -> Split | None:
    """Choose what a probe learns from: labelled training rows, or half of the held-out rows.

    Returns
    -------
    Split or None
        None without labels that are classes.
    """
    if data.classes is None:
        return None
    test = some_rows(data.rows)
    if data.train is not None and data.train_classes is not None:
        learn, source, source_classes = some_rows(data.train), data.train, data.train_classes
        n_train = len(data.train)
        about = say("scorecard.split.train", n_learn=len(learn), n_train=n_train, n_test=len(test))
    else:
        learn, test = halves(data.classes, 2 * len(test), seed)
        source, source_classes = data.rows, data.classes
        about = say("scorecard.split.halves", n_learn=len(learn), n_test=len(test))
    return Split(
        source[learn],
        source_classes[learn],
        data.rows[test],
        data.classes[test],
        len(data.class_names),
        about,
    )


def halves(classes: Numbers, most: int, seed: int) -> tuple[Numbers, Numbers]:
    """Split rows into random halves, class by class; the first half has the odd row of a class.

    Parameters
    ----------
    classes : ndarray (N,)
    most : int
        Rows of both halves together; of more rows, some are chosen, evenly spread.
    seed : int
    """
    taken = evenly_spread(len(classes), most)
    place = rank_in_class(classes[taken], seed)
    return taken[place % 2 == 0], taken[place % 2 == 1]


def rank_in_class(classes: Numbers, seed: int) -> Numbers:
    """Return the place of each row (N,) among the rows of its class, in random order."""
    chance = np.random.default_rng(seed).permutation(len(classes))
    order = np.lexsort((chance, classes))
    starts = np.searchsorted(classes[order], classes[order], side="left")
    rank = np.empty(len(classes), dtype=np.int64)
    rank[order] = np.arange(len(classes)) - starts
    return rank
