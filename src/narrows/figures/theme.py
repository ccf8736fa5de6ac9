"""What all pictures share: colours, paper, axes, and the way to a PNG file.

Figures are built as objects: no pyplot, no global settings, nothing to close. Sizes are in
inches and fonts in points; a picture shown at 100 pixels per inch reads at its intended size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from PIL import Image

from narrows.figures.lettering import BASE_FAMILY

ThemeName = Literal["light", "dark"]
THEME_NAMES: tuple[ThemeName, ...] = ("light", "dark")
DPI = 200  # pixels per inch of a PNG file; cells of samples are aligned to it


@dataclass(frozen=True)
class Theme:
    """The colours of a picture, as `#rrggbb`; pages that hold pictures use the same."""

    paper: str
    ink: str
    muted: str
    rule: str
    accent: str


THEMES: Mapping[str, Theme] = {
    "light": Theme("#ffffff", "#1b1f24", "#5c6570", "#d5dae0", "#2456c7"),
    "dark": Theme("#14171a", "#e6e9ec", "#9aa4af", "#363d45", "#8ab0ff"),
}

# Found by search in OKLab: ten colours whose closest pair lies as far apart as possible for
# normal, protan, deutan and tritan eyes, each with contrast ≥ 2 on both papers.
PALETTE = (
    "#3d49db",
    "#b6790c",
    "#00ceaa",
    "#b60c00",
    "#aa6dff",
    "#aac200",
    "#923192",
    "#1892b6",
    "#ff86ff",
    "#e73d86",
)
# Past ten classes the colours start again with the next shape.
MARKERS = ("o", "s", "^", "D", "v", "P")


def palette_colour(number: int) -> str:
    """Return the colour (#rrggbb) of a class by its number; after ten they come again."""
    return PALETTE[number % len(PALETTE)]


def marker_number(number: int) -> int:
    """Return which of the shapes a class has by its number: the next one after ten classes."""
    return number // len(PALETTE) % len(MARKERS)


def to_png(figure: Figure, dpi: float = DPI, *, palette: bool = False) -> bytes:
    """Draw a figure as a PNG file.

    Parameters
    ----------
    figure : Figure
        The figure.
    dpi : float, default=200
        Pixels per inch.
    palette : bool, default=False
        Whether to keep only the 255 colours that describe the picture best: a third of the
        bytes for thousands of coloured points, and hardly a visible difference.

    Returns
    -------
    bytes
        The PNG file; the same figure gives the same bytes.
    """
    out = BytesIO()
    figure.savefig(
        out,
        format="png",
        dpi=dpi,
        facecolor=figure.get_facecolor(),
        metadata={"Software": None},  # Matplotlib's version would change the bytes
        pil_kwargs={"compress_level": 9},
    )
    return _reduced(out, figure) if palette else out.getvalue()


def _reduced(png: BytesIO, figure: Figure) -> bytes:
    picture = Image.open(png).convert("RGB").quantize(255, dither=Image.Dither.NONE)
    # The paper must stay exactly the page's colour, or the picture shows as a box on it.
    paper, colours = picture.getpixel((0, 0)), picture.getpalette()
    if isinstance(paper, int) and colours is not None:
        colours[3 * paper : 3 * paper + 3] = [round(255 * c) for c in to_rgb(_face(figure))]
        picture.putpalette(colours)
    out = BytesIO()
    picture.save(out, format="PNG", optimize=True)
    return out.getvalue()


def _face(figure: Figure) -> tuple[float, float, float]:
    red, green, blue, _ = to_rgba(figure.get_facecolor())
    return red, green, blue


def new_figure(width: float, height: float, colours: Theme) -> Figure:
    """Return an empty figure of a size in inches."""
    figure = Figure(figsize=(width, height), dpi=100, facecolor=colours.paper)
    FigureCanvasAgg(figure)
    return figure


def drawn_width(artist: Any, figure: Figure) -> float:
    """Return an artist's width in inches."""
    canvas: Any = figure.canvas  # get_renderer carries no types
    return float(artist.get_window_extent(canvas.get_renderer()).width) / figure.dpi


def widen(figure: Figure, margin: float) -> None:
    """Widen a figure where texts beside its axes would be cut off; axes keep their size.

    ``margin`` is left around them, in inches.
    """
    canvas: Any = figure.canvas  # get_renderer carries no types
    box, width = figure.get_tightbbox(canvas.get_renderer()), float(figure.get_figwidth())
    left = max(0.0, margin - float(box.x0))
    right = max(0.0, float(box.x1) + margin - width)
    if left + right == 0:
        return
    wider = width + left + right
    figure.set_figwidth(wider)
    for axes in figure.axes:
        place = axes.get_position()
        x0 = (place.x0 * width + left) / wider
        axes.set_position((x0, place.y0, place.width * width / wider, place.height))


def padded(low: float, high: float) -> tuple[float, float]:
    """Return limits a little outside [low, high], also where the two are equal."""
    pad = 0.05 * (high - low)
    if pad <= 1e-12 * max(1.0, abs(low), abs(high)):
        pad = 0.5 * max(1.0, abs(high))
    return low - pad, high + pad


def quiet_axes(axes: Axes, colours: Theme) -> None:
    """Give axes the theme's colours: grey numbers, no tick marks, a thin frame."""
    axes.set_facecolor(colours.paper)
    axes.tick_params(
        colors=colours.muted, labelsize=8.5, length=0, pad=5, labelfontfamily=BASE_FAMILY
    )
    for spine in axes.spines.values():
        spine.set(color=colours.rule, linewidth=1)
