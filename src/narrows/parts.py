"""From a name to the part it stands for: a network, an objective, an optimizer.

Networks and objectives are found in their folders: one file is one part, under the file's name.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import Any

import narrows.networks
import narrows.objectives
import narrows.optimizers
from narrows.errors import ParameterError, near_miss
from narrows.fields import check_part
from narrows.networks import Network
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
        if issubclass(part, interface) and not inspect.isabstract(part)
    }


PARTS: dict[str, dict[str, type]] = {
    "network": _found_in(narrows.networks, Network),
    "objective": _found_in(narrows.objectives, Objective),
    "optimizer": dict(narrows.optimizers.OPTIMIZERS),
}
"""Kind of part, to name, to class."""

_AUTO = {"network": "mlp"}


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
    if not isinstance(value, tuple(known.values())):
        raise ParameterError(f"`{kind}` must be {_listed(known)} or such an object, got {value!r}.")
    check_part(value)
    return value


def _listed(known: dict[str, type]) -> str:
    return ", ".join(f"{name!r} ({part.__name__})" for name, part in known.items())


def to_json(part: Any) -> dict[str, Any]:
    """Describe a part for a model file: its name and its fields."""
    return {"name": part.name, **part.get_params()}


def from_json(kind: str, description: dict[str, Any]) -> Any:
    """Build the part that `to_json` described; no class is looked up by import path.

    Raises
    ------
    ParameterError
        For a name or a field that this version does not know.
    """
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
