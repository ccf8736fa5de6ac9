"""Several small networks of one shape, trained as one.

A small step costs calls, not arithmetic. So the same layer of all networks is one product, and the
rows of all of them are one batch, in which row i belongs to network i modulo M. Whoever computes on
such a batch row by row, as losses do, need not know that there are several networks.

Legend: M networks, B rows of each, I inputs, O outputs of a layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from narrows.networks.autoencoding import Autoencoding
from narrows.networks.linear_plus import LinearPlus


def side_by_side(nets: Sequence[Autoencoding]) -> Autoencoding:
    """Return one network that holds copies of several; its scaling is that of the first.

    Each is to be a `LinearPlus` around a sequence of fully connected layers, both ways, without a
    part of its family's own.
    """
    encoder, decoder = (
        _SideBySide([getattr(net, part) for net in nets]) for part in ("encoder", "decoder")
    )
    return Autoencoding(nets[0].scaling, encoder, decoder)


@torch.no_grad()
def hand_back(whole: Autoencoding, nets: Sequence[Autoencoding]) -> None:
    """Copy what several networks have learned, from `side_by_side`, to each of them."""
    together = list(whole.parameters())
    for place, net in enumerate(nets):
        for parameter, values in zip(net.parameters(), together, strict=True):
            parameter.copy_(values[place].reshape(parameter.shape))


class _SideBySide(LinearPlus):
    """`LinearPlus` for the rows of several networks."""

    def __init__(self, parts: Sequence[LinearPlus]) -> None:
        nn.Module.__init__(self)
        self.n_nets = len(parts)
        self.inner = nn.Sequential(*_layers([part.inner for part in parts]))
        self.weight = nn.Parameter(torch.stack([part.weight.detach() for part in parts]))
        self.weight.requires_grad_(parts[0].weight.requires_grad)
        for name in ("bias", "unit", "gain"):
            stacked = torch.stack([getattr(part, name) for part in parts])
            self.register_buffer(name, stacked[:, None])

    def forward(self, x: Tensor) -> Tensor:
        """Map (B·M, I) to (B·M, O)."""
        x_MBI = x.reshape(-1, self.n_nets, x.shape[1]).transpose(0, 1)
        return super().forward(x_MBI).transpose(0, 1).reshape(len(x), -1)

    def linear(self, x: Tensor) -> Tensor:
        """Return the linear paths alone, (M, B, O)."""
        return torch.baddbmm(self.bias, x, self.weight.transpose(1, 2))


class _Linears(nn.Module):
    """The same fully connected layer of several networks: (M, B, I) to (M, B, O)."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers])[:, None])

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight.transpose(1, 2))


def _layers(parts: Sequence[nn.Module]) -> Iterator[nn.Module]:
    for layers in zip(*(part.children() for part in parts), strict=True):
        linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
        yield _Linears(linear) if linear else layers[0]
