"""How strange the rows of a fit are: what `trust` compares new rows with.

Legend: N rows, M held-out rows, D features, K code size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from narrows.common.threads import compute_threads, one_blas_thread, without_warnings
from narrows.linear.varies import CODES, deviations
from narrows.model.inference import Floats, Inference
from narrows.model.trust import (
    Clusters,
    Floats64,
    TrustScale,
    log_errors,
    misfit_of,
    strangeness,
)
from narrows.sources.split import folds

CODES_PER_CLUSTER, MOST_CLUSTERS = 30, 256
"""Codes that a cluster stands for, and clusters that a summary has at the most."""
LENT = 10.0
"""Codes of usual spread and error that are added to each cluster, beside its own."""
SMALLEST_SHARE = 1e-4
"""Floor on a variance within a cluster, as a part of the variance of all codes."""
N_PARTS = 5
"""Parts, each judged by clusters of the others, where the model has learned from all rows."""


def trust_scale(
    inference: Inference,
    seen: NDArray[np.generic],
    held: NDArray[np.generic] | None,
    held_error: float,
    seed: int,
) -> TrustScale:
    """Summarise the codes of rows, and measure how strange rows are that were left out of it.

    Parameters
    ----------
    inference : Inference
    seen : ndarray (N, D)
        Training rows.
    held : ndarray (M, D) or None
        Held-out rows; None where training has seen all. The training rows are then cut into five
        parts, and each is judged by a summary of the other four.
    held_error : float
        Mean squared error per value of held-out rows, in the units that are reported; errors of
        rows that training has seen are scaled to it. NaN where nothing was held out.
    seed : int
    """
    unit = inference.error_unit(reported=True)
    Z = inference.encode(seen)
    errors = inference.squared_errors(seen, Z, reported=True)
    clusters = clusters_of(Z, log_errors(errors, unit), seed)
    if held is not None:
        Z_held = inference.encode(held)
        judged = inference.squared_errors(held, Z_held, reported=True)
        return _scale(inference, [(clusters, Z_held, judged)], clusters, held_error)
    parts = folds(len(Z), min(N_PARTS, len(Z)), seed) if len(Z) > 1 else []
    judgements = []
    for part in parts:
        others = np.setdiff1d(np.arange(len(Z)), part)
        # As many as in the summary of all, so that rows lean on their own cluster as much.
        logs = log_errors(errors[others], unit)
        summary = clusters_of(Z[others], logs, seed, len(clusters.shares))
        judgements.append((summary, Z[part], errors[part]))
    return _scale(inference, judgements or [(clusters, Z, errors)], clusters, held_error)


def _scale(
    inference: Inference,
    judgements: list[tuple[Clusters, Floats, Floats64]],
    clusters: Clusters,
    held_error: float,
) -> TrustScale:
    """Return the scale of rows whose codes (m, K) and errors (m,) stand beside their judge."""
    mean = float(np.concatenate([errors for _, _, errors in judgements]).mean())
    factor = held_error / mean if np.isfinite(held_error) and mean > 0 else 1.0
    unit, found = inference.error_unit(reported=True), []
    for judge, Z, errors in judgements:
        thinness, drift, expected = strangeness(judge, inference, Z)
        found.append((thinness, drift, misfit_of(errors * factor, expected, unit)))
    thinness, drift, misfit = (np.concatenate(part) for part in zip(*found, strict=True))
    return TrustScale.of(clusters, thinness, drift, misfit)


def clusters_of(codes: Floats, logs: Floats64, seed: int, most: int | None = None) -> Clusters:
    """Return clusters of codes (N, K) of rows with log errors (N,): at the most so many."""
    Z = codes.astype(np.float64)
    most = min(MOST_CLUSTERS, len(Z) // CODES_PER_CLUSTER) if most is None else most
    n_clusters = min(most, len(np.unique(Z, axis=0)))
    found = KMeans(max(1, n_clusters), n_init=1, max_iter=50, random_state=seed)
    # On one thread: sums of several are added in an order of chance.
    # Its warning is of codes that are nearly the same.
    with compute_threads(1), one_blas_thread(), without_warnings(ConvergenceWarning):
        found.fit(Z)
    members = [found.labels_ == number for number in np.unique(found.labels_)]
    counts = np.array([part.sum() for part in members], dtype=np.float64)
    means = np.array([Z[part].mean(axis=0) for part in members])
    within = np.array([Z[part].var(axis=0) for part in members])
    own_logs = np.array([logs[part].mean() for part in members])
    # Clusters of a few codes lean on what is usual.
    own, lent = counts / (counts + LENT), LENT / (counts + LENT)
    usual = np.average(within, axis=0, weights=counts)
    variances = own[:, None] * within + lent[:, None] * usual
    floor = SMALLEST_SHARE * np.square(deviations(Z, CODES)).mean()
    return Clusters(
        shares=counts / counts.sum(),
        means=means,
        variances=np.maximum(variances, floor if floor > 0 else 1.0),
        log_errors=own * own_logs + lent * logs.mean(),
    )
