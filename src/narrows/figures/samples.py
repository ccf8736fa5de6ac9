"""Pictures of samples: originals above, reconstructions below, and the same as a film."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from narrows.errors import DataError
from narrows.figures.lettering import lettering, shorten
from narrows.figures.look import DPI, THEMES, Theme, ThemeName, drawn_width, new_figure

Images = NDArray[np.float64]  # (rows, n, height, width, 3), in [0, 1]

_CELL = 0.7  # height of one picture cell, inches
_GAP = 0.09  # between cells, as a fraction of a cell
_MARGIN = 0.1  # around the picture, inches


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
    named = [(original_label, X), *_named_rows(X_hat)]
    images = _image_rows([array for _, array in named], sample_shape, columns, named)
    return _image_figure(images, [name for name, _ in named], THEMES[theme])


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
    images = _image_rows([X], sample_shape, columns, [("X", X)], bounds)
    return _image_figure(images, [], THEMES[theme], margin=0.0)


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
    colours = THEMES[theme]
    notes = iter(captions) if captions is not None else None
    for number, snapshot in enumerate(snapshots):
        pair = [("X", X), (f"snapshot {number}", snapshot)]
        images = _image_rows([X, snapshot], sample_shape, columns, pair)
        factor = scale or max(1, round(84 / images.shape[2]))
        caption = next(notes, "") if notes is not None else None
        yield _frame(_mosaic(images, colours.paper), factor, caption, colours)


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
    target = Path(path)
    data = to_gif(frames, frame_seconds=frame_seconds, last_seconds=last_seconds)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _named_rows(X_hat: Any) -> list[tuple[str, ArrayLike]]:
    if isinstance(X_hat, Mapping):
        return list(X_hat.items())
    if isinstance(X_hat, list | tuple) and all(
        isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) for item in X_hat
    ):
        return list(X_hat)
    return [("x̂", X_hat)]


def _image_rows(
    arrays: Sequence[ArrayLike],
    sample_shape: Sequence[int] | None,
    columns: int,
    named: Sequence[tuple[str, object]],
    bounds: tuple[float, float] | None = None,
) -> Images:
    """Return (rows, n, H, W, 3) in [0, 1], all on the first array's scale."""
    first = np.asarray(arrays[0])
    if columns < 1:
        raise DataError(f"columns must be at least 1, got {columns}.")
    shape = _picture_shape(first, sample_shape)
    low, high = bounds or _value_range(first[:columns])
    rows = []
    for (name, _), array in zip(named, arrays, strict=True):
        values = np.asarray(array)
        if values.shape[:1] < (min(columns, len(first)),) or values[:1].size != first[:1].size:
            raise DataError(
                f"{name!r} has shape {values.shape}, but the originals have shape {first.shape}: "
                "give the reconstructions of the same rows."
            )
        cells = values[: min(columns, len(first))].reshape(-1, *shape).astype(np.float64)
        rows.append(np.clip((np.nan_to_num(cells, nan=low) - low) / (high - low), 0.0, 1.0))
    stacked = np.stack(rows)
    return np.repeat(stacked, 3, axis=-1) if shape[2] == 1 else stacked[..., :3]


def _picture_shape(X: NDArray[Any], sample_shape: Sequence[int] | None) -> tuple[int, int, int]:
    """Return (H, W, C) of one sample."""
    if X.ndim < 2 or not X.size:
        raise DataError(
            "Pictures need at least one sample, of shape (n, D), (n, H, W) or (n, H, W, C); "
            f"got an array of shape {X.shape}."
        )
    size = X[0].size
    shape = tuple(int(s) for s in sample_shape) if sample_shape is not None else X.shape[1:]
    if len(shape) == 1:
        side = round(size**0.5)
        if side * side != size:
            raise DataError(
                f"A flat sample of {size} values is not a square picture: "
                "give sample_shape=(height, width)."
            )
        shape = (side, side)
    if len(shape) == 2:
        shape = (*shape, 1)
    if len(shape) != 3 or shape[2] not in {1, 3, 4} or np.prod(shape) != size:
        raise DataError(
            f"A sample of {size} values cannot be drawn with the shape {tuple(shape)}: allowed "
            "are (H, W) and (H, W, C) with C of 1, 3 or 4, and their product must be the size."
        )
    return shape[0], shape[1], shape[2]


def _value_range(X: NDArray[Any]) -> tuple[float, float]:
    if X.dtype.kind == "b":
        return 0.0, 1.0
    if X.dtype.kind in "ui":
        return 0.0, max(255.0, float(X.max()))
    finite = X[np.isfinite(X)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _gap(images: Images) -> int:
    """Return the space between cells, in pixels of a sample."""
    return max(1, round(_GAP * float(min(images.shape[2:4]))))


def _mosaic(images: Images, paper: str) -> NDArray[np.float64]:
    """Lay (rows, n, H, W, 3) out on paper with gaps; return (height, width, 3)."""
    rows, n, height, width, _ = images.shape
    gap = _gap(images)
    sheet = np.empty((rows * (height + gap) - gap, n * (width + gap) - gap, 3))
    sheet[:] = to_rgb(paper)
    for r in range(rows):
        for c in range(n):
            y, x = r * (height + gap), c * (width + gap)
            sheet[y : y + height, x : x + width] = images[r, c]
    return sheet


def _pixel_inches(images: Images) -> float:
    """Return the side of one sample pixel, in inches.

    A whole number of screen pixels keeps the squares even; big pictures are scaled down.
    """
    height, width = float(images.shape[2]), float(images.shape[3])
    inches = _CELL / max(height, width / 4)
    return round(inches * DPI) / DPI if inches * DPI >= 1 else inches


def _image_figure(
    images: Images, names: Sequence[str], colours: Theme, margin: float = _MARGIN
) -> Figure:
    sheet, pixel = _mosaic(images, colours.paper), _pixel_inches(images)
    letters, figure = lettering(names), new_figure(1, 1, colours)
    texts = [
        figure.text(
            0,
            0,
            letters.drawable(shorten(name, 24)),
            font=letters.font(10),
            color=colours.muted,
            ha="right",
            va="center",
            parse_math=False,
        )
        for name in names
    ]
    left = margin + max((drawn_width(t, figure) + 0.12 for t in texts), default=0.0)
    size = np.array([sheet.shape[1] * pixel, sheet.shape[0] * pixel])
    total = size + np.array([left + margin, 2 * margin])
    figure.set_size_inches(*total)
    corner, extent = np.array([left, margin]) / total, size / total
    axes = figure.add_axes((corner[0], corner[1], extent[0], extent[1]))
    axes.imshow(sheet, interpolation="nearest" if pixel * DPI >= 1 else "antialiased")
    axes.set_axis_off()
    height = images.shape[2]
    for row, text in enumerate(texts):
        middle = margin + (row * (height + _gap(images)) + height / 2) * pixel
        text.set_position(((left - 0.12) / total[0], 1 - middle / total[1]))
    return figure


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
