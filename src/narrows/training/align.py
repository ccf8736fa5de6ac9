"""A new model that keeps the places of an earlier one: it starts from its weights.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from narrows.common.limits import is_integer
from narrows.errors import ParameterError
from narrows.objectives.ordered import Ordered
from narrows.sources.array import ArraySource
from narrows.training.plan import Plan
from narrows.training.remembering import CODED_VALUES

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

ALIGNED_RATE = 1 / 16
"""Part of the usual learning rate: what is nearly right is not to be shaken."""
MOST_COMPARED = 10_000
"""Rows whose movement is measured."""
FAR = 0.95
"""Part of the rows that move no farther than what is reported as far."""


class Movement(NamedTuple):
    """How far codes moved from one model to the next, as parts of the width of all codes.

    Attributes
    ----------
    median, far : float
        Of the distances: half of the rows moved no farther, and 95 % of them.
    width : float
        Of the earlier codes, in their units: the longest side of a box around all but the
        outermost hundredth on either side.
    n_rows : int
        That were compared, of those that `fit` was given.
    """

    median: float
    far: float
    width: float
    n_rows: int

    def __str__(self) -> str:
        return (
            f"median {self.median:.2%} of the width of all codes, 95 % of rows within"
            f" {self.far:.2%}"
        )


def aligned_params(params: dict[str, Any], origin: Autoencoder) -> dict[str, Any]:
    """Return an estimator's parameters for a fit that starts from an earlier model.

    Its network takes the place of "auto". Nothing is held out, and the last state is kept: the
    earlier model may have seen any row, which would speak for it, and for states near it.

    Raises
    ------
    ParameterError
        For a fraction as ``n_components``.
    """
    if not is_integer(params["n_components"]):
        raise ParameterError(
            f"`n_components`={params['n_components']:g} is judged by held-out rows, and align_to"
            f" holds none out. Give the size of the earlier model's codes, {origin._code_size}."
        )
    network = origin._network_part if params["network"] == "auto" else params["network"]
    return {**params, "network": network, "keep": "last", "validation_fraction": 0.0}


def check_same_kind(origin: Autoencoder, ae: Autoencoder, plan: Plan) -> None:
    """Check that a model is laid out as an earlier one, so that it can start from its weights.

    Raises
    ------
    ParameterError
        Naming all that differs.
    """
    objective = plan.objective.inner if isinstance(plan.objective, Ordered) else plan.objective
    ordered = isinstance(plan.objective, Ordered)
    pairs = {
        "features": (plan.n_features, origin.n_features_in_),
        "n_components": (plan.n_components, origin._code_size),
        "network": (plan.network, origin._network_part),
        "objective": (objective, origin._family),
        "classes": (_listed(ae._classes), _listed(origin._classes)),
        "columns": (_columns(ae), _columns(origin)),
        "ordered": (ordered, isinstance(origin._objective, Ordered)),
        "init": (ae.init, origin.init),
        "scaling": (_listed(ae.scaling), _listed(origin.scaling)),
    }
    differing = [
        f"{name} {ours!r} here, {theirs!r} there"
        for name, (ours, theirs) in pairs.items()
        if ours != theirs
    ]
    if differing:
        raise ParameterError(
            "align_to starts from the weights of the earlier model, which is laid out otherwise: "
            + "; ".join(differing)
            + ". Give the same parameters as for that model."
        )


def _listed(values: Any) -> list[Any] | None:
    return None if values is None else np.asarray(values).tolist()


def _columns(ae: Autoencoder) -> list[Any] | None:
    return _listed(getattr(ae, "feature_names_in_", None))


def movement(origin: Autoencoder, ae: Autoencoder, source: ArraySource) -> Movement:
    """Measure how far the codes of rows moved between two fitted models.

    Of ordered codes that were cut to different lengths, what both have.
    """
    n_rows = max(1, min(source.n_rows, MOST_COMPARED, CODED_VALUES // source.n_features))
    rows = source.take(np.linspace(0, source.n_rows - 1, n_rows).astype(np.int64))
    n_common = min(origin.n_components_, ae.n_components_)
    codes = (model._inference.encode(rows)[:, :n_common] for model in (origin, ae))
    return _movement(*(part.astype(float) for part in codes))


def _movement(before: NDArray[np.float64], after: NDArray[np.float64]) -> Movement:
    low, high = np.quantile(before, [0.01, 0.99], axis=0)
    width = float((high - low).max())
    distances = np.linalg.norm(after - before, axis=1) / (width if width > 0 else 1.0)
    median, far = np.quantile(distances, [0.5, FAR])
    return Movement(float(median), float(far), width, len(before))
