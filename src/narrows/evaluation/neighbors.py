"""Whether rows that are near each other have codes that are near each other, and the reverse.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from narrows.evaluation.classifiers import NEIGHBORS, knn_accuracy
from narrows.evaluation.reconstruction import RoundTrip
from narrows.evaluation.rows import MeasuredRows, most_rows, some
from narrows.evaluation.scores import Section, measure
from narrows.evaluation.views import in_own_units
from narrows.web.words import Words, say, sentences

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

NEAREST = 15
"""Neighbours that are compared."""
MOST_COMPARED = 1_000
"""Rows of which all pairs are looked at; time and memory grow with their square."""
MOST_PAIRS = 100_000
"""Pairs whose distances are ranked."""
FEWEST = 3
Array64 = NDArray[np.float64]


def neighbors(
    ae: Autoencoder, data: MeasuredRows, trips: Mapping[str, RoundTrip], seed: int
) -> Section:
    """Return how much of the rows' neighbourhoods the codes keep, by method."""
    title = say("scorecard.neighbours.title")
    chosen = some(data.rows, most_rows(data.rows.shape[1], MOST_COMPARED), seed)
    lines = []
    if data.classes is not None and data.no_classes() is None:
        accuracies = {name: knn_accuracy(trip.codes, data.classes) for name, trip in trips.items()}
        name = say("scorecard.neighbours.accuracy", k=NEIGHBORS)
        lines = [measure("knn_accuracy", name, accuracies)]
    if len(chosen) < FEWEST:
        few = say("scorecard.neighbours.few", n=FEWEST)
        return Section("neighbours", title, few, tuple(lines), (few,))
    k = min(NEAREST, (len(chosen) - 1) // 2)
    space = Space(in_own_units(ae, data.rows[chosen]), k, seed)
    codes = {name: trip.codes[chosen].astype(np.float64) for name, trip in trips.items()}
    names = {
        "neighbours_kept": say("scorecard.neighbours.kept", k=k),
        "trustworthiness": say("scorecard.neighbours.trustworthiness"),
        "continuity": say("scorecard.neighbours.continuity"),
        "shepard": say("scorecard.neighbours.shepard"),
    }
    tests = (space.kept, space.trustworthiness, space.continuity, space.shepard)
    lines = [
        measure(key, name, {method: test(Z) for method, Z in codes.items()})
        for (key, name), test in zip(names.items(), tests, strict=True)
    ] + lines
    about = _about(len(chosen), len(data.rows), k, labelled=data.classes is not None)
    return Section("neighbours", title, about, tuple(lines))


def _about(n_chosen: int, n_rows: int, k: int, *, labelled: bool) -> Words:
    about = say("scorecard.neighbours.about", n_chosen=n_chosen, n_rows=n_rows, k=k)
    return sentences(about, say("scorecard.neighbours.votes", k=NEIGHBORS)) if labelled else about


class Space:
    """Rows with their distances, which codes of them are compared with.

    Parameters
    ----------
    rows : ndarray (N, D)
        In units in which distances mean something.
    k : int
        Neighbours of each row, fewer than half of the rows.
    seed : int
        Draws the pairs where there are very many.
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
        """Return the trustworthiness of the rows as if they were made from the codes."""
        from sklearn.manifold import trustworthiness

        return float(trustworthiness(codes, self.rows, n_neighbors=self.k))

    def shepard(self, codes: Array64) -> float:
        """Return Spearman's correlation of the distances of pairs, of rows and of codes.

        NaN where all distances are alike. With more than 100,000 pairs, as many are drawn.
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
    """Return the numbers of both rows of each pair: all pairs of n rows, or some by chance."""
    if n * (n - 1) // 2 <= MOST_PAIRS:
        first, second = np.triu_indices(n, 1)
        return first.astype(np.int64), second.astype(np.int64)
    rng = np.random.default_rng(seed)
    first = rng.integers(n, size=MOST_PAIRS)
    return first, (first + 1 + rng.integers(n - 1, size=MOST_PAIRS)) % n
