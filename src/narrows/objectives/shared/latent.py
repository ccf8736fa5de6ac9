"""What families have in common whose rows each have a distribution of codes.

Legend: B batch, S samples, D features, K code size.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from narrows.networks.autoencoding import Autoencoding
from narrows.networks.base import Widths
from narrows.networks.linear_plus import LinearPath
from narrows.objectives.base import Objective
from narrows.objectives.priors import Prior
from narrows.objectives.shared import variational
from narrows.objectives.shared.likelihoods import LIKELIHOODS


class LatentVariable(Objective):
    """A model p(x|z) p(z) of rows, with the encoder's q(z|x) beside it.

    Attributes
    ----------
    likelihood, prior, conditional : str, str, bool
        As `VAE` explains them.
    """

    absolute_gains: ClassVar[bool] = True
    likelihood: str
    prior: str
    conditional: bool

    @property
    def input_range(self) -> tuple[float, float] | None:
        """Return [0, 1] where the likelihood is one of pixels."""
        return LIKELIHOODS[self.likelihood].input_range

    @property
    def needs_classes(self) -> bool:
        """Tell whether the prior depends on classes."""
        return self.conditional

    @property
    def needs_linear_ends(self) -> bool:
        """Tell that log variances, and what a likelihood reads, may be any number."""
        return True

    def output_sizes(self, n_features: int, n_components: int) -> tuple[int, int]:
        """Return 2K, for mean and log variance, and D."""
        return 2 * n_components, n_features

    def start(self, path: LinearPath) -> LinearPath:
        """Return probabilistic PCA."""
        return variational.start_as_probabilistic_pca(path, self.likelihood)

    def build(
        self, widths: Widths, path: LinearPath | None, generator: torch.Generator
    ) -> nn.Module:
        """Return the prior and the scales of the likelihood."""
        return variational.build_latent(
            widths, path, generator, likelihood=self.likelihood, prior=self.prior
        )

    def code(self, net: Autoencoding, x: Tensor) -> Tensor:
        """Return the mean of q(z|x), (B, K)."""
        return variational.posterior(net, x)[0]

    def reconstruction(self, net: Autoencoding, z: Tensor) -> Tensor:
        """Return the mean of p(x|z), (B, D)."""
        return LIKELIHOODS[self.likelihood].mean(net.decoder(z))

    def trained_prior(self, net: Autoencoding) -> Prior:
        """Return p(z)."""
        return variational.latent(net).prior

    def log_weights(
        self, net: Autoencoding, x: Tensor, noise: Tensor, y: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return log p(x|z) p(z) / q(z|x) and log p(x|z), (S, B) each, in nats.

        Parameters
        ----------
        net : Autoencoding
        x : Tensor (B, D)
        noise : Tensor (S, B, K)
            Standard normal.
        y : Tensor (B,), optional
        """
        return variational.log_weights(net, x, noise, self.likelihood, y)[:2]
