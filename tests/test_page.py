"""The demo page: whole in itself, in two languages and two themes, and safe with any data."""

from __future__ import annotations

import base64
import dataclasses
import re
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from narrows import figures
from narrows.errors import DataError
from narrows.web.demo import (
    Classifier,
    Command,
    DemoContent,
    Result,
    Scree,
    Timing,
    demo_page,
)
from narrows.web.page import Fact, Panel, Picture
from narrows.web.words import Words

VOID = {"meta", "link", "img", "br"}


def png(value, theme="light"):
    return figures.to_png(figures.strip(np.full((2, 4, 4), value), theme=theme), 40)


LIGHT, DARK = png(0.0), png(0.0, "dark")
PICTURE = Picture(LIGHT, DARK, Words("A <picture>", "一张<图>"))


def content(**changes):
    whole = DemoContent(
        n_train=60000,
        n_test=10000,
        results=[
            Result("narrows", 128, 0.0014, 0.0035, 30.2, ours=True),
            Result(Words("tutorial", "教程"), 128, 0.0127, 0.0035, 12.0),
        ],
        restored=[Panel(Words("Held-out test digits", "留出的测试数字"), PICTURE)],
        planes=[Panel("narrows", PICTURE, Words("10-NN accuracy 0.7", "10-NN 准确率 0.7"))],
        classes=[("0", "#3d49db"), ("1", "#b6790c")],
        classifiers=[Classifier(Words("code", "编码"), 32, 4810, 0.9781, 6.2)],
        generated=[Panel(Words("100 new digits", "100 个新数字"), PICTURE, Words("new", "新"))],
        scree=Scree(PICTURE, [2, 32], {"PCA": [0.0555, 0.0152], "narrows": [0.03, 0.0041]}),
        timings=[Timing(Words("training", "训练"), 30.0), Timing("PCA", 0.8)],
        commands=[Command("narrows recipe list", Words("list them", "列出"))],
        facts=[Fact(Words("cores", "核数"), "2")],
    )
    return dataclasses.replace(whole, **changes)


class Reader(HTMLParser):
    """Collects elements with their attributes, siblings and text, and checks the nesting."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text = [], [], []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), self.open[-1][1] if self.open else None))
        assert len(attrs) == len(dict(attrs)), f"an attribute stands twice in {tag}: {attrs}"
        if tag not in VOID:
            self.open.append((tag, len(self.elements) - 1))

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), self.open[-1][1] if self.open else None))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        if not {"script", "style"} & {tag for tag, _ in self.open}:
            self.text.append(data)


@pytest.fixture(scope="module")
def html():
    return demo_page(content(training=PICTURE, ways=PICTURE))


@pytest.fixture(scope="module")
def reader(html):
    return Reader(html)


def test_page_is_well_nested_and_its_ids_are_unique(reader):
    ids = [attrs["id"] for _, attrs, _ in reader.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    headings = [int(tag[1]) for tag, _, _ in reader.elements if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1 and headings.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(headings))


def test_page_loads_nothing(html, reader):
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttpRequest|\bimport\b", html)
    for tag, attrs, _ in reader.elements:
        assert tag not in {"iframe", "object", "embed", "audio", "video", "base"}
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert attrs.get(name, "data:").startswith("data:"), (tag, attrs)
    policy = [a["content"] for t, a, _ in reader.elements if "http-equiv" in a]
    assert policy and policy[0].startswith("default-src 'none'")


def test_whatever_is_said_in_one_language_is_said_in_the_other(reader):
    siblings = {}
    for tag, attrs, parent in reader.elements:
        if attrs.get("lang") in {"en", "zh-CN"} and tag != "html":
            siblings.setdefault(parent, []).append(attrs["lang"])
    assert siblings
    for languages in siblings.values():
        assert languages == ["en", "zh-CN"] * (len(languages) // 2)
    for tag, attrs, _ in reader.elements:
        assert ("data-en" in attrs) == ("data-zh" in attrs), tag
        if "data-en" in attrs:
            assert attrs["data-en"].strip() and re.search(r"[\u4e00-\u9fff]", attrs["data-zh"])


def test_english_stands_alone_and_chinese_is_chinese(html):
    for text in re.findall(r'lang="en"[^>]*>([^<]*)<', html):
        assert not re.search(r"[\u4e00-\u9fff]", text)
    for text in re.findall(r'lang="zh-CN"[^>]*>([^<]*)<', html):
        assert re.search(r"[\u4e00-\u9fff]", text), text


def test_pictures_come_in_both_themes_with_alt_texts_and_sizes(reader):
    images = [attrs for tag, attrs, _ in reader.elements if tag == "img"]
    assert len(images) == 2 * 6  # restored, training, plane, generated, ways, scree
    for light, dark in zip(images[::2], images[1::2], strict=True):
        assert (light["class"], dark["class"]) == ("for-light", "for-dark")
        assert base64.b64decode(light["src"].split(",")[1]) == LIGHT
        assert base64.b64decode(dark["src"].split(",")[1]) == DARK
        for image in (light, dark):
            assert image["alt"] == image["data-en"] == "A <picture>"
            assert image["data-zh"] == "一张<图>"
            assert int(image["width"]) > 0 and int(image["height"]) > 0
    assert LIGHT != DARK


def test_controls_are_buttons_and_scrolling_boxes_take_the_keyboard(reader):
    buttons = [attrs for tag, attrs, _ in reader.elements if tag == "button"]
    assert len(buttons) == 3
    assert all(button["type"] == "button" for button in buttons)
    for _, attrs, _ in reader.elements:
        if "scroll" in attrs.get("class", "").split():
            assert attrs["tabindex"] == "0" and attrs["aria-label"]


def test_numbers_on_the_page(reader):
    text = " ".join(" ".join(reader.text).split())
    for number in ("0.0014", "0.40 ×", "3.63 ×", "30 s", "97.8 %", "4,810", "10,000", "0.0555"):
        assert number in text
    assert "narrows recipe list" in text
    assert "Together 31 s" in text
    assert text.count("held-out") >= 5


def test_our_rows_are_marked(html):
    assert html.count('<tr class="ours">') == 1


HOSTILE = "<script>alert(1)</script>\"'&$body ${light}"


def test_whatever_comes_from_data_is_escaped():
    name, both = HOSTILE, Words(HOSTILE, HOSTILE + "中")
    evil = Picture(LIGHT, DARK, both)
    hostile = demo_page(
        content(
            results=[Result(name, 2, 0.1, 0.2, 1.0), Result(both, 2, 0.1, 0.2, 1.0)],
            restored=[Panel(both, evil, name)],
            planes=[Panel(name, evil, both)],
            classes=[(name, name)],
            classifiers=[Classifier(both, 1, 1, 1.0, 1.0)],
            generated=[Panel(both, evil, name)],
            scree=Scree(evil, [2], {name: [0.1]}),
            timings=[Timing(both, 1.0)],
            commands=[Command(name, both)],
            facts=[Fact(both, name)],
        )
    )
    assert "<script>alert" not in hostile
    tags = [tag for tag, _, _ in Reader(hostile).elements]
    assert tags.count("script") == 2
    assert "".join(Reader(hostile).text).count("$body ${light}") >= 10
    assert not any(a for _, a, _ in Reader(hostile).elements if "alert(1)</script>\"'&" in a)


def test_nothing_of_the_template_is_left(html):
    assert not re.search(r"\$\{?\w", html)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.00341, "0.0034"), (0.0, "0.0000"), (1.234e-5, "1.2e-05"), (float("nan"), "–")],
)
def test_errors_keep_their_meaning(value, shown):
    made = demo_page(content(results=[Result("a", 2, value, 0.0, 1.0)]))
    cells = re.findall(r"<td>([^<]*)</td>", made)
    assert cells[1] == shown
    assert cells[3] == "–"  # no ratio to a PCA that makes no error


def test_empty_lists_still_make_a_page():
    lists = "results restored planes classes classifiers generated timings commands facts"
    empty = dict.fromkeys(lists.split(), ())
    Reader(demo_page(content(**empty)))


def test_pictures_that_do_not_fit_are_refused():
    wide = figures.to_png(figures.strip(np.zeros((5, 4, 4))), 40)
    for wrong, said in ((Picture(LIGHT, wide, PICTURE.alt), "one size"), (b"GIF89a", "PNG")):
        picture = wrong if isinstance(wrong, Picture) else Picture(wrong, DARK, PICTURE.alt)
        with pytest.raises(DataError, match=said):
            demo_page(content(planes=[Panel("a", picture)]))


def test_drawings_are_well_formed_and_inside_their_frame(html):
    drawings = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    assert len(drawings) == 2 + 2  # the main one, wide and tall; the encoder; the decoder
    for drawing in drawings:
        picture = ElementTree.fromstring(drawing)
        _, _, width, height = map(float, picture.attrib["viewBox"].split())
        assert picture.attrib["role"] == "img"
        assert picture.attrib["aria-label"] == picture.attrib["data-en"]
        for text in picture.iter("text"):
            assert 0 < float(text.attrib["x"]) < width
            assert 0 < float(text.attrib["y"]) < height
        assert "fill=" not in ElementTree.tostring(picture, "unicode")  # colours: the theme's


def test_the_first_drawing_says_error_and_no_labels(html):
    texts = re.findall(r">([^<>]+)</text>", html)
    for word in ("x − x̂", "error", "误差", "no labels", "不用标签"):
        assert texts.count(word) == 2  # the wide and the tall one


def test_page_and_pictures_share_their_colours(html):
    for theme in figures.THEMES.values():
        for name in ("paper", "ink", "muted", "rule", "accent"):
            assert f"--{name}: {getattr(theme, name)};" in html


def test_the_page_says_what_our_words_are_elsewhere(reader):
    text = " ".join(" ".join(reader.text).split())
    for word in ("embedding", "latent dimension", "嵌入", "潜在维度"):
        assert word in text
