"""The two halves of a model: rows to codes, and codes to rows, both in data units.

As functions, which all of narrows goes through, and as ordinary modules of torch, for training on
in a user's own loop and for exports.

Legend: B batch, D features, K code size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from narrows.networks import Autoencoding, on_cpu
from narrows.objectives import Objective

if TYPE_CHECKING:
    from narrows.model.fitted import Fitted

Interval = tuple[float, float]


def encoded(net: Autoencoding, objective: Objective, x_BD: Tensor) -> Tensor:
    """Return the codes (B, K) of rows (B, D)."""
    return objective.code(net, net.scaling(x_BD)) * net.code_unit


def decoded(
    net: Autoencoding, objective: Objective, bounds: Interval | None, z_BK: Tensor
) -> Tensor:
    """Return the rows (B, D) of codes (B, k), clipped to the bounds.

    Codes that were cut short are filled up with zeros.
    """
    missing = 0 if net.code_size is None else net.code_size - z_BK.shape[1]
    whole_BK = functional.pad(z_BK, (0, missing)) if missing else z_BK
    x_BD = net.scaling.inverse(objective.reconstruction(net, whole_BK / net.code_unit))
    return x_BD if bounds is None else x_BD.clamp(*bounds)


class EncoderModule(nn.Module):
    """Rows to codes, as `Autoencoder.transform` does, in float32 and with gradients.

    Parameters
    ----------
    model : Fitted
        Its encoder is copied.
    """

    def __init__(self, model: Fitted) -> None:
        super().__init__()
        self.net = _copied(model.net, keep="encoder")
        self.objective = model.objective
        self.row_shape = model.sample_shape if model.came_shaped else (model.n_features,)
        self.n_components = model.n_components
        self.eval()

    def forward(self, rows: Tensor) -> Tensor:
        """Map rows in data units, (B, D) or pictures as `fit` was given them, to codes (B, K)."""
        return encoded(self.net, self.objective, rows.flatten(1))[:, : self.n_components]


class DecoderModule(nn.Module):
    """Codes to rows, as `Autoencoder.inverse_transform` does, in float32 and with gradients.

    Parameters
    ----------
    model : Fitted
        Its decoder is copied.
    """

    def __init__(self, model: Fitted) -> None:
        super().__init__()
        self.net = _copied(model.net, keep="decoder")
        self.objective = model.objective
        self.bounds = model.bounds
        self.row_shape = model.sample_shape if model.came_shaped else (model.n_features,)
        self.n_components = model.n_components
        self.eval()

    def forward(self, codes: Tensor) -> Tensor:
        """Map codes (B, K) to rows in data units, (B, D) or pictures as `fit` was given them."""
        rows_BD = decoded(self.net, self.objective, self.bounds, codes)
        return rows_BD.reshape(-1, *self.row_shape)


class ReconstructModule(nn.Module):
    """Rows to the rows that come back through the code, as `Autoencoder.reconstruct` does."""

    def __init__(self, model: Fitted) -> None:
        super().__init__()
        self.encoder, self.decoder = EncoderModule(model), DecoderModule(model)

    def forward(self, rows: Tensor) -> Tensor:
        """Map rows in data units to rows of the same shape."""
        found: Tensor = self.decoder(self.encoder(rows))
        return found


def _copied(net: Autoencoding, keep: str) -> Autoencoding:
    """Return a copy in float32 of which one half is left out; the family's own part stays."""
    ours = on_cpu(net)
    halves = {"encoder": ours.encoder, "decoder": ours.decoder}
    kept = {name: half if name == keep else nn.Identity() for name, half in halves.items()}
    half = Autoencoding(ours.scaling, **kept, code_unit=float(ours.code_unit), extra=ours.extra)
    return half.float()
