"""Maps: codes that keep neighbours together, with a decoder trained beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from narrows.common.limits import MOST, integer, one_of, parameter, real, share
from narrows.networks.autoencoding import Autoencoding
from narrows.networks.base import AXES
from narrows.networks.linear_plus import LinearPath, OnAxes
from narrows.networks.mlp import MLP, NARROW_CODE
from narrows.objectives.base import NATS, PIXEL_SQUARES, Batch, Needs, Noise, Objective, Step, Usual
from narrows.objectives.shared.losses import clipped_squared_error, squared_error

GROUP = 512
"""Rows that are compared with each other."""
DEEP, WIDE, SHALLOW = (192,) * 6, (256,) * 4, (128,) * 3
"""Hidden widths for many rows, for codes of many numbers, and for few rows."""
DECODED = 0.25
"""Part of a batch's rows that the decoder rebuilds in a step."""
SPREAD = 40.0
"""Standard deviation that codes roughly grow to; the decoder divides them by it."""


@dataclass(frozen=True)
class Neighbors(Objective):
    """Place each row's neighbours next to it, so that a plane of codes is a map.

    ::

        x  ──encoder──▶ z ──decoder──▶ x̂                  (x − x̂)², averaged over the D features
        x' ──encoder──▶ z'      x' one of the nearest rows of x

        −½ log q(z, z') / Σ_b q(z, z'_b) − ½ log q(z, z') / Σ_b q(z_b, z'),  q = 1 / (1 + |z − z'|²)

    The sums go over a group of 512 rows of the batch: a row has to find its neighbour among the
    neighbours of others. ``weight`` says which term shapes the code; the decoder learns to rebuild
    rows at any weight. Neighbours are the nearest rows by distance in the network's units, on the
    first 50 principal components where there are more columns. They are exact up to 120,000 rows,
    and found by pynndescent beyond. Training starts at PCA, divided by its largest deviation.

    Parameters
    ----------
    n_neighbors : int, default=15
        Nearest rows of each row that count as its neighbours.
    weight : "auto" or float, default="auto"
        1 lets neighbours alone shape the code, 0 reconstruction alone. "auto" is 0.6, and 0.8 for
        codes of 16 numbers and more.
    noise : float, default=0.5
        Noise on both rows of a pair, as a multiple of the distance between them. With few rows the
        map learns from it what lies between them. Networks that read whole wide rows instead of
        principal components, such as `Conv`, get no noise.

    Reference: A. van den Oord, Y. Li and O. Vinyals, "Representation learning with contrastive
    predictive coding", 2018, eq. 4 (the loss); J. Böhm, P. Berens and D. Kobak, "Unsupervised
    visualization of image datasets using contrastive learning", ICLR 2023 (its kernel); T.
    Sainburg, L. McInnes and T. Gentner, "Parametric UMAP embeddings for representation and
    semi-supervised learning", Neural Computation 33, 2021 (a graph, an encoder and a decoder).

    Not for: the smallest error (`reconstruction` is for that), or distances between groups that lie
    far apart, which the code hardly keeps.
    """

    name: ClassVar[str] = "neighbors"
    units: ClassVar[dict[str, str]] = {"neighbors": NATS, "reconstruction": PIXEL_SQUARES}
    n_neighbors: int = parameter(15, integer(1, MOST), "nearest rows that count as neighbours")
    weight: str | float = parameter(
        "auto", one_of("auto") | share(), "of neighbours against reconstruction in the code"
    )
    noise: float = parameter(0.5, real(0), "on rows, as a multiple of the distance to neighbours")

    @property
    def needs(self) -> Needs:
        """Return neighbours, three of them with each row of a batch."""
        return Needs(
            n_neighbors=self.n_neighbors,
            n_partners=3,
            couples_rows="a row has to find its neighbour among those of the other rows",
            absolute_gains=True,
            starts_as_pca=False,
            own_fallback=True,
            keeps=("map",),
        )

    def usual(self, n_components: int) -> Usual:
        """Return deeper networks and higher, slowly falling rates than other families have.

        For codes of many numbers the highest rate would tear classes apart.
        """
        narrow = n_components < NARROW_CODE
        networks = (SHALLOW, DEEP if narrow else WIDE)
        few, many = (MLP(hidden=hidden, weight_init="lecun") for hidden in networks)
        return Usual(
            rates=(0.008, 0.008, 0.014) if narrow else (0.004, 0.006, 0.008),
            batch_sizes=(128, 256, 512),
            steps=450,
            epochs=40,
            patience=4,  # at first a map loses more than it gains
            weight_decay=0.01,
            growth=0.5,  # a map is coarse: more rows draw the same picture
            networks=(few, many),
            schedule="inverse_sqrt",
        )

    def start(self, path: LinearPath) -> LinearPath:
        """Return PCA divided by its largest deviation, and a decoder that gives the mean.

        Dividing each number by its own deviation would give the last the weight of the first. The
        decoder has no linear path, which would have to shrink as fast as codes grow.
        """
        unit = path.deviations.max()
        return self.fallback(path)._replace(
            into_weight=path.into_weight / unit,
            into_bias=path.into_bias / unit,
            back_weight=torch.zeros_like(path.back_weight),
            back_is_fixed=True,
        )

    def fallback(self, path: LinearPath) -> LinearPath:
        """Return PCA for encoder and decoder, with numbers of deviation 1."""
        path = path.whitened()
        one = torch.ones(1, dtype=path.deviations.dtype)
        return path._replace(deviations=torch.full_like(path.deviations, SPREAD), back_gain=one)

    def draw(self, generator: torch.Generator, x: Tensor, n_components: int) -> Noise:
        """Return numbers that choose the rows to decode, (B,), and noise on rows (B, 1 + P, A)."""
        order = torch.rand(len(x), generator=generator, device=x.device)
        n_axes = min(x.shape[1], max(AXES, n_components))
        shape = (len(x), 1 + self.needs.n_partners, n_axes)
        moved = torch.randn(shape, generator=generator, device=x.device)
        return {"order": order, "moved": moved}

    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``{"neighbors": (B,), "reconstruction": (B,)}``."""
        assert batch.near is not None, "batches of this family hold neighbours"
        z_BK, near_PBK = self._codes(net.encoder, batch.x, batch.near, step.noise["moved"])
        # The decoder gets the code itself; its gradient to the code is scaled by 1 − weight. It
        # learns from some of the rows, which count for all.
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
        """Return codes of rows, (B, K), and of their neighbours, (P, B, K), with noise if given."""
        if isinstance(encoder, OnAxes):
            x = encoder.scores(x)
        # Rows and their neighbours, (B, 1 + P, A).
        rows = torch.cat([x[:, None], near], dim=1)
        if self.noise and moved is not None and moved.shape[2] == x.shape[1]:
            apart_BP1 = (near - x[:, None]).float().square().mean(dim=2, keepdim=True).sqrt()
            apart = torch.cat([apart_BP1[:, :1], apart_BP1], dim=1)
            rows = rows + (self.noise * apart * moved).to(x.dtype)
        z: Tensor = _reader(encoder)(rows.flatten(0, 1)).reshape(*rows.shape[:2], -1)
        return z[:, 0], z[:, 1:].transpose(0, 1)

    def held_out_loss(self, net: Autoencoding, batch: Batch, step: Step, x_hat: Tensor) -> Tensor:
        """Return the cost of finding neighbours among others, and the squared error (B,)."""
        del step
        assert batch.near is not None, "batches of this family hold neighbours"
        assert batch.others is not None, "held-out rows are compared with training rows"
        z_BK, near_PBK = self._codes(net.encoder, batch.x, batch.near)
        others_GK = _reader(net.encoder)(batch.others)
        cost_B = cost_of_finding(z_BK.float(), near_PBK.float(), others_GK.float())
        return self._weight(z_BK.shape[1]) * cost_B + clipped_squared_error(x_hat, batch.x)

    def _weight(self, n_components: int) -> float:
        if self.weight == "auto":
            return 0.6 if n_components < NARROW_CODE else 0.8
        return float(self.weight)


def _reader(encoder: nn.Module) -> nn.Module:
    """Return what reads neighbours: the whole encoder, or what follows its principal axes."""
    return encoder.inner if isinstance(encoder, OnAxes) else encoder


def cost_of_finding(z: Tensor, near: Tensor, others: Tensor) -> Tensor:
    """Return the cost (B,), in nats, of finding the neighbours of rows among others.

    Parameters
    ----------
    z : Tensor (B, K)
        Codes of rows.
    near : Tensor (P, B, K)
        Codes of P neighbours of each; the cost is the mean over them.
    others : Tensor (G, K)
        Codes of other rows.
    """
    q_PB = 1 / (1 + (near - z).square().sum(dim=2))
    rest_B = (1 / (1 + torch.cdist(z, others).square())).sum(dim=1)
    return ((q_PB + rest_B).log() - q_PB.log()).mean(dim=0)


def contrast(z: Tensor, near: Tensor) -> Tensor:
    """Return the contrastive loss (B,): the cost, in nats, of finding each row's neighbours.

    Parameters
    ----------
    z : Tensor (B, K)
        Codes of rows.
    near : Tensor (P, B, K)
        Codes of P neighbours of each; the loss is the mean over them.
    """
    whole = len(z) - len(z) % GROUP
    losses = []
    for part in (slice(0, whole), slice(whole, len(z))):
        if len(z[part]):
            size = min(GROUP, len(z[part]))
            # All whole groups at once: (P n, G, K).
            a_nGK = z[part].expand_as(near[:, part]).reshape(-1, size, z.shape[1])
            b_nGK = near[:, part].reshape(-1, size, z.shape[1])
            # torch gives the call of a Function no types.
            found: Tensor = _Contrast.apply(a_nGK, b_nGK)  # type: ignore[no-untyped-call]
            losses.append(found.reshape(len(near), -1).mean(dim=0))
    return torch.cat(losses)


class _Contrast(torch.autograd.Function):
    """The loss of `Neighbors` for groups of rows, with its derivatives.

    With q_ij = 1 / (1 + |a_i − b_j|²), sums r_i over a row of q and c_j over a column,

        ℓ_i = ½ log r_i + ½ log c_i − log q_ii,
        dℓ/d|a_i − b_j|² = q_ii [i = j] − ½ q_ij² (1 / r_i + 1 / c_j),

    which takes a quarter of the time of automatic differentiation.
    """

    @staticmethod
    def forward(ctx: Any, a_nGK: Tensor, b_nGK: Tensor) -> Tensor:
        """Return losses (n, G) for codes (n, G, K) and those of a neighbour each."""
        lengths = a_nGK.square().sum(dim=2)[:, :, None] + (b_nGK.square().sum(dim=2) + 1)[:, None]
        q_nGG = torch.baddbmm(lengths, a_nGK, b_nGK.transpose(1, 2), alpha=-2)
        q_nGG.clamp_(min=1).reciprocal_()
        rows, columns = q_nGG.sum(dim=2), q_nGG.sum(dim=1)
        ctx.save_for_backward(a_nGK, b_nGK, q_nGG, rows, columns)
        own = torch.diagonal(q_nGG, dim1=1, dim2=2)
        return (rows.log() + columns.log()) / 2 - own.log()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Return the derivatives by both arguments."""
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
