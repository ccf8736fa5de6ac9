"""A mixture of normal distributions over codes.

Legend: N codes, K code size, M components of the mixture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from narrows.common.threads import without_warnings
from narrows.linear.varies import CODES, deviations
from narrows.objectives.priors.base import FittedPrior
from narrows.objectives.priors.normal import cholesky, log_normal

MOST_COMPONENTS = 64
CODES_PER_COMPONENT = 10
"""Codes that each component of the mixture needs, for each number of a code."""


class Mixture(FittedPrior):
    """``Σ weights N(means, covariances)``, fitted by scikit-learn's `GaussianMixture`.

    Parameters
    ----------
    weights : Tensor (M,)
        Summing to 1.
    means : Tensor (M, K)
    covariances : Tensor (M, K, K)
    """

    name: ClassVar[str] = "mixture"
    log_weights: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, weights: Tensor, means: Tensor, covariances: Tensor) -> None:
        super().__init__()
        self.register_buffer("log_weights", weights.clamp(min=1e-30).log())
        self.register_buffer("means", means)
        self.register_buffer("factors", cholesky(covariances))

    @classmethod
    def fit(cls, codes: Tensor, seed: int) -> Mixture:
        """Fit as many components as codes (N, K) are enough for, at most 64."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        n_codes, n_components = codes.shape
        # Scaled, since scikit-learn adds one constant to all variances.
        centre, scale = codes.mean(dim=0), torch.from_numpy(deviations(codes.numpy(), CODES))
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        scaled = ((codes - centre) / scale).numpy()
        most = n_codes // (CODES_PER_COMPONENT * (n_components + 1))
        model = GaussianMixture(
            max(1, min(MOST_COMPONENTS, most)),
            max_iter=50,
            reg_covar=1e-4,
            random_state=seed % (1 << 32),
        )
        # A fixed number of rounds is the plan here, not a failure to converge; and few distinct
        # codes leave k-means with fewer centres than were asked for.
        with without_warnings(ConvergenceWarning):
            model.fit(scaled)
        means, covariances = torch.from_numpy(model.means_), torch.from_numpy(model.covariances_)
        return cls(
            torch.from_numpy(model.weights_),
            means * scale + centre,
            covariances * scale[:, None] * scale,
        )

    @classmethod
    def blank(cls, n_components: int, tensors: Mapping[str, Tensor]) -> Mixture:
        """Return a mixture of as many components as the tensors of a file have, to be filled."""
        n_parts = len(tensors["log_weights"])
        shape = (n_parts, n_components, n_components)
        if tensors["factors"].shape != shape:  # before a forged number claims memory
            raise ValueError(f"a mixture has factors of shape {shape}")
        eye = torch.eye(n_components).expand(n_parts, -1, -1)
        return cls(torch.ones(n_parts), torch.zeros(n_parts, n_components), eye)

    def log_prob(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the log density (...,) of codes (..., K)."""
        del y
        each = log_normal(z.unsqueeze(-2), self.means, self.factors)
        return torch.logsumexp(each + self.log_weights, dim=-1)

    def sample(
        self, n: int, generator: torch.Generator, temperature: float = 1.0, y: Tensor | None = None
    ) -> Tensor:
        """Draw codes (N, K)."""
        del y
        chosen = torch.multinomial(self.log_weights.exp(), n, replacement=True, generator=generator)
        draws = torch.randn(n, self.means.shape[1], generator=generator, dtype=self.means.dtype)
        for part in chosen.unique():  # one factor at a time: a factor for each code is much
            draws[chosen == part] @= self.factors[part].T
        return self.means[chosen] + temperature * draws
