"""Whether exported files give the numbers of the model.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from narrows.common.blocks import evenly_spread, rows_at_once
from narrows.errors import ExportError
from narrows.model.model import Model

Floats = NDArray[np.float32]
Function = Callable[[Floats], Floats]
"""From a batch that enters a part to what leaves it."""
MOST_ROWS, MOST_VALUES = 1_000, 1 << 22
"""Rows to compare on, and values of such rows, at the most."""
TOLERANCE, ROUNDINGS = 1e-5, 8
"""Part of the range of the values that may differ, and roundings of the largest of them."""
TIES = 0.01
"""Part of the rows that may have another of two codes that are nearly as near."""


def rows_to_check(model: Model, rows: NDArray[np.generic] | None) -> Floats:
    """Return rows (N, D) to compare on: some of those given, or new ones of the model."""
    most = rows_at_once(model.n_features, MOST_VALUES, MOST_ROWS)
    if rows is not None:
        return rows[evenly_spread(len(rows), most)].astype(np.float32)
    if "normal" in model.priors:
        return model.sample(most, prior="normal").astype(np.float32)
    # A file of an early version holds no distribution of codes.
    means, variances = model.column_moments()
    drawn = np.random.default_rng(0).normal(means, np.sqrt(variances), (most, model.n_features))
    return drawn.astype(np.float32)


class Check:
    """Comparisons of exported parts with the model they were made from.

    Parameters
    ----------
    model : Model
    rows : ndarray (N, D), optional
        In data units; some of them are taken, or new ones of the model.

    Attributes
    ----------
    worst : float
        The largest difference so far, as a part of the range of the values.
    n_compared : int
        Parts that were compared.
    errors : (float, float)
        Mean squared errors per value of the rows, of the model and of the quantised files.
    """

    def __init__(self, model: Model, rows: NDArray[np.generic] | None) -> None:
        self.model = model
        self._given = rows
        self.worst, self.n_compared = 0.0, 0
        self.errors = (float("nan"), float("nan"))

    @cached_property
    def rows(self) -> Floats:
        """The rows (N, D) to compare on."""
        return rows_to_check(self.model, self._given)

    @cached_property
    def codes(self) -> Floats:
        """Their codes (N, K)."""
        return self.model.encode(self.rows)

    @cached_property
    def decoded(self) -> Floats:
        """What these decode to (N, D)."""
        return self.model.decode(self.codes)

    def given(self, name: str) -> Floats:
        """Return what enters a part, flat."""
        return self.codes if name == "decoder" else self.rows

    def compare(self, name: str, function: Function, shape: tuple[int, ...]) -> None:
        """Compare a part, by the shape of one row that enters it.

        Raises
        ------
        ExportError
            Where its numbers differ from the model's.
        """
        expected = self.codes if name == "encoder" else self.decoded
        found = self._through(name, function, shape)
        if found.shape != expected.shape:
            raise ExportError(
                f"The exported {name} gives {found.shape}, and the model {expected.shape}."
            )
        width = float(np.ptp(expected.astype(np.float64)))
        rounding = ROUNDINGS * float(np.finfo(np.float32).eps * np.abs(expected).max(initial=0.0))
        away_N = np.abs(found.astype(np.float64) - expected).max(axis=1, initial=0.0)
        if "discrete" in self.model.objective.needs.keeps and name != "decoder":
            away_N = np.sort(away_N)[: len(away_N) - int(TIES * len(away_N))]
        away = float(away_N.max(initial=0.0))
        if not away <= TOLERANCE * width + rounding:
            raise ExportError(
                f"The exported {name} differs from the model by {away:.3g} where the values span"
                f" {width:.3g}, so nothing was written. Please report this, with the parameters"
                f" of the model: {self.model.params}."
            )
        self.n_compared += 1
        self.worst = max(self.worst, away / width if width else 0.0)

    def measure(self, function: Function, shape: tuple[int, ...]) -> None:
        """Note the error of quantised files, by their round trip."""
        found = self._through("reconstruct", function, shape)
        before, after = (
            float(np.square(each.astype(np.float64) - self.rows).mean())
            for each in (self.decoded, found)
        )
        self.errors = before, after

    def _through(self, name: str, function: Function, shape: tuple[int, ...]) -> Floats:
        given = self.given(name)
        found: Floats = function(given.reshape(len(given), *shape))
        return found.reshape(len(found), -1)
