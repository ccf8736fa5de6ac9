"""The kinds of picture that a recipe may ask for.

A picture is a table of the recipe: ``kind``; ``rows``, "train" or "test" (the default); ``count``,
how many rows or samples; ``every``, optimizer steps between two frames; ``steps``, of an
interpolation or along each side of a lattice; ``classes``, whether to draw samples by class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from narrows.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from narrows.estimator import Autoencoder
    from narrows.training.progress import Progress

Picture = dict[str, Any]
Pixels = NDArray[np.float32]
Labels = NDArray[np.uint8]
Rows = dict[str, tuple[Pixels, Labels]]
SHAPE = (28, 28)


def file_name(recipe: str, picture: Picture, live: bool) -> str | None:
    """Return the name of the file that a picture goes to; None where a window shows it."""
    kind = picture["kind"]
    if kind == "frames":
        return None if live else f"{recipe}-frames.gif"
    if kind not in _DRAWN:
        known = ", ".join(("frames", *_DRAWN))
        raise ParameterError(f"Picture kind {kind!r} is unknown; known are {known}.")
    return f"{recipe}-{kind}.png"


class Frames:
    """Keep, or show in a window, a few rows' reconstructions: at step 1 and every so many steps."""

    def __init__(self, X: NDArray[np.float32], every: int, *, live: bool) -> None:
        self.X, self.every = X, every
        self.snapshots: list[NDArray[Any]] = []
        self.captions: list[str] = []
        self._window = _Window() if live else None

    def __call__(self, progress: Progress) -> None:
        """Take the reconstructions of this step, if it is one of those asked for."""
        if progress.step % self.every and progress.step != 1:
            return
        X_hat = progress.model.reconstruct(self.X)
        if self._window is not None:
            self._window.show(self.X, X_hat, f"step {progress.step}")
            return
        self.snapshots.append(X_hat)
        self.captions.append(f"step {progress.step}")


class _Window:
    """A Matplotlib window that is redrawn during training."""

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
    """Return the callback that a picture needs during training, if any."""
    if picture["kind"] != "frames":
        return None
    X, _ = rows[picture["rows"]]
    return Frames(X[: picture["count"]], picture["every"], live=live)


def draw(picture: Picture, ae: Autoencoder, rows: Rows, seen: Frames | None) -> bytes:
    """Return the bytes of a picture's file."""
    from narrows import figures

    if seen is not None:
        frames = figures.reconstruction_frames(
            seen.X, seen.snapshots, captions=seen.captions, sample_shape=SHAPE
        )
        return figures.to_gif(frames)
    X, y = rows[picture.get("rows", "test")]
    few = slice(picture.get("count"))
    return figures.to_png(_DRAWN[picture["kind"]](picture, ae, X[few], y[few]))


def _reconstructions(picture: Picture, ae: Autoencoder, X: Pixels, y: Labels) -> Figure:
    from narrows import figures

    return figures.reconstructions(X, ae.reconstruct(X), sample_shape=SHAPE)


def _plane(picture: Picture, ae: Autoencoder, X: Pixels, y: Labels) -> Figure:
    from narrows import figures

    return figures.plane(ae.transform(X), y)


def _space(picture: Picture, ae: Autoencoder, X: Pixels, y: Labels) -> Figure:
    from narrows import figures

    return figures.space(ae.transform(X), y)


def _samples(picture: Picture, ae: Autoencoder, X: Pixels, y: Labels) -> Figure:
    """Draw ``count`` new digits from ``prior``; with ``classes``, a line of them for each class."""
    from narrows import figures

    count, classes = picture["count"], ae.model_.classes
    if classes is None or not picture.get("classes", False):
        new = ae.sample(count, prior=picture.get("prior", "auto"), random_state=0)
        return figures.sheet(new, sample_shape=SHAPE, bounds=ae.bounds_)
    new = ae.sample(count * len(classes), y=np.repeat(classes, count), random_state=0)
    names = [str(label) for label in classes]
    return figures.sheet(
        new, sample_shape=SHAPE, columns=count, row_labels=names, bounds=ae.bounds_
    )


def _lattice(picture: Picture, ae: Autoencoder, X: Pixels, y: Labels) -> Figure:
    """Draw the decoded rows of a grid of ``steps`` × ``steps`` codes."""
    from narrows import figures

    Z = ae.model_.lattice(picture["steps"])
    return figures.lattice(ae.inverse_transform(Z), Z, sample_shape=SHAPE, bounds=ae.bounds_)


def _interpolations(picture: Picture, ae: Autoencoder, X: Pixels, y: Labels) -> Figure:
    """Draw the ways from each even row to the next, in ``steps`` steps."""
    from narrows import figures

    first, last = X[:-1:2], X[1::2]
    ways = [ae.interpolate(a, b, picture["steps"]) for a, b in zip(first, last, strict=True)]
    return figures.interpolations(ways, ends=(first, last), sample_shape=SHAPE, bounds=ae.bounds_)


def _denoised(picture: Picture, ae: Autoencoder, X: Pixels, y: Labels) -> Figure:
    """Draw rows with the noise of training, denoised by our model and by PCA, and clean."""
    from narrows import figures
    from narrows.evaluation.views import pca_inference

    noisy = corrupted(ae, X)
    cleaned = {"narrows": ae.reconstruct(noisy), "PCA": pca_inference(ae).reconstruct(noisy)}
    return figures.denoised(noisy, cleaned, X, sample_shape=SHAPE, bounds=ae.bounds_)


def _terms(picture: Picture, ae: Autoencoder, X: Pixels, y: Labels) -> Figure:
    from narrows import figures
    from narrows.objectives.ordered import loss_of

    units = loss_of(ae.model_.objective, ordered=ae.model_.ordered).units
    return figures.terms(ae.history_, units)


_DRAWN: dict[str, Callable[[Picture, Autoencoder, Pixels, Labels], Figure]] = {
    "reconstructions": _reconstructions,
    "plane": _plane,
    "space": _space,
    "samples": _samples,
    "lattice": _lattice,
    "interpolations": _interpolations,
    "denoised": _denoised,
    "terms": _terms,
}


def corrupted(ae: Autoencoder, X: Pixels, seed: int = 0) -> Pixels:
    """Return rows (N, D) with the noise of a denoising autoencoder, in data units.

    For any other kind of autoencoder they stay as they are.
    """
    import torch

    objective, net = ae.model_.objective, ae.network_
    if not objective.needs.corrupts:
        return X
    x_ND = net.scaling(torch.from_numpy(X.astype(np.float64))).float()
    noise = objective.draw(torch.Generator().manual_seed(seed), x_ND, ae.n_components_)
    with torch.no_grad():
        noisy_ND = net.scaling.inverse(objective.corrupted(net, x_ND, noise).double())
    noisy: Pixels = noisy_ND.float().numpy()
    return noisy
