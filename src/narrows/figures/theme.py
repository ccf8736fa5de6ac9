"""Colours and shapes that all pictures share, and PNG files of figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from narrows.common.limits import check, one_of

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
MARKER_SIGNS = "●■▲◆▼✚"
"""The same as characters, for pages."""


def theme_of(name: ThemeName) -> Theme:
    """Return the colours of a theme; raise a ParameterError for an unknown name."""
    check("a figure", {"theme": name}, {"theme": one_of(*THEME_NAMES)})
    return THEMES[name]


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
        exact = (round(255 * c) for c in to_rgb(figure.get_facecolor()))
        colours[3 * paper : 3 * paper + 3] = exact
        picture.putpalette(colours)
    out = BytesIO()
    picture.save(out, format="PNG", optimize=True)
    return out.getvalue()
