"""Parameters declared with their limits, and the checks that word each complaint.

A *part* (a network, an objective, an optimizer) is a frozen dataclass. Its fields declare its
parameters, once: checks, ``get_params``, the model file and the command line read them there.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, TypeVar, cast

import numpy as np

from narrows.common.text import shortened
from narrows.errors import ParameterError, near_miss

Part = TypeVar("Part", bound=Any)
MOST, MOST_LAYERS = 1 << 24, 256
"""Upper limits of counts and of layers: far beyond any use, so that sizes that a forged model file
states can be computed quickly, and compared with the tensors in it before memory is claimed."""


@dataclass(frozen=True)
class Limit:
    """What a parameter may be: a test, and the words for it.

    Parameters
    ----------
    allows : callable
        Takes the value, returns whether it is allowed.
    words : str
        Completes the sentence "`x` must be …".
    names : tuple of str
        The allowed names where there are any, for a near-miss hint.
    """

    allows: Callable[[Any], bool]
    words: str
    names: tuple[str, ...] = ()

    def __or__(self, other: Limit) -> Limit:
        """Allow what either limit allows."""
        return Limit(
            lambda value: self.allows(value) or other.allows(value),
            f"{self.words}, or {other.words}",
            self.names + other.names,
        )


def is_integer(value: object) -> bool:
    """Tell whether a value counts as a whole number (a bool does not)."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_real(value: object) -> bool:
    """Tell whether a value counts as a finite real number (a bool does not)."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:  # a whole number beyond what a float holds
        return False


def integer(low: int, high: int | None = None) -> Limit:
    """Limit to whole numbers of at least ``low``, and at most ``high`` where it is given."""
    words = f"an integer ≥ {low}" + ("" if high is None else f" and ≤ {high}")
    return Limit(lambda v: is_integer(v) and v >= low and (high is None or v <= high), words)


def real(low: float, high: float = float("inf"), *, low_open: bool = False) -> Limit:
    """Limit to real numbers of at least (above, if ``low_open``) ``low`` and below ``high``."""
    above = ">" if low_open else "≥"
    words = f"a number {above} {low:g}" + (f" and < {high:g}" if high < float("inf") else "")

    def allows(value: object) -> bool:
        if not is_real(value):
            return False
        number = float(cast("float", value))
        return (number > low if low_open else number >= low) and number < high

    return Limit(allows, words)


def share() -> Limit:
    """Limit to numbers from 0 to 1, both included."""
    return Limit(lambda v: is_real(v) and 0 <= float(cast("float", v)) <= 1, "a number from 0 to 1")


def one_of(*names: str) -> Limit:
    """Limit to a few names."""
    listed = " or ".join(repr(name) for name in names)
    return Limit(lambda v: isinstance(v, str) and v in names, listed, names)


def boolean() -> Limit:
    """Limit to True and False."""
    return Limit(lambda v: isinstance(v, (bool, np.bool_)), "True or False")


def nothing() -> Limit:
    """Limit to ``None``."""
    return Limit(lambda v: v is None, "None")


def is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    """Tell whether a value is a list, a tuple or an array with one axis."""
    return isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim == 1)


def widths(longest: int = MOST_LAYERS) -> Limit:
    """Limit to a sequence (maybe empty) of at most ``longest`` layer widths."""

    def allows(value: object) -> bool:
        if not is_sequence(value) or len(value) > longest:
            return False
        return all(is_integer(width) and 1 <= width <= MOST for width in value)

    words = f"a sequence of at most {longest} integers ≥ 1 and ≤ {MOST}, such as (512, 256)"
    return Limit(allows, words)


def interval() -> Limit:
    """Limit to a pair (low, high) of finite numbers with low < high."""

    def allows(value: object) -> bool:
        if not is_sequence(value) or len(value) != 2:
            return False
        return is_real(value[0]) and is_real(value[1]) and bool(value[0] < value[1])

    return Limit(allows, "a pair (low, high) with low < high")


def parameter(default: Any, limit: Limit, meaning: str) -> Any:
    """Declare a field of a part: its default, its limit and its meaning with the unit."""
    return dataclasses.field(default=default, metadata={"limit": limit, "meaning": meaning})


def complaint(name: str, owner: str, value: object, limit: Limit) -> str | None:
    """Return one sentence on what is wrong with a value, or None where nothing is."""
    if limit.allows(value):
        return None
    given = shortened(repr(value))
    hint = near_miss(value, limit.names)
    return f"`{name}` of {owner} must be {limit.words}, got {given}.{hint}"


def check(owner: str, values: Mapping[str, object], limits: Mapping[str, Limit]) -> None:
    """Report everything that lies outside its limits, at once.

    Raises
    ------
    ParameterError
        Naming each parameter, what was given and what is allowed.
    """
    complaints = [complaint(name, owner, values[name], limit) for name, limit in limits.items()]
    found = [sentence for sentence in complaints if sentence is not None]
    if found:
        raise ParameterError(" ".join(found))


def check_part(part: Any) -> None:
    """Check every field of a part against the limit beside it.

    Raises
    ------
    ParameterError
        As `check` words it.
    """
    fields = dataclasses.fields(part)
    # A user's own part may leave limits out.
    limits = {f.name: f.metadata["limit"] for f in fields if "limit" in f.metadata}
    check(type(part).__name__, part.get_params(), limits)


def plain(value: Any) -> Any:
    """Return a parameter in Python's own types: grids hand over NumPy's scalars and arrays."""
    if isinstance(value, np.ndarray):
        return tuple(value.tolist())
    return value.item() if isinstance(value, np.generic) else value


def get_params(part: Any, deep: bool = True) -> dict[str, Any]:
    """Return a part's fields by name, as scikit-learn's `clone` and `get_params` want them."""
    del deep  # parts hold no further parts
    return {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}


def replaced(part: Part, changes: Mapping[str, Any]) -> Part:
    """Return a copy of a part with some fields changed.

    Raises
    ------
    ParameterError
        For a name that the part does not have, with the nearest one it has.
    """
    known = part.get_params()
    unknown = [name for name in changes if name not in known]
    if unknown:
        raise ParameterError(
            f"{type(part).__name__} has no parameter {unknown[0]!r}; it has "
            f"{', '.join(known) or 'none'}.{near_miss(unknown[0], known)}"
        )
    return dataclasses.replace(part, **changes)
