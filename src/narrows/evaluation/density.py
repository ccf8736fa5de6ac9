"""The log-likelihood of rows under a fitted probabilistic model."""

from __future__ import annotations

from typing import Any

import numpy as np

from narrows.common.limits import check, integer
from narrows.evaluation.rows import check_estimator
from narrows.model.density import Density, density_of
from narrows.sources.inputs import rows_of


def measure_density(
    ae: Any,
    X: Any,
    *,
    n_samples: int = 100,
    random_state: int | np.random.RandomState | None = 0,
) -> Density:
    """Estimate the log-likelihood of rows by importance sampling from q(z|x).

    Parameters
    ----------
    ae : Autoencoder
        Fitted with a probabilistic family: `VAE` or `IWAE`.
    X : as in `Autoencoder.fit`, one row or more
        For a model of binary rows (``binarize=True``), each grey value is drawn as 0 or 1 once.
    n_samples : int, default=100
        Importance samples per row, S.
    random_state : int, RandomState or None, default=0

    Raises
    ------
    DataTypeError
        If ``ae`` is no `Autoencoder`.
    ParameterError
        For a family without a density, or ``n_samples`` below 1.
    """
    from sklearn.utils import check_random_state

    check_estimator("measure_density", ae)
    check("measure_density", {"n_samples": n_samples}, {"n_samples": integer(1)})
    rows, _ = rows_of(ae, X, reset=False)
    return density_of(ae.model_, rows, n_samples, check_random_state(random_state))
