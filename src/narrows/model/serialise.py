"""Between a fitted estimator and the tensors and JSON of a model file."""

from __future__ import annotations

import dataclasses
import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from narrows import __version__
from narrows.common.limits import boolean, check, integer, interval, nothing, widths
from narrows.errors import InconsistentModelFile, ParameterError
from narrows.linear.patches import Cells, as_picture
from narrows.linear.pca import PrincipalComponents
from narrows.linear.scaling import Scaling
from narrows.model.file import ModelState, read_model, write_model
from narrows.model.parts import OWN, PARTS, check_given, from_json, is_own, named_part, to_json
from narrows.model.trust import Clusters, TrustScale
from narrows.networks import Autoencoding, LinearPlus, OnAxes, Widths, is_finite
from narrows.objectives.ordered import Ordered, SizeCurve, as_ordered
from narrows.objectives.priors import PRIORS, Prior
from narrows.training.remembering import keep_network
from narrows.training.start import bare_network

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

_FORGED = (AttributeError, ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
"""What building a model from a configuration that does not describe it may raise."""
_PCA_TENSORS = (
    "mean_",
    "components_",
    "explained_variance_",
    "explained_variance_ratio_",
    "singular_values_",
    "variances_",
)
_NUMBERS = ("validation_error_", "pca_validation_error_", "explained_variance_ratio_")
_PLAIN = ("n_features_in_", "n_components_", "n_steps_", "best_step_", "n_threads_")
_TEXTS = ("device_", "precision_")
TRUST_TENSORS = {f"trust.{name}" for name in (*Clusters._fields, *TrustScale._fields[1:])}
_LATER: dict[str, Any] = {
    "cells": None,
    "classes": None,
    "prior_seed": 0,
    "priors": (),
    "code_size": None,
    "ordered": False,
    "size_curve": False,
    "axes": 0,
    "trust": False,
}
"""What the first formats lack, and what holds for their models."""


def save(ae: Autoencoder, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to a model file.

    Raises
    ------
    ParameterError
        If parameters have been set to what `load` would refuse, or the model holds NaN.
    """
    ae._check_params()
    if not is_finite(ae.network_):
        raise ParameterError("The model holds NaN or infinity and is not saved; train it again.")
    write_model(path, ModelState(_config(ae), _tensors(ae)))


def restore(ae: Autoencoder, path: str | os.PathLike[str], given: dict[str, Any]) -> None:
    """Make a new estimator the one that a model file holds.

    Parameters
    ----------
    ae : Autoencoder
    path : path-like
    given : dict
        A user's own parts by kind, None where there is none.

    Raises
    ------
    ModelFileError
        As `read_model`, and where the configuration does not describe the tensors.
    ParameterError
        Where a user's own part is missing, needless, or does not fit the tensors.
    """
    state = read_model(path)
    check_given(given, state.config)
    try:
        for name, value in _LATER.items():  # what files of earlier formats do not have
            state.config.setdefault(name, value)
        state.config["code_size"] = state.config["code_size"] or state.config["n_components_"]
        _check_consistent(state.config, state.tensors)
        _restore(ae, state, given)
    except _FORGED as error:
        words = " ".join(str(error).split())
        own = ", ".join(f"`{kind}`" for kind, part in given.items() if part is not None)
        if own:
            raise ParameterError(
                f"{os.fspath(path)} cannot be read with the {own} given ({words}). Pass what is"
                " made as it was for fit: the same layers, of the same sizes."
            ) from error
        raise InconsistentModelFile(
            f"{os.fspath(path)}: its configuration does not describe a model that this narrows"
            f" can build ({words}). Save the model again."
        ) from error


def _check_consistent(config: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> None:
    """Check what building the model would not notice.

    Raises
    ------
    ValueError, LookupError, TypeError
        Saying what does not fit.
    """
    numbers = ("n_features_in_", "n_components_", "n_samples", "code_size")
    limits = {name: integer(1) for name in numbers}
    limits |= {"axes": integer(0), "ordered": boolean(), "size_curve": boolean()}
    limits["trust"] = boolean()
    limits |= {"bounds": nothing() | interval(), "sample_shape": widths()}
    check("a model file", config, limits)
    n_features = config["n_features_in_"]
    cells = _cells(config)
    n_axes = min(config["n_components_"], n_features) // (1 if cells is None else cells.n_cells)
    names = config["feature_names"]
    if math.prod(config["sample_shape"]) != n_features:
        raise ValueError(f"sample_shape does not hold {n_features} values")
    named = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if names is not None and not (named and len(names) == n_features):
        raise ValueError(f"feature_names are not {n_features} names")
    shapes: dict[str, tuple[int, ...]] = {f"pca.{name}": (n_axes,) for name in _PCA_TENSORS}
    shapes |= {"pca.mean_": (n_features,), "pca.variances_": (n_features,)}
    shapes["pca.components_"] = (n_axes, n_features if cells is None else cells.size)
    for name, shape in shapes.items():
        if tensors[name].shape != shape:
            raise ValueError(f"tensor {name} has shape {tensors[name].shape}, not {shape}")
    for name in ("network.scaling.shift", "network.scaling.divisor"):
        if tensors[name].shape not in ((1,), (n_features,)):
            raise ValueError(f"tensor {name} has shape {tensors[name].shape}")
    known = {*shapes, *(f"history.{column}" for column in config["history_columns"])}
    known |= _curve_names(config)
    known |= TRUST_TENSORS if config["trust"] else set()
    axes, spare = config["axes"], config["code_size"] - config["n_components_"]
    if spare < 0 or (spare and not config["ordered"]):
        raise ValueError(f"codes of {config['n_components_']} numbers are not what the network has")
    if axes and tensors["network.encoder.weight"].shape != (axes, n_features):
        raise ValueError(f"tensor network.encoder.weight does not hold {axes} axes")
    groups = ("network.", *(f"prior.{name}." for name in config["priors"]))
    strange = [name for name in tensors if name not in known and not name.startswith(groups)]
    if strange:
        raise ValueError(f"tensor {strange[0]} belongs to no part of a model")


def _curve_names(config: dict[str, Any]) -> set[str]:
    """Return the tensors of the size curve, where there is one."""
    fields = dataclasses.fields(SizeCurve) if config["size_curve"] else ()
    return {f"size_curve.{field.name}" for field in fields}


def _cells(config: dict[str, Any]) -> Cells | None:
    """Return what the linear path is cut into."""
    cut, picture = config["cells"], as_picture(tuple(config["sample_shape"]))
    if cut is None:
        return None
    check("a model file", {"cells": cut}, {"cells": widths()})
    if picture is None or len(cut) != 2 or config["n_components_"] % math.prod(cut):
        raise ValueError(f"pictures cannot be cut into {cut} cells with equal shares of the code")
    return Cells(*picture, *cut)


def _config(ae: Autoencoder) -> dict[str, Any]:
    params = ae.get_params(deep=False)
    del params["callbacks"]  # code never enters a model file
    for kind in PARTS:
        params[kind] = to_json(named_part(kind, params[kind]))
    if isinstance(params["random_state"], np.random.RandomState):
        params["random_state"] = None
    names = getattr(ae, "feature_names_in_", None)
    config = {
        "narrows": __version__,
        "params": params,
        "network": to_json(ae._network_part),
        "objective": to_json(ae._family),
        "ordered": isinstance(ae._objective, Ordered),
        "code_size": ae._code_size,
        "size_curve": hasattr(ae, "size_curve_"),
        "axes": _axes(ae),
        "trust": ae._trust is not None,
        "sample_shape": list(ae.sample_shape_),
        "came_shaped": ae._came_shaped,
        "bounds": None if ae.bounds_ is None else list(ae.bounds_),
        "feature_names": None if names is None else [str(name) for name in names],
        "n_samples": ae.pca_.n_samples_,
        "cells": None if ae.pca_.cells is None else list(ae.pca_.cells[3:]),
        "history_columns": list(ae.history_[0]) if ae.history_ else [],
        "priors": sorted(ae.priors_),
        "prior_seed": ae._prior_seed,
        "classes": None if ae._classes is None else ae._classes.tolist(),
    }
    for name in (*_PLAIN, *_TEXTS):
        config[name] = getattr(ae, name)
    for name in _NUMBERS:
        value = float(getattr(ae, name))
        config[name] = value if math.isfinite(value) else None
    plain: dict[str, Any] = _plain(config)
    return plain


def _axes(ae: Autoencoder) -> int:
    """Count the principal components that the encoder reads; 0 where it reads features."""
    encoder = ae.network_.encoder
    return len(encoder.bias) if isinstance(encoder, OnAxes) else 0


def _plain(value: Any) -> Any:
    """Turn NumPy's numbers and tuples into what JSON has."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _tensors(ae: Autoencoder) -> dict[str, NDArray[Any]]:
    tensors = {
        f"network.{name}": _floating(tensor).numpy()
        for name, tensor in ae.network_.state_dict().items()
    }
    for kind, prior in ae.priors_.items():
        for name, tensor in prior.state_dict().items():
            tensors[f"prior.{kind}.{name}"] = tensor.numpy()
    for name in _PCA_TENSORS:
        tensors[f"pca.{name}"] = getattr(ae.pca_, name)
    if hasattr(ae, "size_curve_"):
        for name, values in vars(ae.size_curve_).items():
            tensors[f"size_curve.{name}"] = values.astype(np.float64)
    if ae._trust is not None:
        tensors |= _trust_tensors(ae._trust)
    for column in ae.history_[0] if ae.history_ else ():
        values = [row[column] for row in ae.history_]
        tensors[f"history.{column}"] = np.array(values, dtype=np.float64)
    return tensors


def _floating(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor as a file holds it: counts, as batch normalisation has, become float64."""
    tensor = tensor.detach().cpu()
    if tensor.is_complex():
        raise ParameterError("The network holds complex numbers, which a model file cannot.")
    return tensor if tensor.is_floating_point() else tensor.double()


def _restore(ae: Autoencoder, state: ModelState, given: dict[str, Any]) -> None:
    config, tensors = state.config, state.tensors
    params: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in config["params"].items()
    }
    for kind in PARTS:
        own = params[kind].get("name") == OWN
        # A user's own pair stays as it is given; the model has copies of its modules.
        params[kind] = given[kind] if own else from_json(kind, params[kind])
    ae.set_params(**params)
    ae._check_params()
    for name in (*_PLAIN, *_TEXTS):
        setattr(ae, name, config[name])
    for name in _NUMBERS:
        setattr(ae, name, np.float64(math.nan if config[name] is None else config[name]))
    ae._network_part = from_json("network", config["network"], given["network"])
    family = from_json("objective", config["objective"], given["objective"])
    ae._objective = as_ordered(family) if config["ordered"] else family
    ae.sample_shape_ = tuple(config["sample_shape"])
    ae._came_shaped = bool(config["came_shaped"])
    ae.bounds_ = None if config["bounds"] is None else tuple(config["bounds"])
    if config["feature_names"] is not None:
        ae.feature_names_in_ = np.array(config["feature_names"], dtype=object)
    pca = {name: np.array(tensors[f"pca.{name}"]) for name in _PCA_TENSORS}
    ae.pca_ = PrincipalComponents(**pca, n_samples_=int(config["n_samples"]), cells=_cells(config))
    ae.history_ = _history(config["history_columns"], tensors)
    if config["size_curve"]:
        ae.size_curve_ = _size_curve(config, tensors)
    if config["trust"]:
        ae._trust = _trust_scale(ae.n_components_, tensors)
    ae._classes = None if config["classes"] is None else np.array(config["classes"])
    ae._prior_seed = int(config["prior_seed"])
    ae.priors_ = {name: _prior(name, ae, tensors) for name in config["priors"]}
    keep_network(ae, _network(ae, config, tensors))


def _size_curve(config: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> SizeCurve:
    parts = {name: np.array(tensors[name]) for name in sorted(_curve_names(config))}
    if len({part.shape for part in parts.values()}) > 1:
        raise ValueError("the tensors of the size curve differ in length")
    curve = SizeCurve(**{name.removeprefix("size_curve."): part for name, part in parts.items()})
    return dataclasses.replace(curve, n_components=curve.n_components.astype(np.int64))


def _trust_tensors(scale: TrustScale) -> dict[str, NDArray[Any]]:
    """Return what a scale of trust is made of, as a file holds it."""
    parts = {**scale.clusters._asdict(), **scale._asdict()}
    del parts["clusters"]
    return {f"trust.{name}": part for name, part in parts.items()}


def _trust_scale(n_components: int, tensors: dict[str, NDArray[Any]]) -> TrustScale:
    parts = {name: np.array(tensors[name], dtype=np.float64) for name in TRUST_TENSORS}
    n_clusters, n_quantiles = len(parts["trust.shares"]), len(parts["trust.of_rows"])
    for name, part in parts.items():
        wide = name in ("trust.means", "trust.variances")
        shape = (n_clusters,) if name in ("trust.shares", "trust.log_errors") else (n_quantiles,)
        if part.shape != ((n_clusters, n_components) if wide else shape):
            raise ValueError(f"tensor {name} has shape {part.shape}")
    finite = all(np.isfinite(part).all() for part in parts.values())
    if not finite or min(n_clusters, n_quantiles) < 1:
        raise ValueError("the tensors of trust are empty, or hold what is no number")
    if min(parts["trust.shares"].min(), parts["trust.variances"].min()) <= 0:
        raise ValueError("shares and variances of trust are not above zero")
    clusters = Clusters(*(parts[f"trust.{name}"] for name in Clusters._fields))
    return TrustScale(clusters, *(parts[f"trust.{name}"] for name in TrustScale._fields[1:]))


def _prior(name: str, ae: Autoencoder, tensors: dict[str, NDArray[Any]]) -> Prior:
    """Build a prior that was fitted to codes, and fill it from the tensors."""
    found = _group(f"prior.{name}.", tensors)
    prior: Prior = PRIORS[name].blank(ae.n_components_, found)
    prior.load_state_dict(found, assign=True)
    return prior.requires_grad_(False)


def _group(prefix: str, tensors: dict[str, NDArray[Any]]) -> dict[str, torch.Tensor]:
    """Return the tensors whose names begin so, without that beginning."""
    return {
        name.removeprefix(prefix): torch.from_numpy(np.array(tensor))
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _history(columns: list[str], tensors: dict[str, NDArray[Any]]) -> list[dict[str, float]]:
    read = {column: tensors[f"history.{column}"].tolist() for column in columns}
    for column in ("epoch", "step"):
        if column in read:
            read[column] = [int(value) for value in read[column]]
    return [dict(zip(read, row, strict=True)) for row in zip(*read.values(), strict=True)]


def _network(
    ae: Autoencoder, config: dict[str, Any], tensors: dict[str, NDArray[Any]]
) -> Autoencoding:
    """Build the network that the configuration describes, and fill it from the tensors."""
    found = _group("network.", tensors)
    n_features, n_components = ae.n_features_in_, config["code_size"]
    sizes = ae._objective.output_sizes(n_features, n_components)
    n_classes = 0 if ae._classes is None else len(ae._classes)
    # The shares of classes are tensors of the file; here their number is enough.
    shares = (1 / n_classes,) * n_classes if n_classes else ()
    ordered = bool(config["ordered"])
    axes = int(config["axes"])
    sizes_of_net = Widths(n_features, n_components, *sizes, ae.sample_shape_, shares, ordered, axes)
    if is_own(ae._network_part):
        ae._network_part = ae._network_part.resolved(sizes_of_net, ae.pca_.n_samples_)
    # Counted before anything is built: a forged width must not claim memory.
    if ae._network_part.n_parameters(sizes_of_net) > sum(
        tensor.numel() for tensor in found.values()
    ):
        raise ParameterError("the network described is larger than the tensors beside it")
    n_shift, n_divisor = (found[f"scaling.{name}"].numel() for name in ("shift", "divisor"))
    scaling = Scaling(np.zeros(n_shift), np.ones(n_divisor))
    net = bare_network(
        scaling,
        ae._network_part,
        ae._objective,
        sizes_of_net,
        linear="decoder.unit" in found,
        cells=ae.pca_.cells,
    )
    # Filled in place, so that weights which a user's modules share stay shared and counts stay
    # whole numbers; but in the file's float32 or float64.
    for name, tensor in net.state_dict(keep_vars=True).items():
        if name in found and tensor.is_floating_point():
            tensor.data = tensor.data.to(found[name].dtype)
    net.load_state_dict(found)
    if isinstance(net.decoder, LinearPlus) and not net.decoder.weight.any():
        # A path that was left out in training, as maps do, stays left out.
        net.decoder.weight.requires_grad_(False)
    return net
