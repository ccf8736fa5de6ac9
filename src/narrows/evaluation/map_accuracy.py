"""How often neighbours on a map have a row's label, and what may be said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from narrows.evaluation.classifiers import NEIGHBORS
from narrows.evaluation.scorecard import knn_accuracy, pca_inference

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

FEWEST_ROWS = NEIGHBORS + 2


@dataclass(frozen=True)
class Accuracy:
    """How often the most frequent label of a row's neighbours is its own.

    Attributes
    ----------
    ours, pca : float
        Among codes, and among PCA's.
    n_judged, n_others : int
        Rows judged, and the rows that each was judged by; a row is never its own neighbour.
    training : {"unseen", "seen", "unknown"}
        Whether training had the judged rows.
    """

    ours: float
    pca: float
    n_judged: int
    n_others: int
    training: str

    def words(self) -> str:
        """Say both accuracies, and on what they rest."""
        rows = {
            "unseen": "rows that training did not see",
            "seen": "rows that training saw, though not their labels",
            "unknown": "rows that training may have seen, though not their labels",
        }[self.training]
        return (
            f"{self.ours:.4f} (PCA {self.pca:.4f}) of {self.n_judged:,} {rows}, by the"
            f" {NEIGHBORS} nearest of {self.n_others:,} others"
        )

    def words_zh(self) -> str:
        """Say the same in Chinese."""
        rows = {
            "unseen": "训练时没有见过",
            "seen": "训练时见过，但没有用标签",
            "unknown": "训练时可能见过，但没有用标签",
        }[self.training]
        return (
            f"{self.ours:.4f}（PCA {self.pca:.4f}）：{self.n_judged:,} 行（{rows}），"
            f"由其余 {self.n_others:,} 行中最近的 {NEIGHBORS} 行判断"
        )


def map_accuracy(
    ae: Autoencoder,
    rows: NDArray[np.generic],
    codes: NDArray[Any],
    labels: NDArray[Any],
    known: NDArray[np.bool_],
    *,
    fitted: bool,
) -> Accuracy | None:
    """Measure how often neighbours have a row's label.

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
        Whether ``ae`` has just learned from these very rows, and from no others.

    Returns
    -------
    Accuracy or None
        None where there are too few rows. Rows that training held out are judged by the others,
        where there are such; else each row by all others.
    """
    unseen = ae.model_.record.unseen if fitted else None
    others = known.copy()
    if unseen is not None:
        others[unseen] = False
    n_others = int(others.sum())
    if n_others < FEWEST_ROWS:
        return None
    y, Z_pca = labels.astype(str), pca_inference(ae).encode(rows)
    if unseen is None:
        ours, pca = (knn_accuracy(Z[others], y[others]) for Z in (codes, Z_pca))
        training = "seen" if fitted else "unknown"
        return Accuracy(ours, pca, n_others, n_others - 1, training)
    judged = unseen[known[unseen]]
    if not len(judged):
        return None
    ours, pca = (knn_accuracy(Z[others], y[others], Z[judged], y[judged]) for Z in (codes, Z_pca))
    return Accuracy(ours, pca, len(judged), n_others, "unseen")
