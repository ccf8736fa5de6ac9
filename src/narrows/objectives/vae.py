"""The variational autoencoder: codes follow a known distribution, so that it can generate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from narrows.common.limits import boolean, one_of, parameter, real
from narrows.networks.autoencoding import Autoencoding
from narrows.objectives.base import NATS, Batch, Noise, Step
from narrows.objectives.shared import variational
from narrows.objectives.shared.latent import LatentVariable
from narrows.objectives.shared.likelihoods import LIKELIHOODS


@dataclass(frozen=True)
class VAE(LatentVariable):
    """Learn a distribution of rows: decoding codes drawn from a prior gives new rows.

    ::

        x ──encoder──▶ μ, σ        z = μ + σ ε,  ε ~ N(0, 1)        z ──decoder──▶ p(x|z)

        −log p(x) ≤ −log p(x|z)  +  β KL(q(z|x) ‖ p(z))             nats per row
                    reconstruction         kl

    `transform` gives μ. With ``init="pca"`` training starts at probabilistic PCA.

    With ``conditional=True``, `fit` takes classes y, and each class has its own prior p(z|y), so
    that `sample` can draw rows of a class. Each prior starts with the mean and variance of the
    codes of its class. Encoder and decoder do not see y, so rows without a class have codes too.

    Parameters
    ----------
    beta : float, default=1.0
        Weight of the KL term. Above 1 codes carry less; at 0 nothing holds them to the prior.
    likelihood : {"gaussian", "bernoulli", "logistic"}, default="gaussian"
        ``"gaussian"`` has one learned standard deviation; ``"bernoulli"`` is for pixels that are
        nearly black or white; ``"logistic"`` gives a probability to each of the 256 values of a
        pixel. For the last two, data is scaled to [0, 1].
    prior : {"normal", "flow"}, default="normal"
        N(0, 1), or a normalising flow that is trained with encoder and decoder.
    conditional : bool, default=False
        Whether the prior depends on classes.
    warm_up : float, default=0.1
        Part of a usual run (of 1,200 steps below 10,000 rows; else of 20 passes, at least 2,400
        steps) over which the weight of the KL term rises to ``beta``.
    free_bits : float, default=0.0
        KL below so many nats per number of a code costs nothing (of all K together with a flow).
    binarize : bool, default=False
        Whether each step draws grey values as 0 or 1, a grey value being the probability of 1.

    Reference: D. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR 2014, eq. 7; β:
    I. Higgins et al., "β-VAE", ICLR 2017; free bits: D. Kingma et al., "Improving variational
    inference with inverse autoregressive flow", NIPS 2016, here per sample.

    Not for: the smallest reconstruction error at a code size; `reconstruction` is for that.
    """

    name: ClassVar[str] = "vae"
    units: ClassVar[dict[str, str]] = {"reconstruction": NATS, "kl": NATS}

    beta: float = parameter(1.0, real(0), "weight of the KL term")
    likelihood: str = parameter("gaussian", one_of(*LIKELIHOODS), "of a row, given its code")
    prior: str = parameter("normal", one_of("normal", "flow"), "that codes are to follow")
    conditional: bool = parameter(False, boolean(), "whether the prior depends on classes")
    warm_up: float = parameter(0.1, real(0, 1), "part of a usual run until KL has its weight")
    free_bits: float = parameter(0.0, real(0), "KL in nats per number that costs nothing")
    binarize: bool = parameter(False, boolean(), "whether grey values are drawn as 0 or 1")

    def draw(self, generator: torch.Generator, x: Tensor, n_components: int) -> Noise:
        """Return ε (B, K), and thresholds (B, D) where grey values are drawn."""
        return variational.draw(generator, x, (len(x), n_components), binarize=self.binarize)

    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``{"reconstruction": (B,), "kl": (B,)}``, nats per row; kl times its weight."""
        x_BD = variational.seen(batch.x, step.noise)
        reconstruction_B, kl_B = self._bound(net, x_BD, batch.y, step.noise["epsilon"])
        rising = min(1.0, step.progress / self.warm_up) if self.warm_up else 1.0
        return {"reconstruction": reconstruction_B, "kl": self.beta * rising * kl_B}

    def held_out_loss(self, net: Autoencoding, batch: Batch, step: Step, x_hat: Tensor) -> Tensor:
        """Return the loss at its full weight, nats per row."""
        del x_hat
        terms = self.terms(net, batch, step._replace(progress=1.0))
        return terms["reconstruction"] + terms["kl"]

    def _bound(
        self, net: Autoencoding, x: Tensor, y: Tensor | None, epsilon: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return −log p(x|z) and KL(q(z|x) ‖ p(z)), (B,) each."""
        mean_BK, log_variance_BK = variational.posterior(net, x)
        z_BK = mean_BK + torch.exp(0.5 * log_variance_BK) * epsilon
        a_BD = variational.decoded(net, z_BK, x)
        parts = variational.latent(net)
        likelihood = LIKELIHOODS[self.likelihood]
        reconstruction_B = -likelihood.log_prob(net, a_BD, x.to(a_BD.dtype), parts.log_scale)
        each_BK = parts.prior.kl(mean_BK, log_variance_BK, y)
        if each_BK is not None:
            free_BK = each_BK.clamp(min=self.free_bits) if self.free_bits else each_BK
            return reconstruction_B, free_BK.sum(dim=-1)
        # Without a closed form, an unbiased estimate at the code that was drawn.
        log_q = variational.log_posterior(epsilon, log_variance_BK)
        kl_B = log_q - parts.prior.log_prob(z_BK, y)
        if self.free_bits:
            kl_B = kl_B.clamp(min=self.free_bits * z_BK.shape[-1])
        return reconstruction_B, kl_B

    def diagnose(self, net: Autoencoding, x: Tensor) -> list[str]:
        """Say so where codes have collapsed although rows (N, D) have structure."""
        advice = f"Try objective__beta={self.beta / 4:g}, or objective__warm_up=0.5."
        return variational.collapse(net, x, advice)
