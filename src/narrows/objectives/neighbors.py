"""Maps: codes in which neighbours stay neighbours, with a decoder trained beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from narrows.common.limits import integer, one_of, parameter, real, share
from narrows.common.sizes import FEW_ROWS
from narrows.networks.autoencoding import Autoencoding
from narrows.networks.base import AXES, Network
from narrows.networks.linear_plus import LinearPath, OnAxes
from narrows.networks.mlp import MLP, NARROW_CODE
from narrows.objectives.base import PIXEL_SQUARES, Batch, Noise, Objective, Step
from narrows.objectives.shared.losses import clipped_squared_error, squared_error

GROUP = 512
"""Rows that a row is told apart from: as many as are compared with each other."""
DEEP, WIDE, SHALLOW = (192,) * 6, (256,) * 4, (128,) * 3
"""Hidden widths for maps of many rows, for codes of many numbers, and for few rows."""
DECODED = 0.25
"""Part of a batch's rows that the decoder rebuilds in a step."""
SPREAD = 40.0
"""About the deviation that codes grow to, which the decoder counts them in."""
NATS_PER_ROW = "nats per row"


@dataclass(frozen=True)
class Neighbors(Objective):
    """Keep each row's neighbours beside it in the code, so that a plane of codes is a map.

    ::

        x  ──encoder──▶ z ──decoder──▶ x̂                  (x − x̂)², averaged over the D features
        x' ──encoder──▶ z'      x' one of the nearest rows of x

        −½ log q(z, z') / Σ_b q(z, z'_b) − ½ log q(z, z') / Σ_b q(z_b, z'),  q = 1 / (1 + |z − z'|²)

    The sums go over a group of 512 rows of the batch: a row has to find its neighbour among the
    neighbours of others. The decoder learns to rebuild rows whatever the weight is; ``weight``
    says what shapes the code. Neighbours are the nearest by distance in the network's units, on
    the first 50 principal components where columns are more; exact up to 120,000 rows, by
    pynndescent beyond. Training starts at PCA, in units of its largest deviation.

    Parameters
    ----------
    n_neighbors : int, default=15
        Nearest rows of each row that count as its neighbours.
    weight : "auto" or float, default="auto"
        What shapes the code: 1 for neighbours alone, 0 for reconstruction alone. "auto" is 0.6,
        but 0.8 for codes of 16 numbers and more.
    noise : float, default=0.5
        How far both rows of a pair are moved at random before they are encoded, in distances
        between them: a map of few rows learns from it what lies between them. Networks that do not
        read principal components of wide rows, as `Conv`, go without.

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
    n_partners: ClassVar[int] = 3
    usual_batch: ClassVar[int] = 512
    usual_decay: ClassVar[float] = 0.01

    n_neighbors: int = parameter(15, integer(1), "nearest rows that count as neighbours")
    weight: str | float = parameter(
        "auto", one_of("auto") | share(), "of neighbours against reconstruction in the code"
    )
    noise: float = parameter(0.5, real(0), "of rows, in distances to their neighbours")

    @property
    def couples_rows(self) -> str:
        """Tell that a row is compared with the others of its batch."""
        return "a row has to find its neighbour among those of the other rows"

    def usual_network(self, n_rows: int, n_components: int) -> Network | None:
        """Return a deep and narrow network, which maps need more than others."""
        many = DEEP if n_components < NARROW_CODE else WIDE
        return MLP(hidden=many if n_rows >= FEW_ROWS else SHALLOW, weight_init="lecun")

    def usual_rates(self, n_components: int) -> tuple[float, float, float]:
        """Return higher ones than others; on wide codes, the highest would tear classes apart."""
        return 0.001, 0.003, 0.01 if n_components < NARROW_CODE else 0.006

    def start(self, path: LinearPath) -> LinearPath:
        """Return PCA in units of its largest deviation, and a decoder that knows the mean.

        Each number in units of its own would make the last of many as loud as the first. Codes
        grow, and a linear path back would have to shrink as fast.
        """
        unit = path.deviations.max()
        return self.fallback(path)._replace(
            into_weight=path.into_weight / unit,
            into_bias=path.into_bias / unit,
            back_weight=torch.zeros_like(path.back_weight),
            back_is_fixed=True,
        )

    def fallback(self, path: LinearPath) -> LinearPath:
        """Return PCA both ways, with numbers of deviation 1."""
        path = path.whitened()
        one = torch.ones(1, dtype=path.deviations.dtype)
        return path._replace(deviations=torch.full_like(path.deviations, SPREAD), back_gain=one)

    def draw(self, generator: torch.Generator, x: Tensor, n_components: int) -> Noise:
        """Return what chooses the rows to decode, (B,), and what moves rows, (B, 1 + P, A)."""
        order = torch.rand(len(x), generator=generator, device=x.device)
        n_axes = min(x.shape[1], max(AXES, n_components))
        shape = (len(x), 1 + self.n_partners, n_axes)
        moved = torch.randn(shape, generator=generator, device=x.device)
        return {"order": order, "moved": moved}

    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``{"neighbors": (B,), "reconstruction": (B,)}``."""
        assert batch.near is not None, "batches of this family hold neighbours"
        z_BK, near_PBK = self._codes(net.encoder, batch.x, batch.near, step.noise["moved"])
        # The decoder sees the code itself, which hears of it as much as the weight allows. Some of
        # the rows are enough for it, and count for the others.
        chosen = step.noise["order"].argsort()[: math.ceil(DECODED * len(z_BK))]
        some_BK, some_BD = z_BK[chosen], batch.x[chosen]
        weight = self._weight(z_BK.shape[1])
        seen_BK = (1.0 - weight) * some_BK + weight * some_BK.detach()
        error_B = torch.zeros(len(z_BK), device=z_BK.device)
        error_B[chosen] = squared_error(net.decoder(seen_BK), some_BD, step.bounds)
        return {
            "neighbors": weight * contrast(z_BK.float(), near_PBK.float()),
            "reconstruction": error_B * (len(z_BK) / len(chosen)),
        }

    def _codes(
        self, encoder: nn.Module, x: Tensor, near: Tensor, moved: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return codes of rows, (B, K), and of their neighbours, (P, B, K), maybe moved before."""
        if isinstance(encoder, OnAxes):
            x, encoder = encoder.scores(x), encoder.inner
        # Rows and their neighbours, (B, 1 + P, A).
        rows = torch.cat([x[:, None], near], dim=1)
        if self.noise and moved is not None and moved.shape[2] == x.shape[1]:
            apart_BP1 = (near - x[:, None]).float().square().mean(dim=2, keepdim=True).sqrt()
            apart = torch.cat([apart_BP1[:, :1], apart_BP1], dim=1)
            rows = rows + (self.noise * apart * moved).to(x.dtype)
        z: Tensor = encoder(rows.flatten(0, 1)).reshape(*rows.shape[:2], -1)
        return z[:, 0], z[:, 1:].transpose(0, 1)

    def held_out_loss(self, net: Autoencoding, batch: Batch, step: Step, x_hat: Tensor) -> Tensor:
        """Return the sum of both terms (B,), of what was clipped."""
        del step
        assert batch.near is not None, "batches of this family hold neighbours"
        z_BK, near_PBK = self._codes(net.encoder, batch.x, batch.near)
        error_B = clipped_squared_error(x_hat, batch.x)
        weight = self._weight(z_BK.shape[1])
        return weight * contrast(z_BK.float(), near_PBK.float()) + error_B

    def _weight(self, n_components: int) -> float:
        if self.weight == "auto":
            return 0.6 if n_components < NARROW_CODE else 0.8
        return float(self.weight)


def contrast(z: Tensor, near: Tensor) -> Tensor:
    """Return (B,) how hard it is to tell each row's neighbours from those of others, in nats.

    Parameters
    ----------
    z : Tensor (B, K)
        Codes of rows.
    near : Tensor (P, B, K)
        Of P neighbours of each; the mean over them is returned.
    """
    whole = len(z) - len(z) % GROUP
    losses = []
    for part in (slice(0, whole), slice(whole, len(z))):
        if len(z[part]):
            size = min(GROUP, len(z[part]))
            # All groups that are whole at once: (P n, G, K).
            a_nGK = z[part].expand_as(near[:, part]).reshape(-1, size, z.shape[1])
            b_nGK = near[:, part].reshape(-1, size, z.shape[1])
            # A Function of our own, whose call torch leaves without types.
            found: Tensor = _Contrast.apply(a_nGK, b_nGK)  # type: ignore[no-untyped-call]
            losses.append(found.reshape(len(near), -1).mean(dim=0))
    return torch.cat(losses)


class _Contrast(torch.autograd.Function):
    """The loss of `Neighbors` for groups of rows, with derivatives written out.

    With q_ij = 1 / (1 + |a_i − b_j|²), sums r_i over a row of q and c_j over a column,

        ℓ_i = ½ log r_i + ½ log c_i − log q_ii,
        dℓ/d|a_i − b_j|² = q_ii [i = j] − ½ q_ij² (1 / r_i + 1 / c_j),

    which takes a quarter of the time of the same by automatic differentiation: no exponentials,
    and few passes over q.
    """

    @staticmethod
    def forward(ctx: Any, a_nGK: Tensor, b_nGK: Tensor) -> Tensor:
        """Return losses (n, G) of codes and of a neighbour of each."""
        lengths = a_nGK.square().sum(dim=2)[:, :, None] + (b_nGK.square().sum(dim=2) + 1)[:, None]
        q_nGG = torch.baddbmm(lengths, a_nGK, b_nGK.transpose(1, 2), alpha=-2)
        q_nGG.clamp_(min=1).reciprocal_()
        rows, columns = q_nGG.sum(dim=2), q_nGG.sum(dim=1)
        ctx.save_for_backward(a_nGK, b_nGK, q_nGG, rows, columns)
        own = torch.diagonal(q_nGG, dim1=1, dim2=2)
        return (rows.log() + columns.log()) / 2 - own.log()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Return the derivatives by both codes."""
        (weights_nG,) = gradients
        a_nGK, b_nGK, q_nGG, rows, columns = ctx.saved_tensors
        # Minus half the derivative by the distances.
        pull = (weights_nG / rows / 4)[:, :, None] + (weights_nG / columns / 4)[:, None]
        pull.mul_(q_nGG).mul_(q_nGG)
        own = torch.diagonal(q_nGG, dim1=1, dim2=2)
        torch.diagonal(pull, dim1=1, dim2=2).sub_(weights_nG * own / 2)
        by_a = torch.bmm(pull, b_nGK) - pull.sum(dim=2)[:, :, None] * a_nGK
        by_b = torch.bmm(pull.transpose(1, 2), a_nGK) - pull.sum(dim=1)[:, :, None] * b_nGK
        return 4 * by_a, 4 * by_b
