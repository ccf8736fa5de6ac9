"""Classifiers that read labels from codes: nearest neighbors, and a small network.

Legend: N rows, M test rows, K code size, F features.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.common.blocks import evenly_spread
from narrows.errors import DataError

NEIGHBORS = 10
"""Neighbors that vote: the k of k-NN accuracy."""
MOST_ROWS, MOST_VOTERS = 10_000, 100_000
"""Rows that are judged, and training rows that vote, at most."""


def knn_accuracy(
    Z: NDArray[Any],
    y: NDArray[Any],
    Z_test: NDArray[Any] | None = None,
    y_test: NDArray[Any] | None = None,
) -> float:
    """Return the 10-NN accuracy: how often the 10 nearest training rows vote for the right label.

    This is the accuracy of scikit-learn's `KNeighborsClassifier(10)`, the one definition of it in
    narrows. Of more than 100,000 training rows, and of more than 10,000 rows to be judged, so many
    are used, evenly chosen.

    Parameters
    ----------
    Z, y : ndarray (N, K) and (N,)
        Training rows, mostly by their codes, and their labels.
    Z_test, y_test : ndarray (M, K) and (M,), optional
        Test rows. Without them the accuracy is a leave-one-out accuracy: the other rows of ``Z``
        vote for each row of ``Z``. Say so wherever it is quoted.

    Raises
    ------
    DataError
        If fewer than 10 rows can vote, or test rows have no labels.
    """
    from sklearn.neighbors import NearestNeighbors

    if (Z_test is None) != (y_test is None):
        raise DataError("Z_test and y_test go together; give both, or none.")
    trained = evenly_spread(len(Z), MOST_ROWS if Z_test is None else MOST_VOTERS)
    n_voters = len(trained) - (Z_test is None)
    if n_voters < NEIGHBORS:
        raise DataError(f"{n_voters} rows are too few for the votes of {NEIGHBORS} neighbours.")
    classes, numbers = np.unique(y[trained], return_inverse=True)
    search = NearestNeighbors(n_neighbors=NEIGHBORS).fit(Z[trained])
    if Z_test is None or y_test is None:
        queries, truth = None, y[trained]
    else:
        judged = evenly_spread(len(Z_test), MOST_ROWS)
        queries, truth = Z_test[judged], y_test[judged]
    votes = numbers[search.kneighbors(queries, return_distance=False)]
    counts = (votes[:, :, None] == votes[:, None, :]).sum(axis=2)
    # Of the labels with the most votes the smallest wins, as in scikit-learn.
    first = (counts * (len(classes) + 1) - votes).argmax(axis=1)
    winners = votes[np.arange(len(votes)), first]
    return float(np.mean(classes[winners] == truth))


@dataclass(frozen=True)
class ClassifierResult:
    """A small neural classifier on some features.

    Attributes
    ----------
    n_inputs, n_parameters : int
    accuracy : float
        On test rows.
    seconds : float
        Of its training.
    """

    n_inputs: int
    n_parameters: int
    accuracy: float
    seconds: float


def classify(
    features: NDArray[Any],
    y: NDArray[Any],
    test_features: NDArray[Any],
    y_test: NDArray[Any],
    *,
    hidden: int,
    max_iter: int,
    random_state: int = 0,
) -> ClassifierResult:
    """Train scikit-learn's `MLPClassifier` with one hidden layer on features, and test it.

    Parameters
    ----------
    features, test_features : ndarray (N, F) and (M, F)
        Divided by one common number before training, learned from ``features``.
    y, y_test : ndarray (N,) and (M,)
    hidden : int
        Width of the hidden layer.
    max_iter : int
        Epochs.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    scale = features.std() or 1.0
    classifier = MLPClassifier(
        (hidden,), max_iter=max_iter, batch_size=256, random_state=random_state
    )
    started = time.perf_counter()
    with warnings.catch_warnings():
        # A fixed number of epochs is the plan here, not a failure to converge.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(features / scale, y)
    seconds = time.perf_counter() - started
    parameters = [*classifier.coefs_, *classifier.intercepts_]
    return ClassifierResult(
        n_inputs=features.shape[1],
        n_parameters=sum(array.size for array in parameters),
        accuracy=float(classifier.score(test_features / scale, y_test)),
        seconds=seconds,
    )
