"""A network of the right shape, whose tensors are still to be filled in from a file."""

from __future__ import annotations

import torch

from narrows.linear.patches import Cells
from narrows.linear.scaling import Scaling
from narrows.networks import Autoencoding, Axes, CellPath, LinearPath, Network, OnAxes, Widths
from narrows.objectives import Objective


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
        each = torch.zeros(widths.code // cells.n_cells, cells.size)
        cut = CellPath(cells, each, torch.zeros(widths.features), torch.ones(widths.code), 0.0, 1.0)
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
