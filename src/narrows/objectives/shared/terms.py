"""The terms of a loss in words."""

from __future__ import annotations

from collections.abc import Mapping

from narrows.objectives.base import PIXEL_SQUARES


def is_plain(row: Mapping[str, float], units: Mapping[str, str]) -> bool:
    """Tell whether the loss in a row of ``history_`` is the mean squared error alone."""
    return [unit for name, unit in units.items() if name in row] == [PIXEL_SQUARES]


def term_words(row: Mapping[str, float], units: Mapping[str, str]) -> str:
    """Return the terms of a loss with their units: "reconstruction 74.8, kl 23.3 nats per row".

    Parameters
    ----------
    row : mapping of str to float
        A row of ``history_``.
    units : mapping of str to str
        Of the family; terms that the row does not have are left out.
    """
    by_unit: dict[str, list[str]] = {}
    for name, unit in units.items():
        if name in row:
            by_unit.setdefault(unit, []).append(f"{name} {row[name]:.4g}")
    return "; ".join(f"{', '.join(terms)} {unit}" for unit, terms in by_unit.items())
