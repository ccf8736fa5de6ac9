"""The page with the model in it: its numbers in plain JavaScript, and what a browser shows."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import playwright
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright
from pyarrow import parquet
from sklearn.datasets import load_digits, load_wine

from conftest import digits, outcome, quick
from narrows import MLP, load
from narrows.cli.actions import export as export_action
from narrows.cli.paths import ONE_FILE
from narrows.errors import DataError, ParameterError
from narrows.model.export.packed import packed
from narrows.model.export.parts import parts_of, traced
from narrows.model.export.read_trace import graph_of
from narrows.web import map_page
from narrows.web.map import page
from test_exports import SOME, fitted

NODE = Path(playwright.__file__).parent / "driver" / "node"
"""Node.js as playwright brings it."""
CHROMIUM = os.environ.get("NARROWS_CHROMIUM") or shutil.which("chromium")
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, or NARROWS_CHROMIUM")
SCRIPTS = Path(page.__file__).parent / "script"
RUN = """
import { readFileSync } from 'node:fs';
import { run, unpackedNetwork } from './network.mjs';
const tasks = JSON.parse(readFileSync('tasks.json', 'utf8'));
const floats = (text) => new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
const found = tasks.map(function (task) {
  const batch = { shape: task.shape, values: floats(task.values) };
  const { shape, values } = run(unpackedNetwork(task.network), batch);
  return { shape, values: Buffer.from(Float32Array.from(values).buffer).toString('base64') };
});
console.log(JSON.stringify(found));
"""


def text_of(array):
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()


def run_in_node(tasks, folder):
    """What networks give for arrays, computed by the script of the page."""
    (folder / "network.mjs").write_bytes((SCRIPTS / "network.js").read_bytes())
    (folder / "run.mjs").write_text(RUN)
    given = [
        {"network": network, "shape": list(array.shape), "values": text_of(array)}
        for network, array in tasks
    ]
    (folder / "tasks.json").write_text(json.dumps(given))
    finished = subprocess.run(
        [NODE, "run.mjs"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return [
        np.frombuffer(base64.b64decode(each["values"]), "<f4").reshape(each["shape"])
        for each in json.loads(finished.stdout)
    ]


@pytest.mark.parametrize(("X", "changes"), SOME)
def test_the_script_gives_the_numbers_of_the_model(X, changes, tmp_path):
    ae, rows = fitted(X, changes)
    rows = rows[:40]
    Z, X_hat = ae.transform(rows), ae.reconstruct(rows)
    encoder, decoder, _ = (packed(graph_of(traced(p, ae.model_))) for p in parts_of(ae.model_))
    codes, decoded = run_in_node([(encoder, rows), (decoder, Z)], tmp_path)
    for found, expected in ((codes, Z), (decoded, X_hat)):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.ptp(expected) + 1e-30)


def test_weights_of_16_bits_come_back_as_numpy_rounds_them(tmp_path):
    special = [0, -0.0, 1, -2.5, 60_000, 6e-8, -6e-5, 1 / 3, 3.14159]
    weight = np.resize(np.array(special, dtype=np.float32), (40, 30))
    ae, rows = fitted(digits()[0][:, :30], {"n_components": 2, "network": MLP((8,))})
    graph = graph_of(traced(parts_of(ae.model_)[0], ae.model_))
    name = next(name for name, array in graph.weights.items() if array.ndim == 2)
    network = packed(graph)
    halved = packed(graph._replace(weights={name: weight}), half=True)["arrays"][name]
    assert halved["type"] == "float16"
    identity = {**network, "result": "w", "operations": [
        {"kind": "reshape", "name": "w", "takes": [name], "options": {"shape": [40, 30]}}
    ], "arrays": {name: halved}}  # fmt: skip
    (found,) = run_in_node([(identity, rows[:1])], tmp_path)
    np.testing.assert_array_equal(found, weight.astype(np.float16).astype(np.float32))


# ---------------------------------------------------------------- the page


def held(html):
    text = re.search(r'id="map-data">(.*?)</script>', html, flags=re.DOTALL)[1]
    return json.loads(text)


@pytest.fixture(scope="module")
def picture_model():
    X, y, *_ = digits(400)
    shown = {"bounds": (0, 16), "n_components": 2, "network": MLP((32,)), "max_steps": 200}
    return quick(**{**shown, "keep": "last"}).fit(X.reshape(-1, 8, 8)), X.reshape(-1, 8, 8), y


@pytest.fixture(scope="module")
def picture_page(picture_model, tmp_path_factory):
    ae, X, y = picture_model
    path = tmp_path_factory.mktemp("page") / "digits.html"
    ae.export(path, to="html", X=X, y=y)
    return path


def test_the_page_holds_the_model(picture_page, picture_model):
    ae, *_ = picture_model
    data = held(picture_page.read_text("utf-8"))["model"]
    assert data["picture"] == [8, 8, 1] and data["row_shape"] == [8, 8]
    assert (data["low"], data["high"]) == (0, 16)
    assert data["encoder"] is not None and data["names"] is None
    assert data["ends"] == []  # the plane says both numbers
    fog = data["fog"]
    trust = (np.frombuffer(base64.b64decode(fog["values"]), np.uint8) / 255) ** 2
    trust = trust.reshape(fog["side"], fog["side"])
    assert trust[0].max() < 0.01 < np.median(trust.max(axis=0))
    # The lattice is that of the plane: a place in it has the trust of its code.
    row, column = np.unravel_index(trust.argmax(), trust.shape)
    places = fog["from"] + (fog["to"] - fog["from"]) * (np.array([column, row]) + 0.5) / fog["side"]
    code = np.array(data["middle"]) + data["reach"] * (2 * places - 1)
    assert ae.trust(code[None].astype(np.float32))[0] == pytest.approx(trust.max(), abs=0.01)


def test_tables_show_names_and_longer_codes_have_sliders(tmp_path):
    wine = load_wine(as_frame=True).data
    ae = quick(4, scaling="standard", keep="last").fit(wine)
    ae.export(tmp_path / "wine.html", to="html", X=wine)
    html = (tmp_path / "wine.html").read_text("utf-8")
    data = held(html)["model"]
    assert data["names"] == list(wine.columns) and data["encoder"] is None
    assert len(data["ends"]) == 4 and html.count('data-number="') == 4
    assert data["fog"] is None
    assert html.count("data-plane=") == 3  # of the first three numbers
    assert "decoded-values" in html and 'id="pad"' not in html


def test_a_page_without_a_model_has_nothing_of_it():
    html = map_page(np.random.default_rng(0).normal(size=(50, 2)), name="x")
    assert held(html)["model"] is None
    ids = re.findall(r'<\w+[^>]* id="([\w-]+)"', html)
    assert not [name for name in ids if name.startswith(("decoded", "pad", "show-fog"))]


def test_the_command_writes_a_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, y = load_digits(return_X_y=True)
    np.save("digits.npy", (X[:200] / 16).reshape(-1, 8, 8))
    np.save("labels.npy", y[:200])
    fit = ["fit", "digits.npy", "--out", "m.safetensors", "--max-steps", "20"]
    assert outcome([*fit, "--set", "network__hidden=8,"]) == 0
    export = ["export", "m.safetensors", "--to", "html", "--data", "digits.npy"]
    assert outcome([*export, "--labels", "labels.npy", "--out", "digits.html"]) == 0
    assert held(Path("digits.html").read_text("utf-8"))["names"] == [str(n) for n in range(10)]


def test_a_policy_allows_the_scripts_of_the_page_alone(picture_page):
    html = picture_page.read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="(.*?)">', html)[1]
    assert "script-src &#39;sha256-" in policy or "script-src 'sha256-" in policy
    assert policy.count("sha256-") == html.count("<script>") + html.count("<style>")
    assert "script-src 'unsafe-inline'" not in policy


# ---------------------------------------------------------------- in a browser

OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-3d-apis",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as tools:
        opened = tools.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield opened
        opened.close()


@pytest.fixture
def opened(browser, picture_page):
    """Open the page at a width, and gather what it complains of and asks for."""
    trouble = []

    def go(width=1400, height=1000, how="#lang=en&theme=light"):
        tab = browser.new_page(viewport={"width": width, "height": height})
        tab.on("console", lambda message: trouble.append(message.text))
        tab.on("pageerror", lambda error: trouble.append(str(error)))
        tab.on(
            "request",
            lambda asked: None if asked.url.startswith("file:") else trouble.append(asked.url),
        )
        tab.goto(picture_page.as_uri() + how)
        return tab

    yield go
    assert trouble == []


def middle_of(tab, selector):
    box = tab.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@in_chromium
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("how", ["#lang=en&theme=light", "#lang=zh&theme=dark"])
def test_the_pointer_over_empty_space_draws_what_is_there(opened, width, how):
    tab = opened(width, 900, how)
    box = tab.locator("#canvas").bounding_box()
    tab.mouse.move(box["x"] + 8, box["y"] + 8)
    tip = tab.locator("#tip")
    tip.wait_for(state="visible")
    assert ("decoded here" if "en" in how else "此处解码所得") in tip.inner_text()
    assert tip.locator("canvas").count() == 1
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


@in_chromium
def test_a_drawing_lands_on_the_map_and_is_decoded(opened):
    tab = opened()
    picture = "document.getElementById('decoded-picture').toDataURL()"
    before = tab.evaluate(picture)
    x, y = middle_of(tab, "#pad")
    tab.mouse.move(x, y - 40)
    tab.mouse.down()
    tab.mouse.move(x, y + 40, steps=5)
    tab.mouse.up()
    assert tab.evaluate(picture) != before
    tab.click("#pad-clear")


@in_chromium
def test_keys_alone_tell_what_is_in_the_middle(opened):
    tab = opened()
    tab.focus("#canvas")
    tab.keyboard.press("ArrowUp")
    tab.locator("#tip").wait_for(state="visible")


# ---------------------------------------------------------------- tables for other viewers


def test_the_projector_gets_codes_names_and_a_sheet(picture_model, tmp_path):
    ae, X, y = picture_model
    names = [f"row\t{number}" for number in range(len(X))]
    ae.export(tmp_path / "p", to="projector", X=X, y=y, row_names=names)
    codes = np.loadtxt(tmp_path / "p" / "tensors.tsv", delimiter="\t")
    np.testing.assert_allclose(codes, ae.transform(X), rtol=1e-6)
    lines = (tmp_path / "p" / "metadata.tsv").read_text("utf-8").splitlines()
    assert lines[0] == "id\tlabel" and lines[1] == f"row 0\t{y[0]}"
    assert len(lines) == 1 + len(X)
    config = (tmp_path / "p" / "projector_config.pbtxt").read_text("utf-8")
    assert config.count("single_image_dim: 8") == 2
    sheet = np.asarray(Image.open(tmp_path / "p" / "sprite.png"))
    assert sheet.shape == (8 * 20, 8 * 20)
    np.testing.assert_allclose(sheet[8:16, 16:24], X[22] / 16 * 255, atol=0.51)


def test_a_parquet_table_has_codes_labels_and_thumbnails(picture_model, tmp_path):
    ae, X, y = picture_model
    ae.export(tmp_path / "t.parquet", to="parquet", X=X, y=y)
    table = parquet.read_table(tmp_path / "t.parquet")
    assert table.column_names == ["id", "x", "y", "label", "thumbnail"]
    codes = np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1)
    np.testing.assert_array_equal(codes, ae.transform(X))
    assert table["label"].to_pylist() == [str(label) for label in y]
    picture = np.asarray(Image.open(io.BytesIO(table["thumbnail"][5].as_py()["bytes"])))
    np.testing.assert_allclose(picture, X[5] / 16 * 255, atol=0.51)


def test_a_table_without_labels_and_pictures_has_what_there_is(tmp_path):
    wine = load_wine(as_frame=True).data
    ae = quick(4, scaling="standard").fit(wine)
    ae.export(tmp_path / "t.parquet", to="parquet", X=wine)
    assert parquet.read_table(tmp_path / "t.parquet").column_names == ["id", "x", "y", "z", "z3"]
    ae.export(tmp_path / "p", to="projector", X=wine)
    assert not (tmp_path / "p" / "sprite.png").exists()
    assert (tmp_path / "p" / "metadata.tsv").read_text("utf-8").splitlines()[1] == "0\t–"


def test_a_card_describes_the_model_and_measures_it(tmp_path, monkeypatch):
    wine, kinds = load_wine(as_frame=True, return_X_y=True)
    ae = quick(3, scaling="standard").fit(wine)
    ae.export(tmp_path / "wine", to="card", X=wine, y=kinds)
    text = (tmp_path / "wine" / "README.md").read_text("utf-8")
    assert text.startswith("---\nlibrary_name: narrows\n")
    assert "An autoencoder of 13 features and codes of 3 numbers" in text
    mean, spread = re.search(r"\| alcohol \| (\S+) \| (\S+) \|", text).groups()
    assert float(mean) == pytest.approx(wine.alcohol.mean(), rel=0.01)  # of four rows in five
    assert float(spread) == pytest.approx(wine.alcohol.std(), rel=0.1)
    assert f"| mean squared error on held-out rows | {ae.validation_error_:.6g} |" in text
    assert '"scaling": "standard"' in text and '"patience"' not in text
    card = json.loads((tmp_path / "wine" / "scorecard.json").read_text("utf-8"))
    assert f"{card['error']:.4f}" in text
    again = load(tmp_path / "wine" / "model.safetensors")
    np.testing.assert_array_equal(again.transform(wine), ae.transform(wine))
    snippet = re.search(r"```python\n(.*?)```", text, flags=re.DOTALL)[1]
    found = {"X": wine}
    monkeypatch.chdir(tmp_path / "wine")
    exec(snippet, found)
    assert found["Z"].shape == (178, 3)


def test_a_card_without_rows_says_what_fit_measured(picture_model, tmp_path):
    ae, *_ = picture_model
    ae.export(tmp_path / "card", to="card")
    text = (tmp_path / "card" / "README.md").read_text("utf-8")
    assert "| shape of a row | 8 × 8 |" in text and "| range of outputs | 0 to 16 |" in text
    assert sorted(path.name for path in (tmp_path / "card").iterdir()) == [
        "README.md",
        "model.safetensors",
    ]


def test_a_card_is_pushed_where_the_hub_is_installed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    quick(scaling="standard").fit(load_wine().data).save("wine.safetensors")
    line = ["export", "wine.safetensors", "--out", "card", "--to", "card", "--push", "me/wine"]
    monkeypatch.setattr(export_action, "find_spec", lambda name: None)
    assert outcome(line) == 1
    assert "pip install huggingface_hub" in capsys.readouterr().err
    assert not Path("card").exists()
    calls = []

    class Hub:
        def create_repo(self, name, exist_ok):
            calls.append((name, exist_ok))
            return f"https://hub/{name}"

        def upload_folder(self, repo_id, folder_path):
            calls.append((repo_id, sorted(path.name for path in Path(folder_path).iterdir())))

    monkeypatch.setattr(export_action, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(HfApi=Hub))
    assert outcome(line) == 0
    assert calls == [("me/wine", True), ("me/wine", ["README.md", "model.safetensors"])]
    assert "uploaded card to https://hub/me/wine" in capsys.readouterr().out
    assert outcome(["export", "wine.safetensors", "--out", "x", "--push", "me/wine"]) == 2
    assert "--push is for --to card alone" in capsys.readouterr().err


@pytest.mark.parametrize("to", ["html", "projector", "parquet"])
def test_rows_labels_and_names_must_fit(picture_model, tmp_path, to):
    ae, X, _ = picture_model
    out = tmp_path / f"x{ONE_FILE.get(to, '')}"
    with pytest.raises(ParameterError, match=f"to='{to}' shows rows: give them as X"):
        ae.export(out, to=to)
    with pytest.raises(DataError, match="`y` has 3 entries, but X has 400 rows"):
        ae.export(out, to=to, X=X, y=np.zeros(3))
    with pytest.raises(DataError, match="`row_names` has 1 entries, but there is no X"):
        ae.export(out, to=to, row_names=["a"])
    assert list(tmp_path.iterdir()) == []
