"""The pictures of a scorecard's page: strips of rows, planes of codes, bars, clusters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape

import numpy as np
from numpy.typing import NDArray

from narrows import figures
from narrows.evaluation.scores import METHODS, Measure
from narrows.evaluation.shown import Shown
from narrows.figures.theme import MARKERS, marker_number, palette_colour
from narrows.web.drawings import Words
from narrows.web.page import Panel, label_attributes, panel, themed, words

SIDE = 3.9
"""Of a plane, in inches."""
MOST_BARS = 40
"""Classes that bars are drawn for; of more, those with the largest errors."""
MOST_CLUSTERS = 20
"""Clusters up to which their table is shown."""
MOST_NAMES = 60
"""Classes that a legend names."""
_SHAPES = dict(zip(MARKERS, "●■▲◆▼✚", strict=True))


def strips(shown: Shown) -> str:
    """Return originals above what comes back of them, by us and by PCA."""
    parts = []
    for strip in shown.strips:
        named = [("narrows", strip.ours), ("PCA", strip.pca)]
        draw = partial(
            figures.reconstructions,
            strip.rows,
            named,
            sample_shape=shown.sample_shape,
            columns=len(strip.rows),
        )
        alt = Words(
            f"{strip.name.en}: originals, and what narrows and PCA bring back",
            f"{strip.name.zh}：原图，以及 narrows 和 PCA 还原的结果",
        )
        parts.append(panel(Panel(strip.name, themed(draw, alt))))
    return f'<div class="rows">{"".join(parts)}</div>'


def planes(shown: Shown) -> str:
    """Return the codes on planes, ours and PCA's side by side, with one legend."""
    parts = []
    for method, places in shown.planes.items():
        name = METHODS[method]
        named = words(name)
        draw = partial(figures.plane, places, shown.classes, legend=False, side=SIDE)
        alt = Words(f"Codes of {named} on a plane", f"{named} 的编码画在平面上")
        parts.append(panel(Panel(name, themed(draw, alt, palette=True))))
    columns = f'<div class="columns two">{"".join(parts)}</div>'
    return _legend(shown.drawn_names) + columns


def _legend(names: Sequence[str]) -> str:
    if not names:
        return ""
    entries = []
    for number, name in enumerate(names[:MOST_NAMES]):
        colour = palette_colour(number)
        shape = _SHAPES[MARKERS[marker_number(number)]]
        entries.append(f'<li><b style="color:{colour}">{shape}</b>{escape(name)}</li>')
    if len(names) > MOST_NAMES:
        entries.append(f"<li>+ {len(names) - MOST_NAMES}</li>")
    title = Words("Colours of the classes", "各类别的颜色")
    return f'<ul class="legend shapes" {label_attributes(title)}>{"".join(entries)}</ul>'


def class_bars(lines: Sequence[Measure]) -> str:
    """Return the error of each class as a bar, PCA's below ours."""
    shown = sorted(lines, key=lambda line: -line.scores["narrows"].mean)
    hidden = max(0, len(shown) - MOST_BARS)
    shown = shown[:MOST_BARS] if hidden else list(lines)
    methods = ("narrows", "pca")
    longest = max(line.scores[m].mean for line in shown for m in methods) or 1.0
    rows = []
    for line in shown:
        bars = "".join(
            f'<div class="{m}" style="width:{100 * line.scores[m].mean / longest:.1f}%"></div>'
            for m in methods
        )
        texts = "".join(f"<td>{line.scores[m].text('error')}</td>" for m in methods)
        rows.append(
            f'<tr><th scope="row">{words(line.name)}</th><td class="span">{bars}</td>{texts}</tr>'
        )
    name = Words("Error by class", "各类别的误差")
    head = (
        f'<thead><tr><th scope="col">{words(Words("class", "类别"))}</th><th></th>'
        + "".join(f'<th scope="col" class="{m}">{words(METHODS[m])}</th>' for m in methods)
        + "</tr></thead>"
    )
    more = ""
    if hidden:
        text = Words(
            f"{hidden} further classes have smaller errors.", f"其余 {hidden} 个类别误差更小。"
        )
        more = f'<p class="note">{words(text)}</p>'
    return (
        f'<div class="scroll" tabindex="0" role="group" {label_attributes(name)}>'
        f'<table class="bars paired">{head}<tbody>{"".join(rows)}</tbody></table></div>{more}'
    )


def cluster_table(counts: NDArray[np.int64], names: Sequence[str]) -> str:
    """Return the share of each class's rows in each matched cluster, tinted; "" where too many."""
    if len(counts) > MOST_CLUSTERS:
        return ""
    whole = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = []
    for name, shares in zip(names, counts / whole, strict=True):
        cells = "".join(
            f'<td style="--share:{share:.3f}">{100 * share:.0f}</td>'
            if share >= 0.005
            else "<td></td>"
            for share in shares
        )
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    title = Words("Classes and clusters", "类别与聚类")
    head = "".join(f'<th scope="col">{number}</th>' for number in range(1, len(counts) + 1))
    first = words(Words("class \\ cluster", "类别 \\ 聚类"))
    return (
        f'<div class="scroll" tabindex="0" role="group" {label_attributes(title)}>'
        f'<table class="clusters"><thead><tr><th scope="col">{first}</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
