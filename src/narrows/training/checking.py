"""What is handed to an `Autoencoder`, checked against it: rows, codes and classes.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, validate_data

from narrows.errors import DataError, ParameterError
from narrows.model.inference import Floats
from narrows.model.parts import named_part
from narrows.model.sampling import class_numbers
from narrows.objectives.ordered import Ordered
from narrows.sources import inputs

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder


def rows_of(ae: Autoencoder, X: Any, *, reset: bool, least: int = 1) -> NDArray[np.generic]:
    """Check data with scikit-learn, and say more where it says too little.

    Parameters
    ----------
    ae : Autoencoder
    X : array, frame or tensor (N, D), (N, H, W) or (N, H, W, C)
    reset : bool
        The first rows of a fit, whose columns and shape are kept; later ones must be like them.
    least : int, default=1
        Rows that there must be.

    Returns
    -------
    X : ndarray (N, D)

    Raises
    ------
    DataError, DataTypeError, ParameterError, ValueError, TypeError
    """
    X, shape = inputs.as_rows(X)
    try:
        rows = validate_data(ae, X, reset=reset, dtype="numeric", ensure_min_samples=least)
    except ValueError as error:
        names = getattr(X, "columns", None)
        where = (
            inputs.where_not_finite(X, names)
            if "NaN" in str(error) or "infinity" in str(error)
            else ""
        )
        if where:
            raise DataError(str(error) + where) from error
        raise
    rows = cast("NDArray[np.generic]", np.asarray(rows))
    if not reset and ae._came_shaped and shape not in (None, ae.sample_shape_):
        raise DataError(
            f"X holds pictures of shape {shape}, but this model learned from"
            f" {ae.sample_shape_}. Pass that shape, or flat rows of as many values."
        )
    if reset:
        inputs.check_magnitude(rows)
        ae._came_shaped = shape is not None
        ae.sample_shape_ = _sample_shape(ae.sample_shape, shape, rows.shape[1])
    return rows


def _sample_shape(given: Any, shape: tuple[int, ...] | None, n_features: int) -> tuple[int, ...]:
    """Return the shape of one row, from the parameter, from what the data had, or flat."""
    asked = None if given is None else tuple(int(n) for n in given)
    found = asked or shape or (n_features,)
    if int(np.prod(found)) != n_features or (asked and shape and asked != shape):
        raise ParameterError(
            f"`sample_shape`={asked} does not fit data whose rows have"
            f" {n_features} values{f' in shape {shape}' if shape else ''}."
        )
    return found


def codes_of(ae: Autoencoder, Z: Any) -> Floats:
    """Check codes (N, K), which only of an ordered model may be cut short.

    Raises
    ------
    DataError, ValueError, TypeError
    """
    codes = check_array(Z, dtype=[np.float64, np.float32], input_name="Z")
    given, size = codes.shape[1], ae.n_components_
    if given > size or (given < size and not isinstance(ae._objective, Ordered)):
        shorter = " Codes of a model of ordered=True may be cut short." if given < size else ""
        raise DataError(
            f"Z has {given} columns, but a code of this model has {size}. Pass what"
            f" `transform` returned.{shorter}"
        )
    checked: Floats = codes
    return checked


def trust_of(ae: Autoencoder, Z: Any, X: Any) -> NDArray[np.float64]:
    """Return trust (N,) in codes, for `Autoencoder.trust`, which says what is raised."""
    codes = codes_of(ae, Z)
    if codes.shape[1] < ae.n_components_:
        raise DataError(
            f"Z has {codes.shape[1]} columns, and trust is measured on whole codes of"
            f" {ae.n_components_}. Pass what `transform` returned."
        )
    if ae._trust is None:
        raise DataError(
            "This model has not measured how strange held-out rows are, as models of partial_fit"
            " and files of earlier versions of narrows have not. Use fit."
        )
    errors = None
    if X is not None:
        rows = rows_of(ae, X, reset=False)
        if len(rows) != len(codes):
            raise DataError(
                f"Z has {len(codes)} codes and X {len(rows)} rows; give the row of each code."
            )
        errors = ae._inference.squared_errors(rows, codes)
    return ae._trust.trust(ae._inference, codes, errors)


def classes_of(
    ae: Autoencoder, y: Any, n_rows: int, objective: Any, *, known: bool = False
) -> NDArray[np.int64] | None:
    """Return the classes of rows as numbers (N,) from 0, for a family that asks for them.

    Parameters
    ----------
    ae : Autoencoder
        Keeps the classes that it is shown first.
    y : array-like (N,) or None
    n_rows : int
    objective : str or Objective
    known : bool, default=False
        Hold them against the classes that were kept, where there are any.

    Raises
    ------
    DataError
        For missing classes, or unknown ones.
    """
    if not named_part("objective", objective).needs_classes:
        ae._classes = None
        return None
    if y is None:
        raise DataError(
            "This objective learns from classes, and y is None; call fit(X, y) with one label"
            " per row."
        )
    labels = inputs.as_labels(y, n_rows)
    if known and ae._classes is not None:
        return class_numbers(labels, ae._classes, n_rows)
    ae._classes, numbers = np.unique(labels, return_inverse=True)
    return numbers.astype(np.int64)
