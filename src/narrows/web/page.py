"""What every page of narrows is made of: the frame, texts, pictures, tables.

A page is one HTML file that loads nothing from anywhere. It is bilingual (English and simplified
Chinese, with a switch) and has a light and a dark theme. `page_template.html` holds the frame,
the style and two short scripts. Everything that comes from data is escaped.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from math import isfinite
from string import Template

from matplotlib.figure import Figure

from narrows import figures
from narrows.errors import DataError
from narrows.web.drawings import Words

# The colours of narrows.figures.THEMES, which a test holds to these, and a few more.
STYLE_COLOURS: Mapping[str, Mapping[str, str]] = {
    "light": {
        "paper": "#ffffff",
        "ink": "#1b1f24",
        "muted": "#5c6570",
        "rule": "#d5dae0",
        "accent": "#2456c7",
        "tint": "#f1f4f9",
        "warm": "#b4500b",
    },
    "dark": {
        "paper": "#14171a",
        "ink": "#e6e9ec",
        "muted": "#9aa4af",
        "rule": "#363d45",
        "accent": "#8ab0ff",
        "tint": "#1e2329",
        "warm": "#f0a35e",
    },
}
PICTURE_PIXELS_PER_CSS_PIXEL = 2  # pictures are drawn at 200 pixels per inch, shown at 100

Label = Words | str  # a name that is the same in every language may be a plain string


@dataclass(frozen=True)
class Picture:
    """A picture in both themes.

    Parameters
    ----------
    light, dark : bytes
        PNG files for the light and the dark page, of one size.
    alt : Words
        What the picture shows, for those who do not see it.
    """

    light: bytes
    dark: bytes
    alt: Words


def themed(draw: Callable[..., Figure], alt: Words, *, palette: bool = False) -> Picture:
    """Draw a figure in both themes; ``draw`` takes ``theme``."""
    light, dark = (figures.to_png(draw(theme=theme), palette=palette) for theme in figures.THEMES)
    return Picture(light, dark, alt)


@dataclass(frozen=True)
class Panel:
    """A picture among others of its kind, with its name and what there is to say of it."""

    name: Label
    picture: Picture
    note: Label = ""


def page(title: Words, body: str, *, style: str = "") -> str:
    """Put a body into the frame that all pages share.

    Parameters
    ----------
    title : Words
        Title of the page.
    body : str
        HTML; see `words`, `picture`, `table` and `section`.
    style : str
        Rules of this page alone, after those that all share.

    Returns
    -------
    str
        The HTML file.
    """
    template = files("narrows.web").joinpath("templates/page.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        title_en=escape(title.en),
        title_zh=escape(title.zh),
        light=_variables("light"),
        dark=_variables("dark"),
        to_dark=words(Words("Dark", "深色")),
        to_light=words(Words("Light", "浅色")),
        body=body,
        style=style,
    )


def words(text: Label) -> str:
    """Return a text as HTML, in both languages where they differ."""
    if isinstance(text, str):
        return escape(text)
    if text.en == text.zh:
        return escape(text.en)
    return f'<span lang="en">{escape(text.en)}</span><span lang="zh-CN">{escape(text.zh)}</span>'


def paragraph(text: Words, style: str = "") -> str:
    """Return a paragraph."""
    return f'<p class="{style}">{words(text)}</p>' if style else f"<p>{words(text)}</p>"


def section(name: str, title: Words, *parts: str) -> str:
    """Return a section with an address of its own (`#name`)."""
    inside = "\n".join(parts)
    return f'<section id="{escape(name)}">\n<h2>{words(title)}</h2>\n{inside}\n</section>'


def picture(content: Picture) -> str:
    """Return a picture as two `img` elements, of which the page shows the one that fits."""
    size = _png_size(content.light)
    if _png_size(content.dark) != size:
        raise DataError(
            f"A picture's two themes must have one size; the light one has {size} pixels "
            f"(width, height), the dark one {_png_size(content.dark)}."
        )
    width, height = (round(side / PICTURE_PIXELS_PER_CSS_PIXEL) for side in size)
    return "".join(
        f'<img class="for-{theme}" alt="{escape(content.alt.en)}" '
        f'data-en="{escape(content.alt.en)}" data-zh="{escape(content.alt.zh)}" '
        f'width="{width}" height="{height}" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}">'
        for theme, png in (("light", content.light), ("dark", content.dark))
    )


def panel(content: Panel) -> str:
    """Return a picture below its name and note."""
    note = f"<br>{words(content.note)}" if content.note else ""
    caption = f"<figcaption><b>{words(content.name)}</b>{note}</figcaption>"
    return f"<figure>{caption}{picture(content.picture)}</figure>"


def table(
    head: Sequence[Label],
    rows: Iterable[Sequence[str]],
    *,
    ours: Sequence[bool] = (),
    name: Words,
) -> str:
    """Return a table in a box that scrolls where the screen is narrow.

    Parameters
    ----------
    head : sequence of Words or str
        Names of the columns.
    rows : iterable of sequence of str
        Cells as HTML; the first of a row names it.
    ours : sequence of bool
        Which rows are set in bold.
    name : Words
        Name of the table, for screen readers.

    Returns
    -------
    str
        HTML.
    """
    top = "".join(f'<th scope="col">{words(cell)}</th>' for cell in head)
    lines = []
    for i, (first, *cells) in enumerate(rows):
        bold = ' class="ours"' if i < len(ours) and ours[i] else ""
        tail = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(f'<tr{bold}><th scope="row">{first}</th>{tail}</tr>')
    # tabindex lets the keyboard scroll the box.
    return (
        f'<div class="scroll" tabindex="0" role="group" {label_attributes(name)}><table>'
        f"<thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def chart(content: Picture, caption: Words) -> str:
    """Return a picture above its caption."""
    return (
        f'<figure class="chart">{picture(content)}'
        f"<figcaption>{words(caption)}</figcaption></figure>"
    )


def label_attributes(name: Words) -> str:
    """Return the attributes that name an element for screen readers, in both languages."""
    return f'aria-label="{escape(name.en)}" data-en="{escape(name.en)}" data-zh="{escape(name.zh)}"'


def _variables(theme: str) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in STYLE_COLOURS[theme].items())


def error_text(value: float) -> str:
    """Return an error with four decimals, or two digits where it is smaller."""
    if not isfinite(value):
        return "–"
    return f"{value:.4f}" if value >= 0.0005 or value == 0 else f"{value:.1e}"


def ratio_text(value: float, reference: float) -> str:
    """Return `value / reference` with a times sign, or a dash where there is none."""
    if not (isfinite(value) and isfinite(reference) and reference > 0):
        return "–"
    return f"{value / reference:.2f} ×"


def seconds_text(value: float) -> str:
    """Return a time in seconds."""
    if not isfinite(value):
        return "–"
    return f"{value:.1f} s" if value < 10 else f"{value:,.0f} s"


def _png_size(png: bytes) -> tuple[int, int]:
    """Read width and height, in pixels, from a PNG file's header."""
    if png[:8] != b"\x89PNG\r\n\x1a\n" or len(png) < 24:
        raise DataError("A picture must be a PNG file; see narrows.figures.to_png.")
    width, height = struct.unpack(">II", png[16:24])
    return width, height
