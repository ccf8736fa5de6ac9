"""Pictures of samples: originals above, reconstructions below, and the same as a film."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from narrows.common.atomic_files import replacing
from narrows.errors import DataError
from narrows.figures.cells import (
    Bounds,
    Images,
    grid_figure,
    picture_shape,
    pictures,
    spaced,
    value_range,
)
from narrows.figures.theme import Theme, ThemeName, theme_of


def reconstructions(
    X: ArrayLike,
    X_hat: ArrayLike | Mapping[str, ArrayLike] | Sequence[tuple[str, ArrayLike]],
    *,
    sample_shape: Sequence[int] | None = None,
    columns: int = 10,
    original_label: str = "x",
    theme: ThemeName = "light",
) -> Figure:
    """Draw originals above and their reconstructions below.

    Parameters
    ----------
    X : array-like of shape (n, D), (n, H, W) or (n, H, W, C)
        The originals. C is 1, 3 or 4.
    X_hat : array-like, mapping of str to array-like, or sequence of (str, array-like)
        Reconstructions of the same rows: one array (labelled "x̂"), or any number of named ones,
        each a further row of the picture.
    sample_shape : sequence of int, optional
        Shape of a flat sample, (H, W) or (H, W, C). Without it a flat sample must be square.
    columns : int, default=10
        Samples shown, from the first; fewer where there are fewer.
    original_label : str, default="x"
        Name of the first row.
    theme : {"light", "dark"}, default="light"
        Colours around the pictures. The pictures themselves stay as they are.

    Returns
    -------
    Figure
        One row per array. All share the grey scale of the originals: their smallest value is
        black, their largest white (0 and 255 for integers), and what lies outside is clipped.

    Raises
    ------
    DataError
        If an array has another shape than the originals, or no picture can be made of it.
    """
    named = [(original_label, X), *named_rows(X_hat, "x̂")]
    images = image_rows(named, sample_shape, columns)
    return grid_figure(spaced(images), theme, row_names=[name for name, _ in named])


def denoised(
    noisy: ArrayLike,
    denoised: ArrayLike | Mapping[str, ArrayLike] | Sequence[tuple[str, ArrayLike]],
    clean: ArrayLike,
    *,
    sample_shape: Sequence[int] | None = None,
    columns: int = 10,
    labels: tuple[str, str, str] = ("noisy", "denoised", "clean"),
    bounds: Bounds = None,
    theme: ThemeName = "light",
) -> Figure:
    """Draw noisy samples above, what was made of them in the middle, the clean ones below.

    Parameters
    ----------
    noisy, clean : array-like of shape (n, D), (n, H, W) or (n, H, W, C)
        The same samples with and without noise.
    denoised : array-like, mapping of str to array-like, or sequence of (str, array-like)
        One array, or any number of named ones, each a row of its own.
    sample_shape : sequence of int, optional
        Shape of a flat sample. Without it a flat sample must be square.
    columns : int, default=10
        Samples shown, from the first.
    labels : tuple of three str
        Names of the rows; the middle one is not used where ``denoised`` has names.
    bounds : pair of float, optional
        The values drawn black and white; by default those of the clean samples (0 and 255 for
        integers). What noise puts outside is clipped.
    theme : {"light", "dark"}, default="light"
        Colours around the pictures.

    Returns
    -------
    Figure
        One row per array.

    Raises
    ------
    DataError
        If arrays differ in shape, or no picture can be made of them.
    """
    named = [(labels[2], clean), (labels[0], noisy), *named_rows(denoised, labels[1])]
    images = image_rows(named, sample_shape, columns, bounds)
    names = [name for name, _ in named]
    order = [*range(1, len(named)), 0]  # the clean ones set the scale, and stand below
    return grid_figure(spaced(images[order]), theme, row_names=[names[number] for number in order])


def strip(
    X: ArrayLike,
    *,
    sample_shape: Sequence[int] | None = None,
    columns: int = 10,
    bounds: tuple[float, float] | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Draw samples in one row, without any text or margin.

    Parameters
    ----------
    X : array-like of shape (n, D), (n, H, W) or (n, H, W, C)
        The samples.
    sample_shape : sequence of int, optional
        Shape of a flat sample. Without it a flat sample must be square.
    columns : int, default=10
        Samples shown, from the first.
    bounds : pair of float, optional
        The values drawn black and white, so that several strips compare; by default the
        smallest and largest value shown (0 and 255 for integers).
    theme : {"light", "dark"}, default="light"
        Colour of the gaps.

    Returns
    -------
    Figure
        One row of pictures.

    Raises
    ------
    DataError
        If no picture can be made of the samples.
    """
    images = image_rows([("X", X)], sample_shape, columns, bounds)
    return grid_figure(spaced(images), theme, margin=0.0)


def reconstruction_frames(
    X: ArrayLike,
    snapshots: Iterable[ArrayLike],
    *,
    captions: Iterable[str] | None = None,
    sample_shape: Sequence[int] | None = None,
    columns: int = 5,
    scale: int | None = None,
    theme: ThemeName = "light",
) -> Iterator[Image.Image]:
    """Yield one picture per snapshot: originals above, their reconstructions so far below.

    Parameters
    ----------
    X : array-like of shape (n, D), (n, H, W) or (n, H, W, C)
        The originals.
    snapshots : iterable of array-like
        Reconstructions of the same rows, taken during training.
    captions : iterable of str, optional
        A short text under each frame, such as the step; plain Latin text and numbers.
    sample_shape : sequence of int, optional
        Shape of a flat sample. Without it a flat sample must be square.
    columns : int, default=5
        Samples shown, from the first.
    scale : int, optional
        Screen pixels per pixel of a sample; by default a sample is about 84 high.
    theme : {"light", "dark"}, default="light"
        Colours around the pictures.

    Yields
    ------
    PIL.Image.Image
        RGB frames, all of one size. The grey scale is that of the originals throughout.

    Raises
    ------
    DataError
        If a snapshot has another shape than the originals.
    """
    colours = theme_of(theme)
    notes = iter(captions) if captions is not None else None
    for number, snapshot in enumerate(snapshots):
        pair = [("X", X), (f"snapshot {number}", snapshot)]
        images = image_rows(pair, sample_shape, columns)
        factor = scale or max(1, round(84 / images.shape[2]))
        caption = next(notes, "") if notes is not None else None
        yield _frame(spaced(images).sheet(colours.paper), factor, caption, colours)


def to_gif(
    frames: Iterable[Image.Image], *, frame_seconds: float = 0.15, last_seconds: float = 2.0
) -> bytes:
    """Encode frames as an animated GIF that repeats for ever.

    Parameters
    ----------
    frames : iterable of PIL.Image.Image
        Frames of one size.
    frame_seconds, last_seconds : float
        How long each frame, and the last one, stands, in seconds.

    Returns
    -------
    bytes
        The GIF file.

    Raises
    ------
    DataError
        If there is no frame.
    """
    # Dithering would make every frame differ everywhere, and the file several times larger.
    pictures = [frame.convert("RGB").quantize(128, dither=Image.Dither.NONE) for frame in frames]
    if not pictures:
        raise DataError("A GIF needs at least one frame; none was given.")
    durations = [round(1000 * frame_seconds)] * (len(pictures) - 1) + [round(1000 * last_seconds)]
    out = BytesIO()
    pictures[0].save(
        out,
        format="GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=durations if len(pictures) > 1 else durations[0],
        loop=0,
    )
    return out.getvalue()


def save_gif(
    frames: Iterable[Image.Image],
    path: str | os.PathLike[str],
    *,
    frame_seconds: float = 0.15,
    last_seconds: float = 2.0,
) -> None:
    """Write frames to an animated GIF; an old file stands until the new one is whole.

    Parameters
    ----------
    frames : iterable of PIL.Image.Image
        Frames of one size.
    path : path-like
        The file to write.
    frame_seconds, last_seconds : float
        How long each frame, and the last one, stands, in seconds.
    """
    data = to_gif(frames, frame_seconds=frame_seconds, last_seconds=last_seconds)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def named_rows(X_hat: Any, name: str) -> list[tuple[str, ArrayLike]]:
    """Return arrays with their names; one without a name gets the one given."""
    if isinstance(X_hat, Mapping):
        return list(X_hat.items())
    if isinstance(X_hat, list | tuple) and all(
        isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) for item in X_hat
    ):
        return list(X_hat)
    return [(name, X_hat)]


def image_rows(
    named: Sequence[tuple[str, ArrayLike]],
    sample_shape: Sequence[int] | None,
    columns: int,
    bounds: tuple[float, float] | None = None,
) -> Images:
    """Return (rows, n, H, W, 3) in [0, 1], all on the first array's scale or within bounds.

    Raises
    ------
    DataError
        Where an array has another shape than the first, or no picture can be made of it.
    """
    first = np.asarray(named[0][1])
    if columns < 1:
        raise DataError(f"columns must be at least 1, got {columns}.")
    shape, shown = picture_shape(first, sample_shape), min(columns, len(first))
    ends = bounds or value_range(first[:columns])
    rows = []
    for name, array in named:
        values = np.asarray(array)
        if values.shape[:1] < (shown,) or values[:1].size != first[:1].size:
            raise DataError(
                f"{name!r} has shape {values.shape}, but the originals have shape {first.shape}: "
                "give the reconstructions of the same rows."
            )
        rows.append(pictures(values[:shown], shape, ends))
    return np.stack(rows)


def _frame(
    sheet: NDArray[np.float64], factor: int, caption: str | None, colours: Theme
) -> Image.Image:
    picture = Image.fromarray(np.round(255 * sheet).astype(np.uint8))
    picture = picture.resize(
        (picture.width * factor, picture.height * factor), Image.Resampling.NEAREST
    )
    margin, line = 16, 34 if caption is not None else 0
    frame = Image.new(
        "RGB", (picture.width + 2 * margin, picture.height + 2 * margin + line), colours.paper
    )
    frame.paste(picture, (margin, margin))
    if caption:
        ImageDraw.Draw(frame).text(
            (margin, frame.height - margin - 8),
            caption,
            fill=colours.muted,
            font=ImageFont.load_default(18),
            anchor="lm",
        )
    return frame
