"""The two halves of a model: rows to codes, and codes to rows, both in data units.

All of narrows goes through these two functions, and so do the modules that leave it.

Legend: B batch, D features, K code size.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from narrows.networks import Autoencoding
from narrows.objectives import Objective

Interval = tuple[float, float]


def encoded(net: Autoencoding, objective: Objective, x_BD: Tensor) -> Tensor:
    """Return the codes (B, K) of rows (B, D)."""
    return objective.code(net, net.scaling(x_BD)) * net.code_unit


def decoded(
    net: Autoencoding, objective: Objective, bounds: Interval | None, z_BK: Tensor
) -> Tensor:
    """Return the rows (B, D) of codes (B, k), clipped to the bounds.

    Codes that were cut short are filled up with zeros.
    """
    missing = 0 if net.code_size is None else net.code_size - z_BK.shape[1]
    whole_BK = functional.pad(z_BK, (0, missing)) if missing else z_BK
    x_BD = net.scaling.inverse(objective.reconstruction(net, whole_BK / net.code_unit))
    return x_BD if bounds is None else x_BD.clamp(*bounds)
