"""A scorecard as one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from narrows.common.text import count
from narrows.evaluation import pictures
from narrows.evaluation.scores import METHODS, Measure, Section
from narrows.evaluation.shown import Shown
from narrows.web.drawings import Words
from narrows.web.page import Label, page, paragraph, section, table, words

if TYPE_CHECKING:
    from narrows.evaluation.report import Report

_ARROWS = {"low": " ↓", "high": " ↑", "": ""}


def scorecard_page(report: Report, title: Label = "") -> str:
    """Build the page of a report.

    Parameters
    ----------
    report : Report
    title : Words or str
        What was measured.

    Returns
    -------
    str
        One HTML file that needs nothing else. `#lang=zh&theme=dark` at the end of its address
        chooses language and theme.
    """
    parts = [_opening(report, title)]
    keys = [one.key for one in report.sections]
    before = "class_errors" if "class_errors" in keys else "reconstruction"
    for one in report.sections:
        parts.append(_section(one, report.shown))
        if one.key == before and report.shown is not None:
            parts += _looks(report.shown)
    if report.shown is not None:
        parts.append(_model(report.shown))
    name = Words("narrows: scorecard", "narrows：记分卡")
    return page(name, "\n".join(part for part in parts if part))


def _opening(report: Report, title: Label) -> str:
    rows = count(report.n_rows, "held-out row"), f"{report.n_rows:,} 个留出行"
    values = count(report.n_features, "value"), f"每行 {report.n_features:,} 个数值"
    numbers = count(report.n_components, "number"), f"{report.n_components:,} 个数"
    lead = Words(
        f"{rows[0]} of {values[0]}, through a code of {numbers[0]}, with PCA beside it. What learns"
        " from rows here is tested on others; that the model never saw these rows is for whoever"
        " chose them to know.",
        f"{rows[1]}，{values[1]}，经过 {numbers[1]}的编码，PCA 列在旁边。凡是要从行中学习的，"
        "都在另外的行上测试；模型是否真的没见过这些行，由挑选它们的人保证。",
    )
    legend = Words(
        "↑ more is better, ↓ less is better; the best of a line is bold.",
        "↑ 越大越好，↓ 越小越好；每行最好的数加粗。",
    )
    if report.n_seeds > 1:
        legend = Words(
            f"Each number is the mean of {report.n_seeds} seeds, ± half of Student's 95 % interval"
            f" for that mean; pictures are of the given model. {legend.en}",
            f"每个数都是 {report.n_seeds} 个随机种子的平均，± 为其 Student 95 % 区间"
            f"的一半；图都来自给定的模型。{legend.zh}",
        )
    what = f'<p class="what">{words(title)}</p>' if title else ""
    heading = words(Words("Scorecard", "记分卡"))
    return f"<h1>{heading}</h1>\n{what}{paragraph(lead, 'lead')}\n{paragraph(legend, 'note')}"


def _section(one: Section, shown: Shown | None) -> str:
    """Return a section: how it was measured, its numbers, its pictures, what was left out."""
    parts = [] if one.about in one.notes else [paragraph(one.about)]
    if one.key == "class_errors":
        parts.append(pictures.class_bars(one.measures))
    elif one.measures:
        parts.append(_numbers(one))
    if one.key == "clusters" and shown is not None and shown.clusters is not None:
        drawn = pictures.cluster_table(shown.clusters, shown.class_names)
        parts += [paragraph(_CLUSTERS, "note"), drawn] if drawn else []
    parts += [paragraph(note, "note") for note in one.notes]
    return section(one.key.replace("_", "-"), one.title, *parts)


def _numbers(one: Section) -> str:
    methods = one.methods
    head = ["", *(METHODS[name] for name in methods)]
    rows = [[_name(line), *(_cell(line, name) for name in methods)] for line in one.measures]
    return table(head, rows, name=one.title)


def _name(line: Measure) -> str:
    return words(line.name) + _ARROWS[line.better]


def _cell(line: Measure, method: str) -> str:
    if method not in line.scores:
        return ""
    text = line.scores[method].text(line.kind)
    return f"<b>{text}</b>" if method in line.best() else text


def _looks(shown: Shown) -> list[str]:
    """Return what can be seen: rows that are pictures, and codes on a plane."""
    found = []
    if shown.strips:
        about = Words(
            "Originals above, what narrows and PCA bring back of them below; chosen by the error"
            " of narrows.",
            "上方为原图，下方为 narrows 和 PCA 还原的结果；按 narrows 的误差挑选。",
        )
        title = Words("Rows, and what comes back", "原图与还原")
        found.append(section("pictures", title, paragraph(about), pictures.strips(shown)))
    if len(shown.planes["narrows"]) < 2:
        return found
    title = Words("Codes on a plane", "编码的平面图")
    drawn = pictures.planes(shown)
    return [*found, section("codes", title, paragraph(_about_planes(shown)), drawn)]


def _about_planes(shown: Shown) -> Words:
    n, whole = f"{len(shown.planes['narrows']):,}", f"{shown.n_rows:,}"
    of = Words(f"{n} of the {whole} rows", f"{whole} 行中的 {n} 行")
    if n == whole:
        of = Words(f"All {n} rows", f"全部 {n} 行")
    how = Words(
        f"their codes of {shown.n_components:,} numbers, by their first two principal components.",
        f"编码有 {shown.n_components:,} 个数，画的是它们的前两个主成分。",
    )
    if shown.n_components == 2:
        how = Words("their two numbers, as they are.", "编码的两个数，原样画出。")
    if shown.n_components == 1:
        how = Words(
            "their one number from left to right; heights are drawn by chance, so that points do"
            " not hide each other.",
            "编码只有一个数，从左到右；高度是随机的，只为让点不互相遮挡。",
        )
    colours = Words("", "")
    if shown.classes is not None:
        colours = Words(" Labels colour the points.", "标签只用来上色。")
    return Words(f"{of.en}: {how.en}{colours.en}", f"{of.zh}：{how.zh}{colours.zh}")


def _model(shown: Shown) -> str:
    facts = "".join(f"<dt>{words(name)}</dt><dd>{words(value)}</dd>" for name, value in shown.facts)
    return section("model", Words("The model", "模型"), f'<dl class="facts">{facts}</dl>')


_CLUSTERS = Words(
    "Where the rows of each class went, in percent: the clusters that k-means found in our codes,"
    " each in the column of the class it is matched with.",
    "各类别的行去了哪里（百分比）：k 均值在我们的编码中找到的聚类，"
    "每个聚类放在与之匹配的类别那一列。",
)
