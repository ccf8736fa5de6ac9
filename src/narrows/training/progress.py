"""What a callback is shown of a training that runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from narrows.model.fitted import HistoryRow
from narrows.model.inference import Inference


@dataclass(frozen=True)
class Progress:
    """What a callback is shown; nothing that it does to this changes training.

    Attributes
    ----------
    epoch, step : int
        Epochs finished and optimizer steps taken in this run.
    history : tuple of dict
        A row per finished epoch, as `narrows.training.loop.TrainingState` describes it.
    make_model : callable
        Returns ``model``.
    n_steps : int or None
        Steps that this run is planned for; None while ``max_seconds`` leaves them open.
    done : float
        Part of all runs that is done, from 0 to 1: of their steps, or of their time.
    run, n_runs : int
        Which run of the fit this is, from 1, and how many there may be.
    validation_error, pca_validation_error : float
        Latest held-out mean squared error of this run, and PCA's on the same rows, in the unit
        of ``validation_error_``; NaN where nothing is held out.
    """

    epoch: int
    step: int
    history: tuple[HistoryRow, ...]
    make_model: Callable[[], Inference]
    n_steps: int | None
    done: float
    run: int
    n_runs: int
    validation_error: float
    pca_validation_error: float

    @functools.cached_property
    def model(self) -> Inference:
        """``encode``, ``decode`` and ``reconstruct`` with the parameters of this moment.

        Copied from the training when first used. Where several networks are trained side by side,
        it is the one that learns from all rows.
        """
        return self.make_model()


Callback = Callable[[Progress], object]
