"""The importance-weighted autoencoder: a VAE with a tighter bound on the likelihood."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from narrows.common.limits import MOST, boolean, integer, one_of, parameter
from narrows.networks.autoencoding import Autoencoding
from narrows.objectives.base import NATS, Batch, Noise, Step
from narrows.objectives.shared import variational
from narrows.objectives.shared.latent import LatentVariable
from narrows.objectives.shared.likelihoods import LIKELIHOODS


@dataclass(frozen=True)
class IWAE(LatentVariable):
    """Learn the density of rows by several codes for each of them.

    ::

        x ──encoder──▶ μ, σ        z_s = μ + σ ε_s        z_s ──decoder──▶ p(x|z_s),  s = 1 … S

        −log p(x) ≤ −log 1/S Σ w_s,   w_s = p(x|z_s) p(z_s) / q(z_s|x)          nats per row
                    bound

    With S = 1 it is the bound of the VAE. With larger S it comes nearer to log p(x), and q may
    differ more from the posterior. `transform` gives μ. Gradients are doubly reparameterised: with
    w̃ the weights divided by their sum, the decoder's are Σ w̃ ∇ log w, the encoder's
    Σ w̃² ∂ log w / ∂z ∇z, whose signal does not fade as S grows.

    Parameters
    ----------
    n_samples : int, default=5
        S; time is proportional to it.
    likelihood : {"gaussian", "bernoulli", "logistic"}, default="gaussian"
        As for `VAE`.
    prior : {"normal", "flow"}, default="normal"
        As for `VAE`.
    conditional : bool, default=False
        As for `VAE`.
    binarize : bool, default=False
        As for `VAE`.

    Reference: Y. Burda, R. Grosse and R. Salakhutdinov, "Importance weighted autoencoders", ICLR
    2016, eq. 8; gradients: G. Tucker et al., "Doubly reparameterized gradient estimators for Monte
    Carlo objectives", ICLR 2019, eq. 8.

    Not for: codes as compact features (q is looser than the VAE's), or quick training.
    """

    name: ClassVar[str] = "iwae"
    units: ClassVar[dict[str, str]] = {"bound": NATS}

    n_samples: int = parameter(5, integer(1, MOST), "codes drawn for each row")
    likelihood: str = parameter("gaussian", one_of(*LIKELIHOODS), "of a row, given its code")
    prior: str = parameter("normal", one_of("normal", "flow"), "that codes are to follow")
    conditional: bool = parameter(False, boolean(), "whether the prior depends on classes")
    binarize: bool = parameter(False, boolean(), "whether grey values are drawn as 0 or 1")

    def draw(self, generator: torch.Generator, x: Tensor, n_components: int) -> Noise:
        """Return ε (B, S, K), and thresholds (B, D) where grey values are drawn."""
        shape = (len(x), self.n_samples, n_components)
        return variational.draw(generator, x, shape, binarize=self.binarize)

    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``{"bound": (B,)}``, nats per row."""
        x_BD = variational.seen(batch.x, step.noise)
        noise_SBK = step.noise["epsilon"].transpose(0, 1)
        weights_SB, _, z_SBK = variational.log_weights(
            net, x_BD, noise_SBK, self.likelihood, batch.y, held=True
        )
        # By rows: over columns, rounding depends on how threads share them.
        shares_SB = torch.softmax(weights_SB.detach().T.contiguous(), dim=1).T
        if z_SBK.requires_grad:
            # The gradient that goes to the encoder is weighted once more.
            z_SBK.register_hook(lambda gradient: gradient * shares_SB[..., None])
        surrogate_B = (shares_SB * weights_SB).sum(dim=0)
        bound_B = torch.logsumexp(weights_SB, dim=0) - math.log(self.n_samples)
        # The value of the bound, with the gradients of the surrogate.
        return {"bound": surrogate_B.detach() - surrogate_B - bound_B.detach()}

    def held_out_loss(self, net: Autoencoding, batch: Batch, step: Step, x_hat: Tensor) -> Tensor:
        """Return the bound, nats per row."""
        del x_hat
        return self.terms(net, batch, step)["bound"]

    def diagnose(self, net: Autoencoding, x: Tensor) -> list[str]:
        """Say so where codes have collapsed although rows (N, D) have structure."""
        advice = "Try init='pca', or a smaller learning_rate."
        return variational.collapse(net, x, advice)
