"""The classifier, and its features of pictures.

`benchmarks/digit_features.py` trains it; README.md beside this file says how good it is.

Legend: N pictures, F features, C classes.
"""

from __future__ import annotations

import functools
import hashlib
from importlib import resources
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from narrows.errors import DataError

HEIGHT, WIDTH = 28, 28
N_FEATURES, N_CLASSES = 64, 10
WEIGHTS = "digits.safetensors"
_BLOCK = 500
"""Pictures that go through the network at once."""


class DigitNet(nn.Module):
    """Two convolutions, a hidden layer of 64 numbers, ten logits.

    ::

        (N, 1, 28, 28) ─ 24 × 14² ─ 48 × 7² ─ 64 ─ 10
                                              └── features
    """

    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 24, 5, stride=2, padding=2),
            nn.GELU(),
            nn.Conv2d(24, 48, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(48 * (HEIGHT // 4) * (WIDTH // 4), N_FEATURES),
            nn.GELU(),
        )
        self.head = nn.Linear(N_FEATURES, N_CLASSES)
        # Features are divided by it, so that over the training digits their mean variance is 1.
        self.register_buffer("scale", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, C) of pictures (N, 1, 28, 28) in [0, 1]."""
        logits: Tensor = self.head(self.body(x))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """Return features (N, F) of pictures (N, 1, 28, 28) in [0, 1]."""
        features: Tensor = self.body(x) / self.scale
        return features


def digit_features(X: Any) -> NDArray[np.float64]:
    """Return what the classifier sees in pictures, before it decides.

    Parameters
    ----------
    X : array-like (N, 784), (N, 28, 28) or (N, 28, 28, 1)
        Grey values in [0, 1], light on dark.

    Returns
    -------
    ndarray (N, 64)
        Their mean variance is 1 over the training digits of MNIST.

    Raises
    ------
    DataError
        For another shape, or values outside [0, 1].
    """
    return _in_blocks(digit_net().features, X).astype(np.float64)


def digit_classes(X: Any) -> NDArray[np.int64]:
    """Return the digits (N,) that the classifier reads in pictures, given as `digit_features`."""
    classes: NDArray[np.int64] = _in_blocks(digit_net(), X).argmax(axis=1)
    return classes


@functools.cache
def digit_net() -> DigitNet:
    """Return the trained classifier; its file, read once and checked, holds tensors only, no code.

    Raises
    ------
    DataError
        If the file of weights differs from the one that was shipped.
    """
    from safetensors.torch import load

    folder = resources.files("narrows.evaluation.digit_features")
    content = (folder / WEIGHTS).read_bytes()
    expected = (folder / "SHA256SUMS").read_text("utf-8").split()[0]
    if hashlib.sha256(content).hexdigest() != expected:
        raise DataError(
            f"The file {WEIGHTS} of the installed package differs from the one that was shipped"
            " (SHA-256 does not match). Install narrows again."
        )
    # On "meta" nothing is drawn from torch's global stream only to be thrown away.
    with torch.device("meta"):
        net = DigitNet()
    net.load_state_dict(load(content), assign=True)
    return net.requires_grad_(False).eval()


def _in_blocks(function: Any, X: Any) -> NDArray[Any]:
    rows = np.asarray(X)
    shapes = ((HEIGHT * WIDTH,), (HEIGHT, WIDTH), (HEIGHT, WIDTH, 1))
    if rows.shape[1:] not in shapes or rows.dtype.kind not in "fiub":
        raise DataError(
            f"Features are those of grey pictures of {HEIGHT} × {WIDTH}: X must be (n, 784),"
            f" (n, 28, 28) or (n, 28, 28, 1), got {rows.dtype} of shape {rows.shape}."
        )
    if rows.size and not (rows.min() >= 0 and rows.max() <= 1):
        raise DataError(
            f"Features are those of grey values in [0, 1]; X holds {rows.min():g} to"
            f" {rows.max():g}. Divide by 255, or clip."
        )
    pictures = torch.from_numpy(rows.reshape(-1, 1, HEIGHT, WIDTH).astype(np.float32))
    with torch.no_grad():
        found = [function(block) for block in torch.split(pictures, _BLOCK)]
    return torch.cat(found).numpy()
