"""Likelihoods: how probable a row is, given the decoder's output for its code.

Each likelihood takes the decoder's output a as its parameters, and gives nats per row in data
units: for continuous rows, the logarithm of the divisor of the scaling is included.

Legend: S importance samples, B batch, D features, K code size.
"""

from __future__ import annotations

import math
from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from narrows.networks.autoencoding import Autoencoding
from narrows.networks.linear_plus import LinearPath

LOG_2PI = math.log(2 * math.pi)
SMALLEST_DEVIATION = 1e-3
"""Floor on the learned standard deviation of a continuous value, in the network's units."""
LEVELS = 256
"""Values of a discretised pixel, evenly spaced from 0 to 1."""
LARGEST_SLOPE = 16.0
"""Bound on the slope of a logit, as a function of its probability, at the start."""


class Likelihood(Protocol):
    """What a likelihood offers."""

    input_range: ClassVar[tuple[float, float] | None]
    """The range that rows must be scaled to; None for any."""

    def n_scales(self, n_features: int) -> int:
        """Return how many scales it learns: 0, 1 or one for each feature."""

    def start(self, path: LinearPath) -> tuple[LinearPath, float]:
        """Return the decoder's path at the start, and the logarithm of the scales that fit it."""

    def log_prob(self, net: Autoencoding, a: Tensor, x: Tensor, log_scale: Tensor) -> Tensor:
        """Return the log-likelihood (..., B) of rows (B, D) for outputs (..., B, D), in nats."""

    def mean(self, a: Tensor) -> Tensor:
        """Return the expected row (B, D) for outputs (B, D), in the network's units."""


class Gaussian:
    """``x ~ N(a, s²)`` with one learned standard deviation s for all features."""

    input_range: ClassVar[tuple[float, float] | None] = None

    def n_scales(self, n_features: int) -> int:
        """Return 1: with one each, the density of a constant feature would grow without bound."""
        del n_features
        return 1

    def start(self, path: LinearPath) -> tuple[LinearPath, float]:
        """Return the path unchanged, and the deviation of what PCA leaves over."""
        return path, math.log(max(residual_deviation(path), SMALLEST_DEVIATION))

    def log_prob(self, net: Autoencoding, a: Tensor, x: Tensor, log_scale: Tensor) -> Tensor:
        """Return ``−½ Σ ((x − a) / s)² − D log s − ½ D log 2π − log |d data / dx|``."""
        log_scale = log_scale.clamp(min=math.log(SMALLEST_DEVIATION))
        n_features = x.shape[-1]
        divisor = net.scaling.divisor
        log_units = divisor.log().sum() * (n_features / divisor.numel())
        constant = n_features * (log_scale.squeeze(-1) + 0.5 * LOG_2PI) + log_units.to(a.dtype)
        # The gradient of one number for all values is summed row by row, alike with any threads.
        squares: Tensor = (x - a).square().sum(dim=-1) * torch.exp(-2 * log_scale.squeeze(-1))
        return -0.5 * squares - constant

    def mean(self, a: Tensor) -> Tensor:
        """Return a."""
        return a


class Bernoulli:
    """``x ~ Bernoulli(sigmoid(a))``; grey values count as probabilities."""

    input_range: ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    def n_scales(self, n_features: int) -> int:
        """Return 0."""
        del n_features
        return 0

    def start(self, path: LinearPath) -> tuple[LinearPath, float]:
        """Return logits that follow PCA's reconstruction to first order about the mean."""
        mean_D = path.back_bias.clamp(0.02, 0.98)
        slope_D = (1 / (mean_D * (1 - mean_D))).clamp(max=LARGEST_SLOPE)
        return path._replace(
            back_weight=path.back_weight * slope_D[:, None],
            back_bias=torch.logit(mean_D),
            back_gain=torch.ones_like(path.back_gain),
        ), 0.0

    def log_prob(self, net: Autoencoding, a: Tensor, x: Tensor, log_scale: Tensor) -> Tensor:
        """Return ``Σ x log p + (1 − x) log(1 − p)`` with ``p = sigmoid(a)``."""
        del net, log_scale
        cost: Tensor = (functional.softplus(a) - x.clamp(0, 1) * a).sum(dim=-1)
        return -cost

    def mean(self, a: Tensor) -> Tensor:
        """Return the probabilities."""
        return torch.sigmoid(a)


class Logistic:
    """A logistic distribution about a, as probabilities of the 256 values of a pixel.

    Reference: T. Salimans, A. Karpathy, X. Chen and D. Kingma, "PixelCNN++", ICLR 2017, with one
    component and one learned scale s for each feature.
    """

    input_range: ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    def n_scales(self, n_features: int) -> int:
        """Return D: probabilities are bounded, unlike densities."""
        return n_features

    def start(self, path: LinearPath) -> tuple[LinearPath, float]:
        """Return the path unchanged, and the scale that fits what PCA leaves over."""
        deviation = max(residual_deviation(path), 0.5 / LEVELS)
        return path, math.log(deviation * math.sqrt(3) / math.pi)

    def log_prob(self, net: Autoencoding, a: Tensor, x: Tensor, log_scale: Tensor) -> Tensor:
        """Return ``Σ log (σ((x + h − a) / s) − σ((x − h − a) / s))``, h half a step of a pixel.

        The lowest value gets all probability below it, the highest all above it.
        """
        del net
        top = LEVELS - 1
        pixel = (x.clamp(0, 1) * top).round()
        inverse = torch.exp(-log_scale.clamp(min=-7.0)).expand(x.shape[-1])
        centred = pixel / top - a
        upper = (centred + 0.5 / top) * inverse
        lower = (centred - 0.5 / top) * inverse
        # log(σ(u) − σ(l)) = log σ(u) + log σ(−l) + log(1 − exp(l − u)), which stays finite; u − l
        # is a step of a pixel over s, and small where s is wide.
        between = (
            functional.logsigmoid(upper)
            + functional.logsigmoid(-lower)
            + torch.log(-torch.expm1(-inverse / top))
        )
        ends = torch.where(pixel == 0, functional.logsigmoid(upper), functional.logsigmoid(-lower))
        inside = (pixel > 0) & (pixel < top)
        each: Tensor = torch.where(inside, between, ends).sum(dim=-1)
        return each

    def mean(self, a: Tensor) -> Tensor:
        """Return a within [0, 1]."""
        return a.clamp(0, 1)


LIKELIHOODS: dict[str, Likelihood] = {
    "gaussian": Gaussian(),
    "bernoulli": Bernoulli(),
    "logistic": Logistic(),
}


def residual_deviation(path: LinearPath) -> float:
    """Return the deviation of the noise in probabilistic PCA, in the network's units.

    It is the root of the mean of the variances that PCA leaves out (M. Tipping and C. Bishop,
    "Probabilistic principal component analysis", JRSS B 61, 1999, eq. 8).
    """
    n_features, n_components = path.back_weight.shape
    spare = max(n_features - n_components, 1)
    return path.left_over * math.sqrt(n_features / spare)
