"""Whether the rows of a model can be drawn as pictures, and of which shape."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

SMALLEST_SIDE = 8
"""Pixels that a side of a picture has at the least, where nothing but its rows tells its shape."""


def shape_of_pictures(ae: Autoencoder) -> tuple[int, ...] | None:
    """Return (H, W) or (H, W, C) of a model's rows, or None where they are no pictures.

    Flat rows count as pictures where they cannot be taken for a table: square, at least 8 × 8,
    without names of columns, and with the bounds of pixels, (0, 1) or (0, 255).
    """
    shape, size = ae.sample_shape_, ae.n_features_in_
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4)):
        return tuple(shape)
    side = math.isqrt(size)
    pixels = ae.bounds_ in ((0.0, 1.0), (0.0, 255.0)) and not hasattr(ae, "feature_names_in_")
    if len(shape) == 1 and side * side == size and side >= SMALLEST_SIDE and pixels:
        return side, side
    return None
