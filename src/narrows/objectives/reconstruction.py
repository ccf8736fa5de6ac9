"""The plain autoencoder: rebuild what came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from narrows.losses import squared_error
from narrows.networks.base import Autoencoding
from narrows.objectives.base import PIXEL_SQUARES, Batch, Objective, Step


@dataclass(frozen=True)
class Reconstruction(Objective):
    """Mean squared error between a row and its reconstruction.

    ::

        x ──encoder──▶ z ──decoder──▶ x̂        (x − x̂)², averaged over the D features

    Where reconstructions are clipped to bounds (pixels), it is the matching loss of the clip, which
    asks nothing of an output that clipping sets right: see `narrows.losses.squared_error`.

    Reference: G. Hinton and R. Salakhutdinov, "Reducing the dimensionality of data with neural
    networks", Science 313, 2006.

    Not for: generating (the codes follow no known distribution), or noisy inputs whose noise
    should go.
    """

    name: ClassVar[str] = "reconstruction"
    units: ClassVar[dict[str, str]] = {"reconstruction": PIXEL_SQUARES}

    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``{"reconstruction": (B,)}``, squared units of the network per feature."""
        a_BD = self.reconstruction(net, self.code(net, batch.x))
        return {"reconstruction": squared_error(a_BD, batch.x, step.bounds)}
