"""A map as a page to look around in: one HTML file that loads nothing.

What moves is in `map.js`, how it looks in `map.css`; without a script the page shows the
same map as a picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from narrows import figures
from narrows.errors import DataError
from narrows.figures.cells import Bounds
from narrows.figures.codes import checked_codes
from narrows.figures.colouring import (
    Colouring,
    LabelsAre,
    class_colour,
    colouring,
    hex_steps,
    scale_colours,
)
from narrows.figures.map_key import tick_text
from narrows.figures.map_panel import Thumbnails
from narrows.figures.maps import MAP_WIDTHS, Plane, planes_of, thumbnails_of
from narrows.figures.theme import THEME_NAMES, THEMES, marker_number
from narrows.web.demo_content import Fact
from narrows.web.drawings import Words
from narrows.web.map.data import DOUBTFUL, MOST_PICTURES, map_data, pictured_rows
from narrows.web.page import Label, Picture, label_attributes, page, paragraph, picture, words

__all__ = ["Fact", "Words", "map_page"]

_HELP = Words(
    "Drag to move, turn the wheel or pinch to come closer, double-click to come closer at once"
    " (with Shift: to step back). A class in the list is switched by a click, and left alone by a"
    " double-click. Keys on the map: arrows, + and −, 0 for the whole.",
    "拖动平移，滚轮或双指缩放，双击放大（按住 Shift 则缩小）。"
    "单击列表中的类别可显示或隐藏，双击则只留下它。"
    "地图上的按键：方向键、+ 和 −，0 回到全图。",
)
_LEAD = Words(
    "Each point is a row, placed by the numbers of its code. Lengths are in units of the code.",
    "每个点是一行数据，按编码中的数放置。长度以编码的单位计。",
)
_SWITCHES = {
    "density": Words("Density", "密度"),
    "pictures": Words("Pictures", "图片"),
    "names": Words("Names", "名称"),
    "doubtful": Words("Doubtful", "可疑"),
}
_CANVAS = Words("The map; arrows move it, + and − zoom", "地图；方向键平移，+ 和 − 缩放")


def map_page(
    Z: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    name: str,
    pictures: ArrayLike | None = None,
    sample_shape: Sequence[int] | None = None,
    bounds: Bounds = None,
    label_names: Sequence[str] | Mapping[Any, str] | None = None,
    labels_are: LabelsAre = "auto",
    labels_name: str = "",
    row_names: Sequence[str] | None = None,
    trust: ArrayLike | None = None,
    notes: Sequence[Words] = (),
    facts: Sequence[Fact] = (),
) -> str:
    """Build a page that shows codes as a map, to move, to come closer, and to ask points.

    Parameters
    ----------
    Z, labels, pictures, sample_shape, bounds, label_names, labels_are, labels_name
        As for `narrows.figures.map_of`.
    name : str
        What the rows are, for the title.
    row_names : sequence of str, optional
        A name for each row; without them rows are numbered from 0.
    trust : array-like (N,), optional
        What `Autoencoder.trust` says of each row, from 0 to 1: told beside a point, and a switch
        marks the rows below 0.05.
    notes : sequence of Words
        Sentences above the map.
    facts : sequence of Fact
        Numbers below it.

    Returns
    -------
    str
        One HTML file. Of more than 400 rows it holds pictures of 400, spread out over the map, and
        a row without one shows the nearest that has one. `#lang=zh&theme=dark` at the end of its
        address chooses language and theme.

    Raises
    ------
    As `narrows.figures.map_of`.
    """
    codes = checked_codes(Z, "A map", *MAP_WIDTHS)
    found = colouring(labels, len(codes), label_names=label_names, labels_are=labels_are)
    if row_names is not None and len(row_names) != len(codes):
        raise DataError(
            f"row_names must be one per code, {len(codes)} of them; got {len(row_names)}."
        )
    trusted = None if trust is None else _checked_trust(trust, len(codes))
    small = thumbnails_of(pictures, len(codes), sample_shape, bounds, MOST_PICTURES)
    planes = planes_of(codes)
    texts = None if labels is None else np.asarray(labels).astype(str)
    still = [
        figures.to_png(
            figures.map_of(
                codes,
                labels,
                pictures=pictures,
                sample_shape=sample_shape,
                bounds=bounds,
                label_names=label_names,
                labels_are=labels_are,
                labels_name=labels_name,
                theme=theme,
            ),
            palette=True,
        )
        for theme in THEME_NAMES
    ]
    title = Words(f"A map of {name}", f"{name} 的地图")
    alt = Words(f"{title.en}, as a picture", f"{title.zh}（图片）")
    lead = Words(
        " ".join([_LEAD.en, *(note.en for note in notes)]),
        "".join([_LEAD.zh, *(note.zh for note in notes)]),
    )
    switches = {
        "density": bool(planes[0].names[1]),
        "pictures": small is not None,
        "names": len(found.names) > 1,
        "doubtful": trusted is not None,
    }
    body = [
        f"<h1>{words(title)}</h1>",
        paragraph(lead, "lead"),
        f'<div class="map">{_stage()}{_side(found, labels_name, planes, switches)}</div>',
        f'<figure class="still">{picture(Picture(still[0], still[1], alt))}</figure>',
        paragraph(_help(planes, small, trusted, len(codes)), "note help"),
        _facts(facts),
        '<script type="application/json" id="map-data">'
        f"{map_data(planes, found, texts, row_names, small, trusted)}</script>",
        f"<script>\n{_file('map/map.js')}</script>",
    ]
    return page(title, "\n".join(body), style=_file("templates/map.css"))


def _file(name: str) -> str:
    return files("narrows.web").joinpath(name).read_text(encoding="utf-8")


def _given(numbers: NDArray[np.float64]) -> str:
    span = f" from {numbers.min():g} to {numbers.max():g}" if numbers.size else ""
    return f"shape {numbers.shape}{span}"


def _checked_trust(trust: ArrayLike, n_rows: int) -> NDArray[np.float64]:
    found = np.asarray(trust, dtype=np.float64)
    if found.shape != (n_rows,) or not ((found >= 0) & (found <= 1)).all():
        raise DataError(
            f"trust must be one number from 0 to 1 per code, {n_rows} of them, as"
            f" Autoencoder.trust gives them; got {_given(found)}."
        )
    return found


def _help(
    planes: Sequence[Plane],
    small: Thumbnails | None,
    trust: NDArray[np.float64] | None,
    n: int,
) -> Words:
    text = _HELP
    shown = n if small is None else len(pictured_rows(planes[0], small))
    if shown < n:
        text = Words(
            f"{text.en} Pictures are there for {shown:,} of {n:,} rows, spread out over the map; a"
            " point without one shows the nearest.",
            f"{text.zh}共 {n:,} 行，其中散布在地图上的 {shown:,} 行带有图片；"
            "没有图片的点显示最近的一张。",
        )
    if trust is not None:
        doubtful = int((trust < DOUBTFUL).sum())
        text = Words(
            f"{text.en} Trust is the part of held-out rows that are at least as strange as a row:"
            f" in a thin place, moved by the way through the decoder, or badly restored."
            f" {doubtful:,} of {n:,} rows have less than {DOUBTFUL:g}; “Doubtful” puts a cross on"
            " each.",
            f"{text.zh}信任度是留出数据中至少与这一行同样奇怪的比例：落在稀疏处、经过解码再编码后会移动，"
            f"或者还原得差。{n:,} 行中有 {doubtful:,} 行低于 {DOUBTFUL:g}，按“可疑”给它们画上叉。",
        )
    return text


def _stage() -> str:
    buttons = "".join(
        f'<button type="button" id="{name}" {label_attributes(text)}>{sign}</button>'
        for name, sign, text in (
            ("closer", "+", Words("Closer", "放大")),
            ("farther", "−", Words("Farther", "缩小")),
            ("whole", "⤢", Words("The whole map", "全图")),
        )
    )
    return (
        f'<div id="stage"><canvas id="canvas" tabindex="0" role="application"'
        f' {label_attributes(_CANVAS)}></canvas><div id="tip" role="status" hidden></div>'
        f'<div class="zoom">{buttons}</div></div>'
    )


def _side(
    labels: Colouring, name: str, planes: Sequence[Plane], switches: Mapping[str, bool]
) -> str:
    """Return what stands beside the map: planes, those switches that are True, the key."""
    parts = []
    if len(planes) > 1:
        parts.append(
            _row(
                _button("-".join(plane.names), f'data-plane="{i}"', pressed=i == 0)
                for i, plane in enumerate(planes)
            )
        )
    parts.append(
        _row(
            _button(_SWITCHES[which], f'id="show-{which}"', pressed=which != "doubtful")
            for which, is_there in switches.items()
            if is_there
        )
    )
    if name:
        parts.append(f"<h2>{escape(name)}</h2>")
    if labels.kind == "classes":
        parts.append(_classes(labels))
    if labels.kind == "numbers":
        parts.append(_scale(labels))
    return f'<div class="side">{"".join(parts)}</div>'


def _row(buttons: Any) -> str:
    inside = "".join(buttons)
    return f'<div class="row">{inside}</div>' if inside else ""


def _button(text: Label, attributes: str, *, pressed: bool | None = None) -> str:
    state = "" if pressed is None else f' aria-pressed="{str(pressed).lower()}"'
    return f'<button type="button" {attributes}{state}>{words(text)}</button>'


def _classes(labels: Colouring) -> str:
    n_names, n_other = len(labels.names), int(labels.is_other.sum())
    entries = [
        _entry(i, escape(name), labels.counts[i], class_colour(i, n_names, THEMES["light"]))
        for i, name in enumerate(labels.names)
    ]
    if n_other:
        rest = Words(f"{labels.n_others:,} more classes", f"其余 {labels.n_others:,} 类")
        none = Words("without a label", "没有标签")
        entries.append(_entry(n_names, words(rest if labels.n_others else none), n_other, ""))
    both = _row(
        (
            _button(Words("All", "全选"), 'id="all"'),
            _button(Words("None", "全不选"), 'id="none"'),
        )
    )
    name = Words("Classes", "类别")
    return f'<ul class="classes" {label_attributes(name)}>{"".join(entries)}</ul>{both}'


def _entry(number: int, name: str, count: int, colour: str) -> str:
    shape = marker_number(number) if colour else 0
    style = f' style="background:{colour}"' if colour else ""
    return (
        f'<li><button type="button" data-class="{number}" aria-pressed="true">'
        f'<i class="shape-{shape}"{style}></i><b>{name}</b><em>{count:,}</em></button></li>'
    )


def _scale(labels: Colouring) -> str:
    low, high = labels.range()
    bars = "".join(
        f'<div class="scale for-{theme}" style="background:linear-gradient(to right,'
        f'{",".join(hex_steps(scale_colours(theme), 16))})"></div>'
        for theme in THEME_NAMES
    )
    n_other = int(labels.is_other.sum())
    none = Words(f"without a number: {n_other:,}", f"没有数值：{n_other:,}")
    rest = f'<p class="other"><i></i> {words(none)}</p>' if n_other else ""
    ends = f"<span>{tick_text(low, high - low)}</span><span>{tick_text(high, high - low)}</span>"
    return f'{bars}<div class="ends">{ends}</div>{rest}'


def _facts(facts: Sequence[Fact]) -> str:
    if not facts:
        return ""
    inside = "".join(f"<dt>{words(fact.name)}</dt><dd>{words(fact.value)}</dd>" for fact in facts)
    return f'<dl class="facts">{inside}</dl>'
