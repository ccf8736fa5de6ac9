"""A part as a short list of operations that other frameworks have, too.

Legend: B batch; other letters as in the operation.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

ANY = -1
"""In a shape, the rows of the batch."""


class Value(NamedTuple):
    """Something that operations take: the name of a result or a weight, or a constant.

    Attributes
    ----------
    name : str
        Of the input, of an operation's result, or of a weight; "" for a constant.
    constant : ndarray or None
    """

    name: str = ""
    constant: NDArray[Any] | None = None


class Operation(NamedTuple):
    """One step of a computation.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    name : str
        Of its result.
    takes : tuple of Value
    options : dict
        What else it needs, as JSON has it.
    shape : tuple of int
        Of its result, `ANY` for the batch.
    """

    kind: str
    name: str
    takes: tuple[Value, ...]
    options: dict[str, Any]
    shape: tuple[int, ...]


class Graph(NamedTuple):
    """A part as operations in their order.

    Attributes
    ----------
    entered, result : str
        Names of what enters and of the last result.
    shape : tuple of int
        Of what enters, `ANY` for the batch.
    operations : tuple of Operation
    weights : dict of str to ndarray
        What is trained, by name.
    """

    entered: str
    shape: tuple[int, ...]
    result: str
    operations: tuple[Operation, ...]
    weights: dict[str, NDArray[Any]]


KINDS = (
    "linear",  # x (…, D), weight (O, D), bias (O,) or nothing
    "convolution",  # x (B, C, H, W), weight (O, C / groups, h, w), bias; stride, padding, groups
    "add",
    "subtract",
    "multiply",
    "divide",
    "less",
    "not_equal",
    "gelu",
    "relu",
    "silu",
    "tanh",
    "sigmoid",
    "absolute",
    "square",
    "sqrt",
    "mean",  # axis, keep
    "maximum_of",  # axis, keep: the largest along an axis
    "clip",  # low, high; either may be None
    "reshape",  # shape
    "transpose",  # axes
    "pad",  # before, after: zeros on each axis
    "slice",  # axis, start, stop
    "concatenate",  # axis
    "argmin",  # axis
    "largest",  # count: places of the largest along the last axis
    "gather",  # x (B, D), places (B, k): along the last axis
    "scatter",  # places (B, k), values (B, k); size: zeros (B, size) with values at places
    "look_up",  # table (N, …), places
    "cast",  # to: "float" or "integer"
)
"""All operations; those without further words take one value, or two that are broadcast."""
