"""What every program of a contest on MNIST is given: layers, rows, and a clock that can stop it."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DEFAULT_DATA = Path(__file__).resolve().parent.parent / "src" / "narrows" / "sources" / "mnist"
WARM_UP_ROWS = 1_000

Array = NDArray[np.float32]
Reconstruct = Callable[[Array], Array]


@dataclass(frozen=True)
class Job:
    """Layers, step and length of a training run.

    ``widths`` run from the picture to the code; the decoder mirrors them.
    """

    widths: tuple[int, ...]
    activation: str
    code_activation: str
    output_activation: str
    learning_rate: float
    epochs: int
    batch_size: int = 256

    def layers(self) -> tuple[list[tuple[int, int, str]], list[tuple[int, int, str]]]:
        """Return encoder and decoder, each a list of (inputs, outputs, activation)."""
        down = list(zip(self.widths[:-1], self.widths[1:], strict=True))
        up = [(b, a) for a, b in reversed(down)]
        return (
            [(*size, self.activation) for size in down[:-1]] + [(*down[-1], self.code_activation)],
            [(*size, self.activation) for size in up[:-1]] + [(*up[-1], self.output_activation)],
        )

    def flops_per_row(self) -> int:
        """Count the matrix products of one training step, per row.

        Forward, gradient by the weights and gradient by the inputs take two operations for each
        weight; the last is not needed for the first layer.
        """
        encoder, decoder = self.layers()
        sizes = [n_in * n_out for n_in, n_out, _ in encoder + decoder]
        return 6 * sum(sizes) - 2 * sizes[0]


JOBS = {
    "tutorial": Job((784, 256, 128), "sigmoid", "sigmoid", "sigmoid", 0.01, epochs=5),
    "quality": Job((784, 512, 256, 128), "gelu", "linear", "linear", 0.001, epochs=100_000),
}


@dataclass
class Watch:
    """A clock for one run, which stands still while the held-out error is measured.

    Attributes
    ----------
    test : array of shape (10000, 784)
        Held-out rows in [0, 1].
    goal : float or None
        Held-out error at which to stop; with None nothing is measured before the end.
    limit : float
        Seconds of training after which to stop.
    epoch_seconds : list of float
        Training time of each epoch.
    trail : list of (float, float)
        Seconds of training since the start and held-out error, after each epoch.
    wall_seconds : float
        From start to stop.
    """

    test: Array
    goal: float | None = None
    limit: float = 600.0
    epoch_seconds: list[float] = field(default_factory=list)
    trail: list[tuple[float, float]] = field(default_factory=list)
    wall_seconds: float = 0.0
    _started: float = 0.0
    _resumed: float = 0.0

    def start(self) -> None:
        """Start the clock."""
        self._started = self._resumed = time.perf_counter()

    def stop(self) -> None:
        """Note the time since the start, measurements of the error included."""
        self.wall_seconds = time.perf_counter() - self._started

    def epoch_done(self, reconstruct: Reconstruct) -> bool:
        """Note an epoch and say whether to stop."""
        self.epoch_seconds.append(time.perf_counter() - self._resumed)
        enough = False
        if self.goal is not None:
            seconds, error = sum(self.epoch_seconds), held_out_error(reconstruct, self.test)
            self.trail.append((seconds, error))
            enough = error <= self.goal or seconds >= self.limit
        self._resumed = time.perf_counter()
        return enough


class EnoughError(Exception):
    """Raised out of a trainer that offers no other way to stop."""


def read_pixels(path: Path) -> Array:
    """Read a gzipped idx file of pictures as rows in [0, 1], shape (n, 784)."""
    raw = gzip.decompress(path.read_bytes())
    pixels = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784)
    return pixels.astype(np.float32) / np.float32(255)


def held_out_error(reconstruct: Reconstruct, rows: Array) -> float:
    """Mean squared error per pixel of reconstructions clipped to [0, 1]."""
    difference = np.clip(np.asarray(reconstruct(rows)), 0, 1) - rows
    return float(np.mean(np.square(difference, dtype=np.float64)))
