"""What a prior offers: the density of codes, and new codes.

Legend: N codes, K code size.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar, Self

import torch
from torch import Tensor, nn


class Prior(nn.Module):
    """A distribution over codes; its tensors are saved with the model."""

    name: ClassVar[str]

    @property
    def is_standard(self) -> bool:
        """Tell whether it is N(0, 1), number by number."""
        return False

    @abstractmethod
    def log_prob(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the log density of codes, in nats.

        Parameters
        ----------
        z : Tensor (..., K)
        y : Tensor (...,) of int64, optional
            Classes, for a prior with classes; without, the density of the mixture of all classes.

        Returns
        -------
        Tensor (...,)
        """

    @abstractmethod
    def sample(
        self, n: int, generator: torch.Generator, temperature: float = 1.0, y: Tensor | None = None
    ) -> Tensor:
        """Draw codes (N, K).

        Parameters
        ----------
        n : int
            N.
        generator : torch.Generator
            On the CPU; the only source of chance.
        temperature : float
            Factor on the standard deviations; 0 gives the most typical codes.
        y : Tensor (N,) of int64, optional
            Classes to draw from, for a prior with classes.

        Raises
        ------
        ParameterError
            For classes, if all classes have the same distribution.
        """

    def kl(self, mean: Tensor, log_variance: Tensor, y: Tensor | None) -> Tensor | None:
        """Return KL(q ‖ prior) of each number (B, K) in nats; None where no formula is known.

        Parameters
        ----------
        mean, log_variance : Tensor (B, K)
            Of the normal distribution q.
        y : Tensor (B,) of int64, or None
            Classes, for a prior with classes.
        """
        del mean, log_variance, y
        return None

    def meet_classes(self, parts: Iterable[tuple[Tensor, Tensor, Tensor | None]]) -> None:
        """Give each class, in place, the mean and variance of its codes; for a prior with classes.

        Parameters
        ----------
        parts : iterable of (Tensor (B, K), Tensor (B, K), Tensor (B,) of int64)
            Means and log variances of the codes of rows, and the classes of these rows.
        """


class FittedPrior(Prior):
    """A prior that can be fitted to the codes of a trained model; ``name`` stands for it."""

    @classmethod
    @abstractmethod
    def fit(cls, codes: Tensor, seed: int) -> Self:
        """Fit to codes (N, K) in float64; ``seed`` is the only source of chance."""

    @classmethod
    @abstractmethod
    def blank(cls, n_components: int, tensors: Mapping[str, Tensor]) -> Self:
        """Return one of K = ``n_components`` whose tensors those of a file will fill.

        What ``tensors`` hold bounds every size: a file may be forged.
        """
