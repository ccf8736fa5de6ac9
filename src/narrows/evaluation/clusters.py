"""Whether clusters of codes agree with the classes.

Legend: N rows, K code size, C classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from narrows.evaluation.rows import Numbers
from narrows.evaluation.scores import Measure, Section, measure
from narrows.evaluation.splitting import Split
from narrows.evaluation.views import Both
from narrows.linear.varies import CODES, deviations
from narrows.model.inference import Floats
from narrows.web.words import say

STARTS = 4
"""Random starts of k-means; the best result is taken."""
ROWS_PER_NUMBER = 10
"""Rows for each number of a code and each cluster that full covariances of a mixture need."""
LEAST_VARIANCE = 1e-4
"""Added to the variances of a mixture; codes are scaled to a largest deviation of 1."""
Clustering = Callable[[Floats, Floats, int, int], Numbers]


def clusters(
    split: Split, inputs: Mapping[str, Both], seed: int
) -> tuple[Section, NDArray[np.int64] | None]:
    """Find clusters without labels, and compare them with the labels on test rows.

    Parameters
    ----------
    split : Split
    inputs : dict of str to (ndarray (N, K), ndarray (M, K))
        By method, the rows that clusters are found in, and the test rows.
    seed : int

    Returns
    -------
    section : Section
    table : ndarray (C, C) or None
        Number of test rows of each class in each cluster of our codes (k-means). Columns are in
        the order of the classes that the clusters are matched with.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    title, n = say("scorecard.clusters.title"), split.n_classes
    if len(split.learn) < n:
        few = say("scorecard.clusters.few", n_rows=len(split.learn), n=n)
        return Section("clusters", title, few, (), (few,)), None
    lines: list[Measure] = []
    table = None
    for key, method_name, cluster, methods in _KINDS:
        accuracy, agreement = {}, {}
        for method in methods:
            found = cluster(*inputs[method], n, seed)
            counts = matched_table(split.test_classes, found, n)
            accuracy[method] = float(np.trace(counts) / counts.sum())
            agreement[method] = float(adjusted_mutual_info_score(split.test_classes, found))
            if key == "kmeans" and method == "narrows":
                table = counts
        for part, score, values in (
            ("accuracy", "scorecard.clusters.accuracy", accuracy),
            ("mutual_information", "scorecard.clusters.agreement", agreement),
        ):
            name = say("scorecard.clusters.line", method=say(method_name), score=say(score))
            lines.append(measure(f"{key}_{part}", name, values))
    about = say("scorecard.clusters.about", n=n, split=split.about)
    return Section("clusters", title, about, tuple(lines)), table


def k_means(learn: Floats, test: Floats, n: int, seed: int) -> Numbers:
    """Fit k-means with n clusters to rows (N, K); return the clusters (M,) of test rows."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # Collapsed codes give fewer clusters; the accuracy shows it.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = KMeans(n, n_init=STARTS, random_state=seed).fit(learn)
    return np.asarray(found.predict(test), dtype=np.int64)


def mixture(learn: Floats, test: Floats, n: int, seed: int) -> Numbers:
    """Fit a mixture of n normal distributions to rows (N, K); return the parts (M,) of test rows.

    Covariances are full if there are ten rows for each number and cluster, else diagonal.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    enough = len(learn) >= ROWS_PER_NUMBER * learn.shape[1] * n
    middle, unit = learn.mean(axis=0), float(deviations(learn, CODES).max()) or 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = GaussianMixture(
            n,
            covariance_type="full" if enough else "diag",
            reg_covar=LEAST_VARIANCE,
            random_state=seed,
        ).fit((learn - middle) / unit)
    return np.asarray(found.predict((test - middle) / unit), dtype=np.int64)


_KINDS: list[tuple[str, str, Clustering, tuple[str, ...]]] = [
    ("kmeans", "scorecard.clusters.kmeans", k_means, ("narrows", "pca", "input")),
    ("mixture", "scorecard.clusters.mixture", mixture, ("narrows", "pca")),
]


def matched_table(classes: Numbers, found: Numbers, n: int) -> NDArray[np.int64]:
    """Count rows by class and cluster (n, n); the order of clusters makes the diagonal largest.

    Parameters
    ----------
    classes, found : ndarray (N,) of int below n
    n : int
    """
    from scipy.optimize import linear_sum_assignment

    counts = np.zeros((n, n), dtype=np.int64)
    np.add.at(counts, (classes, found), 1)
    _, columns = linear_sum_assignment(counts, maximize=True)
    return counts[:, columns]
