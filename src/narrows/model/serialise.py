"""Between the fields of a trained model and the tensors and JSON of its file."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from narrows import __version__
from narrows.common.limits import (
    Limit,
    boolean,
    check,
    integer,
    interval,
    nothing,
    one_of,
    real,
    widths,
)
from narrows.common.text import shortened
from narrows.errors import InconsistentModelFile, ParameterError
from narrows.linear.patches import Cells, as_picture
from narrows.linear.pca import PrincipalComponents
from narrows.linear.scaling import Scaling
from narrows.model.bare import bare_network
from narrows.model.file import ModelState, read_model, write_model
from narrows.model.fitted import ENDINGS, Fitted, HistoryRow, Record
from narrows.model.parts import check_given, from_json, is_own, to_json
from narrows.model.size_curve import SizeCurve
from narrows.model.trust import Clusters, TrustScale
from narrows.networks import Autoencoding, LinearPlus, Network, OnAxes, is_finite
from narrows.networks.base import even_shares
from narrows.objectives import Objective
from narrows.objectives.ordered import loss_of
from narrows.objectives.priors import PRIORS, Prior
from narrows.sources.split import Split

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
_NUMBERS = ("validation_error", "pca_validation_error", "explained_variance_ratio")
_PLAIN = ("n_steps", "best_step", "n_threads", "device", "precision")
_SPLIT = tuple(field.name for field in dataclasses.fields(Split))
_SCALE_TENSORS = ("thinness", "drift", "misfit", "of_codes", "of_rows")
TRUST_TENSORS = {f"trust.{name}" for name in (*Clusters._fields, *_SCALE_TENSORS)}
TEXT = Limit(lambda value: isinstance(value, str), "a text")
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
    "trust_in_reported_units": False,
    "ended": "unknown",
    "split": None,
    "saw_all": True,
}
"""Entries that files of earlier versions lack, and what holds for their models."""


def write(model: Fitted, path: str | os.PathLike[str]) -> None:
    """Write a model to a file.

    Raises
    ------
    ParameterError
        If the network holds NaN or infinity.
    OSError
    """
    if not is_finite(model.net):
        raise ParameterError("The model holds NaN or infinity and is not saved; train it again.")
    write_model(path, ModelState(_config(model), _tensors(model)))


def read(path: str | os.PathLike[str], own_parts: Mapping[str, Any]) -> dict[str, Any]:
    """Read the fields of a model, as `Fitted` has them.

    Parameters
    ----------
    path : path-like
    own_parts : mapping
        A user's own parts by kind; None, or left out, where there is none.

    Raises
    ------
    ModelFileError
        As `read_model`, and where the configuration does not describe the tensors.
    ParameterError
        Where a user's own part is missing, needless, or does not fit the tensors.
    """
    given = {kind: own_parts.get(kind) for kind in ("network", "objective")}
    content = read_model(path)
    config, tensors = content.config, content.tensors
    check_given(given, config)
    with consistent(path, given):
        for name, value in _LATER.items():
            config.setdefault(name, value)
        config["code_size"] = config["code_size"] or config["n_components_"]
        if config["ended"] == "finished":  # as earlier versions called it
            config["ended"] = "steps"
        _check_consistent(config, tensors)
        return _fields(config, tensors, given)


@contextlib.contextmanager
def consistent(path: str | os.PathLike[str], given: Mapping[str, Any]) -> Iterator[None]:
    """Say of which file, or of which part that was ``given``, an error in building is.

    Raises
    ------
    InconsistentModelFile
        Where the configuration does not describe a model.
    ParameterError
        Where it is a user's own part that does not fit.
    """
    try:
        yield
    except _FORGED as error:
        words = shortened(" ".join(str(error).split()), 500)
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


# ------------------------------------------------------------------------ writing


def _config(model: Fitted) -> dict[str, Any]:
    record = model.record
    encoder, cells, split = model.net.encoder, model.pca.cells, record.split
    names = model.feature_names
    config = {
        "narrows": __version__,
        "params": model.params,
        "network": to_json(model.architecture),
        "objective": to_json(model.objective),
        "ordered": model.ordered,
        "code_size": model.code_size,
        "size_curve": model.size_curve is not None,
        "axes": len(encoder.bias) if isinstance(encoder, OnAxes) else 0,
        "trust": model.trust_scale is not None,
        "trust_in_reported_units": model.trust_scale is not None
        and model.trust_scale.reported_units,
        "n_features_in_": model.n_features,
        "n_components_": model.n_components,
        "sample_shape": model.sample_shape,
        "came_shaped": model.came_shaped,
        "bounds": model.bounds,
        "feature_names": names,
        "n_samples": model.pca.n_samples_,
        "cells": None if cells is None else cells[3:],
        "history_columns": list(record.history[0]) if record.history else [],
        "priors": sorted(model.priors),
        "prior_seed": model.prior_seed,
        "classes": None if model.classes is None else model.classes.tolist(),
        "ended": record.ended,
        "split": None if split is None else dataclasses.asdict(split),
        "saw_all": record.saw_all,
    }
    config |= {f"{name}_": getattr(record, name) for name in _PLAIN}
    for name in _NUMBERS:
        value = float(getattr(record, name))
        config[f"{name}_"] = value if math.isfinite(value) else None
    plain: dict[str, Any] = as_json(config)
    return plain


def as_json(value: Any) -> Any:
    """Turn NumPy's numbers and arrays, and tuples, into what JSON has."""
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _tensors(model: Fitted) -> dict[str, NDArray[Any]]:
    state = model.net.state_dict()
    tensors = {f"network.{name}": _floating(tensor).numpy() for name, tensor in state.items()}
    for kind, prior in model.priors.items():
        for name, tensor in prior.state_dict().items():
            tensors[f"prior.{kind}.{name}"] = tensor.numpy()
    for name in _PCA_TENSORS:
        tensors[f"pca.{name}"] = getattr(model.pca, name)
    if model.size_curve is not None:
        for name, values in vars(model.size_curve).items():
            tensors[f"size_curve.{name}"] = values.astype(np.float64)
    scale = model.trust_scale
    if scale is not None:
        tensors |= {f"trust.{name}": part for name, part in scale.clusters._asdict().items()}
        tensors |= {f"trust.{name}": getattr(scale, name) for name in _SCALE_TENSORS}
    history = model.record.history
    for column in history[0] if history else ():
        values = [row[column] for row in history]
        tensors[f"history.{column}"] = np.array(values, dtype=np.float64)
    return tensors


def _floating(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor as a file holds it: counts, as batch normalisation has, become float64."""
    tensor = tensor.detach().cpu()
    if tensor.is_complex():
        raise ParameterError("The network holds complex numbers, which a model file cannot.")
    return tensor if tensor.is_floating_point() else tensor.double()


# ------------------------------------------------------------------------ checking


def _check_consistent(config: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> None:
    """Check what building the model would not notice.

    Raises
    ------
    ValueError, LookupError, TypeError
        Saying what does not fit.
    """
    _check_limits(config)
    n_features, names = config["n_features_in_"], config["feature_names"]
    if math.prod(config["sample_shape"]) != n_features:
        raise ValueError(f"sample_shape does not hold {n_features} values")
    named = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if names is not None and not (named and len(names) == n_features):
        raise ValueError(f"feature_names are not {n_features} names")
    axes, spare = config["axes"], config["code_size"] - config["n_components_"]
    if spare < 0 or (spare and not config["ordered"]):
        raise ValueError(f"codes of {config['n_components_']} numbers are not what the network has")
    known = _check_shapes(config, tensors)
    if axes and tensors["network.encoder.weight"].shape != (axes, n_features):
        raise ValueError(f"tensor network.encoder.weight does not hold {axes} axes")
    groups = ("network.", *(f"prior.{name}." for name in config["priors"]))
    strange = [name for name in tensors if name not in known and not name.startswith(groups)]
    if strange:
        raise ValueError(f"tensor {strange[0]} belongs to no part of a model")


def _check_limits(config: dict[str, Any]) -> None:
    """Check every plain value alone."""
    numbers = ("n_features_in_", "n_components_", "n_samples", "code_size")
    limits = {name: integer(1) for name in numbers}
    limits |= {"axes": integer(0), "ordered": boolean(), "size_curve": boolean()}
    limits |= {"trust": boolean(), "trust_in_reported_units": boolean(), "saw_all": boolean()}
    limits |= {"bounds": nothing() | interval(), "sample_shape": widths()}
    limits |= {"ended": one_of(*ENDINGS), "device_": TEXT, "precision_": TEXT}
    limits |= dict.fromkeys(("n_steps_", "best_step_", "n_threads_"), integer(0))
    limits |= {f"{name}_": nothing() | real(-math.inf) for name in _NUMBERS}
    check("a model file", config, limits)
    if config["split"] is not None:
        check("a model file's split", config["split"], dict.fromkeys(_SPLIT, integer(0)))


def _check_shapes(config: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> set[str]:
    """Check the tensors of PCA and scaling; return the names that tensors outside groups have."""
    n_features, cells = config["n_features_in_"], _cells(config)
    n_axes = min(config["n_components_"], n_features) // (1 if cells is None else cells.n_cells)
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
    return known | (TRUST_TENSORS if config["trust"] else set())


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


# ------------------------------------------------------------------------ building


def _fields(
    config: dict[str, Any], tensors: dict[str, NDArray[Any]], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields of the model that a checked configuration and its tensors describe."""
    architecture = from_json("network", config["network"], given["network"])
    objective = from_json("objective", config["objective"], given["objective"])
    loss_of(objective, ordered=config["ordered"])  # checks that they fit
    names, classes = config["feature_names"], config["classes"]
    pca = {name: np.array(tensors[f"pca.{name}"]) for name in _PCA_TENSORS}
    components = PrincipalComponents(
        **pca, n_samples_=int(config["n_samples"]), cells=_cells(config)
    )
    measured: dict[str, Any] = {name: config[f"{name}_"] for name in (*_NUMBERS, *_PLAIN)}
    measured |= {name: math.nan for name in _NUMBERS if measured[name] is None}
    record = Record(
        history=_history(config["history_columns"], tensors),
        ended=config["ended"],
        split=None if config["split"] is None else Split(**config["split"]),
        saw_all=config["saw_all"],
        **measured,
    )
    fields = {
        "objective": objective,
        "n_components": config["n_components_"],
        "sample_shape": tuple(config["sample_shape"]),
        "pca": components,
        "came_shaped": bool(config["came_shaped"]),
        "bounds": None if config["bounds"] is None else tuple(config["bounds"]),
        "feature_names": None if names is None else tuple(names),
        "classes": None if classes is None else np.array(classes),
        "prior_seed": int(config["prior_seed"]),
        "size_curve": _size_curve(config, tensors) if config["size_curve"] else None,
        "trust_scale": _trust_scale(config, tensors) if config["trust"] else None,
        "record": record,
        "params": config["params"],
    }
    n_components = config["n_components_"]
    fields["priors"] = {name: _prior(name, n_components, tensors) for name in config["priors"]}
    fields["architecture"], fields["net"] = _network(
        architecture, objective, config, components, _group("network.", tensors)
    )
    return fields


def _size_curve(config: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> SizeCurve:
    parts = {name: np.array(tensors[name]) for name in sorted(_curve_names(config))}
    if len({part.shape for part in parts.values()}) > 1:
        raise ValueError("the tensors of the size curve differ in length")
    curve = SizeCurve(**{name.removeprefix("size_curve."): part for name, part in parts.items()})
    return dataclasses.replace(curve, n_components=curve.n_components.astype(np.int64))


def _trust_scale(config: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> TrustScale:
    parts = {name: np.array(tensors[name], dtype=np.float64) for name in TRUST_TENSORS}
    n_clusters, n_quantiles = len(parts["trust.shares"]), len(parts["trust.of_rows"])
    for name, part in parts.items():
        wide = name in ("trust.means", "trust.variances")
        shape = (n_clusters,) if name in ("trust.shares", "trust.log_errors") else (n_quantiles,)
        if part.shape != ((n_clusters, config["n_components_"]) if wide else shape):
            raise ValueError(f"tensor {name} has shape {part.shape}")
    finite = all(np.isfinite(part).all() for part in parts.values())
    if not finite or min(n_clusters, n_quantiles) < 1:
        raise ValueError("the tensors of trust are empty, or hold what is no number")
    if min(parts["trust.shares"].min(), parts["trust.variances"].min()) <= 0:
        raise ValueError("shares and variances of trust are not above zero")
    clusters = Clusters(*(parts[f"trust.{name}"] for name in Clusters._fields))
    scale = {name: parts[f"trust.{name}"] for name in _SCALE_TENSORS}
    return TrustScale(clusters, **scale, reported_units=config["trust_in_reported_units"])


def _prior(name: str, n_components: int, tensors: dict[str, NDArray[Any]]) -> Prior:
    """Build a prior that was fitted to codes, and fill it from the tensors."""
    found = _group(f"prior.{name}.", tensors)
    prior = PRIORS[name].blank(n_components, found)
    prior.load_state_dict(found, assign=True)
    return prior.requires_grad_(False)


def _group(prefix: str, tensors: dict[str, NDArray[Any]]) -> dict[str, torch.Tensor]:
    """Return the tensors whose names begin so, without that beginning."""
    return {
        name.removeprefix(prefix): torch.from_numpy(np.array(tensor))
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _history(columns: list[str], tensors: dict[str, NDArray[Any]]) -> tuple[HistoryRow, ...]:
    read = {column: tensors[f"history.{column}"].tolist() for column in columns}
    for column in ("epoch", "step"):
        if column in read:
            read[column] = [int(value) for value in read[column]]
    return tuple(dict(zip(read, row, strict=True)) for row in zip(*read.values(), strict=True))


def _network(
    architecture: Network,
    objective: Objective,
    config: dict[str, Any],
    pca: PrincipalComponents,
    found: dict[str, torch.Tensor],
) -> tuple[Network, Autoencoding]:
    """Build the network that the configuration describes, and fill it from its tensors."""
    n_features, n_components = config["n_features_in_"], config["code_size"]
    n_classes = len(config["classes"] or ())
    # The shares of classes are tensors of the file; here their number is enough.
    described = objective.widths(
        n_features,
        n_components,
        sample_shape=tuple(config["sample_shape"]),
        class_shares=even_shares(n_classes),
        ordered=config["ordered"],
        axes=config["axes"],
    )
    if is_own(architecture):
        architecture = architecture.resolved(described, pca.n_samples_)
    # Counted before anything is built: a forged width must not claim memory.
    needed = architecture.n_parameters(described) + objective.n_added(described)
    if needed > sum(tensor.numel() for tensor in found.values()):
        raise ParameterError("the network described is larger than the tensors beside it")
    n_shift, n_divisor = (found[f"scaling.{name}"].numel() for name in ("shift", "divisor"))
    net = bare_network(
        Scaling(np.zeros(n_shift), np.ones(n_divisor)),
        architecture,
        objective,
        described,
        linear="decoder.unit" in found,
        cells=pca.cells,
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
    return architecture, net.eval()
