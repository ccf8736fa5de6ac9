"""A normal distribution over codes, or one for each class.

Legend: N codes, K code size, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from narrows.errors import ParameterError
from narrows.objectives.priors.base import FittedPrior, Prior

LOG_2PI = math.log(2 * math.pi)
SMALLEST_SHARE = 1e-6
"""Floor on a variance, as a part of the largest, so that constant directions have a density."""
SMALLEST_VARIANCE = 1e-6
"""Floor on the variance of the codes of a class at the start."""


class Normal(FittedPrior):
    """``N(mean, covariance)``, fitted to codes.

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
        """Take the mean and covariance of codes (N, K)."""
        del seed
        mean = codes.mean(dim=0)
        centred = codes - mean
        return cls(mean, centred.T @ centred / max(len(codes) - 1, 1))

    @classmethod
    def blank(cls, n_components: int, tensors: Mapping[str, Tensor]) -> Normal:
        """Return one whose tensors a file will fill."""
        del tensors
        return cls(torch.zeros(n_components), torch.eye(n_components))

    @property
    def deviations(self) -> Tensor:
        """Return the standard deviation (K,) of each number."""
        deviations: Tensor = torch.linalg.vector_norm(self.factor, dim=1)
        return deviations

    def log_prob(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the log density (...,) of codes (..., K)."""
        del y
        return log_normal(z, self.mean, self.factor)

    def sample(
        self, n: int, generator: torch.Generator, temperature: float = 1.0, y: Tensor | None = None
    ) -> Tensor:
        """Draw codes (N, K)."""
        del y
        draws = torch.randn(n, len(self.mean), generator=generator, dtype=self.mean.dtype)
        return self.mean + temperature * draws @ self.factor.T


class ClassNormals(Prior):
    """A normal distribution with independent numbers for each class, trained with the encoder.

    Each class is ``N(0, 1)`` until `meet_classes` has seen codes. When no class is asked for, it is
    the mixture of all, weighted by their frequency in `fit`. A model without classes has
    ``N(0, 1)``, where nothing is trained.

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

    @staticmethod
    def count(n_components: int, n_classes: int) -> int:
        """Count the numbers in its tensors."""
        return n_classes * (2 * n_components + 1)

    @property
    def is_standard(self) -> bool:
        """Tell whether it has no classes."""
        return not self.n_classes

    @torch.no_grad()
    def meet_classes(self, parts: Iterable[tuple[Tensor, Tensor, Tensor | None]]) -> None:
        """Give each class the mean and variance of its codes."""
        counts_C1 = torch.zeros(self.n_classes, 1, dtype=torch.float64)
        sums_CK = torch.zeros(self.n_classes, self.n_components, dtype=torch.float64)
        squares_CK = torch.zeros_like(sums_CK)
        for mean_BK, log_variance_BK, y_B in parts:
            assert y_B is not None  # batches hold classes where a family needs them
            counts_C1 += torch.bincount(y_B, minlength=self.n_classes)[:, None]
            sums_CK.index_add_(0, y_B, mean_BK.double())
            squares_CK.index_add_(0, y_B, mean_BK.double() ** 2 + log_variance_BK.double().exp())
        overall_K, n_rows = sums_CK.sum(dim=0) / counts_C1.sum(), counts_C1.sum()
        means_CK = torch.where(counts_C1 > 0, sums_CK / counts_C1.clamp(min=1), overall_K)
        within_CK = (squares_CK - counts_C1 * means_CK**2).clamp(min=0)
        # As if each class had one row more, which has the mean variance within classes: a variance
        # of few rows, or of none, would be too small.
        variances_CK = (within_CK + within_CK.sum(dim=0) / n_rows) / (counts_C1 + 1)
        self.means.copy_(means_CK)
        self.log_deviations.copy_(0.5 * variances_CK.clamp(min=SMALLEST_VARIANCE).log())

    def kl(self, mean: Tensor, log_variance: Tensor, y: Tensor | None) -> Tensor:
        """Return KL(q ‖ prior) of each number (B, K) in nats.

        ``½ (σ² + μ²) − ½ − log σ`` for N(0, 1) (D. Kingma and M. Welling, "Auto-encoding
        variational Bayes", ICLR 2014, appendix B), and the same relative to a class.
        """
        if not self.n_classes:
            return 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance)
        assert y is not None  # batches hold classes where a family needs them
        mean = mean - self.means[y]
        log_ratio = log_variance - 2 * self.log_deviations[y]
        scaled = mean.square() * torch.exp(-2 * self.log_deviations[y])
        return 0.5 * (log_ratio.exp() + scaled - 1 - log_ratio)

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
        self, n: int, generator: torch.Generator, temperature: float = 1.0, y: Tensor | None = None
    ) -> Tensor:
        """Draw codes (N, K), of classes (N,) where given."""
        draws = temperature * torch.randn(n, self.n_components, generator=generator)
        if not self.n_classes:
            return draws
        if y is None:
            frequencies = self.log_frequencies.exp()
            y = torch.multinomial(frequencies.float(), n, replacement=True, generator=generator)
        elif self._classes_are_alike():
            raise ParameterError(
                "This model has one prior for all classes: it has learned nothing of them, so y"
                " cannot choose what is drawn. Leave y out, or fit the model again."
            )
        return self.means[y] + draws.to(self.means) * self.log_deviations[y].exp()

    def _classes_are_alike(self) -> bool:
        pairs = (self.means, self.log_deviations)
        return self.n_classes > 1 and all(bool((part == part[0]).all()) for part in pairs)


def cholesky(covariance: Tensor) -> Tensor:
    """Return the lower factor of covariances (..., K, K), with a floor on their variances."""
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
