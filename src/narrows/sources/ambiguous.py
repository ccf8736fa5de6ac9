"""Arrays that can be read in two ways: which reading is taken, and what to type for the other.

Legend: N rows, H height, W width, C channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.common.text import count
from narrows.common.warn import warn
from narrows.errors import DataError

MOST_CHANNELS = 4
"""Channels of a usual picture: grey, two, RGB or RGBA."""
LEAST_SIDE = 16
"""Pixels on a side from which an array (a, b, 3) looks like a picture, not like lists of points."""
LEAST_PHOTOGRAPH = 256
"""Pixels on a side from which a table of uint8 is looked at as one grey photograph."""
ALIKE = 0.5
"""A table looks like a photograph where neighbouring lines differ by less than this part of the
difference between far lines."""
LOOKED_AT = 128
"""Lines of a table that are compared with their neighbours."""


def check_axes(X: Any, *, is_tensor: bool = False) -> None:
    """Look for a second reading of the axes of the first rows of a fit.

    Parameters
    ----------
    X : array or frame of two to four axes
    is_tensor : bool, default=False
        Whether it was given as a torch tensor, for the message.

    Raises
    ------
    DataError
        For what is nearly certainly one colour picture; a NarrowsWarning names other doubts.
    """
    shape = tuple(int(n) for n in X.shape)
    if len(shape) == 4:
        _warn_of_channels_first(shape, is_tensor)
    elif len(shape) == 3:
        _check_one_colour_picture(shape, X.dtype == np.uint8)
    elif min(shape, default=0) >= LEAST_PHOTOGRAPH and getattr(X, "dtype", None) == np.uint8:
        table = np.asarray(X)
        if _is_smooth(table) and _is_smooth(table.T):
            warn(_one_picture(shape, f"{shape[0]} × {shape[1]} grey pixels"))


def _warn_of_channels_first(shape: tuple[int, ...], is_tensor: bool) -> None:
    _, first, second, last = shape
    looks_so = first <= MOST_CHANNELS or first != second == last
    if last <= MOST_CHANNELS or not looks_so:
        return
    move = "X.movedim(1, -1)" if is_tensor else "np.moveaxis(X, 1, -1)"
    warn(
        f"X of shape {shape} is read as pictures of {first} × {second} pixels with {last} channels."
        f" If the channels come first, as in torch, pass {move}. If they do not, set"
        f" sample_shape={shape[1:]}."
    )


def _check_one_colour_picture(shape: tuple[int, ...], is_bytes: bool) -> None:
    first, second, last = shape
    if last in (3, 4) and min(first, second) >= LEAST_SIDE:
        words = _one_picture(shape, f"{first} × {second} pixels with {last} channels")
        if is_bytes:
            raise DataError(words)
        warn(words)
    elif first in (3, 4) and min(second, last) >= LEAST_SIDE:
        warn(_one_picture(shape, f"{second} × {last} pixels with {first} channels"))


def _one_picture(shape: tuple[int, ...], pixels: str) -> str:
    size = " × ".join(map(str, shape[1:]))
    return (
        f"X of shape {shape} is read as {shape[0]} rows of {size} values, but it looks like one"
        f" picture of {pixels}. One picture is passed as X[None], and a set of them as"
        " np.stack(pictures). To learn from a single one, cut it into patches:"
        " sklearn.feature_extraction.image.extract_patches_2d. If it is a set of rows, set"
        f" sample_shape={shape[1:]}."
    )


def _is_smooth(table: NDArray[np.uint8]) -> bool:
    """Tell whether each line is more like the next one than like one far away.

    So it is in both directions of a photograph, but not among rows in random order.
    """
    half = len(table) // 2
    lines = np.linspace(0, half - 1, LOOKED_AT).astype(int)
    here, next_, far = (table[lines + n].astype(np.int16) for n in (0, 1, half))
    return bool(np.abs(here - next_).mean() < ALIKE * np.abs(here - far).mean())


def check_mask(X: Any) -> None:
    """Refuse masked values, whose numbers would be learned.

    Raises
    ------
    DataError
    """
    if not np.ma.is_masked(X):
        return
    axes = tuple(range(1, X.ndim))
    axis = axes[0] if len(axes) == 1 else axes
    masked = count(int(np.ma.getmaskarray(X).sum()), "value")
    raise DataError(
        f"{masked} of X are masked, and what stands behind the"
        " mask would be learned as if it were measured. Give them a value with X.filled(value), or"
        f" leave out their rows with X[~X.mask.any(axis={axis})]."
    )
