"""From templates to pages: one HTML file each, which loads nothing from anywhere.

Pages are in English and simplified Chinese, with a switch, and have a light and a dark theme.
Python gathers plain data; `templates/` turns it into HTML and escapes it; `words/` has the texts.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from narrows.common.text import error_text, in_seconds, ratio_text
from narrows.errors import DataError
from narrows.web.words import Label, Words, say, sentences

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TINTS = {
    "light": {"tint": "#f1f4f9", "warm": "#b4500b"},
    "dark": {"tint": "#1e2329", "warm": "#f0a35e"},
}
"""What pages need beside the colours of pictures."""
_BOTH = Markup('<span lang="en">{}</span><span lang="zh-CN">{}</span>')
_POLICY = "the policy follows from the page"
PICTURE_PIXELS_PER_CSS_PIXEL = 2  # pictures are drawn at 200 pixels per inch, shown at 100


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

    def size(self) -> tuple[int, int]:
        """Return width and height on the page, in CSS pixels.

        Raises
        ------
        DataError
            If it is not a PNG file, or its two themes differ in size.
        """
        light, dark = _png_size(self.light), _png_size(self.dark)
        if light != dark:
            raise DataError(
                f"A picture's two themes must have one size; the light one has {light} pixels "
                f"(width, height), the dark one {dark}."
            )
        width, height = (round(side / PICTURE_PIXELS_PER_CSS_PIXEL) for side in light)
        return width, height


def themed(draw: Callable[..., Figure], alt: Words, *, palette: bool = False) -> Picture:
    """Draw a figure in both themes; ``draw`` takes ``theme``."""
    from narrows import figures  # and with it Matplotlib

    light, dark = (figures.to_png(draw(theme=theme), palette=palette) for theme in figures.THEMES)
    return Picture(light, dark, alt)


@dataclass(frozen=True)
class Panel:
    """A picture among others of its kind, with its name and what there is to say of it."""

    name: Label
    picture: Picture
    note: Label = ""


@dataclass(frozen=True)
class Fact:
    """A name and its value, such as a version or the number of rows."""

    name: Label
    value: Label


def render(template: str, **content: Any) -> str:
    """Return a page: a template of `templates/`, filled.

    In templates `say` gives a text of the catalogues, and `Words` are written in both languages.
    """
    page = _environment().get_template(template).render(content, policy=_POLICY)
    return page.replace(_POLICY, _policy_of(page), 1)


def _policy_of(page: str) -> str:
    """Return a page's Content-Security-Policy: its own scripts and styles alone, by hash."""
    allowed = {
        tag: " ".join(
            f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
            for text in re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        )
        for tag in ("script", "style")
    }
    return (
        f"default-src 'none'; img-src data:; script-src {allowed['script']};"
        f" style-src {allowed['style']}; style-src-attr 'unsafe-inline'"
    )


@cache
def _environment() -> Environment:
    from narrows.figures import THEMES

    environment = Environment(
        loader=PackageLoader("narrows.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_in_both_languages,
    )
    environment.globals |= {
        "say": say,
        "sentences": sentences,
        "file": _file,
        "colours": {name: asdict(THEMES[name]) | _TINTS[name] for name in THEMES},
    }
    environment.filters |= {
        "base64": lambda content: base64.b64encode(content).decode("ascii"),
        "commas": "{:,}".format,
        "error": error_text,
        "ratio": ratio_text,
        "seconds": in_seconds,
    }
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    return environment


def _in_both_languages(value: Any) -> Any:
    """Write `Words` in both languages, of which the page shows one; leave all else."""
    if not isinstance(value, Words):
        return value
    return value.en if value.en == value.zh else _BOTH.format(value.en, value.zh)


def _file(name: str) -> Markup:
    """Return a style sheet or a script of ours as it is."""
    return Markup(files("narrows.web").joinpath("templates", name).read_text(encoding="utf-8"))


def _png_size(png: bytes) -> tuple[int, int]:
    """Read width and height, in pixels, from a PNG file's header."""
    if png[:8] != b"\x89PNG\r\n\x1a\n" or len(png) < 24:
        raise DataError("A picture must be a PNG file; see narrows.figures.to_png.")
    width, height = struct.unpack(">II", png[16:24])
    return width, height
