"""Every text of the pages in English and simplified Chinese, from one catalogue per language.

A catalogue is a TOML file, by page and section. Placeholders stand in braces and may hold a format:
``{rows:,}`` is a number with commas, ``{rows:row|rows}`` the singular or plural that fits it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any


@dataclass(frozen=True)
class Words:
    """A text in both languages of the page.

    Parameters
    ----------
    en, zh : str
        The text in English and in simplified Chinese; plain text, not HTML.
    """

    en: str
    zh: str


LANGUAGES = ("en", "zh")
Label = Words | str  # a name that is the same in every language may be a plain string


def say(key: str, **values: Any) -> Words:
    """Return a text of the catalogues.

    Parameters
    ----------
    key : str
        Its place, such as ``"demo.numbers.title"``.
    **values : str, int, float or Words
        What stands for its placeholders. `Words` give each language its own text.
    """
    return Words(*(_filled(language, key, values) for language in LANGUAGES))


def sentences(*texts: Words) -> Words:
    """Join whole sentences to a paragraph, with spaces between them in English alone."""
    return Words(" ".join(text.en for text in texts), "".join(text.zh for text in texts))


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return all texts of a language, ``"en"`` or ``"zh"``, by their keys."""
    text = files("narrows.web.words").joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return dict(_flat(tomllib.loads(text)))


def texts_below(prefix: str, language: str) -> dict[str, str]:
    """Return the texts whose keys begin with a prefix, by the rest of their keys, unfilled."""
    return {
        key.removeprefix(prefix): text
        for key, text in catalogue(language).items()
        if key.startswith(prefix)
    }


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, inside in table.items():
        if isinstance(inside, str):
            yield above + name, inside
        else:
            yield from _flat(inside, f"{above}{name}.")


class _Filler(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        singular, bar, plural = format_spec.partition("|")
        if bar:
            return singular if value == 1 else plural
        return str(super().format_field(value, format_spec))


def _filled(language: str, key: str, values: Mapping[str, Any]) -> str:
    own = {
        name: getattr(value, language) if isinstance(value, Words) else value
        for name, value in values.items()
    }
    return _Filler().vformat(catalogue(language)[key], (), own)
