"""The plain autoencoder: rebuild each row from its code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from narrows.common.limits import one_of, parameter
from narrows.networks.autoencoding import Autoencoding
from narrows.networks.linear_plus import LinearPath
from narrows.objectives.base import NATS, PIXEL_SQUARES, PIXELS, Batch, Needs, Objective, Step
from narrows.objectives.shared.likelihoods import LIKELIHOODS
from narrows.objectives.shared.losses import absolute_error, cross_entropy, squared_error


@dataclass(frozen=True)
class Reconstruction(Objective):
    """Rebuild a row from its code with the smallest error.

    ::

        x ──encoder──▶ z ──decoder──▶ x̂

        squared      (x − x̂)²                                averaged over the D features
        absolute     |x − x̂|                                 averaged over the D features
        bernoulli    −x log x̂ − (1 − x) log(1 − x̂)           summed over them: nats per row

    Where reconstructions are clipped to bounds (pixels), the first two have no gradient for an
    output that clipping makes right: see `narrows.objectives.shared.losses.squared_error`.
    Training starts at PCA; for ``"bernoulli"`` at logits that follow PCA's reconstruction to first
    order about the mean. The best state is the one with the smallest error of the chosen kind. So
    only with ``"squared"`` is the mean squared error on new rows on average no worse than PCA's.

    Parameters
    ----------
    error : {"squared", "absolute", "bernoulli"}, default="squared"
        ``"absolute"`` gives less weight to outliers. ``"bernoulli"`` is the cross-entropy of values
        in [0, 1], to which data is scaled; the decoder gives logits.

    Reference: G. Hinton and R. Salakhutdinov, "Reducing the dimensionality of data with neural
    networks", Science 313, 2006.

    Not for: generating (the codes follow no known distribution), or removing noise.
    """

    name: ClassVar[str] = "reconstruction"
    units: ClassVar[dict[str, str]] = {
        "reconstruction": PIXEL_SQUARES,
        "absolute_error": PIXELS,
        "cross_entropy": NATS,
    }

    error: str = parameter(
        "squared", one_of("squared", "absolute", "bernoulli"), "between a row and what is rebuilt"
    )

    @property
    def needs(self) -> Needs:
        """Return that rows stand alone; the cross-entropy also needs [0, 1] and free logits."""
        if self.error == "bernoulli":
            unit = (0.0, 1.0)
            return Needs(unit, linear_ends=True, starts_as_pca=False, side_by_side=True)
        return Needs(orderable=self.error == "squared", side_by_side=True)

    def start(self, path: LinearPath) -> LinearPath:
        """Return PCA, or logits that follow it."""
        return LIKELIHOODS["bernoulli"].start(path)[0] if self.error == "bernoulli" else path

    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return one error (B,), named by its kind."""
        a_BD = net.decoder(self.code(net, batch.x))
        if self.error == "absolute":
            return {"absolute_error": absolute_error(a_BD, batch.x, step.bounds)}
        if self.error == "bernoulli":
            return {"cross_entropy": cross_entropy(a_BD, batch.x)}
        return {"reconstruction": squared_error(a_BD, batch.x, step.bounds)}

    def held_out_loss(self, net: Autoencoding, batch: Batch, step: Step, x_hat: Tensor) -> Tensor:
        """Return the error of the clipped output, in the unit of the term."""
        if self.error == "bernoulli":
            return self.terms(net, batch, step)["cross_entropy"]
        if self.error == "absolute":
            return (x_hat - batch.x.float()).abs().mean(dim=1)
        return super().held_out_loss(net, batch, step, x_hat)

    def reconstruction(self, net: Autoencoding, z: Tensor) -> Tensor:
        """Return the rows (B, D) that codes decode to; for the cross-entropy, their means."""
        a_BD: Tensor = net.decoder(z)
        return torch.sigmoid(a_BD) if self.error == "bernoulli" else a_BD
