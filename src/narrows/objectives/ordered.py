"""Ordered codes: after one training, every prefix of a code decodes well.

Legend: B batch, D features, K code size, n numbers kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from narrows.errors import ParameterError
from narrows.networks import Autoencoding, LinearPath
from narrows.networks.prefixes import ReadsPrefix, first_numbers, prefix_reader
from narrows.objectives.base import Batch, Noise, Objective, Step, Usual

LENGTHS_PER_ROW = 2
"""Prefixes of each code that a step decodes."""
SHARE_WHOLE = 0.25
"""Part of them that is the whole code."""
FALL = 0.8
"""Of the others, n numbers are drawn with a probability that falls as n to this power."""
SMALLEST_LEFT_OVER = 1e-3
"""Floor on PCA's error at a length, as a part of its error at one number, where it divides."""


class _First(nn.Module):
    """An encoder whose codes keep only their first numbers; the others become zero.

    The batch holds several copies of its rows, one after the other, which are encoded once.
    """

    def __init__(self, encoder: nn.Module, kept: Tensor, copies: int) -> None:
        super().__init__()
        self.encoder, self.kept, self.copies = encoder, kept, copies

    def forward(self, x: Tensor) -> Tensor:
        code: Tensor = self.encoder(x[: len(x) // self.copies])
        return code.repeat(self.copies, 1) * self.kept.to(code.dtype)


def cut(net: Autoencoding, lengths: Tensor, copies: int = 1) -> Autoencoding:
    """Return a network whose codes have as many numbers as ``lengths`` (B,) says, then zeros.

    Parameters
    ----------
    net : Autoencoding
        Built for such codes; its parameters are shared.
    lengths : Tensor (B,) of int64
    copies : int
        How often the rows of a batch are repeated, each time with other lengths.
    """
    kept = first_numbers(lengths, len(reader_of(net).left_over), torch.float32)
    encoder = _First(net.encoder, kept, copies)
    return Autoencoding(net.scaling, encoder, net.decoder, extra=net.extra)


def reader_of(net: Autoencoding) -> ReadsPrefix:
    """Return the part of the decoder that reads the length of a code."""
    reader = prefix_reader(net.decoder)
    assert reader is not None, "the network was not built for codes that may be cut short"
    return reader


def ordered_path(path: LinearPath) -> LinearPath:
    """Return the same map, where the network may move each number by its own deviation.

    The output of the decoder's network is scaled by `ReadsPrefix.gain`, which depends on the length
    of the code.
    """
    one = torch.ones(1, dtype=path.deviations.dtype)
    return path._replace(into_gain=path.deviations, back_gain=one)


def left_over_by_length(path: LinearPath, n_components: int) -> Tensor:
    """Return the error of a linear path with 1 to K numbers (K,): root mean square per feature.

    Where the path has fewer numbers than K, the last error is repeated.
    """
    squares = path.deviations.square()
    beyond = squares.flip(0).cumsum(0).flip(0) - squares
    left_over = (path.left_over**2 + beyond / len(path.back_bias)).sqrt()
    return nn.functional.pad(left_over, (0, n_components - len(left_over)), value=path.left_over)


def _copied(batch: Batch, step: Step) -> tuple[Tensor, Batch, Step]:
    """Return the lengths that were drawn, and as many copies of rows and noise."""
    copies = LENGTHS_PER_ROW
    lengths = step.noise["lengths"].T.reshape(-1)
    noise = {name: torch.cat([drawn] * copies) for name, drawn in step.noise.items()}
    return lengths, Batch(torch.cat([batch.x] * copies)), step._replace(noise=noise)


@dataclass(frozen=True)
class Ordered:
    """The loss of a family with codes cut short at random.

    ::

        x ──encoder──▶ z₁ … z_K ──▶ z₁ … z_n 0 … 0 ──decoder, told n──▶ x̂_n
                                    n drawn at random, short prefixes more often

    Each term is divided by PCA's error at the same length, so that all lengths count alike: a loss
    of 0.5 is half of PCA's error. The best state is the one with the smallest such loss on held-out
    rows. Codes, reconstructions and the start are those of the family.

    Parameters
    ----------
    inner : Objective
        An orderable one: `reconstruction` of squared errors, or `denoising`.

    Reference: O. Rippel, M. Gelbart and R. Adams, "Learning ordered representations with nested
    dropout", ICML 2014.

    Not for: the smallest error at one known code size; the family alone is for that.
    """

    inner: Objective

    @property
    def units(self) -> dict[str, str]:
        """Return the family's terms, in parts of PCA's error."""
        return dict.fromkeys(self.inner.units, "parts of the error of PCA at the same length")

    def usual(self, n_components: int) -> Usual:
        """Return larger batches and a higher learning rate than without order."""
        del n_components
        return Usual(rates=(0.004, 0.006, 0.0035), batch_sizes=(128, 128, 512))

    def draw(self, generator: torch.Generator, x: Tensor, n_components: int) -> Noise:
        """Return the family's noise, and lengths (B, 2), spread evenly over a batch."""
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
        """Return the family's terms (B,), in parts of PCA's error."""
        lengths, repeated, step = _copied(batch, step)
        found = self.inner.terms(cut(net, lengths, LENGTHS_PER_ROW), repeated, step)
        return {name: _weighed(net, term, lengths) for name, term in found.items()}

    def held_out_loss(self, net: Autoencoding, batch: Batch, step: Step, x_hat: Tensor) -> Tensor:
        """Return the family's loss (B,) at lengths drawn and weighed as in training."""
        del x_hat
        lengths, repeated, step = _copied(batch, step)
        shorter = cut(net, lengths, LENGTHS_PER_ROW)
        found = self.inner.reconstruction(shorter, self.inner.code(shorter, repeated.x))
        found = found if step.bounds is None else found.clamp(*step.bounds)
        loss = self.inner.held_out_loss(shorter, repeated, step, found)
        return _weighed(net, loss, lengths)


def _weighed(net: Autoencoding, values: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean (B,) over the copies of a row, in parts of PCA's squared error.

    Where PCA has no error at one number, nothing is divided.
    """
    squares = reader_of(net).left_over.float().square()
    floor = SMALLEST_LEFT_OVER * squares[0]
    weights_K = torch.where(floor > 0, 1.0 / squares.maximum(floor), 1.0)
    weighed = values * weights_K[lengths - 1]
    return weighed.reshape(LENGTHS_PER_ROW, -1).mean(dim=0)


Loss = Objective | Ordered
"""What training minimises."""


def loss_of(objective: Objective, *, ordered: bool) -> Loss:
    """Return what training minimises: the family's own loss, or that of ordered codes.

    Raises
    ------
    ParameterError
        If codes of the family cannot be ordered.
    """
    if not ordered:
        return objective
    if not objective.needs.orderable:
        raise ParameterError(
            f"{objective!r} cannot train ordered codes; ordered=True and a fraction for"
            " `n_components` work with 'reconstruction' of squared errors and with 'denoising'."
        )
    return Ordered(objective)
