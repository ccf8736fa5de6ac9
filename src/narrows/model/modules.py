"""Encoder and decoder as ordinary modules of torch, for a user's own loop and for exports.

Legend: B batch, D features, K code size.
"""

from __future__ import annotations

from torch import Tensor, nn

from narrows.model.fitted import Fitted
from narrows.model.halves import decoded, encoded
from narrows.networks import Autoencoding, on_cpu


class _Half(nn.Module):
    """What the two have in common: a copy of one half, in float32 and in evaluation mode."""

    def __init__(self, model: Fitted, keep: str) -> None:
        super().__init__()
        self.net = _copied(model.net, keep)
        self.objective, self.bounds = model.objective, model.bounds
        self.row_shape = model.sample_shape if model.came_shaped else (model.n_features,)
        self.n_components = model.n_components
        self.eval()


class EncoderModule(_Half):
    """Rows to codes, as `Autoencoder.transform` does, in float32 and with gradients."""

    def __init__(self, model: Fitted) -> None:
        super().__init__(model, keep="encoder")

    def forward(self, rows: Tensor) -> Tensor:
        """Map rows in data units, (B, D) or pictures as `fit` was given them, to codes (B, K)."""
        return encoded(self.net, self.objective, rows.flatten(1))[:, : self.n_components]


class DecoderModule(_Half):
    """Codes to rows, as `Autoencoder.inverse_transform` does, in float32 and with gradients."""

    def __init__(self, model: Fitted) -> None:
        super().__init__(model, keep="decoder")

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
