"""The denoising autoencoder: rebuild a clean row from a corrupted one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from narrows.common.limits import interval, one_of, parameter, real
from narrows.errors import ParameterError
from narrows.networks.autoencoding import Autoencoding
from narrows.networks.base import Widths
from narrows.networks.linear_plus import LinearPath
from narrows.objectives.base import PIXEL_SQUARES, Batch, Needs, Noise, Objective, Step
from narrows.objectives.shared.corruptions import CORRUPTIONS, USUAL_SHARE
from narrows.objectives.shared.losses import clipped_squared_error, squared_error


class SampleShape(nn.Module):
    """The shape of a row, for corruptions that use neighbouring pixels; holds no tensor."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape


@dataclass(frozen=True)
class Denoising(Objective):
    """Rebuild clean rows from corrupted ones, so that `reconstruct` cleans what it is given.

    ::

        x ──corrupt──▶ x̃ ──encoder──▶ z ──decoder──▶ x̂     (x − x̂)², averaged over the D features
        clean                                        ╰── compared with the clean row

    Rows given to `fit` are clean; each step corrupts them anew. `transform` encodes rows as they
    are: pass noisy rows to clean them. The best state is the one that cleans held-out rows best,
    with the same corruption each time. Where reconstructions are clipped to bounds, the loss is
    that of `reconstruction`. For Gaussian noise of variance n training starts at the Wiener filter
    of PCA, which multiplies a score of variance λ by λ / (λ + n).

    Parameters
    ----------
    noise : {"gaussian", "masking", "salt_and_pepper", "blur"}, default="gaussian"
        ``"gaussian"`` adds normal noise, clipped nowhere; ``"masking"`` sets values to 0;
        ``"salt_and_pepper"`` sets them to either end of the data's range, by which data is
        scaled; ``"blur"`` blurs pictures of ``sample_shape`` (H, W) or (H, W, C), or signals (D,).
    level : "auto", float or (float, float), default="auto"
        The standard deviation of Gaussian noise in data units, the part of the values in (0, 1]
        for masking and for salt and pepper, the standard deviation of a blur in pixels. A pair is
        for noise of unknown strength: each row gets a level from that range. ``"auto"`` is half of
        what scaling divides by (mostly the standard deviation of the data), 0.3, 0.2 or 1.

    Reference: P. Vincent, H. Larochelle, Y. Bengio and P.-A. Manzagol, "Extracting and composing
    robust features with denoising autoencoders", ICML 2008. Wiener filter: N. Wiener,
    "Extrapolation, interpolation, and smoothing of stationary time series", 1949.

    Not for: noise of a kind that training has not seen, or the smallest code. Cleaning needs codes
    of many numbers (128 or more for digits).
    """

    name: ClassVar[str] = "denoising"
    units: ClassVar[dict[str, str]] = {"reconstruction": PIXEL_SQUARES}

    noise: str = parameter("gaussian", one_of(*CORRUPTIONS), "what corrupts rows")
    level: str | float | tuple[float, float] = parameter(
        "auto",
        one_of("auto") | real(0, low_open=True) | interval(),
        "how much of it: data units, part of the values, or pixels",
    )

    @property
    def needs(self) -> Needs:
        """Return values in [0, 1] for salt and pepper, which are its ends."""
        return Needs(
            input_range=CORRUPTIONS[self.noise].input_range,
            orderable=True,
            starts_as_pca=self.noise not in ("gaussian", "blur"),
            corrupts=True,
        )

    def check(self, n_components: int) -> None:
        """Check that the noise can have such a level.

        Raises
        ------
        ParameterError
        """
        most = CORRUPTIONS[self.noise].most
        low, high = self._range() or (most, most)
        if low <= 0 or high > most:
            limit = f"in (0, {most:g}]" if most < math.inf else "> 0"
            raise ParameterError(
                f"`level` of Denoising must be {limit} for noise={self.noise!r}, got"
                f" {self.level!r}."
            )

    def _range(self) -> tuple[float, float] | None:
        """Return the lowest and the highest level; None for the usual one."""
        if isinstance(self.level, (tuple, list)):
            return float(self.level[0]), float(self.level[1])
        return None if isinstance(self.level, str) else (float(self.level), float(self.level))

    def start(self, path: LinearPath) -> LinearPath:
        """Return PCA, followed by the Wiener filter where the noise is Gaussian."""
        if self.noise != "gaussian":
            return path
        levels = self._range()
        if levels is None:
            noise_D = torch.full_like(path.back_bias, USUAL_SHARE**2)
        else:
            low, high = levels
            mean_square = (low * low + low * high + high * high) / 3
            noise_D = (mean_square / path.divisor.square()).expand_as(path.back_bias)
        noise_K = path.into_weight.square() @ noise_D
        variances_K = path.deviations.square()
        kept_K = variances_K / (variances_K + noise_K)
        # The filter's error: kept · noise for each score, and all that PCA leaves out.
        left_over = math.sqrt(float((kept_K * noise_K).sum()) / len(noise_D) + path.left_over**2)
        return path._replace(
            into_weight=path.into_weight * kept_K[:, None],
            into_bias=path.into_bias * kept_K,
            into_gain=path.deviations * kept_K.sqrt(),
            back_gain=torch.full_like(path.back_gain, left_over),
            deviations=path.deviations * kept_K.sqrt(),
            left_over=left_over,
        )

    def build(
        self, widths: Widths, path: LinearPath | None, generator: torch.Generator
    ) -> nn.Module | None:
        """Return the shape of a row, where a blur needs it."""
        del path, generator
        shape = widths.sample_shape or (widths.features,)
        return SampleShape(shape) if self.noise == "blur" else None

    def draw(self, generator: torch.Generator, x: Tensor, n_components: int) -> Noise:
        """Return the random numbers of the noise, (B, D), and of a range of levels, (B, 1)."""
        del n_components
        noise = CORRUPTIONS[self.noise].draw(generator, x)
        if isinstance(self.level, (tuple, list)):
            noise["place"] = torch.rand(len(x), 1, generator=generator, device=x.device)
        return noise

    def corrupted(self, net: Autoencoding, x: Tensor, noise: Noise) -> Tensor:
        """Return corrupted rows (B, D), in the network's units."""
        corruption, scaling = CORRUPTIONS[self.noise], net.scaling
        levels = self._range()
        if levels is None:
            level = corruption.usual(scaling)[None]
        else:
            low, high = levels
            place = noise.get("place", torch.zeros(1, 1, device=x.device))
            level = low + (high - low) * place
        shape = net.extra.shape if isinstance(net.extra, SampleShape) else (x.shape[1],)
        return corruption.apply(x.float(), noise, level, scaling, shape).to(x.dtype)

    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``{"reconstruction": (B,)}``, squared units of the network per feature."""
        z_BK = self.code(net, self.corrupted(net, batch.x, step.noise))
        a_BD = self.reconstruction(net, z_BK)
        return {"reconstruction": squared_error(a_BD, batch.x, step.bounds)}

    def held_out_loss(self, net: Autoencoding, batch: Batch, step: Step, x_hat: Tensor) -> Tensor:
        """Return the squared error between clean rows and those rebuilt from corrupted ones."""
        del x_hat
        z_BK = self.code(net, self.corrupted(net, batch.x, step.noise))
        return clipped_squared_error(self.reconstruction(net, z_BK), batch.x, step.bounds)
