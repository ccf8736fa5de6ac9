"""The adversarial autoencoder: a critic cannot tell codes from draws from N(0, 1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from narrows.common.limits import parameter, real
from narrows.networks import MLP
from narrows.networks.autoencoding import Autoencoding
from narrows.networks.base import Widths
from narrows.networks.linear_plus import LinearPath
from narrows.objectives.base import NATS, PIXEL_SQUARES, Batch, Needs, Noise, Objective, Step
from narrows.objectives.priors import ClassNormals, Prior
from narrows.objectives.shared import standard_normal
from narrows.objectives.shared.losses import squared_error

CRITIC_HIDDEN = (128, 128)
CRITIC = MLP(hidden=CRITIC_HIDDEN, weight_init="lecun", bias_init="zeros")
SQUARED_SLOPE = "squared nats per squared unit of the code"


class Adversary(nn.Module):
    """The critic, codes (B, K) to logits (B, 1), and N(0, 1)."""

    def __init__(self, critic: nn.Module, prior: ClassNormals) -> None:
        super().__init__()
        self.critic = critic
        self.prior = prior

    def logits(self, z: Tensor) -> Tensor:
        """Return the log odds (B,), in nats, that codes (B, K) are draws from N(0, 1)."""
        logits_B1: Tensor = self.critic(z)
        return logits_B1.squeeze(1)


@dataclass(frozen=True)
class Adversarial(Objective):
    """Rebuild rows from codes that a critic cannot tell from draws from N(0, 1).

    ::

        x ──encoder──▶ z ──decoder──▶ x̂            (x − x̂)², averaged over the D features
                       │
                       ▼                           + weight · −log c(z)
        p ~ N(0, 1) ─▶ critic c                    the critic: −log c(p) − log(1 − c(z))
                                                             + penalty / 2 · ‖∂ logit c / ∂p‖²

    Each batch is used twice: encoder and decoder take a step on the first two terms, the critic one
    on its own. The penalty on the critic's squared slope at the draws keeps it from learning too
    fast. The critic changes during training, so its terms do not measure a model: the best state is
    chosen by the squared error and the MMD² of `WAE` on held-out rows.

    Parameters
    ----------
    weight : float, default=0.1
        Of −log c(z) beside the squared error, in the network's units, where the mean variance of a
        feature is 1. Larger makes samples more like rows and reconstructions worse.
    penalty : float, default=1.0
        Of the critic's squared slope. Larger makes the critic smoother and slower.

    Reference: A. Makhzani et al., "Adversarial autoencoders", 2015 (arXiv:1511.05644), figure 1;
    the penalty: L. Mescheder, A. Geiger and S. Nowozin, "Which training methods for GANs do
    actually converge?", ICML 2018, eq. 9.

    Not for: likelihoods (it has none), stable training (`WAE` has the same aim and one loss), or
    sampling with more numbers in a code than the data vary in, about ten for digits; there use
    ``sample(prior="mixture")``, which is fitted to the codes.
    """

    name: ClassVar[str] = "adversarial"
    units: ClassVar[dict[str, str]] = {
        "reconstruction": PIXEL_SQUARES,
        "adversarial": NATS,
        "critic": NATS,
        "penalty": SQUARED_SLOPE,
    }

    weight: float = parameter(0.1, real(0), "of −log c(z) beside the squared error")
    penalty: float = parameter(1.0, real(0), "of the critic's squared slope")

    @property
    def needs(self) -> Needs:
        """Return a second phase, which trains the critic."""
        return Needs(phases=("main", "critic"), starts_as_pca=False, keeps=("prior",))

    def start(self, path: LinearPath) -> LinearPath:
        """Return PCA with codes of deviation 1."""
        return standard_normal.start(path)

    def build(
        self, widths: Widths, path: LinearPath | None, generator: torch.Generator
    ) -> nn.Module:
        """Return a fresh critic beside N(0, 1)."""
        del path
        critic, _ = CRITIC.build(Widths(widths.code, 1, 1, 1), generator)
        return Adversary(critic, ClassNormals(widths.code))

    def n_added(self, widths: Widths) -> int:
        """Count the weights and biases of the critic."""
        sizes = (widths.code, *CRITIC_HIDDEN, 1)
        return sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))

    def parameters(self, net: Autoencoding, phase: str) -> Iterator[nn.Parameter]:
        """Give those of the critic, or those of encoder and decoder."""
        if phase == "critic":
            yield from _adversary(net).parameters()
            return
        yield from net.encoder.parameters()
        yield from net.decoder.parameters()

    def draw(self, generator: torch.Generator, x: Tensor, n_components: int) -> Noise:
        """Return draws (B, K) from N(0, 1), for the critic to compare codes with."""
        return {"prior": standard_normal.draw(generator, x, n_components)}

    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the terms of the phase, (B,) each, times their weights.

        ``"main"`` has ``reconstruction`` and ``adversarial``, ``"critic"`` has ``critic`` and
        ``penalty``.
        """
        if step.phase == "critic":
            return self._of_critic(net, batch, step)
        z_BK = self.code(net, batch.x)
        error_B = squared_error(net.decoder(z_BK), batch.x, step.bounds)
        fooled_B = softplus(-_adversary(net).logits(z_BK.float()))
        return {"reconstruction": error_B, "adversarial": self.weight * fooled_B}

    def _of_critic(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        adversary = _adversary(net)
        with torch.no_grad():
            z_BK = self.code(net, batch.x).float()
        prior_BK = step.noise["prior"].clone().requires_grad_()
        logits_B = adversary.logits(prior_BK)
        (slopes_BK,) = torch.autograd.grad(logits_B.sum(), prior_BK, create_graph=True)
        return {
            "critic": softplus(-logits_B) + softplus(adversary.logits(z_BK)),
            "penalty": 0.5 * self.penalty * slopes_BK.square().sum(dim=1),
        }

    def held_out_loss(self, net: Autoencoding, batch: Batch, step: Step, x_hat: Tensor) -> Tensor:
        """Return the squared error of the clipped output, plus MMD²."""
        z_BK = self.code(net, batch.x).float()
        mmd_B = standard_normal.squared_discrepancies(z_BK, step.noise["prior"])
        return super().held_out_loss(net, batch, step, x_hat) + mmd_B

    def diagnose(self, net: Autoencoding, x: Tensor) -> list[str]:
        """Say where codes do not follow N(0, 1)."""
        return standard_normal.diagnose(
            self.code(net, x), f"objective__penalty={3 * self.penalty or 1:g} or objective='wae'"
        )

    def trained_prior(self, net: Autoencoding) -> Prior:
        """Return N(0, 1)."""
        return _adversary(net).prior


def _adversary(net: Autoencoding) -> Adversary:
    adversary = net.extra
    assert isinstance(adversary, Adversary)
    return adversary
