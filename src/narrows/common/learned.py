"""Attributes of an object that are parts of a value behind it, and work that may fail."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class Learned(Generic[T]):
    """An attribute read from ``model_``; absent as long as there is none.

    Parameters
    ----------
    read : callable
        Takes ``model_``, returns the attribute's value.
    optional : bool
        Whether a value of None means that the attribute is absent.
    """

    def __init__(self, read: Callable[[Any], T], *, optional: bool = False) -> None:
        self._read, self._optional = read, optional

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: object, kind: type) -> T: ...
    def __get__(self, owner: object | None, kind: type) -> Self | T:
        """Return the value, or of the class the attribute itself."""
        if owner is None:
            return self
        model = vars(owner).get("model_")
        if model is not None:
            value = self._read(model)
            if value is not None or not self._optional:
                return value
        raise AttributeError(f"{kind.__name__!r} object has no attribute {self._name!r}")


@contextlib.contextmanager
def all_or_nothing(owner: Any, *, forget: str) -> Iterator[None]:
    """Undo what has been set on an object if the work fails, but for one attribute, set to None."""
    before = dict(vars(owner))
    try:
        yield
    except BaseException:
        owner.__dict__.clear()
        owner.__dict__.update({**before, forget: None})
        raise
