"""Layers that were given up because training gained nothing, and that come back to be trained on.

The file of a model that is only PCA then holds PCA's numbers, and no weights that give zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from narrows.model.model import Model
from narrows.networks import MLP, Network
from narrows.networks.silent import with_silent_layers
from narrows.training.plan import Plan

if TYPE_CHECKING:
    from narrows.training.member import Request
    from narrows.training.select import Outcome

LINEAR = MLP(hidden=())
"""The network that PCA alone needs."""


def is_open(network: Any) -> bool:
    """Tell whether the widths of a network are left to us."""
    return network == "auto" or (isinstance(network, MLP) and network.hidden == "auto")


def without_silent_layers(outcome: Outcome, request: Request) -> Plan:
    """Leave out, in an outcome that is the start, layers that give zeros; return the plan of it.

    A network that was asked for stays whole.
    """
    plan, params = request.plan, request.params
    starts_silent = params["init"] == "pca" and request.origin is None and plan.cells is None
    if outcome.best_step > 0 or not starts_silent or not is_open(params["network"]):
        return plan
    lighter = replace(plan, network=LINEAR.resolved(plan.widths, plan.n_rows))
    outcome.net = with_silent_layers(outcome.net, lighter.network, plan.widths)
    return lighter


def network_to_train(model: Model, params: Mapping[str, Any]) -> Network | str:
    """Return what a model is trained on with: what was asked for, where its layers were left out.

    Parameters
    ----------
    model : Model
    params : mapping
        The parameters of the fit that trains on.
    """
    asked: Network | str = params["network"]
    return asked if _is_bare(model) and is_open(asked) else model.architecture


def with_layers(model: Model, plan: Plan) -> Model:
    """Put layers back that were left out, so that a plan can train them."""
    if not _is_bare(model) or plan.network == model.architecture:
        return model
    net = with_silent_layers(model.net, plan.network, plan.widths)
    return model.changed(net=net, architecture=plan.network)


def _is_bare(model: Model) -> bool:
    """Tell whether a model has no hidden layer."""
    return isinstance(model.architecture, MLP) and model.architecture.hidden == ()
