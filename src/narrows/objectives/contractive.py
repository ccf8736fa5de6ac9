"""The contractive autoencoder: small changes of a row hardly change its code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from narrows.common.limits import MOST, integer, parameter, real
from narrows.networks.autoencoding import Autoencoding
from narrows.objectives.base import PIXEL_SQUARES, Batch, Needs, Noise, Objective, Step
from narrows.objectives.shared.losses import clipped_squared_error, squared_error

SLOPE_SQUARES = "squared units of the code per unit of the network, per feature"


@dataclass(frozen=True)
class Contractive(Objective):
    """Rebuild rows from codes that hardly change when a row changes a little.

    ::

        x ──encoder──▶ z ──+ noise──▶ decoder ──▶ x̂        (x − x̂)² / D         summed over D
             │
             ╰─ J = ∂z/∂x  (K, D)                          + weight · ‖J‖² / D  summed over K and D

    The code keeps only the directions that rebuilding needs. ``‖J‖²`` is estimated without bias
    from ``probes`` random sign vectors v of each row, as the mean of ``‖vᵀ J‖²`` (Hutchinson). With
    as many probes as numbers in a code it is exact.

    The penalty alone could be avoided: a code a tenth as large, with a decoder ten times as steep,
    rebuilds the same. The original ties encoder and decoder by shared weights. Here noise is added
    to codes in training, so that small codes are lost in it.

    Training starts at PCA, where ``‖J‖²`` is K. The best state is the one with the smallest sum of
    both terms on held-out rows, with the same noise each time.

    Parameters
    ----------
    weight : float, default=0.1
        Of the penalty beside the squared error.
    code_noise : float, default=0.1
        Standard deviation of the noise on codes, in the network's units, in which the mean
        variance of a feature is 1.
    probes : int, default=1
        Backward passes for the estimate; time grows with them.

    Reference: S. Rifai, P. Vincent, X. Muller, X. Glorot and Y. Bengio, "Contractive auto-encoders:
    explicit invariance during feature extraction", ICML 2011, eq. 4 and 5. Estimate: M. Hutchinson,
    "A stochastic estimator of the trace of the influence matrix for Laplacian smoothing splines",
    Communications in Statistics 19, 1990.

    Not for: the smallest reconstruction error, or speed (a step takes about twice as long). For a
    known kind of noise, use `denoising`.
    """

    name: ClassVar[str] = "contractive"
    units: ClassVar[dict[str, str]] = {
        "reconstruction": PIXEL_SQUARES,
        "contraction": SLOPE_SQUARES,
    }

    weight: float = parameter(0.1, real(0), "of the penalty beside the squared error")
    code_noise: float = parameter(0.1, real(0), "deviation of the noise on codes in training")
    probes: int = parameter(1, integer(1, MOST), "backward passes for the estimate of the penalty")

    @property
    def needs(self) -> Needs:
        """Return that the terms of a row are made of that row alone."""
        return Needs(side_by_side=True)

    def draw(self, generator: torch.Generator, x: Tensor, n_components: int) -> Noise:
        """Return noise for codes (B, K), and P signs (B, P, K) where the penalty is estimated."""
        B, K, device = len(x), n_components, x.device
        noise = {"code": torch.randn((B, K), generator=generator, device=device)}
        if self.probes < K:
            bits = torch.randint(0, 2, (B, self.probes, K), generator=generator, device=device)
            noise["signs"] = 2.0 * bits - 1.0
        return noise

    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``{"reconstruction": (B,), "contraction": (B,)}``, the second times its weight."""
        a_BD, squared_norm_B = self._passed(net, batch.x, step.noise)
        return {
            "reconstruction": squared_error(a_BD, batch.x, step.bounds),
            "contraction": self.weight / batch.x.shape[1] * squared_norm_B,
        }

    def held_out_loss(self, net: Autoencoding, batch: Batch, step: Step, x_hat: Tensor) -> Tensor:
        """Return the sum of both terms, with the squared error of the clipped output."""
        del x_hat
        a_BD, squared_norm_B = self._passed(net, batch.x, step.noise)
        error_B = clipped_squared_error(a_BD, batch.x, step.bounds)
        return error_B + self.weight / batch.x.shape[1] * squared_norm_B

    def _passed(self, net: Autoencoding, x: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return the decoder's outputs (B, D) for noisy codes, and ‖J‖² (B,)."""
        further = torch.is_grad_enabled()
        x_BD = x.detach().requires_grad_(True)
        with torch.enable_grad():
            z_BK = self.code(net, x_BD)
            squared_norm_B = self._squared_norm(z_BK, x_BD, noise, further=further)
        a_BD = self.reconstruction(net, z_BK + (self.code_noise * noise["code"]).to(x.dtype))
        return a_BD, squared_norm_B

    def _squared_norm(self, z: Tensor, x: Tensor, noise: Noise, *, further: bool) -> Tensor:
        """Return ‖∂z/∂x‖² (B,); ``further`` says whether it can be differentiated again.

        One backward pass serves all rows of a batch, since no code depends on another row; batch
        normalisation in modules of a user would break this.
        """
        # Without signs, one row of J after the other, so that the sum is exact.
        exact = "signs" not in noise
        probes_BPK = torch.eye(z.shape[1]).expand(len(z), -1, -1) if exact else noise["signs"]
        squares_B = torch.zeros(len(z), device=z.device)
        for probe_BK in probes_BPK.to(z).unbind(dim=1):
            (pulled_BD,) = torch.autograd.grad(
                z, x, probe_BK, retain_graph=True, create_graph=further
            )
            squares_B = squares_B + pulled_BD.float().square().sum(dim=1)
        return squares_B if exact else squares_B / self.probes
