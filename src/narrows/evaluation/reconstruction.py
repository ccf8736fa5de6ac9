"""How well rows come back: errors over all rows, over the worst, and class by class.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from narrows.evaluation.rows import MeasuredRows
from narrows.evaluation.scores import Section, measure
from narrows.model.inference import BLOCK_VALUES, Floats, Inference
from narrows.web.words import say

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

WORST = (0.95, 0.99)
"""Quantiles of the errors of rows that stand for the worst of them."""


@dataclass(frozen=True)
class RoundTrip:
    """Rows after their way through the code and back.

    Attributes
    ----------
    codes : ndarray (N, K)
    errors : ndarray (N,)
        Mean squared error per value of each row, in squared data units.
    encode_seconds, decode_seconds : float
    """

    codes: Floats
    errors: NDArray[np.float64]
    encode_seconds: float
    decode_seconds: float


def round_trip(model: Inference, rows: NDArray[np.generic]) -> RoundTrip:
    """Encode rows (N, D) and decode them, and note how long both took."""
    model.reconstruct(rows[:1])  # so that what a first call prepares is not counted
    started = time.perf_counter()
    codes = model.encode(rows)
    encoded = time.perf_counter()
    errors, decoding = np.empty(len(rows)), 0.0
    n_block = max(1, min(4096, BLOCK_VALUES // rows.shape[1]))
    for first in range(0, len(rows), n_block):
        block = rows[first : first + n_block]
        begun = time.perf_counter()
        found = model.decode(codes[first : first + n_block])
        decoding += time.perf_counter() - begun
        difference = found.astype(np.float64) - block.astype(np.float64)
        errors[first : first + len(block)] = np.square(difference).mean(axis=1)
    return RoundTrip(codes, errors, encoded - started, decoding)


def reconstruction(
    ae: Autoencoder, data: MeasuredRows, trips: Mapping[str, RoundTrip]
) -> list[Section]:
    """Return the errors over all rows, and class by class where there are classes."""
    means = {name: float(trip.errors.mean()) for name, trip in trips.items()}
    spread = ae.model_.variance(data.rows, reported=True)
    explained = {name: 1 - mean / spread if spread > 0 else 0.0 for name, mean in means.items()}
    lines = [measure("error", say("scorecard.reconstruction.error"), means, "error", "low")]
    if means["pca"] > 0:
        part, words = (
            means["narrows"] / means["pca"],
            say("scorecard.reconstruction.error_of_pca"),
        )
        lines.append(measure("error_of_pca", words, {"narrows": part}, "ratio", ""))
    lines.append(measure("score", say("scorecard.reconstruction.score"), explained))
    for quantile in WORST:
        percent = round(100 * quantile)
        worst = {name: float(np.quantile(trip.errors, quantile)) for name, trip in trips.items()}
        words = say("scorecard.reconstruction.percentile", percent=percent)
        lines.append(measure(f"error_{percent}", words, worst, "error", "low"))
    about = say("scorecard.reconstruction.about")
    whole = Section("reconstruction", say("scorecard.reconstruction.title"), about, tuple(lines))
    classes = _class_errors(data, trips)
    return [whole] if classes is None else [whole, classes]


def _class_errors(data: MeasuredRows, trips: Mapping[str, RoundTrip]) -> Section | None:
    if data.classes is None or data.no_classes() is not None:
        return None
    counts = np.bincount(data.classes, minlength=len(data.class_names))
    sums = {
        name: np.bincount(data.classes, weights=trip.errors, minlength=len(counts))
        for name, trip in trips.items()
    }
    lines = []
    for number, name in enumerate(data.class_names):
        if counts[number]:
            means = {method: total[number] / counts[number] for method, total in sums.items()}
            lines.append(measure(name, name, means, "error", "low"))
    about = say("scorecard.class_errors.about")
    return Section("class_errors", say("scorecard.class_errors.title"), about, tuple(lines))
