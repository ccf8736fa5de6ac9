"""Losses per row that several families share.

Legend: B batch, D features.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import mse_loss, softplus


def squared_error(a: Tensor, x: Tensor, bounds: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Return the mean squared error (B,) of outputs (B, D) for rows (B, D), per feature, float32.

    Where reconstructions are clipped to bounds (pixels), it is the matching loss of the clip. With
    c = clip(a),

        ℓ(x, a) = (c − x)² + 2 (c − x)(a − c) = d (d − 2 c) + 2 d a,  d = c − x,     dℓ/da = 2 d.

    Inside the bounds it is the square itself. It is convex in a, never below the clipped error
    (c − x)², and has no gradient for an output that clipping makes right: a black pixel may be as
    negative as it likes.

    Parameters
    ----------
    a, x : Tensor (B, D)
    bounds : (Tensor, Tensor), optional
        Lower and upper, (D,) each.

    Reference: P. Auer, M. Herbster and M. Warmuth, "Exponentially many local minima for single
    neurons", NIPS 1995 (matching losses).
    """
    a_BD, x_BD = a.float(), x.float()
    if bounds is None:
        return mse_loss(a_BD, x_BD, reduction="none").mean(dim=1)
    # With c held fixed, 2 (c − x) is the derivative, and the clip needs no backward pass.
    with torch.no_grad():
        c_BD = a_BD.clamp(*bounds)
        d_BD = c_BD - x_BD
        rest_BD = torch.sub(d_BD, c_BD, alpha=2).mul_(d_BD)
    return torch.addcmul(rest_BD, d_BD, a_BD, value=2).mean(dim=1)


def absolute_error(a: Tensor, x: Tensor, bounds: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Return the mean absolute error (B,) of outputs (B, D) for rows (B, D), per feature, float32.

    Where reconstructions are clipped to bounds, it is the matching loss of the clip, as in
    `squared_error`: ``sign(c − x) (a − x)`` with c = clip(a).

    Parameters
    ----------
    a, x : Tensor (B, D)
    bounds : (Tensor, Tensor), optional
        Lower and upper, (D,) each.
    """
    a_BD, x_BD = a.float(), x.float()
    with torch.no_grad():
        c_BD = a_BD if bounds is None else a_BD.clamp(*bounds)
        sign_BD = torch.sign(c_BD - x_BD)
    return (sign_BD * (a_BD - x_BD)).mean(dim=1)


def cross_entropy(a: Tensor, x: Tensor) -> Tensor:
    """Return ``−Σ x log p + (1 − x) log(1 − p)``, (B,) in nats per row, ``p = sigmoid(a)``.

    Parameters
    ----------
    a : Tensor (B, D)
        Logits.
    x : Tensor (B, D)
        Clipped to [0, 1].
    """
    a_BD, x_BD = a.float(), x.float().clamp(0, 1)
    return (softplus(a_BD) - x_BD * a_BD).sum(dim=1)


def clipped_squared_error(
    a: Tensor, x: Tensor, bounds: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Return the mean squared error (B,) of clipped outputs, for choosing the best state.

    Parameters
    ----------
    a, x : Tensor (B, D)
    bounds : (Tensor, Tensor), optional
        Lower and upper, (D,) each.
    """
    c_BD = a.float() if bounds is None else a.float().clamp(*bounds)
    return (c_BD - x.float()).square().mean(dim=1)
