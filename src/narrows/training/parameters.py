"""The parameters of an `Autoencoder`: their limits, and how parts are set.

What each one means stands in the class's docstring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.common.limits import (
    Limit,
    boolean,
    check,
    integer,
    interval,
    nothing,
    one_of,
    real,
    replaced,
    widths,
)
from narrows.errors import ParameterError
from narrows.linear.scaling import SCALING
from narrows.model.parts import PARTS, named_part
from narrows.training.optimizers import SCHEDULE

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

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
    "verbose": integer(0),
    "device": Limit(lambda v: isinstance(v, str), "'auto', 'cpu', 'cuda' or another torch device"),
    "callbacks": Limit(
        lambda v: isinstance(v, (tuple, list)) and all(map(callable, v)),
        "a sequence of callables that take a Progress",
    ),
    "random_state": nothing()
    | integer(0)
    | Limit(lambda v: isinstance(v, np.random.RandomState), "a numpy.random.RandomState"),
}
"""Of every parameter but the parts, whose own fields have theirs."""


def check_params(ae: Autoencoder) -> None:
    """Report everything that is wrong with the parameters and the parts, at once.

    Raises
    ------
    ParameterError
    """
    values = ae.get_params(deep=False)
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


def set_fields(ae: Autoencoder, params: Mapping[str, Any]) -> None:
    """Replace parts by copies with some fields changed, for `Autoencoder.set_params`.

    Parameters
    ----------
    ae : Autoencoder
    params : dict
        Values by ``part__field``; names without ``__`` are passed over.

    Raises
    ------
    ParameterError
        For a part that there is not, or a field that the part does not have.
    """
    changes: dict[str, dict[str, Any]] = {}
    for name, value in params.items():
        kind, separator, field = name.partition("__")
        if separator and kind not in PARTS:
            raise ParameterError(f"Autoencoder has no part {kind!r}; parts are {', '.join(PARTS)}.")
        if separator:
            changes.setdefault(kind, {})[field] = value
    for kind, fields in changes.items():
        setattr(ae, kind, replaced(named_part(kind, getattr(ae, kind)), fields))
