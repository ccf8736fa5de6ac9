"""A new model that keeps the places of an earlier one: it starts from its weights.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.common.blocks import evenly_spread, rows_at_once
from narrows.common.limits import is_integer
from narrows.errors import ParameterError
from narrows.linear.varies import CODES, deviations
from narrows.model.fitted import Movement
from narrows.model.model import Model
from narrows.sources.protocol import Source
from narrows.training.plan import Plan
from narrows.training.silent import network_to_train

ALIGNED_RATE = 1 / 16
"""Part of the usual learning rate: what is nearly right is not to be shaken."""
CODED_VALUES = 1 << 24
"""Values of rows (128 MiB in float64) that are encoded at once."""
MOST_COMPARED = 10_000
"""Rows whose movement is measured."""
FAR = 0.95
"""Part of the rows that move no farther than what is reported as far."""


def aligned_params(params: dict[str, Any], origin: Model) -> dict[str, Any]:
    """Return the parameters of a fit that starts from an earlier model.

    Its network takes the place of "auto". Nothing is held out, and the last state is kept: the
    earlier model may have seen any row, which would favour states near it.

    Raises
    ------
    ParameterError
        For a fraction as ``n_components``.
    """
    if not is_integer(params["n_components"]):
        raise ParameterError(
            f"`n_components`={params['n_components']:g} is judged by held-out rows, and align_to"
            f" holds none out. Give the size of the earlier model's codes, {origin.code_size}."
        )
    network = params["network"]
    if network == "auto":
        network = network_to_train(origin, params)
    return {**params, "network": network, "keep": "last", "validation_fraction": 0.0}


def check_same_kind(
    origin: Model, plan: Plan, params: dict[str, Any], names: Sequence[str] | None, classes: Any
) -> None:
    """Check that a fit builds a network as an earlier model has it, to start from its weights.

    Parameters
    ----------
    origin : Model
    plan : Plan
    params : dict
        The parameters of the fit.
    names : sequence of str or None
        Of the columns.
    classes : ndarray (C,) or None

    Raises
    ------
    ParameterError
        Naming all that differs.
    """
    pairs = {
        "features": (plan.n_features, origin.n_features),
        "n_components": (plan.n_components, origin.code_size),
        "network": (plan.network, origin.architecture),
        "objective": (plan.objective, origin.objective),
        "classes": (_listed(classes), _listed(origin.classes)),
        "columns": (_listed(names), _listed(origin.feature_names)),
        "ordered": (plan.widths.ordered, origin.ordered),
        "init": (params["init"], origin.params["init"]),
        "scaling": (_listed(params["scaling"]), _listed(origin.params["scaling"])),
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


def movement(origin: Model, model: Model, source: Source) -> Movement:
    """Measure how far the codes of rows moved between two models.

    Of ordered codes that were cut to different lengths, the numbers that both have count.
    """
    most = rows_at_once(source.n_features, CODED_VALUES, MOST_COMPARED)
    rows = source.take(evenly_spread(source.n_rows, most))
    n_common = min(origin.n_components, model.n_components)
    codes = (each.encode(rows)[:, :n_common] for each in (origin, model))
    return _movement(*(part.astype(float) for part in codes))


def _movement(before: NDArray[np.float64], after: NDArray[np.float64]) -> Movement:
    low, high = np.quantile(before, [0.01, 0.99], axis=0)
    width = float((high - low)[deviations(before, CODES) > 0].max(initial=0.0))
    distances = np.linalg.norm(after - before, axis=1) / (width or 1.0)
    median, far = np.quantile(distances, [0.5, FAR])
    return Movement(float(median), float(far), width, len(before))
