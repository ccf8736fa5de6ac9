"""Ordered codes: one training after which every prefix of a code decodes well.

Legend: B batch, D features, K code size, n numbers given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from narrows.errors import ParameterError
from narrows.networks import Autoencoding, LinearPath, Widths
from narrows.networks.prefixes import ReadsPrefix, first_numbers, prefix_reader
from narrows.objectives import Batch, Noise, Objective, Step

LENGTHS_PER_ROW = 2
"""Prefixes of each code that a step decodes."""
SHARE_WHOLE = 0.25
"""Part of them that is the whole code."""
FALL = 0.8
"""Of the others, n numbers are drawn with a probability that falls as n to this power."""
SMALLEST_LEFT_OVER = 1e-3
"""Floor on what a prefix of PCA leaves over, as a part of the variance, where errors are weighed
by it."""


class _First(nn.Module):
    """An encoder of which only the first numbers are handed on, and zeros.

    Rows come several times over, one copy of all after the other, and are encoded once.
    """

    def __init__(self, encoder: nn.Module, given: Tensor, copies: int) -> None:
        super().__init__()
        self.encoder, self.given, self.copies = encoder, given, copies

    def forward(self, x: Tensor) -> Tensor:
        code: Tensor = self.encoder(x[: len(x) // self.copies])
        return code.repeat(self.copies, 1) * self.given.to(code.dtype)


def cut(net: Autoencoding, lengths: Tensor, copies: int = 1) -> Autoencoding:
    """Return a network whose codes are as long as ``lengths`` (B,) says, zeros beyond.

    Parameters
    ----------
    net : Autoencoding
        For such codes; its parameters are shared.
    lengths : Tensor (B,) of int64
    copies : int
        How often the rows of a batch are repeated, each time with other lengths.
    """
    reader = reader_of(net)
    given = first_numbers(lengths, len(reader.left_over), torch.float32)
    encoder = _First(net.encoder, given, copies)
    return Autoencoding(net.scaling, encoder, net.decoder, extra=net.extra)


def reader_of(net: Autoencoding) -> ReadsPrefix:
    """Return what tells the decoder of an ordered network the length of a code."""
    reader = prefix_reader(net.decoder)
    assert reader is not None, "the network was not built for codes that may be cut short"
    return reader


def ordered_path(path: LinearPath) -> LinearPath:
    """Return the same map with room to move every number, and outputs in units of their own.

    How much a decoder may add depends on the length of the code: see `ReadsPrefix.gain`.
    """
    one = torch.ones(1, dtype=path.deviations.dtype)
    return path._replace(into_gain=path.deviations, back_gain=one)


def left_over_by_length(path: LinearPath, n_components: int) -> Tensor:
    """Return what a linear path leaves over at 1 to K numbers, root mean square per feature.

    Beyond as many numbers as the path has, nothing more is explained.
    """
    squares = path.deviations.square()
    beyond = squares.flip(0).cumsum(0).flip(0) - squares
    left_over = (path.left_over**2 + beyond / len(path.back_bias)).sqrt()
    return nn.functional.pad(left_over, (0, n_components - len(left_over)), value=path.left_over)


def _copied(batch: Batch, step: Step) -> tuple[Tensor, Batch, Step]:
    """Return the lengths that were drawn, and as many copies of rows and noise beside them."""
    copies = LENGTHS_PER_ROW
    lengths = step.noise["lengths"].T.reshape(-1)
    noise = {name: torch.cat([drawn] * copies) for name, drawn in step.noise.items()}
    return lengths, Batch(torch.cat([batch.x] * copies)), step._replace(noise=noise)


@dataclass(frozen=True)
class Ordered(Objective):
    """Another family, with codes cut short at random.

    ::

        x ──encoder──▶ z₁ … z_K ──▶ z₁ … z_n 0 … 0 ──decoder, told n──▶ x̂_n
                                    n drawn at random, short prefixes more often

    Each term is divided by what PCA leaves over at the same length, so that all lengths count
    alike: a loss of 0.5 is half of PCA's error. The best state is the one with the smallest such
    loss on held-out rows.

    Parameters
    ----------
    inner : Objective
        With one code per row that its decoder reads: `reconstruction` or `denoising`.

    Reference: O. Rippel, M. Gelbart and R. Adams, "Learning ordered representations with nested
    dropout", ICML 2014.
    """

    name: ClassVar[str] = "ordered"
    usual_batch: ClassVar[int] = 512
    inner: Objective

    # A property in place of a class variable: the terms are those of the family inside.
    @property
    def units(self) -> dict[str, str]:  # type: ignore[override]
        """Return the terms of the family, in parts of PCA's error."""
        return dict.fromkeys(self.inner.units, "parts of the error of PCA at the same length")

    def usual_rates(self, n_components: int) -> tuple[float, float, float]:
        """Return what ``learning_rate="auto"`` is, by rows."""
        del n_components
        return 0.001, 0.001, 0.0045

    # ---------------------------------------------------------------- as the family inside

    @property
    def couples_rows(self) -> str:
        """Tell what the family does."""
        return self.inner.couples_rows

    @property
    def input_range(self) -> tuple[float, float] | None:
        """Return the range of the family."""
        return self.inner.input_range

    @property
    def needs_linear_ends(self) -> bool:
        """Tell what the family needs."""
        return self.inner.needs_linear_ends

    def output_sizes(self, n_features: int, n_components: int) -> tuple[int, int]:
        """Return the sizes of the family."""
        return self.inner.output_sizes(n_features, n_components)

    def start(self, path: LinearPath) -> LinearPath:
        """Return the start of the family."""
        return self.inner.start(path)

    def build(
        self, widths: Widths, path: LinearPath | None, generator: torch.Generator
    ) -> nn.Module | None:
        """Return what the family adds."""
        return self.inner.build(widths, path, generator)

    def parameters(self, net: Autoencoding, phase: str) -> Iterator[nn.Parameter]:
        """Give what the family trains."""
        return self.inner.parameters(net, phase)

    def code(self, net: Autoencoding, x: Tensor) -> Tensor:
        """Return whole codes (B, K)."""
        return self.inner.code(net, x)

    def reconstruction(self, net: Autoencoding, z: Tensor) -> Tensor:
        """Return the rows that codes (B, K) decode to, cut short or not."""
        return self.inner.reconstruction(net, z)

    # ---------------------------------------------------------------- learning

    def draw(self, generator: torch.Generator, x: Tensor, n_components: int) -> Noise:
        """Return what the family draws, and lengths (B, 2), spread evenly over a batch."""
        n_rows, device = len(x), x.device
        likely = torch.arange(1, n_components + 1, device=device) ** -FALL
        likely *= (1 - SHARE_WHOLE) / likely.sum()
        likely[-1] += SHARE_WHOLE
        places = []
        for _ in range(LENGTHS_PER_ROW):
            order = torch.randperm(n_rows, generator=generator, device=device)
            places.append(order + torch.rand(n_rows, generator=generator, device=device))
        drawn = torch.searchsorted(likely.cumsum(0), torch.stack(places, dim=1) / n_rows)
        lengths = drawn.clamp(max=n_components - 1) + 1
        return {**self.inner.draw(generator, x, n_components), "lengths": lengths}

    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the family's terms (B,), in parts of what PCA leaves over."""
        lengths, repeated, step = _copied(batch, step)
        found = self.inner.terms(cut(net, lengths, LENGTHS_PER_ROW), repeated, step)
        return {name: self._weighed(net, term, lengths) for name, term in found.items()}

    def held_out_loss(self, net: Autoencoding, batch: Batch, step: Step, x_hat: Tensor) -> Tensor:
        """Return the family's loss (B,) at lengths as they are drawn, weighed as in training."""
        del x_hat
        lengths, repeated, step = _copied(batch, step)
        shorter = cut(net, lengths, LENGTHS_PER_ROW)
        found = self.reconstruction(shorter, self.code(shorter, repeated.x))
        found = found if step.bounds is None else found.clamp(*step.bounds)
        loss = self.inner.held_out_loss(shorter, repeated, step, found)
        return self._weighed(net, loss, lengths)

    def _weighed(self, net: Autoencoding, values: Tensor, lengths: Tensor) -> Tensor:
        """Return the mean over the copies of a row, in parts of what PCA leaves over: (B,)."""
        weighed = values * self._weights(net)[lengths - 1]
        return weighed.reshape(LENGTHS_PER_ROW, -1).mean(dim=0)

    def _weights(self, net: Autoencoding) -> Tensor:
        """Return one over what PCA leaves over at 1 to K numbers, mean square per feature.

        Where one number leaves nothing over, all are 1.
        """
        squares = reader_of(net).left_over.float().square()
        floor = SMALLEST_LEFT_OVER * squares[0]
        return torch.where(floor > 0, 1.0 / squares.maximum(floor), 1.0)


def as_ordered(objective: Objective) -> Ordered:
    """Return a family with codes cut short at random.

    Raises
    ------
    ParameterError
        For a family whose decoder reads more of a code than its numbers, or asks more of them.
    """
    if not objective.orderable:
        raise ParameterError(
            f"{objective!r} cannot train ordered codes; ordered=True and a fraction for"
            " `n_components` work with 'reconstruction' of squared errors and with 'denoising'."
        )
    return Ordered(objective)
