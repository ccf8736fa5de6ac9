"""Text in pictures: a font that has the glyphs, for whatever script the labels are in.

Matplotlib ships DejaVu Sans, so pictures look the same on every machine until a label holds a
character that it lacks. Only then is an installed font looked for; where there is none, the
missing characters are drawn as boxes, without a warning.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from matplotlib import font_manager
from matplotlib.font_manager import FontProperties
from rich.cells import cell_len, set_cell_size

BASE_FAMILY = "DejaVu Sans"
MISSING_GLYPH = "□"

# Looked for first, in this order: sans-serif faces with simplified Chinese forms.
PREFERRED_FAMILIES = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimHei",
)
# Opening every installed font to look for a glyph takes seconds; these names are worth it.
_WIDE_COVERAGE = re.compile(
    r"cjk|han ?sans|hei|song|ming|gothic|pingfang|yahei|wqy|fallback|unicode|noto ?sans", re.I
)


@dataclass(frozen=True)
class Lettering:
    """A font, and the characters asked for that it cannot draw.

    Parameters
    ----------
    family : tuple of str
        Families in the order in which glyphs are looked up; empty where `path` is given.
    path : str or None
        A font file that Matplotlib's list does not know.
    missing : frozenset of str
        Characters without a glyph.
    """

    family: tuple[str, ...]
    path: str | None
    missing: frozenset[str]

    def font(self, size: float, weight: str = "normal") -> FontProperties:
        """Return the font at a size in points."""
        if self.path is not None:
            return FontProperties(fname=self.path, size=size)
        return FontProperties(family=list(self.family), size=size, weight=weight)

    def drawable(self, text: str) -> str:
        """Return `text` on one line, with a box for each character that has no glyph."""
        shown = (" " if _is_control(c) else c for c in text)
        return "".join(MISSING_GLYPH if c in self.missing else c for c in shown)


def lettering(texts: Iterable[str]) -> Lettering:
    """Choose the font for a picture's labels.

    Parameters
    ----------
    texts : iterable of str
        Everything that will be drawn in this font.

    Returns
    -------
    Lettering
        DejaVu Sans where it has all glyphs; else with the installed font that adds most.
    """
    wanted = frozenset(c for text in texts for c in text if not _is_control(c))
    return _choose(wanted - _covered(_base_path(), wanted))


def shorten(text: str, width: int) -> str:
    """Cut `text` to at most `width` columns, a wide (Chinese) character counting two."""
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def number_text(value: float, digits: int = 3) -> str:
    """Return a number to some digits, with a minus sign as wide as a plus: "−0.25", "3e9"."""
    text = re.sub(r"e([+-])0*", lambda found: "e" + found[1].strip("+"), f"{value:.{digits}g}")
    return text.replace("-", "−") if value else "0"


def tick_text(value: float, span: float) -> str:
    """Return a number of a scale to about a hundredth of its span, "1,670" or "0.25"."""
    largest = max(abs(value), span)
    if not largest or not 1e-4 <= largest < 1e7:
        return number_text(value)
    decimals = max(0, 2 - math.floor(math.log10(span or largest)))
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text.replace("-", "−")


@lru_cache(maxsize=64)
def _choose(missing: frozenset[str]) -> Lettering:
    if not missing:
        return Lettering((BASE_FAMILY,), None, missing)
    best = Lettering((BASE_FAMILY,), None, missing)
    for family, path in _candidates():
        left = missing - _covered(path, missing)
        if len(left) < len(best.missing):
            best = (
                Lettering((BASE_FAMILY, family), None, left)
                if family
                else Lettering((), path, left)
            )
        if not left:
            break
    return best


def _candidates() -> Iterable[tuple[str, str]]:
    """Yield (family, path) of fonts that may have the glyphs; family "" where unlisted."""
    listed = font_manager.fontManager.ttflist
    regular = {e.name: e.fname for e in listed if e.style == "normal" and Path(e.fname).is_file()}
    for family in PREFERRED_FAMILIES:
        if family in regular:
            yield family, regular[family]
    for family, path in sorted(regular.items()):
        if family not in PREFERRED_FAMILIES and _WIDE_COVERAGE.search(family):
            yield family, path
    # Matplotlib's list is cached on disk: a font installed since then is found only by looking.
    known = {e.fname for e in listed}
    unlisted = sorted(font_manager.findSystemFonts(), key=lambda path: (_is_heavy(path), path))
    for path in unlisted:
        if path not in known and _WIDE_COVERAGE.search(Path(path).name):
            yield "", path


def _is_heavy(path: str) -> bool:
    """Tell by a font file's name whether it is bold; such fonts are tried last."""
    return re.search(r"bold|black|heavy", Path(path).name, re.I) is not None


def _covered(path: str, characters: frozenset[str]) -> frozenset[str]:
    try:
        font = font_manager.get_font(path)
    except (OSError, RuntimeError):  # a damaged font file must not cost the user the picture
        return frozenset()
    return frozenset(c for c in characters if font.get_char_index(ord(c)))


@lru_cache(maxsize=1)
def _base_path() -> str:
    return str(font_manager.findfont(BASE_FAMILY))


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs"}
