"""Classifiers that say what codes know of labels: neighbours, and a small network.

Legend: N rows, M test rows, K code size, F features.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEIGHBORS = 10


def knn_accuracy(
    Z: NDArray[Any],
    y: NDArray[Any],
    Z_test: NDArray[Any] | None = None,
    y_test: NDArray[Any] | None = None,
) -> float:
    """Return how often the most frequent label among 10 nearest codes is the right one.

    Parameters
    ----------
    Z : ndarray (N, K)
    y : ndarray (N,)
    Z_test, y_test : ndarray (M, K) and (M,), optional
        Rows to judge by their neighbours in ``Z``; without them each row of ``Z`` is judged by
        its neighbours among the others.
    """
    from sklearn.neighbors import NearestNeighbors

    classes, numbers = np.unique(y, return_inverse=True)
    search = NearestNeighbors(n_neighbors=NEIGHBORS).fit(Z)
    near = search.kneighbors(Z_test, return_distance=False)
    votes = numbers[near]
    counts = (votes[:, :, None] == votes[:, None, :]).sum(axis=2)
    # Of the labels with the most votes the smallest wins, as in scikit-learn.
    first = (counts * (len(classes) + 1) - votes).argmax(axis=1)
    winners = votes[np.arange(len(votes)), first]
    truth = y if y_test is None else y_test
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
