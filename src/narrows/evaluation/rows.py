"""Held-out rows, training rows and their classes, checked.

Legend: N held-out rows, M training rows, D features, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.common.blocks import evenly_spread, rows_at_once, slices
from narrows.common.warn import warn
from narrows.errors import DataError, DataTypeError
from narrows.estimator import Autoencoder
from narrows.evaluation.classifiers import MOST_ROWS, NEIGHBORS
from narrows.sources.inputs import as_labels, rows_of
from narrows.web.words import Words, say

MOST_VALUES = 1 << 25
"""Values of rows (256 MiB in float64) that are used at once, if rows are very large."""
MOST_CLASSES = 200
"""Most different labels that count as classes; with more, probes would take minutes."""
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class MeasuredRows:
    """What a model is measured on, and the training rows that probes may learn from.

    Attributes
    ----------
    rows : ndarray (N, D)
    classes : ndarray (N,) of int or None
        Numbers of the classes; None without labels that are classes.
    class_names : tuple of str
        The text of each label, C of them.
    train : ndarray (M, D) or None
    train_classes : ndarray (M,) of int or None
    no_classes : Words or None
        Why the labels are not used as classes.
    """

    rows: NDArray[np.generic]
    classes: Numbers | None = None
    class_names: tuple[str, ...] = ()
    train: NDArray[np.generic] | None = None
    train_classes: Numbers | None = None
    no_classes: Words | None = None


def check_estimator(owner: str, ae: Any) -> None:
    """Raise a DataTypeError for anything but a fitted `Autoencoder`, or a NotFittedError."""
    from sklearn.utils.validation import check_is_fitted

    if not isinstance(ae, Autoencoder):  # scikit-learn would print the whole array
        raise DataTypeError(
            f"{owner} takes a fitted Autoencoder first, then the rows; its first argument is of"
            f" type {type(ae).__name__}."
        )
    check_is_fitted(ae)


def read_rows(ae: Autoencoder, X: Any, y: Any, X_train: Any, y_train: Any) -> MeasuredRows:
    """Check rows and labels.

    Raises
    ------
    DataError
        For rows that do not fit the model, labels that do not fit the rows, fewer than 12 rows
        with labels, ``y_train`` without ``X_train``, or training rows that are ``X``.
    """
    rows = rows_of(ae, X, reset=False)[0]
    if y_train is not None and X_train is None:
        raise DataError("y_train was given without X_train; give the training rows too.")
    train = None if X_train is None else _read_training_rows(ae, X_train)
    if train is not None:
        _check_apart(rows, train)
    if y is None:
        return MeasuredRows(rows, train=train)
    labels = [_labels(y, len(rows), ("y", "X"))]
    if len(rows) < NEIGHBORS + 2:
        raise DataError(
            f"{len(rows)} rows are too few for the accuracy of {NEIGHBORS} neighbours; give at"
            f" least {NEIGHBORS + 2}, or leave y out."
        )
    if train is not None and y_train is not None:
        labels.append(_labels(y_train, len(train), ("y_train", "X_train")))
    names, numbers = np.unique(np.concatenate(labels), return_inverse=True)
    reason = _no_classes(len(names), len(rows))
    if reason is not None:
        return MeasuredRows(rows, train=train, no_classes=reason)
    known, trained = numbers[: len(rows)], numbers[len(rows) :]
    texts = tuple(str(name) for name in names.tolist())
    return MeasuredRows(rows, known, texts, train, trained if len(labels) > 1 else None)


def _no_classes(n: int, n_rows: int) -> Words | None:
    """Say why n different labels are not used as classes; None where they are."""
    if n < 2:
        return say("scorecard.no_classes.one_label")
    if n > min(MOST_CLASSES, n_rows // 2):
        return say("scorecard.no_classes.many", n=n, n_rows=n_rows, most=MOST_CLASSES)
    return None


def _labels(y: Any, n_rows: int, names: tuple[str, str]) -> NDArray[Any]:
    labels = as_labels(y, n_rows, names)
    # Objects of several kinds have no order; their texts do.
    return labels.astype(str) if labels.dtype == object else labels


def _read_training_rows(ae: Autoencoder, X_train: Any) -> NDArray[np.generic]:
    try:
        return rows_of(ae, X_train, reset=False)[0]
    except (DataTypeError, TypeError) as error:
        raise DataTypeError(f"X_train: {error}") from error
    except ValueError as error:
        raise DataError(f"X_train: {error}") from error


def _check_apart(rows: NDArray[np.generic], train: NDArray[np.generic]) -> None:
    """Refuse training rows as held-out rows; warn if most held-out rows are training rows.

    Raises
    ------
    DataError
    """
    if rows.shape == train.shape and _are_equal(rows, train):
        raise DataError(
            "X and X_train are the same rows, but a model is measured on rows that it never saw;"
            " give held-out rows."
        )
    known = set(_hashes(train))
    share = float(np.mean([number in known for number in _hashes(rows)]))
    if share > 0.5:
        warn(
            f"{100 * share:.3g} % of the rows of X stand in X_train too. Numbers on training rows"
            " look better than they are; give held-out rows as X."
        )


def _are_equal(rows: NDArray[np.generic], others: NDArray[np.generic]) -> bool:
    parts = slices(len(rows), rows_at_once(rows.shape[1], MOST_VALUES))
    return all(np.array_equal(rows[part], others[part]) for part in parts)


def _hashes(rows: NDArray[np.generic]) -> list[int]:
    return [hash(np.asarray(row, dtype=np.float64).tobytes()) for row in rows]


def some_rows(rows: NDArray[np.generic], most: int = MOST_ROWS) -> Numbers:
    """Return the numbers of at most so many rows, evenly spread; of fewer if rows are very large.

    Enough for votes of neighbors in both halves of them.
    """
    bounded = rows_at_once(rows.shape[1], MOST_VALUES, most)
    return evenly_spread(len(rows), max(2 * NEIGHBORS, bounded))
