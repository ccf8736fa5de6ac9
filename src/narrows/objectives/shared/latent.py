"""What the variational families share, whose rows each have a distribution of codes.

Legend: B batch, S samples, D features, K code size.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from narrows.networks.autoencoding import Autoencoding, converted
from narrows.networks.base import Widths
from narrows.networks.linear_plus import LinearPath
from narrows.objectives.base import Batch, Needs, Objective
from narrows.objectives.priors import ClassNormals, Flow, Prior
from narrows.objectives.shared import variational
from narrows.objectives.shared.likelihoods import LIKELIHOODS


class LatentVariable(Objective):
    """A model p(x|z) p(z) of rows, with the encoder's q(z|x).

    Attributes
    ----------
    likelihood, prior, conditional, binarize : str, str, bool, bool
        As `VAE` explains them.
    """

    likelihood: str
    prior: str
    conditional: bool
    binarize: bool

    @property
    def needs(self) -> Needs:
        """Return values in [0, 1] for pixels, free log variances, and classes for their priors."""
        return Needs(
            input_range=LIKELIHOODS[self.likelihood].input_range,
            classes=self.conditional,
            linear_ends=True,
            encoder_outputs=2,
            absolute_gains=True,
            starts_as_pca=False,
            density=True,
            binary_rows=self.binarize,
            keeps=("prior", "classes") if self.conditional else ("prior",),
        )

    def start(self, path: LinearPath) -> LinearPath:
        """Return probabilistic PCA."""
        return variational.start_as_probabilistic_pca(path, self.likelihood)

    def build(
        self, widths: Widths, path: LinearPath | None, generator: torch.Generator
    ) -> nn.Module:
        """Return the prior and the scales of the likelihood."""
        shares, likelihood = widths.class_shares, LIKELIHOODS[self.likelihood]
        prior: Prior = ClassNormals(widths.code, shares)
        if self.prior == "flow":
            prior = Flow(widths.code, shares, generator=generator)
        log_scale = 0.0 if path is None else likelihood.start(path)[1]
        n_scales = likelihood.n_scales(widths.features)
        return variational.Latent(prior, torch.full((n_scales,), log_scale))

    def n_added(self, widths: Widths) -> int:
        """Count the numbers of the prior and the scales."""
        kind = Flow if self.prior == "flow" else ClassNormals
        n_scales = LIKELIHOODS[self.likelihood].n_scales(widths.features)
        return kind.count(widths.code, len(widths.class_shares)) + n_scales

    @torch.no_grad()
    def meet_classes(self, net: Autoencoding, batches: Iterable[Batch]) -> None:
        """Give each class the mean and variance of its codes at the start.

        So a model that gained nothing by training still draws rows of a class.
        """
        rounded = converted(net, torch.float32).eval()
        parts = ((*variational.posterior(rounded, batch.x), batch.y) for batch in batches)
        variational.latent(net).prior.meet_classes(parts)

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
        """Return log p(x|z) p(z) / q(z|x) and log p(x|z), (S, B) each, in nats."""
        return variational.log_weights(net, x, noise, self.likelihood, y)[:2]
