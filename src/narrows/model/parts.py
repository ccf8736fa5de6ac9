"""From a name to the part it stands for: a network, an objective, an optimizer.

Networks and objectives are found in their folders: one file is one part, under the file's name.
A user may give parts of their own; a model file then says so, and is read with them at hand.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch

import narrows.common.optimizers
import narrows.networks
import narrows.objectives
from narrows.common.limits import check_part, get_params, plain, replaced
from narrows.errors import ParameterError, near_miss
from narrows.networks import Network
from narrows.networks.own import Own, as_pair
from narrows.objectives import Objective


def _found_in(package: ModuleType, interface: Any) -> dict[str, type]:
    modules = [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
    ]
    classes: list[Any] = [
        part for module in modules for _, part in inspect.getmembers(module, inspect.isclass)
    ]
    return {
        part.name: part
        for part in classes
        # A part without fields, as a user's own pair, is nothing that a name could stand for.
        if issubclass(part, interface)
        and hasattr(part, "__dataclass_fields__")
        and not inspect.isabstract(part)
    }


PARTS: dict[str, dict[str, type]] = {
    "network": _found_in(narrows.networks, Network),
    "objective": _found_in(narrows.objectives, Objective),
    "optimizer": dict(narrows.common.optimizers.OPTIMIZERS),
}
"""Kind of part, to name, to class."""

_AUTO = {"network": "mlp"}
_INTERFACES: dict[str, type] = {"network": Network, "objective": Objective}
OWN = "own"
"""What a model file calls a part that is not one of ours."""


def named_part(kind: str, value: Any) -> Any:
    """Return the part that a parameter asks for, with its fields checked.

    Parameters
    ----------
    kind : {"network", "objective", "optimizer"}
    value : str or part
        A name stands for the part with its defaults.

    Raises
    ------
    ParameterError
        For an unknown name, an object of another kind, or a field outside its limit.
    """
    known = PARTS[kind]
    if isinstance(value, str):
        name = _AUTO.get(kind, value) if value == "auto" else value
        if name not in known:
            raise ParameterError(
                f"`{kind}` must be {_listed(known)} or such an object, got {value!r}."
                + near_miss(value, known)
            )
        return known[name]()
    pair = as_pair(value) if kind == "network" else None
    if pair is not None:
        return Own(*pair)
    if not isinstance(value, (*known.values(), _INTERFACES.get(kind, ()))):
        pairs = ", or a pair (encoder, decoder) of torch.nn.Module" if kind == "network" else ""
        raise ParameterError(
            f"`{kind}` must be {_listed(known)} or such an object{pairs}, got {_words(value)}."
        )
    if not isinstance(value, Own):
        _check_fields(kind, value)
    if is_own(value):
        return value
    return replaced(value, {name: plain(field) for name, field in get_params(value).items()})


def _check_fields(kind: str, part: Any) -> None:
    if not dataclasses.is_dataclass(part):
        raise ParameterError(
            f"`{kind}`: {type(part).__name__} must be a dataclass, since its fields are its"
            " parameters. Decorate it with @dataclass(frozen=True)."
        )
    check_part(part)


def _words(value: object) -> str:
    """Show a value, modules of torch by their class alone."""
    if isinstance(value, torch.nn.Module):
        return f"a single module {type(value).__name__}"
    if isinstance(value, (tuple, list)):
        kinds = [item.__name__ if isinstance(item, type) else type(item).__name__ for item in value]
        return f"a {type(value).__name__} of {', '.join(kinds) or 'nothing'}"
    return repr(value)


def _listed(known: dict[str, type]) -> str:
    return ", ".join(f"{name!r} ({part.__name__})" for name, part in known.items())


def is_own(part: Any) -> bool:
    """Tell whether a part is of a user's own making."""
    return not any(type(part) in known.values() for known in PARTS.values())


def to_json(part: Any) -> dict[str, Any]:
    """Describe a part for a model file: its name and its fields; of a user's own, words alone."""
    if is_own(part):
        return {"name": OWN, "words": repr(part) if isinstance(part, Own) else type(part).__name__}
    return {"name": part.name, **part.get_params()}


def check_given(given: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Check that a user's own part is given where a model file tells of one, and only there.

    Parameters
    ----------
    given : dict
        Parts by kind, None where there is none.
    config : dict
        Of the file: what `to_json` gave for the model, and under ``"params"`` for the parameters.

    Raises
    ------
    ParameterError
        Saying what to pass to `load`.
    """
    params = config.get("params")
    for kind, part in given.items():
        places = [config.get(kind), params.get(kind) if isinstance(params, dict) else None]
        # What a damaged description lacks is found when the part is built.
        described = [place for place in places if isinstance(place, dict)]
        own = [place for place in described if place.get("name") == OWN]
        if own and part is None:
            words = str(own[0].get("words"))
            what = "(encoder, decoder)" if words.startswith("(") else "an object of that class"
            raise ParameterError(
                f"The model was trained with {kind}={words} of the user's own, which a file does"
                f" not hold. Call load(path, {kind}=...) with {what}, made as it was for fit."
            )
        if part is not None and described and not own:
            raise ParameterError(
                f"`{kind}` was given, but the model has {described[0].get('name')!r}, which its"
                f" file describes in full. Leave `{kind}` out."
            )


def from_json(kind: str, description: dict[str, Any], given: Any = None) -> Any:
    """Build the part that `to_json` described; no class is looked up by import path.

    Parameters
    ----------
    kind : {"network", "objective", "optimizer"}
    description : dict
    given : part, optional
        What takes the place of a user's own part.

    Raises
    ------
    ParameterError
        For a name or a field that this version does not know.
    """
    if description.get("name") == OWN and given is not None:
        return named_part(kind, given)
    fields = {key: value for key, value in description.items() if key != "name"}
    known = PARTS[kind]
    name = description.get("name")
    if name not in known:
        raise ParameterError(f"{kind} {name!r} is unknown; known are {_listed(known)}.")
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    try:
        part = known[name](**fields)
    except TypeError as error:
        raise ParameterError(f"{kind} {name!r} does not take these fields: {error}") from error
    check_part(part)
    return part
