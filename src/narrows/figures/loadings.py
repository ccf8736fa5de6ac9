"""Local loadings as pictures: what changes where, as each number of a code moves.

Legend: n codes, K numbers of a code, S spots, H height, W width, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from narrows.common.limits import check, integer
from narrows.figures.cells import (
    LONGEST,
    grid_figure,
    picture_shape,
    pictures,
    spaced,
    value_range,
)
from narrows.figures.layout import Pen, add_colour_bar, fit, pen_for, size_of
from narrows.figures.lettering import number_text
from narrows.figures.theme import ThemeName, theme_of
from narrows.model.loadings import USUAL_SPOTS, representatives
from narrows.model.model import Model, model_of
from narrows.sources.inputs import codes_of

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

MOST_NUMBERS = 8
"""Most numbers of a code that have a column: those that change the picture most."""
_ENDS = {"light": ("#2456c7", "#f1f3f6", "#b4500b"), "dark": ("#8ab0ff", "#22272d", "#f0a35e")}
"""Colours of values that fall, stay and grow. The middle one is nearly the paper."""
_WITHIN = 0.995
"""Part of the loadings within the scale. Larger ones have the colour of its end."""
_GAP = 0.2
"""Between the pictures and the scale, in inches."""
_BAR = (0.14, 1.3)
"""Width and largest height of the scale, in inches."""


def loadings(
    ae: Autoencoder | Model,
    Z: Any,
    *,
    spots: int = USUAL_SPOTS,
    sample_shape: Sequence[int] | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Draw what codes decode to, and what changes there as each number of the code grows.

    Parameters
    ----------
    ae : Autoencoder or Model
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
        For ``spots`` below 1 or an unknown theme.
    """
    model = model_of("loadings", ae)
    check("loadings", {"spots": spots}, {"spots": integer(1)})
    theme_of(theme)
    codes = codes_of(Z)
    model.check_codes(codes)
    codes = codes[representatives(codes, spots)]
    decoded = model.decode(codes)
    shape = picture_shape(decoded, sample_shape or model.picture_shape)
    slopes = model.loadings(codes).reshape(len(codes), *shape, -1).mean(axis=3)  # (S, H, W, K)
    strength = np.abs(slopes).mean(axis=(0, 1, 2))
    numbers = np.sort(np.argsort(-strength, kind="stable")[:MOST_NUMBERS])
    slopes = slopes[..., numbers]
    end = float(np.quantile(np.abs(slopes), _WITHIN)) or float(np.abs(slopes).max()) or 1.0
    scale = LinearSegmentedColormap.from_list(f"loadings-{theme}", _ENDS[theme])
    shades = scale(np.clip(slopes / end, -1, 1) / 2 + 0.5)[..., :3]  # (S, H, W, K, 3)
    first = pictures(decoded, shape, model.bounds or value_range(decoded))[:, None]
    images = np.concatenate([first, np.moveaxis(shades, 3, 1)], axis=1)
    figure = grid_figure(
        spaced(images, (1,)),
        theme,
        row_names=[_code_text(code) for code in codes],
        column_names=["x̂", *(f"∂x̂/∂z{number}" for number in numbers)],
        longest=LONGEST,
    )
    _draw_scale(figure.axes[0], scale, end, pen_for(["−+∂x̂/∂z"], theme))
    return fit(figure)


def _code_text(code: NDArray[Any]) -> str:
    """Return a code of few numbers, or the beginning of a longer one."""
    shown = ", ".join(number_text(float(number), 3) for number in code[:2])
    return f"z = ({shown}{', …' if len(code) > 2 else ''})"


def _draw_scale(axes: Axes, scale: Colormap, end: float, pen: Pen) -> None:
    """Draw the scale of the derivatives right of axes, in data units per unit of the code."""
    height = float(size_of(axes)[1])
    tall = max(0.5, min(_BAR[1], height - 0.4))
    bottom = -(height + tall) / 2
    text = number_text(end, 2)
    numbers = [(0.0, f"−{text}"), (0.5, "0"), (1.0, f"+{text}")]
    add_colour_bar(axes, scale, (_GAP, bottom, _BAR[0], tall), numbers, pen)
    pen.write(axes, "∂x̂/∂z", (1, 1), (_GAP, bottom + tall + 0.16))
