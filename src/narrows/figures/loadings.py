"""Local loadings as pictures: what changes where, as each number of a code moves.

Legend: n codes, K numbers of a code, S spots, H height, W width, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from narrows.common.limits import check, integer
from narrows.figures.cells import (
    LONGEST,
    grid_figure,
    number_text,
    picture_shape,
    pictures,
    spaced,
    value_range,
)
from narrows.figures.lettering import lettering
from narrows.figures.map_key import draw_gradient
from narrows.figures.theme import THEMES, Theme, ThemeName
from narrows.model.loadings import USUAL_SPOTS, representatives
from narrows.model.model import model_of
from narrows.sources.inputs import codes_of

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

MOST_NUMBERS = 8
"""Numbers of a code that have a column, those that change most."""
_ENDS = {"light": ("#2456c7", "#f1f3f6", "#b4500b"), "dark": ("#8ab0ff", "#22272d", "#f0a35e")}
"""Colours of what becomes smaller, stays, and grows; what stays is nearly the paper."""
_WITHIN = 0.995
"""Part of the loadings that the scale reaches over; what lies beyond has the colour of its end."""
_BAR = (0.14, 1.3)
"""Width and largest height of the scale, in inches."""


def loadings(
    ae: Autoencoder,
    Z: Any,
    *,
    spots: int = USUAL_SPOTS,
    sample_shape: Sequence[int] | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Draw what codes decode to, and what changes there as each number of the code grows.

    Parameters
    ----------
    ae : Autoencoder
        Fitted, on pictures.
    Z : array-like of shape (n, K)
        Codes.
    spots : int, default=5
        Codes that have a row, spread out; all of them where there are no more.
    sample_shape : sequence of int, optional
        Shape of a flat picture. Without it that of the model's rows, or a square.
    theme : {"light", "dark"}, default="light"
        Colours around the pictures.

    Returns
    -------
    Figure
        One row per spot, named by its code: what it decodes to, then for each number of the code
        the derivative, all on one scale, in data units per unit of the code; its mean over the
        channels of a coloured picture. Of more than eight numbers those that change most.

    Raises
    ------
    DataError
        If codes do not fit the model, or no picture can be made of its rows.
    DataTypeError
        If ``ae`` is no model.
    ParameterError
        For ``spots`` below 1.
    """
    model = model_of("loadings", ae)
    check("loadings", {"spots": spots}, {"spots": integer(1)})
    codes, colours = codes_of(Z), THEMES[theme]
    model.check_codes(codes)
    codes = codes[representatives(codes, spots)]
    decoded = ae.inverse_transform(codes).reshape(len(codes), -1)
    asked = sample_shape or (ae.sample_shape_ if len(ae.sample_shape_) > 1 else None)
    shape = picture_shape(decoded, asked)
    slopes = ae.loadings(codes).reshape(len(codes), *shape, -1).mean(axis=3)  # (S, H, W, K)
    strength = np.abs(slopes).mean(axis=(0, 1, 2))
    numbers = np.sort(np.argsort(-strength, kind="stable")[:MOST_NUMBERS])
    slopes = slopes[..., numbers]
    end = float(np.quantile(np.abs(slopes), _WITHIN)) or float(np.abs(slopes).max()) or 1.0
    scale = LinearSegmentedColormap.from_list(f"loadings-{theme}", _ENDS[theme])
    shades = scale(np.clip(slopes / end, -1, 1) / 2 + 0.5)[..., :3]  # (S, H, W, K, 3)
    first = pictures(decoded, shape, ae.bounds_ or value_range(decoded))[:, None]
    images = np.concatenate([first, np.moveaxis(shades, 3, 1)], axis=1)
    figure = grid_figure(
        spaced(images, (1,)),
        colours,
        row_names=[_code_text(code) for code in codes],
        column_names=["x̂", *(f"∂x̂/∂z{number}" for number in numbers)],
        longest=LONGEST,
    )
    _scale_beside(figure, scale, end, colours)
    return figure


def _code_text(code: NDArray[Any]) -> str:
    """Return a code of few numbers, or the beginning of a longer one."""
    shown = ", ".join(number_text(float(number), 3) for number in code[:2])
    return f"z = ({shown}{', …' if len(code) > 2 else ''})"


def _scale_beside(
    figure: Figure, scale: LinearSegmentedColormap, end: float, colours: Theme
) -> None:
    """Widen a figure, and draw its scale to the right: a derivative per unit of the code."""
    width, height = (float(side) for side in figure.get_size_inches())
    room = 1.0
    for axes in figure.axes:
        box = axes.get_position()
        share = width / (width + room)
        axes.set_position((box.x0 * share, box.y0, box.width * share, box.height))
    for text in figure.texts:
        x, y = text.get_position()
        text.set_position((x * width / (width + room), y))
    figure.set_figwidth(width + room)
    tall = min(_BAR[1], height - 0.6)
    bottom = (height - tall) / 2
    left, beside = width + 0.1, width + 0.1 + _BAR[0] + 0.08
    written = [
        ("∂x̂/∂z", left, bottom + tall + 0.16),
        (f"+{number_text(end, 2)}", beside, bottom + tall - 0.06),
        ("0", beside, bottom + tall / 2),
        (f"−{number_text(end, 2)}", beside, bottom + 0.06),
    ]
    draw_gradient(figure, scale, (left, bottom, _BAR[0], tall))
    letters = lettering([line for line, _, _ in written])
    for line, x, y in written:
        figure.text(
            x,
            y,
            line,
            font=letters.font(8.5),
            color=colours.muted,
            parse_math=False,
            va="center_baseline",
            transform=figure.dpi_scale_trans,
        )
