"""Rows as pictures of 8 bits.

Legend: N rows, D features, H height, W width, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def pixels_of(
    rows: NDArray[Any], shape: Sequence[int], bounds: tuple[float, float] | None
) -> NDArray[np.uint8]:
    """Return rows (N, D) or shaped ones as pictures (N, H, W) or (N, H, W, C), 0 to 255.

    All share one scale: the bounds, or the range of the rows.
    """
    low, high = bounds or (float(rows.min()), float(rows.max()))
    share = (rows.astype(np.float64) - low) / (high - low if high > low else 1.0)
    pixels = np.rint(255.0 * np.clip(share, 0.0, 1.0)).astype(np.uint8)
    pixels = pixels.reshape(len(rows), *shape)
    return pixels[..., 0] if len(shape) == 3 and shape[2] == 1 else pixels


def png_of(pixels: NDArray[np.uint8]) -> bytes:
    """Return a picture (H, W) or (H, W, C) as a PNG file."""
    out = BytesIO()
    Image.fromarray(pixels).save(out, format="PNG")
    return out.getvalue()
