"""The report of an evaluation: its numbers by name, as a table, as JSON and as a page."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from narrows.common.atomic_files import replacing
from narrows.errors import ParameterError, near_miss
from narrows.evaluation.sample_quality import SampleQuality
from narrows.evaluation.scores import METHODS, Measure, Section, finite, largest
from narrows.evaluation.shown import Shown
from narrows.model.density import Density
from narrows.model.fitted import DATA_UNITS
from narrows.web.words import Label, Words, say

SUFFIXES = (".json", ".html")
"""Suffixes of the files that a report is saved to."""
LISTED_CLASSES = 20
"""Classes whose errors a table lists."""
WIDEST = 48
"""Width of a column of a table at the most; a Chinese character counts two."""


@dataclass(frozen=True)
class Report:
    """The scorecard of a model: numbers on rows that it never saw, with PCA's beside them.

    With several seeds, each number is the mean over them.

    Attributes
    ----------
    n_rows, n_features, n_components, n_seeds : int
    error, pca_error : float
        Mean squared error per value, in ``error_unit``. PCA is the one that training started from,
        with the same code size and the same bounds.
    score, pca_score : float
        Part of the variance about the training mean that the reconstruction explains, in the same
        unit; 1 is perfect.
    worst_error : float
        95th percentile over rows of the error of a row, in the same unit.
    error_unit : str
        "squared data units" or, for a model of ``scaling="standard"``, "squared standard deviations
        of each column".
    knn_accuracy, pca_knn_accuracy : float or None
        10-NN accuracy of codes, with training rows as voters; without labelled training rows
        leave-one-out accuracy of the held-out rows. None without labels that are classes, and
        with fewer than 10 labelled training rows.
    measured : tuple of Section
        All numbers, with their values for each seed; `measure` finds one by its names.
    costs : Section or None
        Seconds and bytes. Reports are equal where all else is.
    shown : Shown or None
        What the pictures of the page are drawn from.
    samples : SampleQuality or None
        Fréchet distance, precision and recall of samples of the given model, if asked for.
    density : Density or None
        Log-likelihood, its bound and its parts, in nats per row, of the given model; None for a
        family that gives no density.
    """

    n_rows: int
    n_features: int
    n_components: int
    error: float
    pca_error: float
    score: float
    pca_score: float
    worst_error: float
    error_unit: str = DATA_UNITS
    knn_accuracy: float | None = None
    pca_knn_accuracy: float | None = None
    samples: SampleQuality | None = None
    density: Density | None = None
    n_seeds: int = 1
    measured: tuple[Section, ...] = field(default=(), repr=False)
    costs: Section | None = field(default=None, repr=False, compare=False)
    shown: Shown | None = field(default=None, repr=False, compare=False)

    @property
    def sections(self) -> tuple[Section, ...]:
        """Return all sections in the order of the page."""
        return self.measured if self.costs is None else (*self.measured, self.costs)

    def measure(self, section: str, key: str) -> Measure:
        """Return one line: ``report.measure("probes", "linear_all").scores["pca"].mean``.

        Raises
        ------
        ParameterError
            If there is no such section or line; the message names those there are.
        """
        known = {part.key: {line.key: line for line in part.measures} for part in self.sections}
        if section not in known:
            raise ParameterError(_unknown("section", section, known))
        if key not in known[section]:
            raise ParameterError(_unknown(f"line in {section!r}", key, known[section]))
        return known[section][key]

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers by name, ready for JSON: None stands for what is not defined."""
        plain = {
            one.name: getattr(self, one.name)
            for one in fields(self)
            if one.name not in ("measured", "costs", "shown", "samples", "density")
        }
        for name in ("samples", "density"):
            part = getattr(self, name)
            plain[name] = None if part is None else asdict(part)
        plain["sections"] = {part.key: part.as_dict() for part in self.sections}
        found: dict[str, Any] = finite(plain)
        return found

    def blocks(self) -> list[Block]:
        """Return the numbers as tables of words, one for each section."""
        return [_block(part) for part in self.sections]

    def intro(self) -> list[tuple[str, str]]:
        """Return what was measured, as pairs of a name and its value in words."""
        found = [
            ("rows × features", f"{self.n_rows:,} × {self.n_features:,}"),
            ("numbers in a code", f"{self.n_components}"),
            ("unit of errors", self.error_unit),
        ]
        if self.n_seeds > 1:
            found.append(("seeds", f"{self.n_seeds}: mean ± half of Student's 95 % interval"))
        return found

    def to_html(self, title: Words | str = "") -> str:
        """Return the scorecard as one HTML page that needs nothing else, in two languages.

        Parameters
        ----------
        title : Words or str
            What was measured, such as the names of model and data.
        """
        from narrows.evaluation.page import scorecard_page

        sizes = {name: getattr(self, name) for name in ("n_rows", "n_features", "n_components")}
        lead = say("scorecard.lead", **sizes)
        return scorecard_page(self.sections, self.shown, title, lead=lead, n_seeds=self.n_seeds)

    def save(self, path: str | os.PathLike[str], title: Words | str = "") -> None:
        """Write the scorecard to a ``.json`` or ``.html`` file, which replaces an older one.

        Raises
        ------
        ParameterError
            For another suffix.
        OSError
            If it cannot be written; an older file is then left as it was.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        if suffix not in SUFFIXES:
            raise ParameterError(
                f"A report is saved as {' or '.join(SUFFIXES)}, got {target.name!r}."
                f"{near_miss(suffix, SUFFIXES)}"
            )
        text = (
            self.to_html(title)
            if suffix == ".html"
            else json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"
        )
        with replacing(target) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def __str__(self) -> str:
        blocks = ([*block.lines(), *block.notes] for block in self.blocks())
        return "\n\n".join(map("\n".join, (aligned(self.intro(), n_left=2), *blocks)))


@dataclass(frozen=True)
class Block:
    """A section as a table of words.

    Attributes
    ----------
    head : list of str
        The section's title, and the methods.
    rows : list of list of str
        Names of lines, and their numbers; "" if a line has none for a method.
    notes : list of str
    """

    head: list[str]
    rows: list[list[str]]
    notes: list[str]

    def lines(self) -> list[str]:
        """Return the head and the rows with columns as wide as they need."""
        return aligned([self.head, *self.rows], n_left=1)


def aligned(rows: Sequence[Sequence[str]], n_left: int = 0) -> list[str]:
    """Return rows as lines, in columns as wide as they need; the first ones are aligned left."""
    widths = [min(WIDEST, max(map(cell_len, column))) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [Text(text, overflow="ellipsis") for text in row]
        for number, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            cell.align("left" if number < n_left else "right", width)
        lines.append("  ".join(cell.plain for cell in cells).rstrip())
    return lines


def _block(part: Section) -> Block:
    methods, notes = part.methods, [note.en for note in part.notes]
    shown = list(part.measures)
    if part.key == "class_errors" and len(shown) > LISTED_CLASSES:
        notes.append(say("scorecard.class_errors.more", n=len(shown) - LISTED_CLASSES).en)
        shown = largest(shown, LISTED_CLASSES)
    rows = [
        [
            english(line.name),
            *(line.scores[m].text(line.kind) if m in line.scores else "" for m in methods),
        ]
        for line in shown
    ]
    return Block([part.title.en, *(english(METHODS[name]) for name in methods)], rows, notes)


def english(text: Label) -> str:
    """Return a text in English."""
    return text if isinstance(text, str) else text.en


def _unknown(kind: str, given: str, known: Iterable[str]) -> str:
    return (
        f"This report has no {kind} {given!r}; it has {', '.join(known)}.{near_miss(given, known)}"
    )
