"""Pictures cut into cells that lie side by side, and laid out again; their channels come last.

A convolution whose kernel is as large as its stride is one matrix product over such cells.

Legend: B batch, R rows of cells, S cells in a row, P numbers in a cell, H height, W width,
C channels.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional

from narrows.errors import ParameterError

LARGEST_PATH = 1 << 25
"""Numbers in a matrix from features to codes (128 MiB in float32) up to which there is one."""
LONGEST = 4
"""Largest ratio of a cell's sides, unless that of the picture is larger."""
_NEAR = 64
"""Code sizes above the one asked for that are tried, to suggest one in the error."""


class Cells(NamedTuple):
    """How a picture (H, W, C) is cut: into R × S cells, filled up with zeros below and right."""

    height: int
    width: int
    channels: int
    rows: int
    columns: int

    @property
    def high(self) -> int:
        """Pixels from top to bottom of a cell."""
        return math.ceil(self.height / self.rows)

    @property
    def wide(self) -> int:
        """Pixels from left to right of a cell."""
        return math.ceil(self.width / self.columns)

    @property
    def size(self) -> int:
        """Numbers in a cell, P."""
        return self.high * self.wide * self.channels

    @property
    def n_cells(self) -> int:
        """Cells in a picture, R · S."""
        return self.rows * self.columns

    def gather(self, x: Tensor) -> Tensor:
        """Turn pictures (B, H, W, C), or flat ones (B, H · W · C), into cells (B, R, S, P)."""
        x = x.reshape(-1, self.height, self.width, self.channels)
        below = self.rows * self.high - self.height
        right = self.columns * self.wide - self.width
        if below or right:
            x = functional.pad(x, (0, 0, 0, right, 0, below))
        cells = x.reshape(-1, self.rows, self.high, self.columns, self.wide, self.channels)
        return cells.transpose(2, 3).reshape(-1, self.rows, self.columns, self.size)

    def spread(self, cells: Tensor) -> Tensor:
        """Turn cells (B, R, S, P) into the pictures (B, H, W, C) that they were cut from."""
        shape = (-1, self.rows, self.columns, self.high, self.wide, self.channels)
        whole = cells.reshape(shape).transpose(2, 3)
        whole = whole.reshape(-1, self.rows * self.high, self.columns * self.wide, self.channels)
        return whole[:, : self.height, : self.width]


def as_picture(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Return height, width and channels where the shape of a row is that of a picture."""
    if len(shape) not in (2, 3):
        return None
    height, width, *channels = shape
    return height, width, channels[0] if channels else 1


def cells_for_pca(shape: tuple[int, ...], n_components: int) -> Cells | None:
    """Choose how to cut pictures that are too large for a PCA of whole ones.

    They are cut into the fewest cells that are small enough and not too long. Each cell has the
    same number of numbers of the code.

    Returns
    -------
    Cells or None
        None for rows that are no pictures, or small enough.

    Raises
    ------
    ParameterError
        Where no number of cells divides the code, with the nearest codes that can be divided.
    """
    picture = as_picture(shape)
    if picture is None or math.prod(picture) * n_components <= LARGEST_PATH:
        return None
    cells = _fewest(picture, n_components)
    if cells is not None:
        return cells
    others = [k for k in range(1, n_components + _NEAR) if _allows(picture, k)]
    below = [k for k in others if k < n_components][-1:]
    near = " or ".join(str(k) for k in below + [k for k in others if k > n_components][:1])
    raise ParameterError(
        f"A PCA of whole pictures of shape {shape} at `n_components`={n_components} needs more"
        f" than {LARGEST_PATH:,} weights, so pictures are cut into cells with equal shares of the"
        f" code, and {n_components} numbers cannot be shared out. Ask for {near or 'fewer'}"
        " components, or learn from smaller pictures."
    )


def _allows(picture: tuple[int, int, int], n_components: int) -> bool:
    dense = math.prod(picture) * n_components <= LARGEST_PATH
    return dense or _fewest(picture, n_components) is not None


def _fewest(picture: tuple[int, int, int], n_components: int) -> Cells | None:
    """Return the cut into the fewest cells that are small enough, where there is one."""
    for count in (n for n in range(2, n_components + 1) if n_components % n == 0):
        cuts = [
            Cells(*picture, rows, count // rows)
            for rows in range(1, count + 1)
            if count % rows == 0 and rows <= picture[0] and count // rows <= picture[1]
        ]
        share = n_components // count
        small = [cut for cut in cuts if share <= cut.size and cut.size * share <= LARGEST_PATH]
        squarest = min(small, key=lambda cut: _longer(cut.high, cut.wide), default=None)
        longest = max(LONGEST, _longer(*picture[:2]))
        if squarest is not None and _longer(squarest.high, squarest.wide) <= longest:
            return squarest
    return None


def _longer(high: int, wide: int) -> float:
    """Return how many times the longer side is as long as the other."""
    return max(high, wide) / min(high, wide)
