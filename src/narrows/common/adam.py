"""Adam, stepped by torch's own functions.

The classes in `torch.optim` load torch's compiler when they are made, which takes seconds and
changes Python's random stream. The functions that compute their steps do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw


class AdamSteps:
    """Adam (D. Kingma and J. Ba, ICLR 2015), with the numbers of `torch.optim.Adam` and `AdamW`.

    Parameters
    ----------
    groups : iterable of dict
        ``params``, a list of parameters; ``lr``, the learning rate, set before each step; and,
        where it differs, ``weight_decay``.
    betas : (float, float)
        Decay of the running mean and of the running square of gradients.
    eps : float
        Added to the root of the running square.
    weight_decay : float
        Of parameters, as a fraction of the learning rate (AdamW: I. Loshchilov and F. Hutter,
        "Decoupled weight decay regularization", ICLR 2019).
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        usual = {"betas": betas, "eps": eps, "weight_decay": weight_decay}
        self.param_groups = [{**usual, **group} for group in groups]
        self._kept: dict[tuple[int, int], tuple[Tensor, Tensor, Tensor]] = {}

    @torch.no_grad()
    def step(self) -> None:
        """Move each parameter that has a gradient."""
        for number, group in enumerate(self.param_groups):
            moved = [pair for pair in enumerate(group["params"]) if pair[1].grad is not None]
            kept = [self._of((number, place), parameter) for place, parameter in moved]
            if not moved:
                continue
            means, squares, counts = (list(tensors) for tensors in zip(*kept, strict=True))
            adamw(
                [parameter for _, parameter in moved],
                [parameter.grad for _, parameter in moved],
                means,
                squares,
                [],
                counts,
                fused=True,
                amsgrad=False,
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                maximize=False,
            )

    def _of(self, place: tuple[int, int], parameter: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return a parameter's running mean and square of gradients, and its count of steps."""
        if place not in self._kept:
            count = torch.zeros((), dtype=torch.float32, device=parameter.device)
            self._kept[place] = torch.zeros_like(parameter), torch.zeros_like(parameter), count
        return self._kept[place]
