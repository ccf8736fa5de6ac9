"""Layers that give zeros beside a linear path: left out where nothing was learned, or put back."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from narrows.networks.autoencoding import Autoencoding
from narrows.networks.base import Network, Widths
from narrows.networks.linear_plus import LinearPlus, OnAxes
from narrows.networks.prefixes import prefix_reader


def with_silent_layers(net: Autoencoding, network: Network, widths: Widths) -> Autoencoding:
    """Return a network with the linear paths of another beside silent layers of its own.

    It gives the numbers that the other one gives where its layers are silent, too, as they are
    where training starts at PCA. What the family adds is shared.

    Parameters
    ----------
    net : Autoencoding
        Its encoder and decoder are a `LinearPlus` each, the encoder perhaps on axes.
    network : Network
        Draws the layers, in which no weight is needed but those of the last one, which are zero.
    widths : Widths
        Of ``net``.
    """
    encoder, decoder = network.build(widths, torch.Generator().manual_seed(0))
    ours, theirs = prefix_reader(decoder), prefix_reader(net.decoder)
    if ours is not None and theirs is not None:
        ours.left_over.copy_(theirs.left_over)
        ours.gain.copy_(theirs.gain)
    there, back = _beside(net.encoder, encoder), _beside(net.decoder, decoder)
    return Autoencoding(net.scaling, there, back, float(net.code_unit), net.extra)


def _beside(part: nn.Module, layers: nn.Module) -> nn.Module:
    if isinstance(part, OnAxes):
        return OnAxes(_beside(part.inner, layers), part.weight, part.bias)
    path = cast("LinearPlus", part)
    found = LinearPlus(layers, path.weight.detach().clone(), path.bias, path.unit, path.gain)
    found.weight.requires_grad_(path.weight.requires_grad)
    return found
