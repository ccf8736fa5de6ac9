"""Maps: codes in which neighbours stay neighbours, with a decoder trained beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from narrows.fields import integer, parameter, real
from narrows.losses import clipped_squared_error, squared_error
from narrows.networks.base import MANY_ROWS, Autoencoding, Network
from narrows.networks.linear_plus import LinearPath
from narrows.networks.mlp import MLP
from narrows.objectives.base import PIXEL_SQUARES, Batch, Objective, Step

GROUP = 256
"""Rows that a row is told apart from: as many as are compared with each other."""
DEEP, SHALLOW = (64, 192, 192, 192, 192, 192), (128, 128, 128)
"""Hidden widths for many rows and for few."""
NATS_PER_ROW = "nats per row"


@dataclass(frozen=True)
class Neighbors(Objective):
    """Keep each row's neighbours beside it in the code, so that a plane of codes is a map.

    ::

        x  ──encoder──▶ z ──decoder──▶ x̂                  (x − x̂)², averaged over the D features
        x' ──encoder──▶ z'      x' one of the nearest rows of x

        −½ log q(z, z') / Σ_b q(z, z'_b) − ½ log q(z, z') / Σ_b q(z_b, z'),  q = 1 / (1 + |z − z'|²)

    The sums go over a group of 256 rows of the batch: a row has to find its neighbour among the
    neighbours of others. The decoder learns to rebuild rows whatever the weight is; ``weight``
    says what shapes the code. Neighbours are the nearest by distance in the network's units, on
    the first 50 principal components where columns are more; exact up to 120,000 rows, by
    pynndescent beyond. Training starts at PCA, in units of each number's own deviation.

    Parameters
    ----------
    n_neighbors : int, default=15
        Nearest rows of each row that count as its neighbours.
    weight : float, default=0.9
        What shapes the code: 1 for neighbours alone, 0 for reconstruction alone.

    Reference: A. van den Oord, Y. Li and O. Vinyals, "Representation learning with contrastive
    predictive coding", 2018, eq. 4 (the loss); J. Böhm, P. Berens and D. Kobak, "Unsupervised
    visualization of image datasets using contrastive learning", ICLR 2023 (its kernel); T.
    Sainburg, L. McInnes and T. Gentner, "Parametric UMAP embeddings for representation and
    semi-supervised learning", Neural Computation 33, 2021 (a graph, an encoder and a decoder).

    Not for: the smallest error, which is `reconstruction`'s, or distances between far-off groups,
    of which the code keeps little.
    """

    name: ClassVar[str] = "neighbors"
    units: ClassVar[dict[str, str]] = {"neighbors": NATS_PER_ROW, "reconstruction": PIXEL_SQUARES}
    absolute_gains: ClassVar[bool] = True
    usual_batch: ClassVar[int] = 1024
    usual_rate: ClassVar[float] = 0.006

    n_neighbors: int = parameter(15, integer(1), "nearest rows that count as neighbours")
    weight: float = parameter(0.9, real(0, 1), "of neighbours against reconstruction in the code")

    @property
    def couples_rows(self) -> str:
        """Tell that a row is compared with the others of its batch."""
        return "a row has to find its neighbour among those of the other rows"

    def usual_network(self, n_rows: int) -> Network | None:
        """Return a deep and narrow network, which maps need more than others."""
        return MLP(hidden=DEEP) if n_rows >= MANY_ROWS else MLP(hidden=SHALLOW)

    def start(self, path: LinearPath) -> LinearPath:
        """Return PCA with numbers of deviation 1."""
        return path.whitened()

    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``{"neighbors": (B,), "reconstruction": (B,)}``."""
        assert batch.near is not None, "batches of this family hold neighbours"
        z_BK, near_BK = self.code(net, torch.cat([batch.x, batch.near])).chunk(2)
        own = 1.0 - self.weight
        # The decoder sees the code itself, which hears of it as much as the weight allows.
        seen_BK = own * z_BK + self.weight * z_BK.detach()
        return {
            "neighbors": self.weight * contrast(z_BK.float(), near_BK.float()),
            "reconstruction": squared_error(net.decoder(seen_BK), batch.x, step.bounds),
        }

    def held_out_loss(self, net: Autoencoding, batch: Batch, step: Step, x_hat: Tensor) -> Tensor:
        """Return the sum of both terms (B,), of what was clipped."""
        del step
        assert batch.near is not None, "batches of this family hold neighbours"
        z_BK, near_BK = self.code(net, batch.x), self.code(net, batch.near)
        error_B = clipped_squared_error(x_hat, batch.x)
        return self.weight * contrast(z_BK.float(), near_BK.float()) + error_B


def contrast(z: Tensor, near: Tensor) -> Tensor:
    """Return (B,) how hard it is to tell each row's neighbour from those of others, in nats.

    Parameters
    ----------
    z, near : Tensor (B, K)
        Codes of rows and of a neighbour of each.
    """
    losses = []
    for first in range(0, len(z), GROUP):
        a_GK, b_GK = (codes[first : first + GROUP] for codes in (z, near))
        squares_GG = _squared_distances(a_GK, b_GK)
        logits_GG = -torch.log1p(squares_GG)
        own = torch.arange(len(a_GK), device=z.device)
        there = cross_entropy(logits_GG, own, reduction="none")
        back = cross_entropy(logits_GG.T, own, reduction="none")
        losses.append((there + back) / 2)
    return torch.cat(losses)


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Return |a_i − b_j|² of codes (G, K), as (G, G)."""
    if a.shape[1] <= 3:  # exact, and as fast
        return (a[:, None] - b[None]).square().sum(dim=2)
    lengths = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1)[None]
    return torch.addmm(lengths, a, b.T, alpha=-2).clamp(min=0)
