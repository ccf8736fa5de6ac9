"""The plain autoencoder: rebuild what came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from narrows.networks.base import Autoencoding
from narrows.objectives.base import PIXEL_SQUARES, Batch, Objective, Step


@dataclass(frozen=True)
class Reconstruction(Objective):
    """Mean squared error between a row and its reconstruction.

    ::

        x ──encoder──▶ z ──decoder──▶ x̂        (x − x̂)², averaged over the D features

    Where reconstructions are clipped to bounds (pixels), training minimises the matching loss of
    the clip. With a the decoder's output and c = clip(a),

        ℓ(x, a) = (c − x)² + 2 (c − x)(a − c) = d (d − 2 c) + 2 d a,  d = c − x,     dℓ/da = 2 d.

    It is the square itself inside the bounds, convex in a, never below the clipped error
    (c − x)², and asks nothing of an output that clipping sets right: a black pixel may be as
    negative as it likes.

    Reference: G. Hinton and R. Salakhutdinov, "Reducing the dimensionality of data with neural
    networks", Science 313, 2006. Matching losses: P. Auer, M. Herbster and M. Warmuth,
    "Exponentially many local minima for single neurons", NIPS 1995.

    Not for: generating (the codes follow no known distribution), or noisy inputs whose noise
    should go.
    """

    name: ClassVar[str] = "reconstruction"
    units: ClassVar[dict[str, str]] = {"reconstruction": PIXEL_SQUARES}

    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``{"reconstruction": (B,)}``, squared units of the network per feature."""
        x_BD = batch.x.float()
        a_BD = self.reconstruction(net, self.code(net, batch.x)).float()
        bounds = step.bounds
        if bounds is None:
            return {"reconstruction": mse_loss(a_BD, x_BD, reduction="none").mean(dim=1)}
        # Held fixed, c leaves 2 (c − x) as the derivative, without the clip's own backward pass.
        with torch.no_grad():
            c_BD = a_BD.clamp(bounds.low, bounds.high)
            d_BD = c_BD - x_BD
            rest_BD = torch.sub(d_BD, c_BD, alpha=2).mul_(d_BD)
        return {"reconstruction": torch.addcmul(rest_BD, d_BD, a_BD, value=2).mean(dim=1)}
