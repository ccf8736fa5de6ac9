"""The kinds of picture that a recipe may ask for.

A picture is a table of the recipe: ``kind``; ``rows``, "train" or "test"; ``count``, how many
rows; and for frames ``every``, optimizer steps between two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from narrows.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from narrows.estimator import Autoencoder
    from narrows.running import Progress

Picture = dict[str, Any]
Rows = dict[str, tuple[NDArray[np.float32], NDArray[np.uint8]]]
_SUFFIX = {"reconstructions": ".png", "plane": ".png", "space": ".png", "frames": ".gif"}


def file_name(recipe: str, picture: Picture, live: bool) -> str | None:
    """Return the name of the file that a picture goes to; None where a window shows it."""
    kind = picture["kind"]
    if kind not in _SUFFIX:
        raise ParameterError(f"Picture kind {kind!r} is unknown; known are {', '.join(_SUFFIX)}.")
    return None if kind == "frames" and live else f"{recipe}-{kind}{_SUFFIX[kind]}"


class Frames:
    """Keep the reconstructions of a few rows every so many steps, or show them in a window."""

    def __init__(self, X: NDArray[np.float32], every: int, *, live: bool) -> None:
        self.X, self.every = X, every
        self.snapshots: list[NDArray[Any]] = []
        self.captions: list[str] = []
        self._window = _Window() if live else None

    def __call__(self, progress: Progress) -> None:
        """Look at the model of this moment, where the step is one of those asked for."""
        if progress.step % self.every:
            return
        X_hat = progress.model.reconstruct(self.X)
        if self._window is not None:
            self._window.show(self.X, X_hat, f"step {progress.step}")
            return
        self.snapshots.append(X_hat)
        self.captions.append(f"step {progress.step}")


class _Window:
    """A window of Matplotlib that is redrawn while training."""

    def __init__(self) -> None:
        import matplotlib
        from matplotlib import pyplot

        if matplotlib.get_backend().lower() == "agg":
            raise ParameterError(
                "--live needs a window, and Matplotlib finds no display to open one on. Leave it"
                " out to get an animated GIF instead."
            )
        pyplot.ion()
        self._pyplot = pyplot
        self._axes: NDArray[Any] | None = None

    def show(self, X: NDArray[Any], X_hat: NDArray[Any], title: str) -> None:
        if self._axes is None:
            _, self._axes = self._pyplot.subplots(2, len(X), figsize=(len(X), 2.4))
        for column, pair in enumerate(zip(X, X_hat, strict=True)):
            for axes, row in zip(self._axes[:, column], pair, strict=True):
                axes.clear()
                axes.imshow(row.reshape(28, 28), cmap="gray")
                axes.set_axis_off()
        self._axes[0, 0].figure.suptitle(title)
        self._pyplot.draw()
        self._pyplot.pause(0.05)


def watcher(picture: Picture, rows: Rows, *, live: bool) -> Frames | None:
    """Return the callback that a picture needs while training, if any."""
    if picture["kind"] != "frames":
        return None
    X, _ = rows[picture["rows"]]
    return Frames(X[: picture["count"]], picture["every"], live=live)


def draw(picture: Picture, ae: Autoencoder, rows: Rows, seen: Frames | None) -> bytes:
    """Return the bytes of a picture's file."""
    from narrows import figures

    if seen is not None:
        frames = figures.reconstruction_frames(
            seen.X, seen.snapshots, captions=seen.captions, sample_shape=(28, 28)
        )
        return figures.to_gif(frames)
    X, y = (array[: picture.get("count")] for array in rows[picture["rows"]])
    figure: Figure
    if picture["kind"] == "reconstructions":
        figure = figures.reconstructions(X, ae.reconstruct(X), sample_shape=(28, 28))
    elif picture["kind"] == "plane":
        figure = figures.plane(ae.transform(X), y)
    else:
        figure = figures.space(ae.transform(X), y)
    return figures.to_png(figure)
