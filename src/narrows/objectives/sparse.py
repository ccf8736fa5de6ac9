"""The sparse autoencoder: few numbers of a code are other than zero for each row."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from narrows.common.limits import MOST, integer, one_of, parameter, real
from narrows.errors import ParameterError
from narrows.networks.autoencoding import Autoencoding
from narrows.networks.linear_plus import LinearPath
from narrows.objectives.base import PIXEL_SQUARES, Batch, Needs, Noise, Objective, Step
from narrows.objectives.shared.losses import clipped_squared_error, squared_error

THRESHOLD = 0.1
"""Size below which a number of a code is 0 under L1, in the network's units."""
SMALLEST_ACTIVITY = 1e-6
"""Floor on a mean activity and on 1 minus it, before logarithms are taken."""


@dataclass(frozen=True)
class Sparse(Objective):
    """Rebuild each row from few numbers of a code, which may have more numbers than the row.

    ::

        x ──encoder──▶ a ──▶ z ──+ noise──▶ decoder ──▶ x̂      (x − x̂)² / D     summed over D

        l1      z = a moved towards 0 by 0.1, and 0 within      + weight · Σ |z_k| / D
        kl      z = sigmoid(a)                                  + weight · Σ KL(target ‖ ρ_k) / D
        topk    z = a where |a| is among the k largest, else 0

    ρ_k is the mean of z_k over the rows of a batch, and KL(ρ' ‖ ρ) = ρ' log ρ'/ρ + (1 − ρ') log
    (1 − ρ')/(1 − ρ). So under ``"l1"`` and ``"topk"`` each row has few numbers other than exactly
    0; under ``"kl"`` each number is seldom far from 0.

    The penalties alone could be avoided: a code a tenth as large, with a decoder ten times as
    steep, rebuilds the same. Noise is added to codes in training, so that small codes are lost in
    it.

    Training starts at PCA, thresholded as above; for ``"kl"`` at scores of deviation 1, followed by
    the sigmoid, to first order about its middle. For more numbers than features use
    ``init="random"``. The best state is the one with the smallest sum of the terms on held-out
    rows, with the same noise each time.

    Parameters
    ----------
    penalty : {"l1", "kl", "topk"}, default="l1"
    weight : float, default=0.3
        Of the penalty of ``"l1"`` or ``"kl"`` beside the squared error. The first is in the
        network's units, in which the mean variance of a feature is 1.
    target : float in (0, 1), default=0.05
        Mean activity of a number under ``"kl"``.
    k : "auto" or int, default="auto"
        Numbers that ``"topk"`` keeps; ``"auto"`` is a quarter of them.
    code_noise : float, default=0.1
        Standard deviation of the noise on codes, for ``"l1"`` and ``"kl"``.

    Reference: L1: B. Olshausen and D. Field, "Emergence of simple-cell receptive field properties
    by learning a sparse code for natural images", Nature 381, 1996; thresholds: K. Gregor and
    Y. LeCun, "Learning fast approximations of sparse coding", ICML 2010; noise: Y. Karklin and
    E. Simoncelli, "Efficient coding of natural images with a population of noisy linear-nonlinear
    neurons", NIPS 2011. KL: A. Ng, "Sparse autoencoder", CS294A lecture notes, Stanford, 2011.
    Top-k: A. Makhzani and B. Frey, "k-sparse autoencoders", ICLR 2014, here by size.

    Not for: the smallest reconstruction error at a code size, or pictures of codes of two or three
    numbers.
    """

    name: ClassVar[str] = "sparse"
    units: ClassVar[dict[str, str]] = {
        "reconstruction": PIXEL_SQUARES,
        "l1": "units of the code per feature",
        "kl": "nats per feature",
    }

    penalty: str = parameter("l1", one_of("l1", "kl", "topk"), "what makes codes sparse")
    weight: float = parameter(0.3, real(0), "of the penalty beside the squared error")
    target: float = parameter(0.05, real(0, 1, low_open=True), "mean activity of a number under kl")
    k: str | int = parameter("auto", one_of("auto") | integer(1, MOST), "numbers that topk keeps")
    code_noise: float = parameter(0.1, real(0), "deviation of the noise on codes in training")

    @property
    def needs(self) -> Needs:
        """Return that rows stand alone, but for KL, which compares mean activities of a batch."""
        if self.penalty == "kl":
            why = "KL compares the mean activity over a batch"
            return Needs(couples_rows=why, starts_as_pca=False)
        return Needs(side_by_side=True)

    def check(self, n_components: int) -> None:
        """Check that a code has as many numbers as are to be kept.

        Raises
        ------
        ParameterError
        """
        if self.penalty == "topk" and self._n_kept(n_components) > n_components:
            raise ParameterError(
                f"`k`={self.k} of Sparse is more than n_components={n_components}; keep fewer, or"
                " 'auto'."
            )

    def _n_kept(self, n_components: int) -> int:
        return math.ceil(n_components / 4) if isinstance(self.k, str) else int(self.k)

    def start(self, path: LinearPath) -> LinearPath:
        """Return PCA; for KL, PCA around a sigmoid, whose slope at 0 is 1/4."""
        if self.penalty != "kl":
            return path
        path = path.whitened()
        back_weight = 4 * path.back_weight
        return path._replace(
            back_weight=back_weight,
            back_bias=path.back_bias - 0.5 * back_weight.sum(dim=1),
            deviations=path.deviations / 4,
        )

    def draw(self, generator: torch.Generator, x: Tensor, n_components: int) -> Noise:
        """Return noise for codes (B, K); nothing for top-k."""
        if self.penalty == "topk":
            return {}
        size = (len(x), n_components)
        return {"code": torch.randn(size, generator=generator, device=x.device)}

    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``{"reconstruction": (B,)}`` and the penalty (B,) by its name, times its weight.

        The penalty of KL is the same for all rows.
        """
        z_BK, a_BD = self._passed(net, batch.x, step.noise)
        penalty = self._penalty(z_BK, batch.x.shape[1])
        return {"reconstruction": squared_error(a_BD, batch.x, step.bounds), **penalty}

    def held_out_loss(self, net: Autoencoding, batch: Batch, step: Step, x_hat: Tensor) -> Tensor:
        """Return the sum of the terms, with the squared error of the clipped output."""
        del x_hat
        z_BK, a_BD = self._passed(net, batch.x, step.noise)
        error_B = clipped_squared_error(a_BD, batch.x, step.bounds)
        return sum(self._penalty(z_BK, batch.x.shape[1]).values(), start=error_B)

    def _passed(self, net: Autoencoding, x: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return codes (B, K), and the decoder's outputs (B, D) for codes with noise."""
        z_BK = self.code(net, x)
        if "code" not in noise:
            return z_BK, self.reconstruction(net, z_BK)
        noise_BK = (self.code_noise * noise["code"]).to(z_BK.dtype)
        return z_BK, self.reconstruction(net, z_BK + noise_BK)

    def _penalty(self, z: Tensor, n_features: int) -> dict[str, Tensor]:
        """Return the penalty (B,) of codes (B, K) by its name, times its weight; none for top-k."""
        z_BK = z.float()
        if self.penalty == "l1":
            return {"l1": self.weight / n_features * z_BK.abs().sum(dim=1)}
        if self.penalty == "kl":
            kl_K = bernoulli_kl(self.target, z_BK.mean(dim=0))
            return {"kl": (self.weight / n_features * kl_K.sum()).expand(len(z))}
        return {}

    def diagnose(self, net: Autoencoding, x: Tensor) -> list[str]:
        """Say where numbers are 0 for every row although the features could use them."""
        if self.penalty == "kl":
            return []
        z_NK = self.code(net, x)
        active = int((z_NK != 0).any(dim=0).sum())
        if active >= min(z_NK.shape[1], x.shape[1]):
            return []
        remedy = f"weight={self.weight / 3:.2g}"
        if self.penalty == "topk":
            remedy = f"k={min(2 * self._n_kept(z_NK.shape[1]), z_NK.shape[1])}"
        return [
            f"{z_NK.shape[1] - active} of {z_NK.shape[1]} numbers of the code are 0 for every row."
            f" Try objective__{remedy}, or n_components={max(active, 1)}."
        ]

    def code(self, net: Autoencoding, x: Tensor) -> Tensor:
        """Return z (B, K): thresholded, in (0, 1), or with k numbers other than 0."""
        a_BK: Tensor = net.encoder(x)
        if self.penalty == "l1":
            return a_BK - a_BK.clamp(-THRESHOLD, THRESHOLD)
        if self.penalty == "kl":
            return torch.sigmoid(a_BK)
        kept = a_BK.abs().topk(self._n_kept(a_BK.shape[1]), dim=1).indices
        return torch.zeros_like(a_BK).scatter(1, kept, a_BK.gather(1, kept))


def bernoulli_kl(target: float, activity: Tensor) -> Tensor:
    """Return KL(target ‖ activity) (K,) in nats, of Bernoulli distributions with these means."""
    rho_K = activity.clamp(SMALLEST_ACTIVITY, 1 - SMALLEST_ACTIVITY)
    active = target * (math.log(target) - rho_K.log())
    return active + (1 - target) * (math.log1p(-target) - torch.log1p(-rho_K))
