"""A normal distribution over codes, or one for each class.

Legend: N codes, K code size, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from narrows.objectives.priors.base import Prior

LOG_2PI = math.log(2 * math.pi)
SMALLEST_SHARE = 1e-6
"""Floor on a variance, as a fraction of the largest, so that flat directions have a density."""


class Normal(Prior):
    """``N(mean, covariance)``, as fitted to codes.

    Parameters
    ----------
    mean : Tensor (K,)
    covariance : Tensor (K, K)
    """

    name: ClassVar[str] = "normal"
    mean: Tensor
    factor: Tensor

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("factor", cholesky(covariance))

    @classmethod
    def fit(cls, codes: Tensor, seed: int) -> Normal:
        """Take mean and covariance of codes (N, K)."""
        del seed
        mean = codes.mean(dim=0)
        centred = codes - mean
        return cls(mean, centred.T @ centred / max(len(codes) - 1, 1))

    @classmethod
    def blank(cls, n_components: int, tensors: Mapping[str, Tensor]) -> Normal:
        """Return one whose tensors are to be filled from a file."""
        del tensors
        return cls(torch.zeros(n_components), torch.eye(n_components))

    @property
    def deviations(self) -> Tensor:
        """Return the deviation (K,) of each number."""
        deviations: Tensor = torch.linalg.vector_norm(self.factor, dim=1)
        return deviations

    def log_prob(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the log density (...,) of codes (..., K)."""
        del y
        return log_normal(z, self.mean, self.factor)

    def sample(
        self,
        n: int,
        generator: torch.Generator,
        temperature: float = 1.0,
        y: Tensor | None = None,
    ) -> Tensor:
        """Draw codes (N, K)."""
        del y
        draws = torch.randn(n, len(self.mean), generator=generator, dtype=self.mean.dtype)
        return self.mean + temperature * draws @ self.factor.T


class ClassNormals(Prior):
    """A normal distribution with independent numbers for each class, trained with the encoder.

    It starts as ``N(0, 1)`` for every class. Without a class it is their mixture, weighted by how
    frequent classes were in `fit`. With no classes it is ``N(0, 1)``, and nothing is trained.

    Parameters
    ----------
    n_components : int
        K.
    shares : sequence of float
        Part of the rows in each class, C of them; () for no classes.
    """

    name: ClassVar[str] = "normal"
    log_frequencies: Tensor

    def __init__(self, n_components: int, shares: Sequence[float] = ()) -> None:
        super().__init__()
        self.n_components, self.n_classes = n_components, len(shares)
        if shares:
            self.means = nn.Parameter(torch.zeros(self.n_classes, n_components))
            self.log_deviations = nn.Parameter(torch.zeros(self.n_classes, n_components))
            self.register_buffer("log_frequencies", torch.tensor(shares).clamp(min=1e-30).log())

    def log_prob(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the log density (...,) of codes (..., K), of classes (...,) where given."""
        if not self.n_classes:
            standard: Tensor = -0.5 * (z.square() + LOG_2PI).sum(dim=-1)
            return standard
        if y is not None:
            return self._of_class(z, self.means[y], self.log_deviations[y])
        each = self._of_class(z.unsqueeze(-2), self.means, self.log_deviations)
        return torch.logsumexp(each + self.log_frequencies, dim=-1)

    @staticmethod
    def _of_class(z: Tensor, means: Tensor, log_deviations: Tensor) -> Tensor:
        scaled = (z - means) * torch.exp(-log_deviations)
        return -(0.5 * (scaled.square() + LOG_2PI) + log_deviations).sum(dim=-1)

    def sample(
        self,
        n: int,
        generator: torch.Generator,
        temperature: float = 1.0,
        y: Tensor | None = None,
    ) -> Tensor:
        """Draw codes (N, K), of classes (N,) where given."""
        draws = temperature * torch.randn(n, self.n_components, generator=generator)
        if not self.n_classes:
            return draws
        if y is None:
            frequencies = self.log_frequencies.exp()
            y = torch.multinomial(frequencies.float(), n, replacement=True, generator=generator)
        return self.means[y] + draws.to(self.means) * self.log_deviations[y].exp()


def cholesky(covariance: Tensor) -> Tensor:
    """Return the lower factor of covariances (..., K, K), lifted where they are singular."""
    diagonal = covariance.diagonal(dim1=-2, dim2=-1)
    largest = diagonal.amax(dim=-1, keepdim=True).clamp(min=torch.finfo(covariance.dtype).tiny)
    lift = (SMALLEST_SHARE * largest).expand_as(diagonal)
    factor: Tensor = torch.linalg.cholesky(covariance + torch.diag_embed(lift))
    return factor


def log_normal(z: Tensor, mean: Tensor, factor: Tensor) -> Tensor:
    """Return the log density (...,) of codes (..., K) under N(mean, factor factorᵀ)."""
    centred = (z - mean).unsqueeze(-1)
    scaled = torch.linalg.solve_triangular(factor, centred, upper=False).squeeze(-1)
    log_volume = factor.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)
    density: Tensor = -0.5 * (scaled.square() + LOG_2PI).sum(dim=-1) - log_volume
    return density
