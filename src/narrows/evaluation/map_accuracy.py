"""The 10-NN accuracy of a map, and what may be said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.common.blocks import evenly_spread
from narrows.estimator import Autoencoder
from narrows.evaluation.classifiers import MOST_ROWS, NEIGHBORS, knn_accuracy
from narrows.evaluation.views import pca_inference
from narrows.web.words import Words, say

FEWEST_ROWS = NEIGHBORS + 2


@dataclass(frozen=True)
class Accuracy:
    """The 10-NN accuracy of the codes on a map, as `knn_accuracy` defines it.

    Attributes
    ----------
    ours, pca : float
        By codes, and by PCA's codes.
    n_judged, n_others : int
        Rows that are judged, and rows that may vote for each of them.
    training : {"unseen", "seen", "unknown"}
        Whether training had the judged rows. It is a leave-one-out accuracy but for "unseen".
    """

    ours: float
    pca: float
    n_judged: int
    n_others: int
    training: str

    def words(self) -> Words:
        """Say both accuracies, and which rows they rest on."""
        rows = {
            "unseen": say("map.accuracy.unseen"),
            "seen": say("map.accuracy.seen"),
            "unknown": say("map.accuracy.unknown"),
        }[self.training]
        return say("map.accuracy.line", **{**vars(self), "rows": rows, "k": NEIGHBORS})


def map_accuracy(
    ae: Autoencoder,
    rows: NDArray[np.generic],
    codes: NDArray[Any],
    labels: NDArray[Any],
    known: NDArray[np.bool_],
    *,
    fitted: bool,
) -> Accuracy | None:
    """Measure the 10-NN accuracy of a map.

    Parameters
    ----------
    ae : Autoencoder
        Fitted.
    rows : ndarray (N, D)
    codes : ndarray (N, K)
        Of the rows.
    labels : ndarray (N,)
        Classes.
    known : ndarray of bool (N,)
        Which rows have one.
    fitted : bool
        Whether ``ae`` was fitted on these rows, and on no others.

    Returns
    -------
    Accuracy or None
        None if there are too few rows. If training held rows out, the other rows vote for them;
        else it is a leave-one-out accuracy.
    """
    unseen = ae.model_.record.unseen if fitted else None
    held_out = np.zeros(len(rows), dtype=bool)
    if unseen is not None:
        held_out[unseen] = True
    parts = [_some(known & ~held_out)]
    if unseen is not None:
        parts.append(_some(known & held_out))
    if len(parts[0]) < FEWEST_ROWS or not len(parts[-1]):
        return None
    y, pca = labels.astype(str), pca_inference(ae)
    by_codes = [argument for part in parts for argument in (codes[part], y[part])]
    by_pca = [argument for part in parts for argument in (pca.encode(rows[part]), y[part])]
    n_others = len(parts[0]) - (unseen is None)
    training = "unseen" if unseen is not None else "seen" if fitted else "unknown"
    accuracies = knn_accuracy(*by_codes), knn_accuracy(*by_pca)
    return Accuracy(*accuracies, len(parts[-1]), n_others, training)


def _some(which: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return at most 10,000 of the marked row numbers, evenly spread."""
    numbers = np.flatnonzero(which)
    return numbers[evenly_spread(len(numbers), MOST_ROWS)] if len(numbers) else numbers
