"""What a prior offers: how likely a code is, and new codes.

Legend: N codes, K code size.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn


class Prior(nn.Module):
    """A distribution over codes; its tensors are saved with the model."""

    name: ClassVar[str]

    @abstractmethod
    def log_prob(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the log density of codes, in nats.

        Parameters
        ----------
        z : Tensor (..., K)
        y : Tensor (...,) of int64, optional
            Classes, where the prior knows them; without, the mixture over all classes.

        Returns
        -------
        Tensor (...,)
        """

    @abstractmethod
    def sample(
        self,
        n: int,
        generator: torch.Generator,
        temperature: float = 1.0,
        y: Tensor | None = None,
    ) -> Tensor:
        """Draw codes (N, K).

        Parameters
        ----------
        n : int
            N.
        generator : torch.Generator
            On the CPU; the only source of chance.
        temperature : float
            Factor on the deviations of what is drawn; 0 gives the most typical codes.
        y : Tensor (N,) of int64, optional
            Classes to draw from, where the prior knows them.
        """
