"""The page of a map: what it holds is what was drawn, in two languages, and loads nothing."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from narrows import figures
from narrows.errors import DataError
from narrows.web import Fact, Words, map_page
from narrows.web.map import page
from test_page import Reader

RNG = np.random.default_rng(0)
CODES = RNG.normal(size=(300, 2)) * [40, 10]
KIND = RNG.integers(0, 3, 300)
NAMES = np.array(["ant", "bee", "cat"])
IMAGES = RNG.integers(0, 256, (300, 6, 9), dtype=np.uint8)


def held(html):
    """The data between the script tags."""
    (text,) = re.findall(r'id="map-data">(.*?)</script>', html, flags=re.DOTALL)
    return json.loads(text)


def words(text):
    return np.frombuffer(base64.b64decode(text), dtype="<u2")


def picture_of(sheet):
    png = base64.b64decode(sheet["png"].removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.fixture(scope="module")
def html():
    return map_page(
        CODES,
        NAMES[KIND],
        name="bees.csv",
        pictures=IMAGES,
        labels_name="kind",
        row_names=[f"row {i}" for i in range(300)],
        notes=[Words("A note.", "一条说明。")],
        facts=[Fact(Words("rows", "行数"), "300")],
    )


def test_points_labels_and_names_come_back(html):
    data = held(html)
    (plane,) = data["planes"]
    places = words(plane["points"]).reshape(-1, 2) / 65535 * 2 - 1
    middle = (CODES.min(axis=0) + CODES.max(axis=0)) / 2
    np.testing.assert_allclose(
        middle + plane["reach"] * places, CODES, atol=1.01 * plane["reach"] / 65535
    )
    assert NAMES[words(data["position"])].tolist() == NAMES[KIND].tolist()
    assert dict(zip(data["names"], data["counts"], strict=True)) == {
        name: int((NAMES[KIND] == name).sum()) for name in NAMES
    }
    assert data["rows"][7] == "row 7"
    assert data["colours"] == list(figures.PALETTE[:3])


def test_the_sheet_holds_the_picture_of_each_row(html):
    sheet = held(html)["sheet"]
    whole = picture_of(sheet)
    assert sorted(sheet["rows"]) == list(range(300))
    for number, row in enumerate(sheet["rows"][:40]):
        y, x = number // sheet["columns"] * 6, number % sheet["columns"] * 9
        np.testing.assert_array_equal(whole[y : y + 6, x : x + 9], IMAGES[row])


def test_of_many_rows_some_are_pictured_and_the_page_says_so():
    many = RNG.normal(size=(700, 2))
    html = map_page(many, name="x", pictures=RNG.random((700, 100, 50)))
    sheet = held(html)["sheet"]
    assert (sheet["height"], sheet["width"]) == (64, 32)
    assert len(set(sheet["rows"])) == len(sheet["rows"]) <= 400
    assert len(sheet["rows"]) >= 200
    assert f"{len(sheet['rows']):,} of 700 rows" in html
    # Every row lies near one that is pictured.
    far = np.abs(many[:, None] - many[sheet["rows"]]).max(axis=2).min(axis=1)
    assert far.max() < 0.5


def test_numbers_keep_their_range_and_what_has_none():
    values = np.linspace(-2, 5, 300)
    values[3] = np.nan
    data = held(map_page(CODES, values, name="x"))
    shares = words(data["values"]) / 65535
    low, high = data["range"]
    known = np.isfinite(values)
    np.testing.assert_allclose(low + (high - low) * shares[known], values[known], atol=1e-4)
    assert np.flatnonzero(words(data["position"])).tolist() == [3]
    assert len(data["scale"]["light"]) == len(data["scale"]["dark"]) == 64


def test_rare_classes_keep_their_names_for_the_pointer():
    labels = np.array([f"kind {i % 100}" for i in range(300)])
    html = map_page(CODES, labels, name="x")
    assert "40 more classes" in html and "without a label" not in html
    data = held(html)
    assert len(data["names"]) == 60
    rare = words(data["position"]) == 60
    assert rare.sum() == 120
    texts = np.array(data["texts"])[words(data["text_of"])]
    np.testing.assert_array_equal(texts[rare], labels[rare])


def test_rows_without_a_label_are_no_class_among_many():
    labels = np.arange(300) % 100.0
    labels[:2] = np.nan
    html = map_page(CODES, labels, name="x", labels_are="classes")
    position = words(held(html)["position"])
    assert np.flatnonzero(position == 61).tolist() == [0, 1]
    entries = re.findall(r'data-class="(6[01])".*?<em>(\d+)</em>', html)
    assert entries == [("60", str((position == 60).sum())), ("61", "2")]


def test_spots_of_names_lie_in_their_class():
    middles = np.array([[0, 0], [10, 0], [0, 10]])
    data = held(map_page(middles[KIND] + RNG.normal(size=(300, 2)), KIND, name="x"))
    (plane,) = data["planes"]
    reach, spots = plane["reach"], np.array(plane["spots"])
    between = np.linalg.norm(spots[1:] - spots[0], axis=1) * 2 * reach
    np.testing.assert_allclose(between, 10, atol=2)


@pytest.mark.parametrize("n_numbers", [1, 3])
def test_strips_and_spaces(n_numbers):
    html = map_page(RNG.normal(size=(50, n_numbers)), name="x")
    data = held(html)
    assert len(data["planes"]) == n_numbers
    assert data["strip"] == (n_numbers == 1)
    assert html.count("data-plane=") == (3 if n_numbers == 3 else 0)
    assert ('id="show-density"' in html) == (n_numbers == 3)


def test_the_page_is_whole_and_loads_nothing(html):
    reader = Reader(html)
    ids = [attrs["id"] for _, attrs, _ in reader.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for wanted in re.findall(r"getElementById\('([\w-]+)'\)", html):
        assert wanted in ids or wanted.startswith(("decoded", "pad"))  # of a page with a model
    for wanted in re.findall(r"onClick\('([\w-]+)'", html):
        assert wanted in ids or wanted == "show-"
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttpRequest|\bimport\b", html)
    for tag, attrs, _ in reader.elements:
        for name in ("src", "href"):
            assert attrs.get(name, "data:").startswith("data:"), tag
        if tag == "button":
            assert attrs["type"] == "button"
    canvas = next(attrs for tag, attrs, _ in reader.elements if attrs.get("id") == "canvas")
    assert canvas["tabindex"] == "0" and canvas["aria-label"] and canvas["data-zh"]


def test_modules_of_the_script_take_names_from_earlier_ones_and_share_none():
    folder = Path(page.__file__).parent / "script"
    assert {path.stem for path in folder.glob("*.js")} == set(page.MODULES)
    exported = {}
    for module in page.MODULES:
        text = (folder / f"{module}.js").read_text(encoding="utf-8")
        for names, source in re.findall(
            r"^import { (.*) } from '\./(\w+)\.js';$", text, flags=re.M
        ):
            for name in names.split(", "):
                assert exported.get(name) == source, f"{module}.js: {name}"
                assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{module}.js: {name} is unused"
        tops = re.findall(r"^(?:export )?(?:function|const|let) (.*)", text, flags=re.M)
        for name in re.findall(r"(?:^|, )([A-Za-z]\w*)(?= ?[=(])", "\n".join(tops), flags=re.M):
            assert name not in exported, f"{module}.js and {exported[name]}.js: {name}"
            exported[name] = module
    assert not re.search(r"^(import|export)\b", str(page.script()), flags=re.M)


def test_the_door_stands_whatever_was_imported_before():
    import narrows.web
    import narrows.web.map.page

    assert narrows.web.map_page is narrows.web.map.page.map_page
    with pytest.raises(AttributeError, match="no attribute 'map_pages'"):
        _ = narrows.web.map_pages


def test_without_a_script_there_is_a_picture(html):
    reader = Reader(html)
    images = [attrs for tag, attrs, _ in reader.elements if tag == "img"]
    assert [image["class"] for image in images] == ["for-light", "for-dark"]
    style = re.search(r"<style>(.*?)</style>", html, flags=re.DOTALL)[1]
    assert "html:not([data-script]) .map" in style
    assert "html[data-script] .still" in style


def test_both_languages_say_everything(html):
    reader = Reader(html)
    languages = [a["lang"] for _, a, _ in reader.elements if a.get("lang") in ("en", "zh-CN")]
    assert languages[1:] == ["en", "zh-CN"] * (len(languages) // 2)  # after that of the page
    text = " ".join(reader.text)
    for said in (
        "embedding",
        "latent dimension",
        "嵌入",
        "A map of bees.csv",
        "bees.csv 的地图",
        "A note.",
        "一条说明。",
        "kind",
        "行数",
    ):
        assert said in text


HOSTILE = "</script><script>alert(1)</script>\"'&$body ${light}\u2028"


def test_names_from_data_cannot_break_out():
    labels = np.where(KIND == 0, HOSTILE, "b")
    rows = [HOSTILE] * 300
    html = map_page(
        CODES, labels, name=HOSTILE, labels_name=HOSTILE, row_names=rows, label_names=None
    )
    assert "<script>alert" not in html
    assert [tag for tag, _, _ in Reader(html).elements].count("script") == 4
    data = held(html)
    assert HOSTILE in data["names"] and data["rows"][0] == HOSTILE


def test_trust_is_told_and_the_doubtful_are_counted(html):
    trust = RNG.random(300)
    trusting = map_page(CODES, name="x", trust=trust)
    np.testing.assert_allclose(words(held(trusting)["trust"]) / 65535, trust, atol=1e-5)
    text = " ".join(Reader(trusting).text)
    n_doubtful = (trust < held(trusting)["doubtful"]).sum()
    assert 0 < n_doubtful < 40
    assert f"{n_doubtful} of 300 rows have less than 0.05" in text
    switches = {a["id"]: a for _, a, _ in Reader(trusting).elements if "show-" in a.get("id", "")}
    assert switches["show-doubtful"]["aria-pressed"] == "false"
    assert held(html)["trust"] is None
    assert "show-doubtful" not in {attrs.get("id") for _, attrs, _ in Reader(html).elements}


def test_bad_pages_say_what_is_allowed():
    for trust in (np.ones(299), np.full(300, 1.5), np.full(300, np.nan)):
        with pytest.raises(DataError, match=r"0 to 1 per code, 300 .* got shape \(\d+,\) from"):
            map_page(CODES, name="x", trust=trust)
    with pytest.raises(DataError, match="row_names must be one per code, 300"):
        map_page(CODES, name="x", row_names=["a"])
    with pytest.raises(DataError, match=r"A map draws codes of shape"):
        map_page(np.ones((3, 4)), name="x")
