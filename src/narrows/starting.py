"""The network that training starts from: at the PCA of the same rows, or drawn at random.

Legend: D features, K code size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from narrows.networks import Autoencoding, LinearPlus, Network, Widths
from narrows.pca import PrincipalComponents, column_moments, fit_pca
from narrows.planning import Plan
from narrows.scaling import Scaling, choose_scaling
from narrows.sources.array import ArraySource

Array64 = NDArray[np.float64]
SMALLEST_DEVIATION = 1e-3
"""Floor on the deviation of a score, as a fraction of the largest; for spare directions."""


def start(
    source: ArraySource, params: dict[str, Any], plan: Plan
) -> tuple[Autoencoding, PrincipalComponents]:
    """Build a network with its scaling, and the PCA of the same rows.

    Parameters
    ----------
    source : ArraySource
        The rows that scaling and PCA are taken from.
    params : dict
        The estimator's parameters; ``init`` and ``scaling`` are read.
    plan : Plan

    Returns
    -------
    net : Autoencoding
        On the CPU; its linear path in float64, all else as the network draws it.
    pca : PrincipalComponents
        In data units; of the scaled columns where ``scaling="standard"``.
    """
    scaling, pca = _scaling_and_pca(source, params["scaling"], plan)
    sizes = plan.objective.output_sizes(plan.n_features, plan.n_components)
    generator = torch.Generator().manual_seed(plan.seed)
    encoder, decoder = plan.network.build(
        Widths(plan.n_features, plan.n_components, *sizes), generator
    )
    if params["init"] == "random":
        return Autoencoding(scaling, encoder, decoder), pca
    path = _linear_path(pca, scaling)
    # A score may be moved by its own deviation, but by no more than there is to explain.
    gain = path.deviations.clamp(max=float(path.left_over) * math.sqrt(plan.n_features))
    return Autoencoding(
        scaling,
        LinearPlus(encoder, path.axes, path.into, torch.ones_like(path.left_over), gain),
        LinearPlus(decoder, path.axes.T.contiguous(), path.back, path.deviations, path.left_over),
        path.code_unit,
    ), pca


def bare_network(
    scaling: Scaling, network: Network, widths: Widths, *, linear_path: bool
) -> Autoencoding:
    """Return a network of the right shape whose tensors are still to be filled in."""
    encoder, decoder = network.build(widths, torch.Generator().manual_seed(0))
    if linear_path:
        D, K = widths.features, widths.code
        one = torch.ones(1)
        encoder = LinearPlus(encoder, torch.zeros(K, D), torch.zeros(K), one, torch.ones(K))
        decoder = LinearPlus(decoder, torch.zeros(D, K), torch.zeros(D), torch.ones(K), one)
    return Autoencoding(scaling, encoder, decoder)


class _LinearPath(NamedTuple):
    """PCA in the units of a scaling: ``z = axes x + into``, ``x̂ = axesᵀ z + back``.

    ``axes`` is (K, D), ``into`` (K,), ``back`` (D,); ``deviations`` (K,) are those of the scores,
    never zero, and ``left_over`` (1,) is the root mean square of what PCA does not explain.
    """

    axes: Tensor
    into: Tensor
    back: Tensor
    deviations: Tensor
    left_over: Tensor
    code_unit: float


def _linear_path(pca: PrincipalComponents, scaling: Scaling) -> _LinearPath:
    """One common divisor, or none, leaves the axes what they are in data units.

    Where each column has its own divisor, ``pca`` is that of the scaled columns already.
    """
    axes_KD = torch.from_numpy(pca.components_.copy())
    mean_D, code_unit = torch.from_numpy(pca.mean_.copy()), 1.0
    if scaling.divisor.numel() == 1:
        mean_D, code_unit = scaling(mean_D), float(scaling.divisor)
    explained = pca.explained_variance_ / code_unit**2
    floor = SMALLEST_DEVIATION * float(np.sqrt(explained.max(initial=0.0))) or 1.0
    deviations = np.maximum(np.sqrt(explained), floor)
    rest = max(float(pca.variances_.sum()) / code_unit**2 - float(explained.sum()), 0.0)
    left_over = np.sqrt(rest / len(pca.mean_))
    return _LinearPath(
        axes_KD,
        -axes_KD @ mean_D,
        mean_D,
        torch.from_numpy(deviations),
        torch.tensor([left_over], dtype=torch.float64),
        code_unit,
    )


def pca_network(
    pca: PrincipalComponents, scaling: Scaling, dtype: torch.dtype = torch.float64
) -> Autoencoding:
    """Return PCA alone as a network of two linear layers: the yardstick."""
    path = _linear_path(pca, scaling)
    encoder = _linear(path.axes, path.into, dtype)
    decoder = _linear(path.axes.T, path.back, dtype)
    return Autoencoding(scaling, encoder, decoder, path.code_unit)


def _linear(weight: Tensor, bias: Tensor, dtype: torch.dtype) -> nn.Linear:
    outputs, inputs = weight.shape
    layer = nn.Linear(inputs, outputs, device="meta", dtype=dtype).to_empty(device="cpu")
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer


def _scaling_and_pca(
    source: ArraySource, asked: Any, plan: Plan
) -> tuple[Scaling, PrincipalComponents]:
    n_components = min(plan.n_components, plan.n_features)
    if asked == "standard" and plan.n_features > 1:  # one column's own divisor is common to all
        scaling = choose_scaling(asked, *column_moments(source.blocks), 0.0, 0.0)

        def scaled_blocks() -> Iterator[Array64]:
            return (scaling(torch.from_numpy(block)).numpy() for block in source.blocks())

        return scaling, fit_pca(scaled_blocks, n_components, plan.seed)
    pca = fit_pca(source.blocks, n_components, plan.seed)
    low, high = extremes(source) if isinstance(asked, (tuple, list)) else (0.0, 0.0)
    return choose_scaling(asked, pca.mean_, pca.variances_, low, high), pca


def extremes(source: ArraySource) -> tuple[float, float]:
    """Return the smallest and the largest value of all rows."""
    pairs = [(float(block.min()), float(block.max())) for block in source.blocks()]
    return min(low for low, _ in pairs), max(high for _, high in pairs)
