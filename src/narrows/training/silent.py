"""Layers that were given up because training gained nothing, and that come back to be trained on.

The file of a model that is only PCA then holds PCA's numbers, and no weights that give zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from narrows.model.model import Model
from narrows.networks import MLP, Autoencoding, Network
from narrows.networks.silent import with_silent_layers
from narrows.training.plan import Plan

LINEAR = MLP(hidden=())
"""The network that PCA alone needs."""


def is_open(network: Any) -> bool:
    """Tell whether the widths of a network are left to us."""
    return network == "auto" or (isinstance(network, MLP) and network.hidden == "auto")


def without_silent_layers(
    net: Autoencoding, plan: Plan, params: Mapping[str, Any]
) -> tuple[Autoencoding, Plan]:
    """Leave out layers that give zeros; return what is left, and the plan of that.

    A network that was asked for stays whole, and so does one that did not start at PCA.

    Parameters
    ----------
    net : Autoencoding
        That training starts from.
    plan : Plan
    params : mapping
        The parameters of the fit.
    """
    if params["init"] != "pca" or plan.cells is not None or not is_open(params["network"]):
        return net, plan
    bare = replace(plan, network=LINEAR.resolved(plan.widths, plan.n_rows))
    return with_silent_layers(net, bare.network, plan.widths), bare


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


def with_layers(model: Model, plan: Plan, params: Mapping[str, Any]) -> Model:
    """Put layers back that were left out, so that a plan can train them.

    Parameters
    ----------
    model : Model
    plan : Plan
    params : mapping
        The parameters of the fit that trains on.
    """
    if not _is_bare(model) or not is_open(params["network"]):
        return model
    net = with_silent_layers(model.net, plan.network, plan.widths)
    return model.changed(net=net, architecture=plan.network)


def _is_bare(model: Model) -> bool:
    """Tell whether a model has no hidden layer."""
    return isinstance(model.architecture, MLP) and model.architecture.hidden == ()
