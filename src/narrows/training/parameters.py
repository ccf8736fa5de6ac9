"""The parameters of an `Autoencoder`: their limits, and how parts are set.

What each one means stands in the class's docstring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from narrows.common.limits import (
    Limit,
    boolean,
    check,
    integer,
    interval,
    nothing,
    one_of,
    plain,
    real,
    replaced,
    widths,
)
from narrows.common.optimizers import SCHEDULE
from narrows.errors import ParameterError
from narrows.linear.scaling import SCALING
from narrows.model.parts import OWN, PARTS, from_json, named_part, to_json

LIMITS: dict[str, Limit] = {
    "n_components": integer(1) | real(0, 1, low_open=True),
    "init": one_of("pca", "random"),
    "ordered": boolean(),
    "sample_shape": nothing() | widths(),
    "scaling": SCALING,
    "bounds": one_of("auto") | interval() | nothing(),
    "max_epochs": one_of("auto") | integer(1),
    "max_steps": nothing() | integer(1),
    "max_seconds": nothing() | real(0, low_open=True),
    "patience": one_of("auto") | integer(1),
    "validation_fraction": one_of("auto") | real(0, 1),
    "keep": one_of("best", "last"),
    "batch_size": one_of("auto") | integer(1),
    "learning_rate": one_of("auto") | real(0, low_open=True),
    "schedule": SCHEDULE,
    "precision": one_of("auto", "float32", "bfloat16"),
    "n_threads": one_of("auto") | integer(1),
    "verbose": integer(0) | boolean(),
    "device": Limit(lambda v: isinstance(v, str), "'auto', 'cpu', 'cuda' or another torch device"),
    "callbacks": Limit(
        lambda v: isinstance(v, (tuple, list)) and all(map(callable, v)),
        "a sequence of callables that take a Progress",
    ),
    "random_state": nothing()
    | integer(0, 2**32 - 1)
    | Limit(lambda v: isinstance(v, np.random.RandomState), "a numpy.random.RandomState"),
}
"""Of every parameter but the parts, whose own fields have theirs."""


def check_params(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters in Python's own types, or report at once everything wrong with them.

    Raises
    ------
    ParameterError
    """
    tests: list[Callable[[], Any]] = [partial(check, "Autoencoder", values, LIMITS)]
    tests += [partial(named_part, kind, values[kind]) for kind in PARTS]
    found = []
    for test in tests:
        try:
            test()
        except ParameterError as error:
            found.append(str(error))
    if found:
        raise ParameterError(" ".join(found))
    return {name: plain(value) for name, value in values.items()}


def changed_parts(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return copies of parts with some fields changed, by kind.

    Parameters
    ----------
    values : mapping
        The parameters as they are.
    changes : mapping
        Values by ``part__field``; names without ``__`` are passed over.

    Raises
    ------
    ParameterError
        For a part that there is not, or a field that the part does not have.
    """
    by_kind: dict[str, dict[str, Any]] = {}
    for name, value in changes.items():
        kind, separator, field = name.partition("__")
        if separator and kind not in PARTS:
            raise ParameterError(f"Autoencoder has no part {kind!r}; parts are {', '.join(PARTS)}.")
        if separator:
            by_kind.setdefault(kind, {})[field] = value
    return {
        kind: replaced(named_part(kind, values[kind]), fields) for kind, fields in by_kind.items()
    }


def described(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as a model file keeps them; callbacks are code, which no file holds."""
    kept = {name: value for name, value in values.items() if name != "callbacks"}
    kept |= {kind: to_json(named_part(kind, kept[kind])) for kind in PARTS}
    if isinstance(kept["random_state"], np.random.RandomState):
        kept["random_state"] = None
    return kept


def restored(params: Mapping[str, Any], own_parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that `described` described, with a user's own parts as given.

    Raises
    ------
    ParameterError
        For parameters outside their limits.
    """
    values = {
        name: tuple(value) if isinstance(value, list) else value for name, value in params.items()
    }
    for kind in PARTS:
        own = params[kind].get("name") == OWN
        # A user's own pair stays as it is given; the model has copies of its modules.
        values[kind] = own_parts.get(kind) if own else from_json(kind, params[kind])
    check_params({**values, "callbacks": ()})
    return values
