"""Check the rows, labels and codes that a user gives; return them as arrays.

Legend: N rows, D features.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.common.blocks import slices
from narrows.errors import DataError, ParameterError
from narrows.sources.ambiguous import check_axes
from narrows.sources.containers import as_array, is_tensor

Shape = tuple[int, ...]
PICTURE_SHARE = 0.001
"""Part of the values that must be exactly 0, and exactly 1, for floats to count as pictures."""
PART_ROWS = 4096
"""Rows that are looked at together."""
LARGEST, LARGEST_FLOAT32 = 1e100, 1e30
"""Largest values: up to the first, sums of squares stay within float64; up to the second, which is
for rows in float32, codes stay within float32."""
SMALLEST = 1e-100
"""Range of the data from which sums of squares stay far above zero in float64."""
DOMINANT_SHARE = 0.9
"""Part of the variance in few columns from which `fit` warns."""
MOST_NAMED = 3
"""Columns that a warning names."""


def as_rows(X: Any, *, shape_is_known: bool = True) -> tuple[Any, Shape | None]:
    """Flatten pictures to rows, and turn tensors and lists into arrays, without a copy.

    Parameters
    ----------
    X : array, frame or tensor of shape (N, D), (N, H, W) or (N, H, W, C)
    shape_is_known : bool, default=True
        False for the first rows of a fit: their axes are then looked at for a second reading.

    Returns
    -------
    X : the same, or an array (N, D)
    sample_shape : (H, W), (H, W, C) or None for rows that came flat

    Raises
    ------
    DataTypeError
        For what is no array of real numbers: sparse matrices, mappings, data sets of torch, dates.
    DataError
        For more than four axes, masked values, rows of different shapes, or one picture.
    """
    came_as_tensor = is_tensor(X)
    X = as_array(X)
    shape = getattr(X, "shape", None)
    if shape is None:
        return X, None
    if len(shape) > 4:
        raise DataError(
            f"X has shape {tuple(shape)}; narrows takes rows (n, features) or pictures"
            " (n, height, width) or (n, height, width, channels)."
        )
    if not shape_is_known:
        check_axes(X, is_tensor=came_as_tensor)
    if len(shape) <= 2:
        return X, None
    sample_shape = tuple(int(n) for n in shape[1:])
    return np.asarray(X).reshape(int(shape[0]), math.prod(sample_shape)), sample_shape


def where_not_finite(X: Any, names: Any = None) -> str:
    """Say where the first NaN or infinity of a table stands, or return "" where none is found."""
    if hasattr(X, "notna"):  # pandas: its own mark of a missing value is no number
        X = X.astype(object).where(X.notna(), np.nan)
    table = np.asarray(X)
    if table.ndim != 2:
        return ""
    for part in slices(len(table), PART_ROWS):
        try:
            values = table[part].astype(np.float64)
        except (TypeError, ValueError):
            return ""
        places = np.argwhere(~np.isfinite(values))
        if len(places):
            row, column = (int(n) for n in places[0])
            name = f" ({names[column]!r})" if names is not None and len(names) > column else ""
            found = values[row, column]
            first = "Drop such rows, or" if np.isnan(found) else "Set infinities to NaN, and then"
            return (
                f" The first such value is {found} in row {row + part.start},"
                f" column {column}{name}, counted from 0. {first} fill them in with"
                " sklearn.impute.SimpleImputer."
            )
    return ""


def check_magnitude(X: NDArray[np.generic]) -> None:
    """Check that errors and codes of rows (N, D) can be held.

    Errors are squares, added up in float64. Codes have the dtype of the rows, and a number of a
    code is as large as a whole row.

    Raises
    ------
    DataError
    """
    low, high = float(X.min()), float(X.max())
    largest = max(abs(low), abs(high))
    is_short = X.dtype.kind == "f" and X.dtype.itemsize < 8
    most = LARGEST_FLOAT32 if is_short else LARGEST
    if largest > most:
        way_out = "pass X.astype(np.float64), or divide" if is_short else "divide"
        raise DataError(
            f"X holds values as large as {largest:.3g}; narrows takes up to {most:g} in {X.dtype}."
            f" To go on, {way_out} the data by a common number."
        )
    span = high - low
    if 0 < span < SMALLEST:
        raise DataError(
            f"The values of X differ by {span:.3g} or less, and squares of that are zero in"
            f" float64; narrows takes data that vary by {SMALLEST:g} or more. Multiply the data by"
            " a common number."
        )


def choose_bounds(bounds: Any, X: NDArray[np.generic]) -> tuple[float, float] | None:
    """Return the range that reconstructions are clipped to, in data units.

    ``"auto"`` takes (0, 255) for uint8, (0, 1) for floats within [0, 1] that are exactly 0 and
    exactly 1 in at least 0.1 % of the values each, and None otherwise.
    """
    if bounds is None:
        return None
    if not isinstance(bounds, str):
        return float(bounds[0]), float(bounds[1])
    if X.dtype == np.uint8:
        return 0.0, 255.0
    if X.dtype.kind != "f" or X.min() != 0 or X.max() != 1:
        return None
    zeros = X.size - np.count_nonzero(X)
    ones = sum(int(np.count_nonzero(X[part] == 1)) for part in slices(len(X), PART_ROWS))
    return (0.0, 1.0) if min(int(zeros), ones) >= PICTURE_SHARE * X.size else None


def dominant_columns(variances: NDArray[np.float64], names: Any = None) -> list[str]:
    """Say where few columns (D,) carry nearly all the variance, so that a code shows only them.

    Few are a tenth of the columns that vary, or one; nearly all is 90 %.
    """
    order = np.argsort(-variances)
    n_varying = int(np.count_nonzero(variances))
    few = max(1, n_varying // 10)
    shares = np.cumsum(variances[order]) / max(variances.sum(), np.finfo(np.float64).tiny)
    if n_varying < 2 or shares[few - 1] < DOMINANT_SHARE:
        return []
    count = int(np.searchsorted(shares, DOMINANT_SHARE)) + 1
    columns = [f"{n}" if names is None else f"{n} ({names[n]!r})" for n in order[:count].tolist()]
    listed = ", ".join(columns[:MOST_NAMED]) + (" and others" if count > MOST_NAMED else "")
    which = f"Column {listed} carries" if count == 1 else f"Columns {listed} carry"
    return [
        f"{which} {100 * shares[count - 1]:.4g} % of the variance of {len(variances)} columns, so"
        " the code describes little else. If columns have different units, use"
        " scaling='standard' (on the command line: --set scaling=standard)."
    ]


def as_labels(y: Any, n_rows: int, names: tuple[str, str] = ("y", "X")) -> NDArray[Any]:
    """Return classes (N,) as an array.

    Parameters
    ----------
    y : array-like (N,) or (N, 1)
    n_rows : int
        N.
    names : (str, str), default=("y", "X")
        What the caller calls classes and rows.

    Raises
    ------
    DataError
        If there is not one for each row, or one is missing.
    """
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (n_rows,):
        raise DataError(
            f"{names[0]} has shape {labels.shape}, but {names[1]} has {n_rows} rows; give one label"
            " per row."
        )
    if np.ma.is_masked(y) or any(_is_missing(label) for label in labels.tolist()):
        raise DataError(
            f"{names[0]} holds missing labels; leave those rows out, or give them a class."
        )
    kinds = {type(label).__name__ for label in labels.tolist()}
    if not (kinds <= {"str"} or kinds <= {"int", "float", "bool"}):
        raise DataError(
            f"{names[0]} holds labels of type {' and '.join(sorted(kinds))}; give numbers"
            " alone, or text alone, such as [str(label) for label in y]."
        )
    return labels


def _is_missing(label: Any) -> bool:
    """Tell whether a label is None, NaN or NaT, or the NA of pandas, which no `!=` answers."""
    return label is None or type(label).__name__ == "NAType" or label != label


def rows_of(
    ae: Any, X: Any, *, reset: bool, least: int = 1
) -> tuple[NDArray[np.generic], Shape | None]:
    """Check data with scikit-learn, and say more where it says too little.

    Parameters
    ----------
    ae : estimator
        Whose ``n_features_in_`` and ``feature_names_in_`` are set, or compared with.
    X : array, frame or tensor (N, D), (N, H, W) or (N, H, W, C)
    reset : bool
        Whether these are the first rows of a fit, which later ones must be like.
    least : int, default=1
        Rows that there must be.

    Returns
    -------
    X : ndarray (N, D)
    sample_shape : tuple of int or None
        Of pictures; None for rows that came flat.

    Raises
    ------
    DataError, DataTypeError, ValueError, TypeError
    """
    from sklearn.utils.validation import validate_data

    given, came_as = getattr(ae, "sample_shape", None), tuple(getattr(X, "shape", ()))
    X, shape = as_rows(X, shape_is_known=not reset or given is not None)
    try:
        # Its sum over large float32 values may overflow, of which NumPy would warn.
        with np.errstate(over="ignore", invalid="ignore"):
            found = validate_data(ae, X, reset=reset, dtype="numeric", ensure_min_samples=least)
    except (ValueError, TypeError) as error:
        said = str(error).partition("\n")[0]
        said = "Input X contains missing values." if "NAType" in said else said
        not_finite = any(word in said for word in ("NaN", "infinity", "missing"))
        where = where_not_finite(X, getattr(X, "columns", None)) if not_finite else ""
        if not reset and came_as == getattr(ae, "sample_shape_", None) and len(came_as) > 1:
            where = " X has the shape of one picture; pass X[None]."
        if where:
            raise DataError(said + where) from error
        raise
    rows: NDArray[np.generic] = np.asarray(found)
    check_magnitude(rows)
    return rows, shape


def check_same_shape(shape: Shape | None, known: Shape) -> None:
    """Check pictures against the shape that a model learned from.

    Raises
    ------
    DataError
    """
    if shape not in (None, known):
        raise DataError(
            f"X holds pictures of shape {shape}, but this model learned from {known}. Pass that"
            " shape, or flat rows of as many values."
        )


def sample_shape(given: Any, shape: Shape | None, n_features: int) -> Shape:
    """Return the shape of one row, from the parameter, from what the data had, or flat.

    Raises
    ------
    ParameterError
        Where they do not fit each other.
    """
    asked = None if given is None else tuple(int(n) for n in given)
    found = asked or shape or (n_features,)
    if math.prod(found) != n_features or (asked and shape and asked != shape):
        raise ParameterError(
            f"`sample_shape`={asked} does not fit data whose rows have"
            f" {n_features} values{f' in shape {shape}' if shape else ''}."
        )
    return found


def one_row(row: Any, sample_shape: Shape) -> Any:
    """Return one row, given alone or as an array of one, as an array of one.

    Raises
    ------
    DataError
    """
    if hasattr(row, "to_frame") and not hasattr(row, "columns"):  # a row of a data frame
        row = row.to_frame().T
    array = row if hasattr(row, "shape") else np.asarray(row)
    n_features = math.prod(sample_shape)
    if array.shape in ((n_features,), sample_shape):
        array = array[None]
    if len(array) != 1:
        raise DataError(
            f"One row was expected, of shape {sample_shape} or ({n_features},), got an array of"
            f" shape {array.shape}."
        )
    return array


def codes_of(Z: Any) -> NDArray[np.floating[Any]]:
    """Check that codes (N, k) are an array of finite numbers, float32 or float64.

    Raises
    ------
    ValueError, TypeError
    """
    from sklearn.utils.validation import check_array

    codes: NDArray[np.floating[Any]] = check_array(
        Z, dtype=[np.float64, np.float32], input_name="Z"
    )
    return codes
