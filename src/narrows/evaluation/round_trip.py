"""Rows encoded and decoded again by a model and by its PCA, and what a scorecard measures there.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from narrows.common.blocks import rows_at_once, slices
from narrows.evaluation.rows import MeasuredRows
from narrows.evaluation.views import pca_inference
from narrows.model.inference import Floats, Inference
from narrows.model.model import Model
from narrows.model.steady import BLOCK_VALUES


@dataclass(frozen=True)
class RoundTrip:
    """Held-out rows after a round trip.

    Attributes
    ----------
    inference : Inference
        What encoded and decoded them.
    codes : ndarray (N, K)
    errors : ndarray (N,)
        Mean squared error per value of each row, in the model's `error_unit`.
    column_errors : ndarray (D,)
        Mean squared error of each column, in the same unit.
    encode_seconds, decode_seconds : float
    """

    inference: Inference
    codes: Floats
    errors: NDArray[np.float64]
    column_errors: NDArray[np.float64]
    encode_seconds: float
    decode_seconds: float


def round_trip(inference: Inference, rows: NDArray[np.generic]) -> RoundTrip:
    """Encode rows (N, D) and decode them; measure errors and seconds."""
    inference.reconstruct(rows[:1])  # the first call prepares the network, which is not counted
    started = time.perf_counter()
    codes = inference.encode(rows)
    encoding, decoding = time.perf_counter() - started, 0.0
    errors, columns = np.empty(len(rows)), np.zeros(rows.shape[1])
    for part in slices(len(rows), rows_at_once(rows.shape[1], BLOCK_VALUES, 4096)):
        started = time.perf_counter()
        decoded = inference.decode(codes[part])
        decoding += time.perf_counter() - started
        squares = inference.squares(rows[part], decoded, reported=True)
        errors[part] = squares.mean(axis=1)
        columns += squares.sum(axis=0)
    return RoundTrip(inference, codes, errors, columns / len(rows), encoding, decoding)


@dataclass(frozen=True)
class Measurement:
    """A model with the rows it is measured on.

    Attributes
    ----------
    model : Model
    data : MeasuredRows
    trips : dict of str to RoundTrip
        By method: ``"narrows"`` and ``"pca"``.
    seed : int
        Of all that is drawn at random.
    """

    model: Model
    data: MeasuredRows
    trips: Mapping[str, RoundTrip]
    seed: int

    @classmethod
    def of(cls, model: Model, data: MeasuredRows, seed: int) -> Measurement:
        """Send the rows through the model and through its PCA."""
        methods = {"narrows": model.inference, "pca": pca_inference(model)}
        trips = {name: round_trip(inference, data.rows) for name, inference in methods.items()}
        return cls(model, data, trips, seed)
