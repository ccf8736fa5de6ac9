"""Corruptions of rows, for an autoencoder that learns to clean them.

Levels are in data units, parts of the values, or pixels. Rows are in the network's units, so a
corruption is given the scaling.

Legend: B batch, D features, L length of an axis of a picture.
"""

from __future__ import annotations

import math
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from narrows.linear.scaling import Scaling

Drawn = dict[str, Tensor]
Shape = tuple[int, ...]
USUAL_SHARE = 0.5
"""Usual standard deviation of Gaussian noise, as a part of the divisor of the scaling."""
REACH = 4.0
"""Standard deviations at which the weights of a blur are cut off."""


class Corruption(Protocol):
    """What a corruption offers."""

    input_range: ClassVar[tuple[float, float] | None]
    """The range that rows must be scaled to; None for any."""
    most: ClassVar[float]
    """The highest level that there can be."""

    def usual(self, scaling: Scaling) -> Tensor:
        """Return the usual level, (1,) or (D,)."""

    def draw(self, generator: torch.Generator, x: Tensor) -> Drawn:
        """Draw the random numbers for rows (B, D), float32."""

    def apply(
        self, x: Tensor, drawn: Drawn, level: Tensor, scaling: Scaling, shape: Shape
    ) -> Tensor:
        """Return corrupted rows (B, D), given the level (1, 1), (1, D) or (B, 1).

        Parameters
        ----------
        x : Tensor (B, D)
            In the network's units, float32.
        drawn : dict of str to Tensor
            As `draw` gave it.
        level : Tensor
            In the unit of the corruption.
        scaling : Scaling
        shape : tuple of int
            Of one row.
        """


class Gaussian:
    """Normal noise, with a standard deviation in data units, added to every value."""

    input_range: ClassVar[tuple[float, float] | None] = None
    most: ClassVar[float] = math.inf

    def usual(self, scaling: Scaling) -> Tensor:
        """Return half of the divisor of the scaling, mostly the standard deviation of the data."""
        return USUAL_SHARE * scaling.divisor

    def draw(self, generator: torch.Generator, x: Tensor) -> Drawn:
        """Return standard normal numbers (B, D)."""
        return {"normal": torch.randn(x.shape, generator=generator, device=x.device)}

    def apply(
        self, x: Tensor, drawn: Drawn, level: Tensor, scaling: Scaling, shape: Shape
    ) -> Tensor:
        """Return ``x + level · normal``; nothing is clipped."""
        del shape
        return torch.addcmul(x, (level / scaling.divisor).to(x.dtype), drawn["normal"])


class Masking:
    """A part of the values set to 0 in data units."""

    input_range: ClassVar[tuple[float, float] | None] = None
    most: ClassVar[float] = 1.0
    share: ClassVar[float] = 0.3

    def usual(self, scaling: Scaling) -> Tensor:
        """Return the part of the values."""
        return torch.full((1,), self.share, device=scaling.divisor.device)

    def draw(self, generator: torch.Generator, x: Tensor) -> Drawn:
        """Return uniform numbers (B, D)."""
        return {"uniform": torch.rand(x.shape, generator=generator, device=x.device)}

    def apply(
        self, x: Tensor, drawn: Drawn, level: Tensor, scaling: Scaling, shape: Shape
    ) -> Tensor:
        """Return x with 0 wherever the uniform number is below the level."""
        del shape
        nothing = scaling(torch.zeros_like(scaling.shift)).to(x.dtype)
        return torch.where(drawn["uniform"] < level, nothing, x)


class SaltAndPepper(Masking):
    """A part of the values set to one end of the data's range, drawn at random."""

    input_range: ClassVar[tuple[float, float] | None] = (0.0, 1.0)
    share: ClassVar[float] = 0.2

    def apply(
        self, x: Tensor, drawn: Drawn, level: Tensor, scaling: Scaling, shape: Shape
    ) -> Tensor:
        """Return x with 0 where the uniform number is below half the level, and 1 below the level.

        Both are in the network's units: the ends of the range that rows are scaled to.
        """
        del scaling, shape
        uniform_BD = drawn["uniform"]
        ends_BD = (uniform_BD >= level / 2).to(x.dtype)
        return torch.where(uniform_BD < level, ends_BD, x)


class Blur:
    """A Gaussian blur, with a standard deviation in pixels; edge pixels are repeated outside."""

    input_range: ClassVar[tuple[float, float] | None] = None
    most: ClassVar[float] = math.inf

    def usual(self, scaling: Scaling) -> Tensor:
        """Return one pixel."""
        return torch.ones(1, device=scaling.divisor.device)

    def draw(self, generator: torch.Generator, x: Tensor) -> Drawn:
        """Return nothing: a blur is not random."""
        del generator, x
        return {}

    def apply(
        self, x: Tensor, drawn: Drawn, level: Tensor, scaling: Scaling, shape: Shape
    ) -> Tensor:
        """Return pictures (H, W) or (H, W, C) blurred along H and W, or signals along their axis.

        It is done in data units, where columns have no shifts and divisors of their own.
        """
        del drawn
        shift, divisor = scaling.shift.to(x.dtype), scaling.divisor.to(x.dtype)
        blurred = (x * divisor + shift).reshape(len(x), *shape)
        n_axes = len(shape) if len(shape) < 3 else len(shape) - 1
        for axis in range(1, 1 + n_axes):
            blurred = _blurred_along(blurred, axis, level.reshape(-1).to(x.dtype))
        return (blurred.reshape(x.shape) - shift) / divisor


def _blurred_along(x: Tensor, axis: int, deviation: Tensor) -> Tensor:
    """Blur (B, …) along one axis by a standard deviation (1,), or one for each row (B,)."""
    reach = math.floor(REACH * float(deviation.max()) + 0.5)
    offsets_R = torch.arange(-reach, reach + 1, device=x.device)
    # Each row is cut off by its own deviation, so that its blur does not depend on the others.
    inside_BR = offsets_R.abs() <= (REACH * deviation[:, None] + 0.5).floor()
    weights_BR = torch.exp(-0.5 * (offsets_R / deviation[:, None]).square()) * inside_BR
    weights_BR = weights_BR / weights_BR.sum(dim=1, keepdim=True)
    places_L = torch.arange(x.shape[axis], device=x.device)
    blurred = torch.zeros_like(x)
    for number in range(2 * reach + 1):
        shifted_L = (places_L + (number - reach)).clamp(0, x.shape[axis] - 1)
        weight = weights_BR[:, number].reshape(-1, *[1] * (x.ndim - 1))
        blurred = torch.addcmul(blurred, weight, x.index_select(axis, shifted_L))
    return blurred


CORRUPTIONS: dict[str, Corruption] = {
    "gaussian": Gaussian(),
    "masking": Masking(),
    "salt_and_pepper": SaltAndPepper(),
    "blur": Blur(),
}
