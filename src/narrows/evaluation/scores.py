"""The numbers of a scorecard by seed and method, their intervals over seeds, and their text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from narrows.common.text import four_digits, in_bytes
from narrows.web.words import Label, Words, say

METHODS: dict[str, Label] = {
    "narrows": "narrows",
    "pca": "PCA",
    "input": say("scorecard.methods.input"),
    "random_network": say("scorecard.methods.random_network"),
}
"""The methods that are compared, in the order of the columns."""
CONFIDENCE = 0.95
LEAST_INTERVAL = 1e-9
"""Part of the mean below which an interval is rounding error."""
_SECONDS = (("s", 1.0), ("ms", 1e3), ("µs", 1e6))
Kind = Literal["error", "share", "ratio", "number", "count", "seconds", "bytes"]
Better = Literal["low", "high", ""]


@dataclass(frozen=True)
class Score:
    """One number, measured for each seed.

    Attributes
    ----------
    values : tuple of float
        One for each seed, the given model's first; NaN if it is not defined.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Return the mean over seeds."""
        return math.fsum(self.values) / len(self.values)

    @property
    def half_width(self) -> float | None:
        """Return half the width of Student's 95 % interval of the mean; None for one seed."""
        n = len(self.values)
        if n < 2:
            return None
        from scipy.stats import t

        deviation = float(np.std(self.values, ddof=1))
        return float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * deviation / math.sqrt(n)

    def text(self, kind: Kind) -> str:
        """Return the mean, and ± half the interval if there are several seeds."""
        if not math.isfinite(self.mean):
            return "–"
        return number_text(self.mean, kind, self.half_width)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON, with None in place of NaN."""
        found = {"mean": self.mean, "half_width": self.half_width, "values": list(self.values)}
        plain: dict[str, Any] = finite(found)
        return plain


@dataclass(frozen=True)
class Measure:
    """One line of the scorecard.

    Attributes
    ----------
    key : str
        Its name in JSON.
    name : Words or str
        Its name in words.
    scores : dict of str to Score
        By method; methods without this number are left out.
    kind : str
        What the number is; its text depends on it.
    better : {"low", "high", ""}
        Whether low or high numbers are better; "" for neither.
    """

    key: str
    name: Label
    scores: Mapping[str, Score]
    kind: Kind = "share"
    better: Better = "high"

    def best(self) -> set[str]:
        """Return the methods whose number has the same text as the best; none if all have it."""
        means = {name: score.mean for name, score in self.scores.items()}
        known = [mean for mean in means.values() if math.isfinite(mean)]
        if not self.better or not known:
            return set()
        top = number_text(min(known) if self.better == "low" else max(known), self.kind)
        found = {
            name
            for name, mean in means.items()
            if math.isfinite(mean) and number_text(mean, self.kind) == top
        }
        return found if len(found) < len(known) else set()


@dataclass(frozen=True)
class Section:
    """Lines of the scorecard that belong together.

    Attributes
    ----------
    key : str
        Its name in JSON.
    title, about : Words
        Its title, and how it was measured.
    measures : tuple of Measure
    notes : tuple of Words
        What was left out, and why.
    """

    key: str
    title: Words
    about: Words
    measures: tuple[Measure, ...] = ()
    notes: tuple[Words, ...] = ()

    @property
    def methods(self) -> list[str]:
        """Return the methods that have a number here, in the order of the columns."""
        return [name for name in METHODS if any(name in m.scores for m in self.measures)]

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers by measure and method, for JSON."""
        return {
            measure.key: {name: score.as_dict() for name, score in measure.scores.items()}
            for measure in self.measures
        }


def measure(
    key: str,
    name: Label,
    values: Mapping[str, float],
    kind: Kind = "share",
    better: Better = "high",
) -> Measure:
    """Return a line of one seed, from a value for each method."""
    scores = {method: Score((float(value),)) for method, value in values.items()}
    return Measure(key, name, scores, kind, better)


def largest(lines: Sequence[Measure], most: int) -> list[Measure]:
    """Return at most so many lines: those with the largest numbers of narrows, in falling order."""
    return sorted(lines, key=lambda line: -line.scores["narrows"].mean)[:most]


def merged(cards: Sequence[Sequence[Section]]) -> tuple[Section, ...]:
    """Join the sections of several seeds into one scorecard.

    Parameters
    ----------
    cards : sequence of sequences of Section
        One for each seed. Words are the first seed's. If a seed lacks a number, that number has
        fewer values.
    """
    whole = []
    for first in cards[0]:
        same = [part for card in cards for part in card if part.key == first.key]
        lines: dict[str, list[Measure]] = {}
        for line in (line for part in same for line in part.measures):
            lines.setdefault(line.key, []).append(line)
        whole.append(replace(first, measures=tuple(map(_joined, lines.values()))))
    return tuple(whole)


def _joined(lines: Sequence[Measure]) -> Measure:
    values: dict[str, tuple[float, ...]] = {}
    for line in lines:
        for method, score in line.scores.items():
            values[method] = values.get(method, ()) + score.values
    return replace(lines[0], scores={method: Score(found) for method, found in values.items()})


def number_text(value: float, kind: Kind, half: float | None = None) -> str:
    """Return a number with its unit, and ± half an interval."""
    if half is not None and half < LEAST_INTERVAL * abs(value):
        half = 0.0  # rounding alone
    if kind == "bytes":
        return in_bytes(value) + ("" if half is None else f" ± {in_bytes(half)}")
    if kind in ("share", "ratio"):
        digits = 4 if kind == "share" else 3
        return f"{value:.{digits}f}" + ("" if half is None else f" ± {half:.{digits}f}")
    if kind in ("error", "number"):
        return four_digits(value) + ("" if half is None else f" ± {half:.2g}")
    if kind == "count":
        numbers = [value] if half is None else [value, half]
        return " ± ".join(f"{n:,.0f}" if n == round(n) else f"{n:,.1f}" for n in numbers)
    unit, factor = next(one for one in _SECONDS if value * one[1] >= 1 or one[0] == "µs")
    decimals = 1 if value * factor < 10 else 0
    beside = "" if half is None else f" ± {half * factor:.{decimals}f}"
    return f"{value * factor:.{decimals}f}{beside} {unit}"


def finite(value: Any) -> Any:
    """Return a value for JSON: None for NaN and infinity, lists for tuples."""
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
