"""How far to trust a spot among codes: whether rows lie there, and come back.

Three things make a code strange: few codes lie around it; it moves when it is decoded and encoded
again; and the row that it stands for comes back badly. Each is compared with rows that were held
out: trust is the part of them that are at least as strange, much like a p-value.
`narrows.training.trust` does the measuring.

Legend: N codes, K code size, C clusters, Q quantiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from narrows.common.blocks import slices
from narrows.model.inference import Floats, Inference

Floats64 = NDArray[np.float64]
N_QUANTILES = 512
"""Kept of each kind of strangeness, and of what is strangest."""
ROUNDING = 1e-5
"""Smaller drifts (in deviations of the codes) and smaller root errors (in the network's units)
count as this much."""
SMALLEST = 1e-300
"""Added before a logarithm, so that it is finite for zero."""
CODES_AT_ONCE = 4096
FARTHEST_CODE = 1e100
"""Numbers of a code beyond it count as so large, for their squares must be finite."""
FARTHEST = 500.0
"""Distance beyond the strangest held-out row, in spreads, from which all rows count alike."""


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


@dataclass(frozen=True, eq=False)
class TrustScale:
    """What trust is measured by: clusters of codes, and how strange held-out rows are.

    Attributes
    ----------
    clusters : Clusters
    thinness, drift, misfit : ndarray (Q,)
        Quantiles of held-out rows, rising, in nats: minus the log density of a code; the log of
        how far it drifts, in units of the code; the log of the row's error, relative to the error
        that is usual there.
    of_codes, of_rows : ndarray (Q,)
        Quantiles of what is strangest about them, without the misfit and with it: minus the log
        of the part of held-out rows that are at least as strange.
    reported_units : bool
        Whether errors are in the units that are reported (`Fitted.error_unit`); in data units, as
        in files of early versions, if not.
    """

    clusters: Clusters
    thinness: Floats64
    drift: Floats64
    misfit: Floats64
    of_codes: Floats64
    of_rows: Floats64
    reported_units: bool = True

    @classmethod
    def of(
        cls,
        clusters: Clusters,
        thinness: Floats64,
        drift: Floats64,
        misfit: Floats64,
    ) -> TrustScale:
        """Return the scale by which rows (N,) held out are as strange as they are."""
        parts = [part_as_strange(quantiles(part), part) for part in (thinness, drift, misfit)]
        codes = strangest(parts[0], parts[1])
        in_codes = part_as_strange(quantiles(codes), codes)
        rows = strangest(in_codes, parts[2])
        return cls(
            clusters,
            thinness=quantiles(thinness),
            drift=quantiles(drift),
            misfit=quantiles(misfit),
            of_codes=quantiles(codes),
            of_rows=quantiles(rows),
        )

    def trust(self, inference: Inference, Z: Floats, errors: Floats64 | None = None) -> Floats64:
        """Return trust (N,), from 0 to 1, in codes (N, K), or in their rows by errors (N,)."""
        thinness, drift, expected = strangeness(self.clusters, inference, Z)
        codes = strangest(
            part_as_strange(self.thinness, thinness), part_as_strange(self.drift, drift)
        )
        in_codes = part_as_strange(self.of_codes, codes)
        if errors is None:
            return in_codes
        unit = inference.error_unit(reported=self.reported_units)
        fit = part_as_strange(self.misfit, misfit_of(errors, expected, unit))
        return part_as_strange(self.of_rows, strangest(in_codes, fit))


def quantiles(values: Floats64) -> Floats64:
    """Return the quantiles (Q,) of some values (N,) that are kept."""
    return np.quantile(values, np.linspace(0, 1, N_QUANTILES))


def strangeness(
    clusters: Clusters, inference: Inference, Z: Floats
) -> tuple[Floats64, Floats64, Floats64]:
    """Return thinness (N,), log drift (N,) and the log error to expect (N,) of codes (N, K)."""
    if Z.dtype == np.float64:
        Z = np.clip(Z, -FARTHEST_CODE, FARTHEST_CODE)
    thinness, expected = np.empty(len(Z)), np.empty(len(Z))
    for part in slices(len(Z), CODES_AT_ONCE):
        logs = clusters.log_parts(Z[part].astype(np.float64))
        whole = np.logaddexp.reduce(logs, axis=1)
        thinness[part] = -whole
        expected[part] = np.exp(logs - whole[:, None]) @ clusters.log_errors
    # How far rounding moves a code depends on the dtype, so such small drifts count alike.
    drift = np.log(np.maximum(inference.drift(Z), ROUNDING * clusters.deviation() + SMALLEST))
    return thinness, drift, expected


def log_errors(errors: Floats64, unit: float) -> Floats64:
    """Return the log of mean squared errors (N,); those as small as rounding count alike.

    ``unit`` is the root of the squared error that the network takes for one.
    """
    logs: Floats64 = np.log(np.maximum(errors, (ROUNDING * unit) ** 2 + SMALLEST))
    return logs


def misfit_of(errors: Floats64, expected: Floats64, unit: float) -> Floats64:
    """Return the log of errors (N,) relative to the expected log errors (N,)."""
    # Rounded, so that float32 and float64 rows are equally strange.
    return np.round(log_errors(errors, unit) - expected, 6)


def strangest(one: Floats64, other: Floats64) -> Floats64:
    """Return minus the log of the smaller of two parts (N,) of held-out rows."""
    found: Floats64 = -np.log(np.minimum(one, other))
    return found


def part_as_strange(known: Floats64, values: Floats64) -> Floats64:
    """Return the part (N,) of held-out rows, by their quantiles (Q,), that are as strange or more.

    Beyond the strangest of them it falls exponentially with the distance from it, in units of its
    own distance from the median, or in nats where that is less than one.
    """
    # From above, so that of equals all are at least as strange.
    parts = np.interp(-values, -known[::-1], np.linspace(0, 1, len(known)))
    smallest = 1 / len(known)
    spread = max(known[-1] - np.median(known), 1.0)
    beyond = np.exp(-np.minimum(np.maximum(values - known[-1], 0) / spread, FARTHEST))
    found: Floats64 = np.maximum(parts, smallest * beyond)
    return found
