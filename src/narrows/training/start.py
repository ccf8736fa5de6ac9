"""The network that training starts from: at the PCA of the same rows, or drawn at random.

Legend: D features, K code size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch

from narrows.common.blocks import evenly_spread
from narrows.common.limits import is_integer
from narrows.errors import ParameterError
from narrows.linear.moments import Blocks, column_moments
from narrows.linear.pca import (
    MOST_SKETCHED,
    PrincipalComponents,
    components_needed,
    fit_pca,
    fit_pca_of_cells,
)
from narrows.linear.scaling import Scaling, choose_scaling
from narrows.linear.varies import Array64, Rounding
from narrows.networks import Autoencoding, OnAxes
from narrows.networks.pca_path import cell_path, linear_path, principal_axes
from narrows.networks.prefixes import ReadsPrefix
from narrows.objectives import Batch, Objective
from narrows.objectives.ordered import left_over_by_length, ordered_path
from narrows.sources.protocol import Source
from narrows.training.plan import Plan

SPARE_NUMBERS = 0.05
"""Part by which codes may be larger than what PCA needs for its own rows."""
MANY_PRODUCTS, FLOAT32_EPSILON = 1e10, float(np.finfo(np.float32).eps)
"""Products of two values from which the PCA of float32 data multiplies in float32."""
MOST_LOOKED_AT = 10_000
"""Rows whose PCA tells how many numbers are enough."""


def start(
    source: Source,
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
    source : Source
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
    axes = principal_axes(whole, scaling) if plan.widths.axes else None
    if params["init"] == "random":
        encoder = encoder if axes is None else OnAxes(encoder, *axes)
        extra = plan.objective.build(plan.widths, None, generator)
        if isinstance(decoder, ReadsPrefix):
            left_over = left_over_by_length(linear_path(pca, scaling), plan.n_components)
            decoder.left_over.copy_(left_over)
        net = Autoencoding(scaling, encoder, decoder, extra=extra)
        return _with_classes(net, source, plan), whole
    if pca.cells is not None:  # `make_plan` has checked that this family starts at PCA itself
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
    net = Autoencoding(scaling, *around, path.code_unit, extra)
    return _with_classes(net, source, plan), whole


def _with_classes(net: Autoencoding, source: Source, plan: Plan) -> Autoencoding:
    """Show a network the classes of all rows, where its family needs them."""
    if plan.objective.needs.classes:
        plan.objective.meet_classes(net, _labelled(source, net.scaling))
    return net


def _labelled(source: Source, scaling: Scaling) -> Iterator[Batch]:
    """Give all rows in order with their classes, in float32 blocks in the network's units."""
    first, classes = 0, source.classes()
    assert classes is not None  # they were checked with the data
    for block in source.blocks():
        y = torch.from_numpy(classes[first : first + len(block)])
        yield Batch(scaling(torch.from_numpy(block)).float(), y)
        first += len(block)


def with_code_size(
    params: dict[str, Any], source: Source, seed: int
) -> tuple[dict[str, Any], float | None]:
    """Replace a fraction for ``n_components`` by a code size that is enough, to be ordered.

    That is what PCA needs to explain so much of these rows, or of 10,000 of them, evenly spread,
    and some more, for what it needs to explain as much of new ones.

    Parameters
    ----------
    params : dict
        The estimator's parameters by name.
    source : Source
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
    source = source.subset(evenly_spread(source.n_rows, MOST_LOOKED_AT))
    explained, blocks = float(params["n_components"]), cast("Blocks", source.blocks)
    rounding = source.rounding
    if params["scaling"] == "standard" and source.n_features > 1:
        scaling = _standard_scaling(source)
        blocks, rounding = _scaled(source, scaling)
    needed = components_needed(blocks, explained, seed, rounding)
    if needed is None:
        raise ParameterError(
            f"`n_components`={explained:g}: PCA needs more than {MOST_SKETCHED} components to"
            f" explain that much of {source.n_features:,} columns, which is as far as it is looked"
            " for in data of this size. Give a number of components, or a smaller fraction."
        )
    more = math.ceil(SPARE_NUMBERS * needed) + 1
    size = min(needed + more, source.n_features, max(source.n_rows - 1, needed))
    return {**params, "n_components": size, "ordered": True}, explained


def _scaling_and_pca(
    source: Source, asked: Any, plan: Plan, bounds: tuple[float, float] | None
) -> tuple[Scaling, PrincipalComponents]:
    needed = plan.objective.needs.input_range
    ends = None
    if needed is not None:
        _check_range(source, asked, plan.objective, needed)
        asked, ends = (needed, bounds) if asked == "auto" else (asked, None)
    if asked == "standard" and plan.n_features > 1:  # one column's own divisor is common to all
        scaling = _standard_scaling(source)
        return scaling, pca_in_units_of(source, scaling, plan)
    pca = _fitted(source.blocks, source.rounding, plan)
    low, high = (ends or extremes(source)) if isinstance(asked, (tuple, list)) else (0.0, 0.0)
    return choose_scaling(asked, pca.mean_, pca.variances_, low, high, source.rounding), pca


def _standard_scaling(source: Source) -> Scaling:
    """Return the scaling column by column."""
    return choose_scaling("standard", *column_moments(source.blocks, source.rounding), 0.0, 0.0)


def pca_in_units_of(source: Source, scaling: Scaling, plan: Plan) -> PrincipalComponents:
    """Return the PCA of rows: of the scaled columns where each has its own divisor."""
    if scaling.divisor.numel() == 1:
        return _fitted(source.blocks, source.rounding, plan)
    return _fitted(*_scaled(source, scaling), plan)


def _scaled(source: Source, scaling: Scaling) -> tuple[Blocks, Rounding]:
    """Return blocks of scaled rows, and how exactly these are known."""
    origin = (scaling.shift / scaling.divisor).numpy()

    def blocks() -> Iterator[Array64]:
        return (scaling(torch.from_numpy(block)).numpy() for block in source.blocks())

    return blocks, replace(source.rounding, origin=origin)


def _fitted(blocks: Blocks, rounding: Rounding, plan: Plan) -> PrincipalComponents:
    if plan.cells is None:
        single = float(plan.split.n_train_rows) * plan.n_features**2 >= MANY_PRODUCTS
        in_float32 = single and rounding.epsilon >= FLOAT32_EPSILON
        return fit_pca(blocks, plan.n_axes, plan.seed, rounding, in_float32=in_float32)
    return fit_pca_of_cells(blocks, plan.n_axes, plan.cells, plan.seed, rounding)


def _check_range(
    source: Source, asked: Any, objective: Objective, needed: tuple[float, float]
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


def extremes(source: Source) -> tuple[float, float]:
    """Return the smallest and the largest value of all rows."""
    pairs = [(float(block.min()), float(block.max())) for block in source.blocks()]
    return min(low for low, _ in pairs), max(high for _, high in pairs)
