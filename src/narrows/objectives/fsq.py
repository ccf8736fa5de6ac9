"""Finite scalar quantisation: each number of a code takes one of a few fixed levels."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.special import ndtr, ndtri

from narrows.common.limits import Limit, integer, is_integer, is_sequence, parameter
from narrows.errors import ParameterError
from narrows.networks.autoencoding import Autoencoding
from narrows.networks.base import Widths
from narrows.networks.linear_plus import LinearPath
from narrows.objectives.base import PIXEL_SQUARES, Batch, Needs, Objective, Step
from narrows.objectives.shared.losses import squared_error

MOST_LEVELS = 1_024
N_ROUNDS, SETTLED = 300, 1e-8
"""At most so many rounds improve the levels; they stop at a smaller change than this."""


def _level_counts() -> Limit:
    def allows(value: object) -> bool:
        return is_sequence(value) and all(is_integer(n) and 2 <= n <= MOST_LEVELS for n in value)

    each = Limit(allows, "a sequence of them, one for each number of the code, such as (8, 5, 5)")
    return integer(2, MOST_LEVELS) | each


@dataclass(frozen=True)
class FSQ(Objective):
    """Rebuild rows from codes whose numbers take one of a few fixed levels each.

    ::

        x ──encoder──▶ z ──nearest level──▶ q ──decoder──▶ x̂      (x − x̂)², averaged over D
                         straight through: ∂q/∂z = 1 / cosh²(z / outermost level)

    With L levels for each of K numbers there are L^K codes, of K log₂(L) bits. The levels are those
    that round a number of N(0, 1) with the smallest squared error. With ``init="pca"`` training
    starts at PCA with scores rounded so. The gradient fades outside the levels, so that numbers
    stay near them. `transform` gives the levels, and `inverse_transform` first moves any code to
    the nearest ones.

    Unlike `VQ`, there is no code book to learn, no dead word, and no further term in the loss. But
    numbers are rounded one by one, which takes more bits for the same error where they depend on
    each other. More levels mean a smaller error and more bits; with fewer than 5, the paper finds
    VQ better.

    Parameters
    ----------
    levels : int or sequence of int, default=8
        Levels of all numbers of a code, or of each.

    Reference: F. Mentzer, D. Minnen, E. Agustsson and M. Tschannen, "Finite scalar quantization:
    VQ-VAE made simple", ICLR 2024 (arXiv:2309.15505), with the levels of J. Max, "Quantizing for
    minimum distortion", IRE Transactions on Information Theory 6, 1960, for evenly spaced ones.

    Not for: smooth maps and interpolation (codes jump from level to level), or codes of so few
    numbers that many rows share one of the L^K codes.
    """

    name: ClassVar[str] = "fsq"
    units: ClassVar[dict[str, str]] = {"reconstruction": PIXEL_SQUARES}

    levels: int | tuple[int, ...] = parameter(8, _level_counts(), "levels of a number of the code")

    @property
    def needs(self) -> Needs:
        """Return nothing but that codes stay discrete."""
        return Needs(starts_as_pca=False, keeps=("discrete",))

    def check(self, n_components: int) -> None:
        """Check that there are levels for each number of a code.

        Raises
        ------
        ParameterError
        """
        if not is_integer(self.levels) and len(self._counts(n_components)) != n_components:
            raise ParameterError(
                f"`levels`={self.levels} of FSQ has {len(self._counts(n_components))} entries, but"
                f" n_components is {n_components}; give one for each, or a single integer."
            )

    def _counts(self, n_components: int) -> list[int]:
        if isinstance(self.levels, (tuple, list)):
            return [int(n) for n in self.levels]
        return [int(self.levels)] * n_components

    def start(self, path: LinearPath) -> LinearPath:
        """Return PCA with codes of deviation 1."""
        return path.whitened()

    def build(
        self, widths: Widths, path: LinearPath | None, generator: torch.Generator
    ) -> nn.Module:
        """Return the levels of each number."""
        del path, generator
        return Levels([best_levels(n) for n in self._counts(widths.code)])

    def n_added(self, widths: Widths) -> int:
        """Count the levels, as many for each number as the most."""
        most = max(self.levels) if isinstance(self.levels, (tuple, list)) else int(self.levels)
        return widths.code * most

    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``{"reconstruction": (B,)}``, squared units of the network per feature."""
        levels = _levels(net)
        z_BK = net.encoder(batch.x).float()
        outermost_K = levels.values[:, -1]
        bounded_BK = outermost_K * torch.tanh(z_BK / outermost_K)
        through_BK = bounded_BK + (levels(z_BK) - bounded_BK).detach()
        a_BD = net.decoder(through_BK.to(batch.x.dtype))
        return {"reconstruction": squared_error(a_BD, batch.x, step.bounds)}

    def code(self, net: Autoencoding, x: Tensor) -> Tensor:
        """Return the nearest levels (B, K)."""
        nearest: Tensor = _levels(net)(net.encoder(x))
        return nearest

    def reconstruction(self, net: Autoencoding, z: Tensor) -> Tensor:
        """Return the rows (B, D) that the levels nearest to codes (B, K) decode to."""
        x_hat: Tensor = net.decoder(_levels(net)(z))
        return x_hat


class Levels(nn.Module):
    """The values that each number of a code may take.

    Parameters
    ----------
    values : list of Tensor
        Rising values for each of K numbers. They are held as one tensor (K, L), where the last
        value of each is repeated up to the largest count.
    """

    values: Tensor

    def __init__(self, values: list[Tensor]) -> None:
        super().__init__()
        most = max(len(each) for each in values)
        padded = [torch.cat([each, each[-1:].expand(most - len(each))]) for each in values]
        self.register_buffer("values", torch.stack(padded).float())

    def forward(self, z: Tensor) -> Tensor:
        """Return the values (B, K) nearest to codes (B, K)."""
        n_numbers, most = self.values.shape
        nearest_BK = (z.unsqueeze(2) - self.values).abs().argmin(dim=2)
        firsts_K = torch.arange(n_numbers, device=z.device) * most
        return self.values.reshape(-1)[nearest_BK + firsts_K]


@functools.cache
def best_levels(n: int) -> Tensor:
    """Return the n values to which a number of N(0, 1) is rounded with the smallest squared error.

    Each is the mean of the numbers nearest to it (J. Max 1960, eq. 4 and 5). Rounds take the
    mid-points between values, then the means between mid-points; they start at levels as dense as
    the cube root of the density.
    """
    parts = torch.arange(1, n, dtype=torch.float64) / n
    values = _means_between(math.sqrt(3.0) * ndtri(parts))
    for _ in range(N_ROUNDS):
        before, values = values, _means_between((values[1:] + values[:-1]) / 2)
        if float((values - before).abs().max()) < SETTLED:
            break
    return values


def _means_between(ends: Tensor) -> Tensor:
    """Return the means of N(0, 1) below, between and above rising limits."""
    none, all_ = torch.zeros(1, dtype=ends.dtype), torch.ones(1, dtype=ends.dtype)
    density = torch.exp(-0.5 * ends.square()) / math.sqrt(2 * math.pi)
    density = torch.cat([none, density, none])
    # From both sides, since 1 minus a small number loses its digits.
    below = torch.cat([none, ndtr(ends), all_])
    above = torch.cat([all_, ndtr(-ends), none])
    mass = torch.where(below[1:] < 0.5, below.diff(), -above.diff())
    means = -density.diff() / mass
    return (means - means.flip(0)) / 2


def _levels(net: Autoencoding) -> Levels:
    levels = net.extra
    assert isinstance(levels, Levels)
    return levels
