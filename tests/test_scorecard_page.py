"""The page of a scorecard: whole in itself, in two languages and themes, whatever the labels."""

import dataclasses
import re
from itertools import pairwise

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine

from conftest import quick
from narrows import evaluate
from narrows.evaluation.page import scorecard_page
from narrows.web.words import Words
from test_page import Reader

HOSTILE = "<script>alert(1)</script>\"'&$body ${light}"


@pytest.fixture(scope="module")
def digits():
    """A report of three seeds on pictures, and its page."""
    images, y = load_digits().images / 16, load_digits().target
    ae = quick(2, max_steps=5).fit(images[:150])
    report = evaluate(ae, images[150:300], y[150:300], X_train=images[:150], seeds=2)
    return report, report.to_html("digits.safetensors on test.npy")


@pytest.fixture(scope="module")
def wine():
    """A report on a table, its labels as bad as they can be, and its page."""
    X, y = load_wine(return_X_y=True)
    names = np.array([HOSTILE, "一个名字很长很长的类别", "long " * 30], dtype=object)
    ae = quick(3, scaling="standard", max_steps=5).fit(X[::2])
    report = evaluate(ae, X[1::2], names[y[1::2]])
    return report, report.to_html(Words(HOSTILE, "酒" + HOSTILE))


def ids(html):
    found = [attrs.get("id") for _, attrs, _ in Reader(html).elements]
    return [one for one in found if one not in (None, "theme")]


def test_pages_are_well_nested_and_load_nothing(digits, wine):
    for _, html in (digits, wine):
        reader = Reader(html)
        headings = [int(tag[1]) for tag, _, _ in reader.elements if re.fullmatch("h[1-6]", tag)]
        assert headings[0] == 1 and headings.count(1) == 1
        assert all(later - earlier <= 1 for earlier, later in pairwise(headings))
        assert len(ids(html)) == len(set(ids(html)))
        assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttpRequest", html)
        for _, attrs, _ in reader.elements:
            assert attrs.get("src", "data:").startswith("data:")


def test_pages_say_everything_in_both_languages(digits, wine):
    for _, html in (digits, wine):
        en, zh = (re.findall(f'<span lang="{tag}">([^<]*)<', html) for tag in ("en", "zh-CN"))
        assert len(en) == len(zh) > 30
        assert not any(re.search(r"[\u4e00-\u9fff]", text) for text in en)
        assert all(re.search(r"[\u4e00-\u9fff]", text) for text in zh)
        for _, attrs, _ in Reader(html).elements:
            assert ("data-en" in attrs) == ("data-zh" in attrs)
    assert not re.search(r"\$\{?\w", digits[1])


def test_a_page_of_pictures_has_all_sections(digits):
    report, html = digits
    assert ids(html) == [
        "reconstruction", "class-errors", "pictures", "codes", "neighbours", "probes", "clusters",
        "costs", "model",
    ]  # fmt: skip
    images = [attrs for tag, attrs, _ in Reader(html).elements if tag == "img"]
    assert len(images) == 2 * (3 + 2)  # three strips and two planes in both themes
    text = " ".join("".join(Reader(html).text).split())
    assert "digits.safetensors on test.npy" in text
    assert "the mean over 2 seeds" in text
    assert "embedding" in text and "latent dimension" in text
    assert report.measure("probes", "knn_all").scores["random_network"].text("share") in text
    assert report.measure("class_errors", "7").scores["pca"].text("error") in text


def test_a_page_of_a_table_has_no_pictures_and_escapes_its_labels(wine):
    _, html = wine
    assert "pictures" not in ids(html) and "codes" in ids(html)
    assert "<script>alert" not in html
    assert [tag for tag, _, _ in Reader(html).elements].count("script") == 2
    assert "".join(Reader(html).text).count("$body ${light}") == 2 + 3  # title; bars, legend, table
    assert "一个名字很长很长的类别" in html


def test_a_page_without_labels_or_with_one_row(digits):
    images = load_digits().images / 16
    ae = quick(1, max_steps=2).fit(images[:60])
    bare = ids(evaluate(ae, images[60:90]).to_html())
    assert bare == ["reconstruction", "pictures", "codes", "neighbours", "costs", "model"]
    one = evaluate(ae, images[60:61]).to_html()
    assert ids(one) == ["reconstruction", "pictures", "neighbours", "costs", "model"]
    assert "1 held-out row of 64 values each, encoded to 1 number" in one
    assert one.count("<img") == 2


def test_strips_are_the_worst_the_middling_and_the_best_rows(digits):
    report, _ = digits
    strips = report.shown.strips
    errors = [np.square(strip.ours - strip.rows).mean(axis=1) for strip in strips]
    assert errors[0].min() > errors[1].max() > errors[1].min() > errors[2].max()
    assert [len(strip.rows) for strip in strips] == [10, 10, 10]


def test_bars_are_as_long_as_errors(wine):
    report, html = wine
    (section,) = [part for part in report.sections if part.key == "class_errors"]
    means = [line.scores[m].mean for line in section.measures for m in ("narrows", "pca")]
    widths = [float(width) for width in re.findall(r"width:([\d.]+)%;?\"></div>", html)]
    assert widths == pytest.approx([100 * mean / max(means) for mean in means], abs=0.06)


def test_many_classes_are_named_and_drawn_as_far_as_there_is_room(digits):
    report, _ = digits
    errors = report.measure("class_errors", "7")
    many = [dataclasses.replace(errors, name=f"class {number}") for number in range(50)]
    section = dataclasses.replace(report.sections[1], measures=many)
    names = np.array([f"class {n % 70}" for n in range(len(report.shown.classes))], dtype=object)
    shown = dataclasses.replace(report.shown, classes=names)
    html = scorecard_page([section], shown)
    assert html.count('<th scope="row">') == 40
    assert "10 further classes have smaller errors" in html
    (legend,) = re.findall('<ul class="legend shapes".*?</ul>', html, flags=re.DOTALL)
    assert legend.count("<li>") == 61 and "+ 10" in legend
    assert legend.count("●") == legend.count("■") == 10


def test_the_table_of_clusters_is_in_percent(digits):
    report, _ = digits
    shown = dataclasses.replace(
        report.shown, clusters=np.array([[3, 1], [0, 0]]), class_names=("a", "b"), classes=None
    )
    (section,) = [part for part in report.sections if part.key == "clusters"]
    html = scorecard_page([section], shown)
    assert "legend shapes" not in re.sub("<style>.*?</style>", "", html, flags=re.DOTALL)
    (table,) = re.findall('<table class="clusters">.*?</table>', html, flags=re.DOTALL)
    assert re.findall(r"<td[^>]*>([^<]*)</td>", table) == ["75", "25", "", ""]
    assert "--share:0.750" in table
    many = dataclasses.replace(shown, clusters=np.eye(21, dtype=int), class_names=["x"] * 21)
    assert '<table class="clusters">' not in scorecard_page([section], many)
