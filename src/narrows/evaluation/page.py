"""A scorecard as one page."""

from __future__ import annotations

from collections.abc import Sequence

from narrows.evaluation import pictures
from narrows.evaluation.scores import METHODS, Section
from narrows.evaluation.shown import Shown
from narrows.web.page import render
from narrows.web.words import Label, Words, say


def scorecard_page(
    sections: Sequence[Section],
    shown: Shown | None,
    title: Label = "",
    *,
    lead: Label = "",
    n_seeds: int = 1,
) -> str:
    """Build the page of a report.

    Parameters
    ----------
    sections : sequence of Section
        The numbers, in the order of the page.
    shown : Shown or None
        What its pictures are drawn from; None for a page without pictures.
    title, lead : Words or str
        The names of model and data, and the paragraph below the title.
    n_seeds : int

    Returns
    -------
    str
        One HTML file that needs nothing else. `#lang=zh&theme=dark` at the end of its address
        chooses language and theme.
    """
    keys = {section.key: section for section in sections}
    errors = keys.get("class_errors")
    many = 0 if shown is None else len(shown.planes["narrows"])
    legend = [say("scorecard.legend")]
    if n_seeds > 1:
        legend.insert(0, say("scorecard.seeds", n=n_seeds))
    return render(
        "scorecard.html",
        what=title,
        lead=lead,
        legend=legend,
        sections=sections,
        methods=METHODS,
        arrows={"low": " ↓", "high": " ↑", "": ""},
        pictures_follow="class_errors" if "class_errors" in keys else "reconstruction",
        shown=shown,
        strips=[] if shown is None else pictures.strips(shown),
        planes=[] if shown is None or many < 2 else pictures.planes(shown),
        about_planes=[] if shown is None else _about_planes(shown),
        class_legend=pictures.legend(None if shown is None else shown.classes),
        bars=None if errors is None else pictures.class_bars(errors.measures),
        clusters=None if shown is None else pictures.cluster_shares(shown.clusters),
    )


def _about_planes(shown: Shown) -> list[Words]:
    n, k = len(shown.planes["narrows"]), shown.n_components
    which = "scorecard.codes.all_rows" if n == shown.n_rows else "scorecard.codes.some_rows"
    how = {1: "scorecard.codes.one", 2: "scorecard.codes.two"}.get(k, "scorecard.codes.more")
    found = [say(which, n=n, n_rows=shown.n_rows), say(how, k=k)]
    return found if shown.classes is None else [*found, say("scorecard.codes.labels")]
