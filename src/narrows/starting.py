"""The network that training starts from: at the PCA of the same rows, or drawn at random.

Legend: D features, K code size.
"""

from __future__ import annotations

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
    return Autoencoding(
        scaling,
        LinearPlus(encoder, path.axes, path.into),
        LinearPlus(decoder, path.axes.T.clone(), path.back),
        path.code_unit,
    ), pca


def bare_network(
    scaling: Scaling, network: Network, widths: Widths, *, linear_path: bool
) -> Autoencoding:
    """Return a network of the right shape whose tensors are still to be filled in."""
    encoder, decoder = network.build(widths, torch.Generator().manual_seed(0))
    if linear_path:
        n_features, n_components = widths.features, widths.code
        encoder = LinearPlus(
            encoder, torch.zeros(widths.encoder_out, n_features), torch.zeros(widths.encoder_out)
        )
        decoder = LinearPlus(
            decoder, torch.zeros(widths.decoder_out, n_components), torch.zeros(widths.decoder_out)
        )
    return Autoencoding(scaling, encoder, decoder)


class _LinearPath(NamedTuple):
    """PCA in the units of a scaling: ``z = axes x + into``, ``x̂ = axesᵀ z + back``.

    ``axes`` is (K, D), ``into`` (K,), ``back`` (D,).
    """

    axes: Tensor
    into: Tensor
    back: Tensor
    code_unit: float


def _linear_path(pca: PrincipalComponents, scaling: Scaling) -> _LinearPath:
    """One common divisor, or none, leaves the axes what they are in data units.

    Where each column has its own divisor, ``pca`` is that of the scaled columns already.
    """
    axes_KD = torch.from_numpy(pca.components_.copy())
    mean_D, code_unit = torch.from_numpy(pca.mean_.copy()), 1.0
    if scaling.divisor.numel() == 1:
        mean_D, code_unit = scaling(mean_D), float(scaling.divisor)
    return _LinearPath(axes_KD, -axes_KD @ mean_D, mean_D, code_unit)


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
    if asked == "standard":
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
