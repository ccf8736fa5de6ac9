"""Whether rows that are near each other have codes that are near each other, and the reverse.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from narrows.evaluation.classifiers import MOST_ROWS, NEIGHBORS, knn_accuracy
from narrows.evaluation.round_trip import Measurement
from narrows.evaluation.rows import some_rows
from narrows.evaluation.scores import Measure, Section, measure
from narrows.evaluation.views import Array64, scaled
from narrows.web.words import Words, say, sentences

NEAREST = 15
"""Neighbors of a row that are compared with those of its code."""
MOST_COMPARED = 1_000
"""Rows of which all pairs are looked at; time and memory grow with their square."""
MOST_PAIRS = 100_000
"""Pairs whose distances are ranked."""
FEWEST = 3


def neighbors(measured: Measurement) -> Section:
    """Return how well codes keep the neighbors of rows, and the 10-NN accuracy, by method."""
    rows, title = measured.data.rows, say("scorecard.neighbours.title")
    votes, about_votes = _accuracy(measured)
    chosen = some_rows(rows, MOST_COMPARED)
    if len(chosen) < FEWEST:
        few = say("scorecard.neighbours.few", n=FEWEST)
        return Section("neighbours", title, few, tuple(votes), (few,))
    k = min(NEAREST, (len(chosen) - 1) // 2)
    space = Space(scaled(measured.model, rows[chosen]), k, measured.seed)
    tests: dict[str, tuple[Words, Callable[[Array64], float]]] = {
        "neighbours_kept": (say("scorecard.neighbours.kept", k=k), space.kept),
        "trustworthiness": (say("scorecard.neighbours.trustworthiness"), space.trustworthiness),
        "continuity": (say("scorecard.neighbours.continuity"), space.continuity),
        "shepard": (say("scorecard.neighbours.shepard"), space.shepard),
    }
    codes = {m: trip.codes[chosen].astype(np.float64) for m, trip in measured.trips.items()}
    lines = [
        measure(key, name, {m: test(Z) for m, Z in codes.items()})
        for key, (name, test) in tests.items()
    ]
    about = say("scorecard.neighbours.about", n_chosen=len(chosen), n_rows=len(rows), k=k)
    return Section("neighbours", title, sentences(about, *about_votes), (*lines, *votes))


def _accuracy(measured: Measurement) -> tuple[list[Measure], list[Words]]:
    """Return the 10-NN accuracy of codes, and a sentence about it; nothing without classes.

    Training rows with labels vote. Without them it is a leave-one-out accuracy.
    """
    train, y_train, y = measured.data.train, measured.data.train_classes, measured.data.classes
    if y is None or (train is not None and y_train is not None and len(train) < NEIGHBORS):
        return [], []
    numbers = {"k": NEIGHBORS, "most": MOST_ROWS}
    if train is None or y_train is None:
        name = say("scorecard.neighbours.left_out_accuracy", k=NEIGHBORS)
        found = {m: knn_accuracy(trip.codes, y) for m, trip in measured.trips.items()}
        about = say("scorecard.neighbours.left_out_votes", **numbers)
    else:
        name, voters = say("scorecard.neighbours.accuracy", k=NEIGHBORS), some_rows(train)
        rows, labels = train[voters], y_train[voters]
        found = {
            method: knn_accuracy(trip.inference.encode(rows), labels, trip.codes, y)
            for method, trip in measured.trips.items()
        }
        about = say("scorecard.neighbours.votes", **numbers)
    return [measure("knn_accuracy", name, found)], [about]


class Space:
    """Rows and the distances between them, to compare with the distances between their codes.

    Parameters
    ----------
    rows : ndarray (N, D)
        In the model's scaling.
    k : int
        Neighbors of each row that are looked at, fewer than half of the rows.
    seed : int
        Of the pairs that are drawn if there are very many.
    """

    def __init__(self, rows: Array64, k: int, seed: int = 0) -> None:
        from sklearn.metrics import pairwise_distances

        self.rows, self.k, self.seed = rows, k, seed
        self.distances: Array64 = pairwise_distances(rows)
        self.near = _nearest(rows, k)

    def kept(self, codes: Array64) -> float:
        """Return the part of the nearest rows whose codes (N, K) are among the nearest codes."""
        near = _nearest(codes, self.k)
        return float((self.near[:, :, None] == near[:, None, :]).any(axis=2).mean())

    def trustworthiness(self, codes: Array64) -> float:
        """Return scikit-learn's trustworthiness of codes."""
        from sklearn.manifold import trustworthiness

        found = trustworthiness(self.distances, codes, n_neighbors=self.k, metric="precomputed")
        return float(found)

    def continuity(self, codes: Array64) -> float:
        """Return scikit-learn's trustworthiness with the roles of rows and codes exchanged."""
        from sklearn.manifold import trustworthiness

        return float(trustworthiness(codes, self.rows, n_neighbors=self.k))

    def shepard(self, codes: Array64) -> float:
        """Return Spearman's correlation of the distances of pairs of rows and of their codes.

        NaN if all distances are equal. Of more than 100,000 pairs, 100,000 are drawn.
        """
        from scipy.stats import spearmanr
        from sklearn.metrics import pairwise_distances

        first, second = _pairs(len(codes), self.seed)
        of_rows = self.distances[first, second]
        of_codes = pairwise_distances(codes)[first, second]
        if np.ptp(of_rows) == 0 or np.ptp(of_codes) == 0:
            return float("nan")
        return float(spearmanr(of_rows, of_codes).statistic)


def _nearest(space: Array64, k: int) -> NDArray[np.int64]:
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=k).fit(space)
    found: NDArray[np.int64] = search.kneighbors(return_distance=False)
    return found


def _pairs(n: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of both rows of each pair: all pairs of n rows, or random ones."""
    if n * (n - 1) // 2 <= MOST_PAIRS:
        first, second = np.triu_indices(n, 1)
        return first.astype(np.int64), second.astype(np.int64)
    rng = np.random.default_rng(seed)
    first = rng.integers(n, size=MOST_PAIRS)
    return first, (first + 1 + rng.integers(n - 1, size=MOST_PAIRS)) % n
