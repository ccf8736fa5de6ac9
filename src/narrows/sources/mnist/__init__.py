"""MNIST from the four files that ship with the package."""

from __future__ import annotations

import gzip
import hashlib
from importlib import resources
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from narrows.errors import DataError, near_miss

_PREFIX = {"train": "train", "test": "t10k"}
Digits = NDArray[np.float32]
Labels = NDArray[np.uint8]


def _payload(name: str) -> bytes:
    """Read one gzipped file of the package and check it against its SHA-256."""
    folder = resources.files("narrows.sources.mnist")
    compressed = (folder / name).read_bytes()
    expected = (folder / "SHA256SUMS").read_text()
    if f"{hashlib.sha256(compressed).hexdigest()}  {name}\n" not in expected:
        raise DataError(
            f"The file {name} of the installed package differs from the one that was shipped "
            "(SHA-256 does not match). Install narrows again."
        )
    return gzip.decompress(compressed)


def _idx(name: str) -> NDArray[np.uint8]:
    """Decode an IDX file: two zero bytes, the type code, the number of axes, the axes, the data."""
    payload = _payload(name)
    n_axes = payload[3]
    shape = np.frombuffer(payload, dtype=">u4", count=n_axes, offset=4)
    return np.frombuffer(payload, dtype=np.uint8, offset=4 + 4 * n_axes).reshape(shape)


@overload
def load_mnist(part: str = ..., *, return_X_y: Literal[False] = ...) -> Any: ...
@overload
def load_mnist(part: str = ..., *, return_X_y: Literal[True]) -> tuple[Digits, Labels]: ...
def load_mnist(part: str = "train", *, return_X_y: bool = False) -> Any:
    """Load the handwritten digits of MNIST; nothing is downloaded.

    Parameters
    ----------
    part : {"train", "test"}, default="train"
        60,000 training or 10,000 test digits.
    return_X_y : bool, default=False
        Return ``(X, y)`` instead of a `~sklearn.utils.Bunch`.

    Returns
    -------
    data : Bunch
        With ``data``: float32 (n, 784), pixels in [0, 1]; ``target``: uint8 (n,), the digit;
        ``images``: the same pixels as (n, 28, 28); ``DESCR``: source and licence.
    (X, y) : tuple
        ``data`` and ``target``, if ``return_X_y`` is true.

    Raises
    ------
    DataError
        If ``part`` is neither name, or a file does not have its SHA-256.
    """
    if part not in _PREFIX:
        raise DataError(
            f"MNIST has the parts 'train' and 'test', got {part!r}.{near_miss(part, _PREFIX)}"
        )
    prefix = _PREFIX[part]
    images = _idx(f"{prefix}-images-idx3-ubyte.gz")
    X = images.reshape(len(images), -1).astype(np.float32)
    X /= np.float32(255)
    y = _idx(f"{prefix}-labels-idx1-ubyte.gz").copy()
    if return_X_y:
        return X, y
    from sklearn.utils import Bunch

    description = (resources.files("narrows.sources.mnist") / "README.md").read_text("utf-8")
    return Bunch(data=X, target=y, images=X.reshape(images.shape), DESCR=description)
