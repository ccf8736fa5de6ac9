"""The network that training starts from: at the PCA of the same rows, or drawn at random.

Legend: D features, K code size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from narrows.common.limits import is_integer
from narrows.errors import ParameterError
from narrows.linear.patches import Cells
from narrows.linear.pca import (
    MOST_SKETCHED,
    Blocks,
    PrincipalComponents,
    column_moments,
    components_needed,
    fit_pca,
    fit_pca_of_cells,
)
from narrows.linear.scaling import Scaling, choose_scaling
from narrows.networks import Autoencoding, Axes, CellPath, LinearPath, Network, OnAxes, Widths
from narrows.networks.linear_plus import gathered, spread
from narrows.networks.prefixes import ReadsPrefix
from narrows.objectives import Objective
from narrows.objectives.ordered import left_over_by_length, ordered_path
from narrows.sources.array import ArraySource
from narrows.training.plan import Plan

Array64 = NDArray[np.float64]
SPARE_NUMBERS = 0.05
"""Part by which codes may be larger than what PCA needs for its own rows."""
SMALLEST_DEVIATION = 1e-3
"""Floor on the deviation of a score, as a fraction of the largest; for spare directions."""


def start(
    source: ArraySource,
    params: dict[str, Any],
    plan: Plan,
    bounds: tuple[float, float] | None = None,
    *,
    fallback: bool = False,
    known: tuple[Scaling, PrincipalComponents] | None = None,
) -> tuple[Autoencoding, PrincipalComponents]:
    """Build a network with its scaling, and the PCA of the same rows.

    Parameters
    ----------
    source : ArraySource
        The rows that scaling and PCA are taken from.
    params : dict
        The estimator's parameters; ``init`` and ``scaling`` are read.
    plan : Plan
    bounds : (float, float) or None
        Of the data, where they are known; a family that needs a range gets them scaled to it.
    fallback : bool
        Build what is returned where training gained nothing, and not what training starts from.
    known : (Scaling, PrincipalComponents), optional
        Of the same rows, where another call has found them.

    Returns
    -------
    net : Autoencoding
        On the CPU; its linear path in float64, all else as the network draws it.
    pca : PrincipalComponents
        In data units; of the scaled columns where ``scaling="standard"``. It has components beyond
        the code where distances ask for them.
    """
    scaling, whole = known or _scaling_and_pca(source, params["scaling"], plan, bounds)
    pca = whole.first(plan.n_components)
    generator = torch.Generator().manual_seed(plan.seed)
    encoder, decoder = plan.network.build(plan.widths, generator)
    axes = _axes(whole, scaling) if plan.widths.axes else None
    if params["init"] == "random":
        encoder = encoder if axes is None else OnAxes(encoder, *axes)
        extra = plan.objective.build(plan.widths, None, generator)
        if isinstance(decoder, ReadsPrefix):
            left_over = left_over_by_length(linear_path(pca, scaling), plan.n_components)
            decoder.left_over.copy_(left_over)
        return Autoencoding(scaling, encoder, decoder, extra=extra), whole
    if pca.cells is not None:  # planning has seen to it that the family starts as PCA leaves it
        cut = cell_path(pca, pca.cells, scaling)
        return Autoencoding(scaling, *cut.around(encoder, decoder), cut.code_unit), whole
    path = linear_path(pca, scaling)
    path = plan.objective.fallback(path) if fallback else plan.objective.start(path)
    if isinstance(decoder, ReadsPrefix):
        for buffer in (decoder.left_over, decoder.gain):
            buffer.copy_(left_over_by_length(path, plan.n_components))
        path = ordered_path(path)
    extra = plan.objective.build(plan.widths, path, generator)
    around = path.around(encoder, decoder, axes)
    return Autoencoding(scaling, *around, path.code_unit, extra), whole


def with_code_size(
    params: dict[str, Any], source: ArraySource, seed: int
) -> tuple[dict[str, Any], float | None]:
    """Replace a fraction for ``n_components`` by a code size that is enough, to be ordered.

    That is what PCA needs to explain so much of these rows, and some more, for what it needs to
    explain as much of new ones.

    Parameters
    ----------
    params : dict
        The estimator's parameters by name.
    source : ArraySource
    seed : int

    Returns
    -------
    params : dict
        With a whole number.
    explained : float or None
        The fraction, where there was one.

    Raises
    ------
    ParameterError
        Where there are more columns than can be looked through for so many components.
    """
    if is_integer(params["n_components"]):
        return params, None
    explained, blocks = float(params["n_components"]), cast("Blocks", source.blocks)
    if params["scaling"] == "standard" and source.n_features > 1:
        _, blocks = _standardised(source)
    needed = components_needed(blocks, explained, seed)
    if needed is None:
        raise ParameterError(
            f"`n_components`={explained:g}: PCA needs more than {MOST_SKETCHED} components to"
            f" explain that much of {source.n_features:,} columns, which is as far as it is looked"
            " for in data of this size. Give a number of components, or a smaller fraction."
        )
    more = math.ceil(SPARE_NUMBERS * needed) + 1
    size = min(needed + more, source.n_features, max(source.n_rows - 1, needed))
    return {**params, "n_components": size, "ordered": True}, explained


def bare_network(
    scaling: Scaling,
    network: Network,
    objective: Objective,
    widths: Widths,
    *,
    linear: bool,
    cells: Cells | None = None,
) -> Autoencoding:
    """Return a network of the right shape whose tensors are still to be filled in.

    Parameters
    ----------
    scaling : Scaling
    network : Network
    objective : Objective
    widths : Widths
    linear : bool
        Whether it has a linear path.
    cells : Cells, optional
        What that path is cut into.
    """
    generator = torch.Generator().manual_seed(0)
    encoder, decoder = network.build(widths, generator)
    A, axes = widths.axes, None
    if A:
        axes = Axes(torch.zeros(A, widths.features), torch.zeros(A))
    if axes is not None and not linear:
        encoder = OnAxes(encoder, *axes)
    if linear and cells is not None:
        each, mean = torch.zeros(widths.code // cells.n_cells, cells.size), widths.features
        cut = CellPath(cells, each, torch.zeros(mean), torch.ones(widths.code), 0.0, 1.0)
        encoder, decoder = cut.around(encoder, decoder)
    elif linear:
        D, K, out = widths.features, widths.code, widths.decoder_out
        back = (torch.zeros(out, K), torch.zeros(out), torch.ones(1))
        E = widths.encoder_out
        into = (torch.zeros(E, D), torch.zeros(E), torch.ones(E))
        path = LinearPath(*into, *back, torch.ones(K), 0.0, 1.0)
        encoder, decoder = path.around(encoder, decoder, axes)
    extra = objective.build(widths, None, generator)
    return Autoencoding(scaling, encoder, decoder, extra=extra)


def linear_path(pca: PrincipalComponents, scaling: Scaling) -> LinearPath:
    """Return PCA in the units of a scaling.

    One common divisor, or none, leaves the axes what they are in data units; where each column
    has its own, ``pca`` is that of the scaled columns already.
    """
    axes_KD = torch.from_numpy(pca.components_.copy())
    mean_D, code_unit = _mean_and_unit(pca, scaling)
    deviations, left_over = _spreads(pca, code_unit)
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


def _axes(pca: PrincipalComponents, scaling: Scaling) -> Axes:
    """Return the components of a PCA as axes to score rows on, the first of deviation 1."""
    path = linear_path(pca, scaling)
    unit = path.deviations.max()
    return Axes(path.into_weight / unit, path.into_bias / unit)


def cell_path(pca: PrincipalComponents, cells: Cells, scaling: Scaling) -> CellPath:
    """Return PCA of the cells of pictures in the units of a scaling."""
    mean_D, code_unit = _mean_and_unit(pca, scaling)
    deviations, left_over = _spreads(pca, code_unit)
    axes = torch.from_numpy(pca.components_.copy())
    each = deviations.repeat_interleave(cells.n_cells)
    return CellPath(cells, axes, mean_D, each, left_over, code_unit)


def _mean_and_unit(pca: PrincipalComponents, scaling: Scaling) -> tuple[Tensor, float]:
    """Return the mean in the units of a scaling, and what its axes are counted in."""
    mean_D = torch.from_numpy(pca.mean_.copy())
    if scaling.divisor.numel() > 1:
        return mean_D, 1.0
    return scaling(mean_D), float(scaling.divisor)


def _spreads(pca: PrincipalComponents, code_unit: float) -> tuple[Tensor, float]:
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
        into = -gathered(cut.mean[None], cut.axes, None, cut.cells)[0]
        there = _CellMap(True, cut.axes, into, cut.cells).to(dtype)
        back = _CellMap(False, cut.axes.T.contiguous(), cut.mean, cut.cells).to(dtype)
        return Autoencoding(scaling, there, back, cut.code_unit)
    path = linear_path(pca, scaling)
    encoder = _linear(path.into_weight, path.into_bias, dtype)
    decoder = _linear(path.back_weight, path.back_bias, dtype)
    return Autoencoding(scaling, encoder, decoder, path.code_unit)


def _linear(weight: Tensor, bias: Tensor, dtype: torch.dtype) -> nn.Linear:
    outputs, inputs = weight.shape
    layer = nn.Linear(inputs, outputs, device="meta", dtype=dtype).to_empty(device="cpu")
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer


def _scaling_and_pca(
    source: ArraySource, asked: Any, plan: Plan, bounds: tuple[float, float] | None
) -> tuple[Scaling, PrincipalComponents]:
    n_components = plan.n_axes
    needed = plan.objective.input_range
    ends = None
    if needed is not None:
        _check_range(source, asked, plan.objective, needed)
        asked, ends = (needed, bounds) if asked == "auto" else (asked, None)
    if asked == "standard" and plan.n_features > 1:  # one column's own divisor is common to all
        scaling, blocks = _standardised(source)
        return scaling, _fitted(blocks, n_components, plan)
    pca = _fitted(source.blocks, n_components, plan)
    low, high = (ends or extremes(source)) if isinstance(asked, (tuple, list)) else (0.0, 0.0)
    return choose_scaling(asked, pca.mean_, pca.variances_, low, high), pca


def _standardised(source: ArraySource) -> tuple[Scaling, Blocks]:
    """Return the scaling column by column, and blocks of rows so scaled."""
    scaling = choose_scaling("standard", *column_moments(source.blocks), 0.0, 0.0)
    return scaling, lambda: _scaled(source, scaling)


def pca_in_units_of(source: ArraySource, scaling: Scaling, plan: Plan) -> PrincipalComponents:
    """Return the PCA of rows: of the scaled columns where each has its own divisor."""
    if scaling.divisor.numel() == 1:
        return _fitted(source.blocks, plan.n_axes, plan)
    return _fitted(lambda: _scaled(source, scaling), plan.n_axes, plan)


def _scaled(source: ArraySource, scaling: Scaling) -> Iterator[Array64]:
    return (scaling(torch.from_numpy(block)).numpy() for block in source.blocks())


def _fitted(blocks: Blocks, n_components: int, plan: Plan) -> PrincipalComponents:
    if plan.cells is None:
        return fit_pca(blocks, n_components, plan.seed)
    return fit_pca_of_cells(blocks, n_components, plan.cells, plan.seed)


def _check_range(
    source: ArraySource, asked: Any, objective: Objective, needed: tuple[float, float]
) -> None:
    """Refuse a scaling that leaves the range which a family needs."""
    given = asked if isinstance(asked, (tuple, list)) else needed
    if asked is None:
        given = extremes(source)
    if asked == "standard" or given[0] < needed[0] or given[1] > needed[1]:
        low, high = needed
        raise ParameterError(
            f"{objective!r} needs values from {low:g} to {high:g}, and scaling={asked!r} does not"
            " keep to them here; use scaling='auto', which brings the data's bounds to that range."
        )


def extremes(source: ArraySource) -> tuple[float, float]:
    """Return the smallest and the largest value of all rows."""
    pairs = [(float(block.min()), float(block.max())) for block in source.blocks()]
    return min(low for low, _ in pairs), max(high for _, high in pairs)
