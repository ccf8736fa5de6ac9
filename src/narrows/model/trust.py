"""How far to trust a spot among codes: whether rows lie there, and come back.

Three things make a code strange: codes are thin around it; it drifts when it is decoded and encoded
again; and the row that it stands for comes back badly. Each is held against rows that were held
out, so that trust is the part of them that are at least as strange.

Legend: N codes, K code size, C clusters, Q quantiles.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from narrows.model.inference import Floats, Inference

Floats64 = NDArray[np.float64]
CODES_PER_CLUSTER, MOST_CLUSTERS = 30, 256
"""Of the summary of codes that their density is estimated from."""
LENT = 10.0
"""Codes of usual spread and error that count as members of each cluster, beside its own."""
N_QUANTILES = 512
"""Kept of each kind of strangeness, and of what is strangest."""
SMALLEST_SHARE = 1e-4
"""Floor on a variance within a cluster, as a part of the variance of all codes."""
ROUNDING = 1e-5
"""Drift, and root of an error, in deviations of codes and units of rows, that count as none."""
SMALLEST = 1e-300
"""Of what a log is taken of."""
CODES_AT_ONCE = 4096
FARTHEST = 500.0
"""Spreads beyond the strangest held-out row that all further ones count as."""


class Clusters(NamedTuple):
    """A bounded summary of codes: a mixture of axis-parallel normals, and usual errors in each.

    Attributes
    ----------
    shares : ndarray (C,)
        Of the codes.
    means, variances : ndarray (C, K)
    log_errors : ndarray (C,)
        Mean log of the mean squared errors per value of the rows.
    """

    shares: Floats64
    means: Floats64
    variances: Floats64
    log_errors: Floats64

    def log_parts(self, Z: Floats64) -> Floats64:
        """Return the log (N, C) of each cluster's part in the density of codes (N, K)."""
        constant = np.log(self.shares) - 0.5 * np.log(2 * np.pi * self.variances).sum(axis=1)
        constant -= 0.5 * (self.means**2 / self.variances).sum(axis=1)
        linear, square = self.means / self.variances, 0.5 / self.variances
        logs: Floats64 = constant + Z @ linear.T - Z**2 @ square.T
        return logs

    def deviation(self) -> float:
        """Return the root of the mean squared distance of codes from their mean."""
        apart = np.square(self.means - self.shares @ self.means) + self.variances
        return float(np.sqrt(self.shares @ apart.sum(axis=1)))


class TrustScale(NamedTuple):
    """What trust is measured by: clusters of codes, and how strange held-out rows are.

    Attributes
    ----------
    clusters : Clusters
    thinness, drift, misfit : ndarray (Q,)
        Quantiles of held-out rows, rising, in nats: minus the log density of a code; the log of
        how far it drifts, in units of the code; the log of the row's error, in parts of what is
        usual there.
    of_codes, of_rows : ndarray (Q,)
        Quantiles of what is strangest about them, without the misfit and with it: minus the log
        of the part of held-out rows that are at least as strange.
    """

    clusters: Clusters
    thinness: Floats64
    drift: Floats64
    misfit: Floats64
    of_codes: Floats64
    of_rows: Floats64

    def trust(self, inference: Inference, Z: Floats, errors: Floats64 | None = None) -> Floats64:
        """Return trust (N,), from 0 to 1, in codes (N, K), or in their rows by errors (N,)."""
        thinness, drift, expected = _strangeness(self.clusters, inference, Z)
        in_codes = _part_as_strange(self.of_codes, self.worse_of(thinness, drift))
        if errors is None:
            return in_codes
        fit = _part_as_strange(self.misfit, _misfit(errors, expected, inference))
        return _part_as_strange(self.of_rows, _strangest(in_codes, fit))

    def worse_of(self, thinness: Floats64, drift: Floats64) -> Floats64:
        """Return how strange codes are in all, (N,): by what is strangest about each."""
        return _strangest(
            _part_as_strange(self.thinness, thinness), _part_as_strange(self.drift, drift)
        )


def trust_scale(
    inference: Inference,
    seen: NDArray[np.generic],
    held: NDArray[np.generic],
    held_error: float,
    seed: int,
) -> TrustScale:
    """Summarise the codes of rows, and measure how strange held-out rows are.

    Parameters
    ----------
    inference : Inference
    seen : ndarray (N, D)
        Training rows.
    held : ndarray (M, D)
        Held out, or seen where all rows were.
    held_error : float
        Mean squared error per value of held-out rows, which errors of rows seen are scaled to;
        NaN where nothing was held out.
    seed : int
    """
    Z = inference.encode(seen)
    clusters = _clusters(Z, _log(inference.squared_errors(seen, Z), inference), seed)
    Z_held = inference.encode(held)
    errors = inference.squared_errors(held, Z_held)
    if np.isfinite(held_error) and errors.mean() > 0:
        errors *= held_error / errors.mean()
    thinness, drift, expected = _strangeness(clusters, inference, Z_held)
    misfit = _misfit(errors, expected, inference)
    unknown = np.zeros(0)
    scale = TrustScale(
        clusters, _quantiles(thinness), _quantiles(drift), _quantiles(misfit), unknown, unknown
    )
    scale = scale._replace(of_codes=_quantiles(scale.worse_of(thinness, drift)))
    in_codes = _part_as_strange(scale.of_codes, scale.worse_of(thinness, drift))
    fit = _part_as_strange(scale.misfit, misfit)
    return scale._replace(of_rows=_quantiles(_strangest(in_codes, fit)))


def _quantiles(values: Floats64) -> Floats64:
    return np.quantile(values, np.linspace(0, 1, N_QUANTILES))


def _strangeness(
    clusters: Clusters, inference: Inference, Z: Floats
) -> tuple[Floats64, Floats64, Floats64]:
    """Return thinness (N,), log drift (N,) and the log error to expect (N,) of codes (N, K)."""
    thinness, expected = np.empty(len(Z)), np.empty(len(Z))
    for first in range(0, len(Z), CODES_AT_ONCE):
        part = slice(first, first + CODES_AT_ONCE)
        logs = clusters.log_parts(Z[part].astype(np.float64))
        whole = np.logaddexp.reduce(logs, axis=1)
        thinness[part] = -whole
        expected[part] = np.exp(logs - whole[:, None]) @ clusters.log_errors
    # What rounding makes of a code that does not drift depends on the dtype.
    drift = np.log(np.maximum(inference.drift(Z), ROUNDING * clusters.deviation() + SMALLEST))
    return thinness, drift, expected


def _log(errors: Floats64, inference: Inference) -> Floats64:
    """Return the log of mean squared errors (N,), of which those by rounding count alike."""
    logs: Floats64 = np.log(np.maximum(errors, (ROUNDING * inference.unit) ** 2 + SMALLEST))
    return logs


def _misfit(errors: Floats64, expected: Floats64, inference: Inference) -> Floats64:
    """Return the log of errors (N,) in parts of what is expected, equal where rounding differs."""
    return np.round(_log(errors, inference) - expected, 6)


def _strangest(one: Floats64, other: Floats64) -> Floats64:
    """Return minus the log of the smaller of two parts (N,) of held-out rows."""
    found: Floats64 = -np.log(np.minimum(one, other))
    return found


def _clusters(codes: Floats, logs: Floats64, seed: int) -> Clusters:
    """Return clusters of codes (N, K) of rows with log errors (N,)."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    Z = codes.astype(np.float64)
    n_clusters = min(MOST_CLUSTERS, len(Z) // CODES_PER_CLUSTER, len(np.unique(Z, axis=0)))
    found = KMeans(max(1, n_clusters), n_init=1, max_iter=50, random_state=seed)
    # On one thread: sums of several are added in an order of chance.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of codes that are nearly the same
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
    floor = SMALLEST_SHARE * Z.var(axis=0).mean()
    return Clusters(
        shares=counts / counts.sum(),
        means=means,
        variances=np.maximum(variances, floor if floor > 0 else 1.0),
        log_errors=own * own_logs + lent * logs.mean(),
    )


def _part_as_strange(known: Floats64, values: Floats64) -> Floats64:
    """Return the part (N,) of held-out rows, by their quantiles, that are at least as strange.

    Beyond the strangest of them it falls exponentially, by the distance from there to the median,
    or by nats where that is less than one.
    """
    # From above, so that of equals all are at least as strange.
    parts = np.interp(-values, -known[::-1], np.linspace(0, 1, len(known)))
    smallest = 1 / len(known)
    spread = max(known[-1] - np.median(known), 1.0)
    beyond = np.exp(-np.minimum(np.maximum(values - known[-1], 0) / spread, FARTHEST))
    found: Floats64 = np.maximum(parts, smallest * beyond)
    return found
