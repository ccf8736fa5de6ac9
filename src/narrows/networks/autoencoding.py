"""The module that is trained: scaling, encoder, decoder and the family's own part.

Legend: B batch, D features, K code size.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from narrows.linear.scaling import Scaling
from narrows.networks.prefixes import prefix_reader


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


def converted(net: Autoencoding, dtype: torch.dtype) -> Autoencoding:
    """Return a copy on the CPU in a dtype; its scaling stays in float64."""
    copied = copy.deepcopy(net).to("cpu")
    for part in (copied.encoder, copied.decoder, copied.extra):
        if part is not None:
            part.to(dtype)
    return copied
