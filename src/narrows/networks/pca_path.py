"""PCA in the units of a scaling: as a linear path beside a network, and alone as a network.

Legend: D features, K code size.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from narrows.linear.patches import Cells
from narrows.linear.pca import PrincipalComponents
from narrows.linear.scaling import Scaling
from narrows.networks.autoencoding import Autoencoding
from narrows.networks.layers import empty_linear
from narrows.networks.linear_plus import Axes, CellPath, LinearPath, gathered, spread

SMALLEST_DEVIATION = 1e-3
"""Floor on the deviation of a score, as a fraction of the largest; for spare directions."""


def linear_path(pca: PrincipalComponents, scaling: Scaling) -> LinearPath:
    """Return PCA in the units of a scaling.

    One common divisor, or none, leaves the axes what they are in data units; where each column
    has its own, ``pca`` is that of the scaled columns already.
    """
    axes_KD = torch.from_numpy(pca.components_.copy())
    mean_D, code_unit = _mean_and_unit(pca, scaling)
    deviations, left_over = _deviations(pca, code_unit)
    return LinearPath(
        into_weight=axes_KD,
        into_bias=-axes_KD @ mean_D,
        # A score may be moved by its own deviation, but by no more than there is to explain.
        into_gain=deviations.clamp(max=left_over * math.sqrt(len(pca.mean_))),
        back_weight=axes_KD.T,
        back_bias=mean_D,
        back_gain=torch.tensor([left_over], dtype=torch.float64),
        deviations=deviations,
        left_over=left_over,
        code_unit=code_unit,
        divisor=scaling.divisor,
    )


def principal_axes(pca: PrincipalComponents, scaling: Scaling) -> Axes:
    """Return the components of a PCA as axes to score rows on, the first of deviation 1."""
    path = linear_path(pca, scaling)
    unit = path.deviations.max()
    return Axes(path.into_weight / unit, path.into_bias / unit)


def cell_path(pca: PrincipalComponents, cells: Cells, scaling: Scaling) -> CellPath:
    """Return PCA of the cells of pictures in the units of a scaling."""
    mean_D, code_unit = _mean_and_unit(pca, scaling)
    deviations, left_over = _deviations(pca, code_unit)
    axes = torch.from_numpy(pca.components_.copy())
    each = deviations.repeat_interleave(cells.n_cells)
    return CellPath(cells, axes, mean_D, each, left_over, code_unit)


def _mean_and_unit(pca: PrincipalComponents, scaling: Scaling) -> tuple[Tensor, float]:
    """Return the mean in the units of a scaling, and what its axes are counted in."""
    mean_D = torch.from_numpy(pca.mean_.copy())
    if scaling.divisor.numel() > 1:
        return mean_D, 1.0
    return scaling(mean_D), float(scaling.divisor)


def _deviations(pca: PrincipalComponents, code_unit: float) -> tuple[Tensor, float]:
    """Return the deviation of the scores of each axis, and the root mean square of the rest."""
    explained = pca.explained_variance_ / code_unit**2
    floor = SMALLEST_DEVIATION * float(np.sqrt(explained.max(initial=0.0))) or 1.0
    deviations = torch.from_numpy(np.maximum(np.sqrt(explained), floor))
    each = 1 if pca.cells is None else pca.cells.n_cells
    rest = max(float(pca.variances_.sum()) / code_unit**2 - each * float(explained.sum()), 0.0)
    return deviations, math.sqrt(rest / len(pca.mean_))


class _CellMap(nn.Module):
    """One of the maps of a path that is cut into cells, alone."""

    weight: Tensor
    bias: Tensor

    def __init__(self, there: bool, weight: Tensor, bias: Tensor, cells: Cells) -> None:
        super().__init__()
        self.map = gathered if there else spread
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.cells = cells

    def forward(self, x: Tensor) -> Tensor:
        return self.map(x, self.weight, self.bias, self.cells)


def pca_network(
    pca: PrincipalComponents, scaling: Scaling, dtype: torch.dtype = torch.float64
) -> Autoencoding:
    """Return PCA alone as a network of two linear layers: the yardstick."""
    if pca.cells is not None:
        cut = cell_path(pca, pca.cells, scaling)
        there = _CellMap(True, cut.axes, cut.into_bias, cut.cells).to(dtype)
        back = _CellMap(False, cut.axes.T.contiguous(), cut.mean, cut.cells).to(dtype)
        return Autoencoding(scaling, there, back, cut.code_unit)
    path = linear_path(pca, scaling)
    encoder = _linear(path.into_weight, path.into_bias, dtype)
    decoder = _linear(path.back_weight, path.back_bias, dtype)
    return Autoencoding(scaling, encoder, decoder, path.code_unit)


def _linear(weight: Tensor, bias: Tensor, dtype: torch.dtype) -> nn.Linear:
    outputs, inputs = weight.shape
    layer = empty_linear(inputs, outputs, dtype=dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer
