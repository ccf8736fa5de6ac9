"""The rows and classes that a fit is given, checked.

Legend: N rows, D features, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.errors import DataError
from narrows.model.model import Model
from narrows.model.parts import named_part
from narrows.model.sampling import class_numbers
from narrows.sources import inputs


@dataclass(frozen=True)
class Data:
    """The rows that a fit is given, checked.

    Attributes
    ----------
    X : ndarray (N, D)
    sample_shape : tuple of int
        Shape of one row.
    came_shaped : bool
        Whether rows came as pictures.
    names : tuple of str or None
        Of the columns.
    classes : ndarray (C,) or None
        Labels, for a family that learns from them.
    numbers : ndarray (N,) of int64 or None
        The class of each row, counted from 0.
    """

    X: NDArray[np.generic]
    sample_shape: tuple[int, ...]
    came_shaped: bool = False
    names: tuple[str, ...] | None = None
    classes: NDArray[Any] | None = None
    numbers: NDArray[np.int64] | None = None

    @property
    def class_shares(self) -> tuple[float, ...]:
        """Part of the rows in each class; () where there are none."""
        if self.numbers is None or self.classes is None:
            return ()
        counts = np.bincount(self.numbers, minlength=len(self.classes))
        return tuple((counts / len(self.numbers)).tolist())


def read_data(ae: Any, X: Any, y: Any, *, least: int, model: Model | None = None) -> Data:
    """Check the rows and classes of a fit, or of a further pass with a model.

    Parameters
    ----------
    ae : Autoencoder
        Whose parameters are read, and whose names and number of columns are set or compared with.
    X : array, frame or tensor (N, D), (N, H, W) or (N, H, W, C)
    y : array-like (N,) or None
    least : int
        Rows that there must be.
    model : Model, optional
        That trains on, and knows shape and classes.

    Raises
    ------
    DataError, DataTypeError, ParameterError, ValueError, TypeError
    """
    rows, shape = inputs.rows_of(ae, X, reset=model is None, least=least)
    if model is None:
        sample_shape = inputs.sample_shape(ae.sample_shape, shape, rows.shape[1])
        came_shaped, objective = shape is not None, named_part("objective", ae.objective)
    else:
        sample_shape, came_shaped, objective = (
            model.sample_shape,
            model.came_shaped,
            model.objective,
        )
        if came_shaped:
            inputs.check_same_shape(shape, sample_shape)
    names = getattr(ae, "feature_names_in_", None)
    columns = None if names is None else tuple(map(str, names))
    if not objective.needs.classes:
        return Data(rows, sample_shape, came_shaped, columns)
    if y is None:
        raise DataError(
            "This objective learns from classes, and y is None; call fit(X, y) with one label per"
            " row."
        )
    labels = inputs.as_labels(y, len(rows))
    if model is not None and model.classes is not None:
        numbers = np.asarray(class_numbers(labels, model.classes, len(rows)))
        return Data(rows, sample_shape, came_shaped, columns, model.classes, numbers)
    classes, found = np.unique(labels, return_inverse=True)
    return Data(rows, sample_shape, came_shaped, columns, classes, found.astype(np.int64))
