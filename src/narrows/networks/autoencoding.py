"""The module that is trained: scaling, encoder, decoder and the family's own part.

Legend: B batch, D features, K code size.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from narrows.linear.scaling import Scaling
from narrows.networks.prefixes import prefix_reader

CPU = torch.device("cpu")


class Autoencoding(nn.Module):
    """Scaling, encoder, decoder and the family's own part: all tensors of a model.

    Parameters
    ----------
    scaling : Scaling
        Between data units and the units that encoder and decoder compute in.
    encoder, decoder : nn.Module
        (B, D) to (B, encoder_out) and (B, K) to (B, decoder_out), in those units.
    code_unit : float, default=1.0
        Users get codes multiplied by this. Where one common divisor scales the data and the linear
        path is PCA, it is that divisor, so that codes are in data units like PCA's scores.
    extra : nn.Module, optional
        Parameters and buffers of the family's own, such as a code book or a critic.
    """

    code_unit: Tensor
    exact: tuple[Scaling, Tensor] | None = None
    """Scaling and code unit in float64, of a copy on a device where they are rounded."""

    def __init__(
        self,
        scaling: Scaling,
        encoder: nn.Module,
        decoder: nn.Module,
        code_unit: float = 1.0,
        extra: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.scaling = scaling
        self.encoder = encoder
        self.decoder = decoder
        self.extra = extra
        self.register_buffer("code_unit", torch.tensor(code_unit, dtype=torch.float64))

    @property
    def code_size(self) -> int | None:
        """Numbers of a code that may be cut short; None where codes are always whole."""
        reader = prefix_reader(self.decoder)
        return None if reader is None else len(reader.left_over)


def is_finite(net: nn.Module) -> bool:
    """Tell whether no parameter and no buffer holds NaN or infinity."""
    return all(bool(tensor.isfinite().all()) for tensor in net.state_dict().values())


def converted(net: Autoencoding, dtype: torch.dtype, device: torch.device = CPU) -> Autoencoding:
    """Return a copy in a dtype on a device.

    The scaling stays in float64 on the CPU, and is rounded to float32 elsewhere: not every device
    has float64.
    """
    copied = on_cpu(net)
    for part in (copied.encoder, copied.decoder, copied.extra):
        if part is not None:
            part.to(dtype)
    if device != CPU:
        copied.exact = copy.deepcopy((copied.scaling, copied.code_unit))
        for rounded in (copied, copied.scaling):
            for name, buffer in rounded.named_buffers(recurse=False):
                rounded.register_buffer(name, buffer.float())
    return copied.to(device)


def on_cpu(net: Autoencoding) -> Autoencoding:
    """Return a copy on the CPU, its scaling in float64."""
    copied = copy.deepcopy(net).to(CPU)
    if copied.exact is not None:
        copied.scaling, copied.code_unit = copied.exact
        copied.exact = None
    return copied
