"""From tensors, lists, frames and other containers to one array or frame of real numbers."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.errors import DataError, DataTypeError
from narrows.sources.ambiguous import check_mask

_TIMES = ("date", "time", "duration", "period")


def is_tensor(X: Any) -> bool:
    """Tell whether something is a tensor of torch, which is not imported for that."""
    return hasattr(X, "detach") and hasattr(X, "numpy")


def as_array(X: Any) -> Any:
    """Return an array or a frame, or a list whose refusal scikit-learn words.

    Raises
    ------
    DataTypeError
        For what is no array of real numbers: sparse matrices, mappings, data sets of torch, dates.
    DataError
        For masked values, complex numbers, or rows of different shapes.
    """
    found = _converted(X)
    check_mask(found)
    _check_dtype(found)
    # Categories of pandas would pass scikit-learn as they are, numbers or not.
    categories = _is_frame(found) and "category" in map(str, found.dtypes)
    return found.astype(object) if categories else found


def _converted(X: Any) -> Any:
    if is_tensor(X):
        return _from_tensor(X)
    if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1:
        X = list(X)
    if isinstance(X, (list, tuple)):
        return _from_list(X)
    if hasattr(X, "toarray") and hasattr(X, "nnz"):  # some of them are mappings in older SciPy
        raise _sparse(".toarray()")
    if isinstance(X, Mapping):
        names = [str(name) for name in X]
        which = "data" if "data" in names else next(iter(names), "name")
        raise DataTypeError(
            f"X is a {type(X).__name__} of {', '.join(names) or 'nothing'}, not an array of rows."
            f" Pass what it holds, such as X[{which!r}]."
        )
    if hasattr(X, "shape"):
        return X
    if hasattr(X, "__array__") or hasattr(X, "__array_interface__"):
        return np.asarray(X)
    raise DataTypeError(f"X is a {type(X).__name__}, not an array of rows. {_what_to_pass(X)}")


def _is_frame(X: Any) -> bool:
    return hasattr(X, "columns") and hasattr(X, "dtypes")


def _from_tensor(X: Any) -> NDArray[Any]:
    if not str(X.layout).endswith("strided"):
        raise _sparse(".to_dense()")
    X = X.detach().cpu()
    # NumPy has no such dtypes.
    lacking = str(X.dtype).startswith(("torch.bfloat16", "torch.float8"))
    found: NDArray[Any] = (X.float() if lacking else X.resolve_conj()).numpy()
    return found


def _from_list(X: Any) -> Any:
    rows = [_from_tensor(row) if is_tensor(row) else row for row in X]
    if any(np.ma.isMaskedArray(row) for row in rows):
        check_mask(np.ma.array(rows))
    try:
        array = np.asarray(rows)
    except ValueError:
        shapes = [_shape_of(row) for row in rows]
        other = next((n for n, shape in enumerate(shapes) if shape != shapes[0]), None)
        if other is None:
            return X
        raise DataError(
            f"X is a list of rows of different shapes: row 0 has {shapes[0]} and row {other} has"
            f" {shapes[other]}. Cut, pad or resize all to one shape."
        ) from None
    return array if array.dtype.kind in "buifcMmV" else X


def _shape_of(row: Any) -> str:
    try:
        return f"shape {np.shape(row)}"
    except ValueError:
        return "parts of different shapes"


def _sparse(way_out: str) -> DataTypeError:
    return DataTypeError(
        f"Sparse data was passed, but dense data is required. Use '{way_out}' to convert it to a"
        " dense array, block by block where memory is short; narrows learns from dense rows alone."
    )


def _what_to_pass(X: Any) -> str:
    """Say how to get rows from a container that is none."""
    if isinstance(X, (str, PathLike)):
        return "Read the file first, for example with numpy.load or pandas.read_csv."
    for place, holder in (("X", X), ("X.dataset", getattr(X, "dataset", None))):
        if hasattr(holder, "tensors"):
            return f"Pass its tensor of rows: {place}.tensors[0]."
    if not (hasattr(X, "__iter__") or hasattr(X, "__getitem__")):
        return "Pass an array, a tensor or a frame of shape (n, features)."
    return (
        "Pass its rows in one array, for example np.stack([row for row, label in X]) of pairs and"
        " np.concatenate(list(X)) of batches, or call partial_fit with one batch after another."
    )


def _check_dtype(X: Any) -> None:
    """Refuse values that would be learned as other numbers than they stand for.

    Raises
    ------
    DataError
        For complex numbers.
    DataTypeError
        For dates and durations, records with named fields, and dtypes that NumPy cannot use.
    """
    dtype = getattr(X, "dtype", None)
    kind = getattr(dtype, "kind", None)
    if kind == "c":
        raise DataError(
            "Complex data not supported. Pass np.abs(X), or real and imaginary parts beside each"
            " other: np.concatenate([X.real, X.imag], axis=1)."
        )
    if kind == "V":
        names = getattr(dtype, "names", None)
        way_out = (
            "numpy.lib.recfunctions.structured_to_unstructured(X)" if names else "X.astype(float)"
        )
        raise DataTypeError(f"X holds values of dtype {dtype}. Pass {way_out}.")
    by_column = zip(X.columns, X.dtypes, strict=True) if _is_frame(X) else ()
    columns = [repr(name) for name, dtype in by_column if str(dtype).lower().startswith(_TIMES)]
    if kind in ("M", "m") or columns:
        where = f" in {', '.join(columns[:5])}" if columns else ""
        raise DataTypeError(
            f"X holds dates or durations{where}, and their unit would be guessed. Turn them into"
            " numbers of a unit that you choose, for example"
            " (dates - dates.min()) / np.timedelta64(1, 'D'), or leave them out."
        )
