"""Codes that may be cut short, and a decoder that knows their length.

A code is cut short by setting its last numbers to exactly zero, the mean of codes and so the best
guess for a linear path. The decoder's network also reads which numbers are given, and learns a
better guess.

Legend: B batch, K code size, n numbers given.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from narrows.networks.linear_plus import LinearPlus


def lengths_of(z: Tensor) -> Tensor:
    """Return how many numbers of each code (B, K) are given, (B,) from 0 to K."""
    places = torch.arange(1, z.shape[1] + 1, device=z.device)
    return (places * z.ne(0)).amax(dim=1)


def first_numbers(lengths: Tensor, n_components: int, dtype: torch.dtype) -> Tensor:
    """Return (B, K) of ones for as many numbers as ``lengths`` (B,) says, and zeros beyond."""
    places = torch.arange(n_components, device=lengths.device)
    return (places < lengths[:, None]).to(dtype)


class ReadsPrefix(nn.Module):
    """A decoder of codes that may be cut short.

    Parameters
    ----------
    inner : nn.Module
        (B, 2K) to outputs if ``told``: a code, and which of its numbers are given; else (B, K).
    n_components : int
        K.
    told : bool
        Whether ``inner`` reads which numbers are given.
    """

    left_over: Tensor
    gain: Tensor

    def __init__(self, inner: nn.Module, n_components: int, *, told: bool = True) -> None:
        super().__init__()
        self.inner = inner
        self.told = told
        # The error of the linear path at each length, root mean square per feature: errors are
        # divided by it, and the output of `inner` beside that path is multiplied by it.
        self.register_buffer("left_over", torch.ones(n_components))
        self.register_buffer("gain", torch.ones(n_components))

    def forward(self, z: Tensor) -> Tensor:
        """Map (B, K) to (B, outputs)."""
        lengths = lengths_of(z)
        read = z
        if self.told:
            read = torch.cat([z, first_numbers(lengths, z.shape[1], z.dtype)], dim=1)
        curved: Tensor = self.inner(read)
        return curved * self.gain[(lengths - 1).clamp(min=0), None]


def prefix_reader(decoder: nn.Module) -> ReadsPrefix | None:
    """Return the part that reads the length of a code; None for a decoder of whole codes."""
    found = decoder.inner if isinstance(decoder, LinearPlus) else decoder
    return found if isinstance(found, ReadsPrefix) else None
