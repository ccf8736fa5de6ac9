"""The same model fitted again with other seeds, for intervals."""

from __future__ import annotations

import time
from typing import Any

from narrows.common.limits import is_integer
from narrows.errors import DataError, ParameterError
from narrows.estimator import Autoencoder

MOST_SEEDS = 1 << 32
"""Seeds that scikit-learn takes."""


def fits_with_classes(ae: Autoencoder, seeds: int) -> bool:
    """Tell whether there are further fits, and these learn from classes."""
    return seeds > 1 and ae.model_.objective.needs.classes


def check_seeds(ae: Autoencoder, seeds: int, X_train: Any, y_train: Any) -> None:
    """Check that further fits have what they need.

    Raises
    ------
    ParameterError
        Without training rows.
    DataError
        Without their classes, where the objective learns from classes.
    """
    if seeds == 1:
        return
    if X_train is None:
        raise ParameterError(
            f"`seeds`={seeds} fits the model {seeds - 1} times more, with other seeds, and a model"
            " holds no training rows; pass them as X_train (on the command line: --train DATA), or"
            " leave `seeds` at 1."
        )
    if fits_with_classes(ae, seeds) and y_train is None:
        raise DataError(
            "This objective learns from classes, and y_train is None; give one label per row of"
            " X_train."
        )


def fitted_again(
    ae: Autoencoder, number: int, X_train: Any, y_train: Any
) -> tuple[Autoencoder, float]:
    """Fit again with the same parameters and another seed: the model's (0 without one) + number.

    If the first fit had a time limit, this one takes as many steps as the first instead.

    Returns
    -------
    ae : Autoencoder
    seconds : float
        Of the fit.
    """
    from sklearn.base import clone

    again: Autoencoder = clone(ae)
    first: Any = ae.random_state if is_integer(ae.random_state) else 0
    again.set_params(random_state=(int(first) + number) % MOST_SEEDS, callbacks=(), verbose=0)
    if ae.max_seconds is not None:
        again.set_params(max_seconds=None, max_steps=ae.model_.record.n_steps)
    started = time.perf_counter()
    again.fit(X_train, y_train)
    return again, time.perf_counter() - started
