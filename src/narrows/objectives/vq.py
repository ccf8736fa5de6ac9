"""The vector-quantised autoencoder: codes are words of a learned code book."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from narrows.common.limits import MOST, integer, one_of, parameter, real
from narrows.errors import ParameterError
from narrows.networks.autoencoding import Autoencoding
from narrows.networks.base import Widths
from narrows.networks.linear_plus import LinearPath
from narrows.objectives.base import PIXEL_SQUARES, Batch, Needs, Noise, Objective, Step
from narrows.objectives.shared.losses import squared_error

USUAL_WIDTH = 4
"""Numbers in a word; ``width="auto"`` is the divisor of the code size nearest to it."""
DEAD_SHARE = 0.1
"""Part of an even share of the rows below which a word is dead."""
ROWS_PER_WORD = 4
"""Distinct rows that a word needs, where too few words in use are reported."""
FLAT, DISTINCT = 1e-6, 1_000
"""Part of the largest variance that counts as none; steps of a deviation that are told apart."""
SMALLEST = 1e-30
"""Floor on a share before dividing by it."""


class CodeBooks(nn.Module):
    """Words for each group of numbers, and the running share of rows that take each word.

    Number k of a code belongs to group k mod G, so that each group has some of the leading numbers.

    Legend: B batch, K code size, G groups, C words, W numbers in a word; K = G W.

    Parameters
    ----------
    words : Tensor (G, C, W)
    share : float
        Initial share of each word; 0 moves words onto codes of the first batches.
    """

    words: Tensor
    shares: Tensor

    def __init__(self, words: Tensor, share: float) -> None:
        super().__init__()
        self.register_buffer("words", words)
        self.register_buffer("shares", torch.full(words.shape[:2], share))

    def grouped(self, z: Tensor) -> Tensor:
        """Arrange codes (B, K) by groups (B, G, W)."""
        n_groups, _, width = self.words.shape
        return z.reshape(-1, width, n_groups).transpose(1, 2)

    def nearest(self, z: Tensor) -> Tensor:
        """Return which word (B, G) is nearest to each group of codes (B, K).

        It adds number by number, so that the result does not depend on a row's place in a batch,
        as that of a matrix product may.
        """
        z_BGW = self.grouped(z)
        squares_BGC = torch.zeros((), dtype=z.dtype, device=z.device)
        for number in range(self.words.shape[2]):
            gap_BGC = z_BGW[..., number, None] - self.words[..., number]
            squares_BGC = squares_BGC + gap_BGC * gap_BGC
        return squares_BGC.argmin(dim=-1)

    def nearest_at_once(self, z: Tensor) -> Tensor:
        """Return the same by a matrix product: faster, but ties may differ."""
        z_GBW = self.grouped(z).transpose(0, 1)
        lengths_G1C = self.words.square().sum(dim=2).unsqueeze(1)
        products_GBC = torch.baddbmm(lengths_G1C, z_GBW, self.words.transpose(1, 2), alpha=-2)
        return products_GBC.argmin(dim=-1).T

    def looked_up(self, indices: Tensor) -> Tensor:
        """Return the codes (B, K) made of words (B, G)."""
        n_groups, n_words, width = self.words.shape
        groups_G = torch.arange(n_groups, device=indices.device) * n_words
        q_BGW = self.words.reshape(-1, width)[indices + groups_G]
        return q_BGW.transpose(1, 2).reshape(-1, width * n_groups)

    @torch.no_grad()
    def follow(self, z: Tensor, indices: Tensor, decay: float) -> None:
        """Move words, in place, towards the mean of the codes (B, K) that took them (B, G)."""
        taken_GBC = torch.zeros(
            indices.shape[1], len(z), self.words.shape[1], dtype=z.dtype, device=z.device
        )
        taken_GBC.scatter_(2, indices.T.unsqueeze(2), 1 / len(z))
        sums_GCW = taken_GBC.transpose(1, 2) @ self.grouped(z).transpose(0, 1)
        came_GC = taken_GBC.sum(dim=1)
        shares_GC = torch.lerp(came_GC, self.shares, decay)
        # The mean moves by the part of its share that came with this batch.
        moved_GC1 = ((1 - decay) * came_GC / shares_GC.clamp(min=SMALLEST)).unsqueeze(2)
        means_GCW = sums_GCW / came_GC.clamp(min=SMALLEST).unsqueeze(2)
        self.words.lerp_(means_GCW, moved_GC1)
        self.shares.copy_(shares_GC)

    @torch.no_grad()
    def revive(self, z: Tensor, order: Tensor) -> None:
        """Move dead words, in place, onto the codes (B, K) with the smallest ``order`` (B, G)."""
        even = 1 / self.words.shape[1]
        dead_GC = self.shares < DEAD_SHARE * even
        rank_GC = dead_GC.cumsum(dim=1) - 1
        dead_GC = dead_GC & (rank_GC < len(z))
        rows_GB = order.argsort(dim=0, stable=True).T
        rows_GC = rows_GB.gather(1, rank_GC.clamp(0, len(z) - 1))
        groups_G1 = torch.arange(len(rows_GC), device=z.device).unsqueeze(1)
        words_GCW = self.grouped(z)[rows_GC, groups_G1]
        self.words.copy_(torch.where(dead_GC.unsqueeze(2), words_GCW, self.words))
        self.shares.masked_fill_(dead_GC, even)


@dataclass(frozen=True)
class VQ(Objective):
    """Rebuild rows from words of a learned code book, so that codes can be stored as integers.

    ::

        x ──encoder──▶ z ──nearest words──▶ q ──decoder──▶ x̂      (x − x̂)² / D
                       │◀───────────────────│                     + commitment · (z − q)² / D
                         straight through: ∂q/∂z = 1                summed over K or D

    The K numbers of a code are cut into groups of ``width`` numbers (number k belongs to group k
    mod G), and each group is replaced by the nearest of its own ``n_codes`` words. So there are
    n_codes^G codes, G = K / width, of G log₂(n_codes) bits. Each word is the running mean of the
    codes that took it; words that hardly any row takes are moved onto codes of the batch.
    `transform` gives the numbers of the words, and `inverse_transform` first moves any code to the
    nearest words. With ``init="pca"`` training starts at PCA, with words drawn from a normal
    distribution that has the variances of its scores.

    Parameters
    ----------
    n_codes : int, default=512
        Words in each code book.
    width : "auto" or int, default="auto"
        Numbers in a word; it divides K. ``"auto"`` is the divisor nearest to 4 (in ratio).
    commitment : float, default=0.25
        Weight of the distance between codes and their words.
    decay : float, default=0.99
        Part of a word's running mean that a step keeps.

    Reference: A. van den Oord, O. Vinyals and K. Kavukcuoglu, "Neural discrete representation
    learning", NIPS 2017, eq. 3 and appendix A.1; groups: H. Jégou, M. Douze and C. Schmid, "Product
    quantization for nearest neighbor search", PAMI 33, 2011; revival: P. Dhariwal et al.,
    "Jukebox", 2020 (arXiv:2005.00341), section 3.

    Not for: smooth maps and interpolation (codes jump from word to word), or a few hundred rows,
    hardly more than there are words.
    """

    name: ClassVar[str] = "vq"
    units: ClassVar[dict[str, str]] = {"reconstruction": PIXEL_SQUARES, "commitment": PIXEL_SQUARES}

    n_codes: int = parameter(512, integer(2, 16_384), "words in each code book")
    width: str | int = parameter("auto", one_of("auto") | integer(1, MOST), "numbers in a word")
    commitment: float = parameter(0.25, real(0), "weight of the distance to words")
    decay: float = parameter(0.99, real(0, 1), "part of a running mean that a step keeps")

    @property
    def needs(self) -> Needs:
        """Return whole batches: words are running means over them."""
        why = "words are running means over the rows of a batch"
        return Needs(couples_rows=why, starts_as_pca=False, keeps=("discrete",))

    def check(self, n_components: int) -> None:
        """Check that words of ``width`` numbers fill a code.

        Raises
        ------
        ParameterError
        """
        if n_components % self._width(n_components):
            fitting = " or ".join(str(width) for width in divisors(n_components))
            raise ParameterError(
                f"`width`={self.width} of VQ does not divide n_components={n_components}; use"
                f" {fitting}, or 'auto'."
            )

    def _width(self, n_components: int) -> int:
        if self.width != "auto":
            return int(self.width)
        return min(divisors(n_components), key=lambda width: abs(math.log(width / USUAL_WIDTH)))

    def build(
        self, widths: Widths, path: LinearPath | None, generator: torch.Generator
    ) -> nn.Module:
        """Return code books drawn from N(0, 1), times the deviations of the path's codes.

        Without a path the codes are not known yet, and the first steps move words onto them.
        """
        width = self._width(widths.code)
        n_groups = widths.code // width
        words_GCW = torch.randn(n_groups, self.n_codes, width, generator=generator)
        if path is None:
            return CodeBooks(words_GCW, 0.0)
        deviations_GW = path.deviations.reshape(width, n_groups).T
        return CodeBooks(words_GCW * deviations_GW.unsqueeze(1).float(), 1 / self.n_codes)

    def n_added(self, widths: Widths) -> int:
        """Count the numbers of words and shares."""
        n_groups = widths.code // self._width(widths.code)
        return self.n_codes * (widths.code + n_groups)

    def draw(self, generator: torch.Generator, x: Tensor, n_components: int) -> Noise:
        """Return numbers (B, G) whose order chooses the rows that dead words are moved to."""
        n_groups = n_components // self._width(n_components)
        return {"order": torch.rand(len(x), n_groups, generator=generator, device=x.device)}

    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``{"reconstruction": (B,), "commitment": (B,)}``; the second times its weight.

        In training the words then follow the codes.
        """
        books = _books(net)
        z_BK = net.encoder(batch.x).float()
        indices_BG = books.nearest_at_once(z_BK)
        q_BK = books.looked_up(indices_BG)
        through_BK = z_BK + (q_BK - z_BK).detach()
        error_B = squared_error(net.decoder(through_BK.to(batch.x.dtype)), batch.x, step.bounds)
        away_B = (z_BK - q_BK).square().sum(dim=1) / batch.x.shape[1]
        if net.training:
            books.follow(z_BK, indices_BG, self.decay)
            books.revive(z_BK, step.noise["order"])
        return {"reconstruction": error_B, "commitment": self.commitment * away_B}

    def diagnose(self, net: Autoencoding, x: Tensor) -> list[str]:
        """Say where rows take far fewer words than they could."""
        books = _books(net)
        z_NK = net.encoder(x)
        z_NGW = books.grouped(z_NK)
        indices_NG = books.nearest_at_once(z_NK)
        largest = float(z_NGW.var(dim=0, correction=0).max())
        for group in range(z_NGW.shape[1]):
            z_NW = z_NGW[:, group]
            spread = z_NW.var(dim=0, correction=0).max().sqrt()
            if float(spread) ** 2 <= FLAT * largest:
                continue
            n_distinct = len(torch.unique((z_NW / spread * DISTINCT).round(), dim=0))
            n_taken = len(torch.unique(indices_NG[:, group]))
            if n_taken < DEAD_SHARE * min(self.n_codes, n_distinct / ROWS_PER_WORD):
                return [
                    f"Only {n_taken} of {self.n_codes} words of a code book are taken by any of"
                    f" {len(x)} rows. Try objective__n_codes={max(2, 2 * n_taken)}, or more steps"
                    " (max_epochs, max_steps) for words to find rows."
                ]
        return []

    def code(self, net: Autoencoding, x: Tensor) -> Tensor:
        """Return the nearest words (B, K)."""
        return _books(net).looked_up(self.indices(net, x))

    def indices(self, net: Autoencoding, x: Tensor) -> Tensor:
        """Return which word (B, G) of each code book rows (B, D) take, from 0."""
        return _books(net).nearest(net.encoder(x))

    def reconstruction(self, net: Autoencoding, z: Tensor) -> Tensor:
        """Return the rows (B, D) that the words nearest to codes (B, K) decode to."""
        books = _books(net)
        x_hat: Tensor = net.decoder(books.looked_up(books.nearest(z)))
        return x_hat


def divisors(n: int) -> list[int]:
    """Return the divisors of a number, rising, after as many steps as its root."""
    small = [d for d in range(1, math.isqrt(n) + 1) if n % d == 0]
    return sorted({*small, *(n // d for d in small)})


def _books(net: Autoencoding) -> CodeBooks:
    books = net.extra
    assert isinstance(books, CodeBooks)
    return books
