"""The Wasserstein autoencoder: codes follow N(0, 1), by comparison with draws from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from narrows.common.limits import parameter, real
from narrows.networks.autoencoding import Autoencoding
from narrows.networks.base import Widths
from narrows.networks.linear_plus import LinearPath
from narrows.objectives.base import PIXEL_SQUARES, Batch, Needs, Noise, Objective, Step
from narrows.objectives.priors import ClassNormals, Prior
from narrows.objectives.shared import standard_normal
from narrows.objectives.shared.losses import squared_error

KERNEL_SQUARES = "squared units of the kernel, which is at most 1"


@dataclass(frozen=True)
class WAE(Objective):
    """Rebuild rows from codes that together follow N(0, 1), so that new rows can be drawn.

    ::

        x ──encoder──▶ z ──decoder──▶ x̂            (x − x̂)², averaged over the D features
                       ┆
                 p ~ N(0, 1)                       + weight · MMD²(codes, draws)

    MMD², the squared maximum mean discrepancy, is 0 where two distributions are the same. It is
    taken between the codes of a batch and as many draws, with inverse multiquadratic kernels, by
    its unbiased estimate (a U-statistic). Unlike in a VAE, each row has a single code, and only all
    codes together follow N(0, 1).

    Parameters
    ----------
    weight : float, default=3.0
        Of MMD² beside the squared error, in the network's units, where the mean variance of a
        feature is 1. Larger makes samples more like rows and reconstructions worse.

    Reference: I. Tolstikhin, O. Bousquet, S. Gelly and B. Schölkopf, "Wasserstein auto-encoders",
    ICLR 2018, algorithm 2 (WAE-MMD).

    Not for: likelihoods (it has none), or sampling with more numbers in a code than the data vary
    in, about ten for digits: a batch does not show whether so many follow N(0, 1). There use
    ``sample(prior="mixture")``, which is fitted to the codes.
    """

    name: ClassVar[str] = "wae"
    units: ClassVar[dict[str, str]] = {"reconstruction": PIXEL_SQUARES, "mmd": KERNEL_SQUARES}

    weight: float = parameter(3.0, real(0), "of MMD² beside the squared error")

    @property
    def needs(self) -> Needs:
        """Return whole batches, whose codes are compared."""
        why = "MMD² compares every code of a batch with every other"
        return Needs(couples_rows=why, starts_as_pca=False, keeps=("prior",))

    def start(self, path: LinearPath) -> LinearPath:
        """Return PCA with codes of deviation 1."""
        return standard_normal.start(path)

    def build(
        self, widths: Widths, path: LinearPath | None, generator: torch.Generator
    ) -> nn.Module:
        """Return N(0, 1), which has no parameters."""
        del path, generator
        return ClassNormals(widths.code)

    def draw(self, generator: torch.Generator, x: Tensor, n_components: int) -> Noise:
        """Return draws (B, K) from N(0, 1), to compare codes with."""
        return {"prior": standard_normal.draw(generator, x, n_components)}

    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``{"reconstruction": (B,), "mmd": (B,)}``; the second times its weight."""
        z_BK = self.code(net, batch.x)
        error_B = squared_error(net.decoder(z_BK), batch.x, step.bounds)
        return {"reconstruction": error_B, "mmd": self.weight * self._mmd(z_BK, step)}

    def held_out_loss(self, net: Autoencoding, batch: Batch, step: Step, x_hat: Tensor) -> Tensor:
        """Return the squared error of the clipped output, plus MMD² times its weight."""
        error_B = super().held_out_loss(net, batch, step, x_hat)
        return error_B + self.weight * self._mmd(self.code(net, batch.x), step)

    def _mmd(self, z: Tensor, step: Step) -> Tensor:
        return standard_normal.squared_discrepancies(z.float(), step.noise["prior"])

    def diagnose(self, net: Autoencoding, x: Tensor) -> list[str]:
        """Say where codes do not follow N(0, 1)."""
        return standard_normal.diagnose(
            self.code(net, x), f"objective__weight={3 * self.weight or 1:g}"
        )

    def trained_prior(self, net: Autoencoding) -> Prior:
        """Return N(0, 1)."""
        prior = net.extra
        assert isinstance(prior, Prior)
        return prior
