"""The verb ``size``, and what `fit` says of ordered codes and of maps."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from conftest import picture, write_small_data
from narrows import load
from narrows.sources.open import read_table

QUICK = "--set max_steps=60 --random-state 0 --set network__hidden=16,"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("sizing")
    write_small_data(made)
    (made / "nan.csv").write_text("a,b\n" + "1,2\n" * 6 + "3,\n")
    return made


def test_size_prints_the_curve_and_recommends(narrows):
    code, text, _ = narrows(f"size digits.npy --explained 0.7 {QUICK} --model m.safetensors")
    assert code == 0
    ae = load("m.safetensors")
    curve = ae.size_curve_
    assert f"Recommended: --n-components {ae.n_components_}," in text
    assert f"PCA needs {curve.smallest(0.7, pca=True)} for that" in text
    lines = text.splitlines()
    title = next(number for number, line in enumerate(lines) if line.split()[:1] == ["numbers"])
    first = lines[title + 1].split()
    assert first[0] == "1"
    assert float(first[1]) == pytest.approx(curve.error[0], rel=1e-4)
    assert float(first[2]) == pytest.approx(curve.pca_error[0], rel=1e-4)
    assert "wrote m.safetensors" in text
    assert ae.n_components == 0.7


def test_size_writes_numbers_and_a_picture(narrows):
    line = f"size iris.csv --n-components 3 {QUICK}"
    for out in ("c.json", "c.csv", "c.png"):
        assert narrows(f"{line} --out {out}")[0] == 0
    report = json.loads(Path("c.json").read_text("utf-8"))
    assert report["fraction"] == 0.95
    assert report["curve"]["n_components"] == [1, 2, 3]
    assert report["recommended"] <= report["recommended_pca"]
    table = read_table("c.csv")
    assert table.column_names == tuple(report["curve"])
    np.testing.assert_allclose(table.values[:, 1], report["curve"]["error"])
    assert picture("c.png").size


def test_a_fraction_and_a_largest_size_go_together(narrows):
    line = f"size digits.npy --explained 0.5 --n-components 12 {QUICK} --out c.json"
    code, text, _ = narrows(f"{line} --model m.safetensors")
    assert code == 0
    report = json.loads(Path("c.json").read_text("utf-8"))
    assert (report["fraction"], report["curve"]["n_components"][-1]) == (0.5, 12)
    ae = load("m.safetensors")
    assert ae.n_components_ == 12
    assert report["recommended"] == ae.size_curve_.smallest(0.5) < 12
    assert f"Recommended: --n-components {report['recommended']}, which explains 50 %" in text


def test_the_largest_size_may_be_set_as_a_parameter(narrows):
    line = f"size iris.csv --set n_components=2 {QUICK} --out c.json"
    assert narrows(line)[0] == 0
    assert json.loads(Path("c.json").read_text("utf-8"))["curve"]["n_components"] == [1, 2]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--explained 95", "`explained` of size must be a number > 0 and < 1, got 95"),
        ("--n-components 0", "`n_components` of Autoencoder must be"),
        ("--objective vae", "cannot train ordered codes"),
        ("--set validation_fraction=0", "validation_fraction=0 leaves none"),
        ("--n-components 2 --set validation_fraction=0", "validation_fraction=0 leaves none"),
    ],
)
def test_wrong_usage_of_size(narrows, line, said):
    code, _, complaint = narrows(f"size iris.csv {line} {QUICK}")
    assert code == 2
    assert said in complaint


def test_data_that_cannot_be_sized(narrows):
    code, _, complaint = narrows(f"size nan.csv {QUICK}")
    assert code == 1
    assert complaint.startswith("narrows: nan.csv: Input X contains NaN")
    code, _, complaint = narrows(f"size iris.csv --out c.txt {QUICK}")
    assert code != 0
    assert ".png" in complaint


def test_fit_takes_a_fraction_and_says_what_it_found(narrows):
    code, text, _ = narrows(f"fit digits.npy --n-components 0.6 --out m.safetensors {QUICK}")
    assert code == 0
    assert "as few as explain 60 % of the variance, at most" in text
    ae = load("m.safetensors")
    needed = ae.size_curve_.smallest(0.6, pca=True)
    assert f"numbers for 60 % {ae.n_components_} (PCA {needed})" in re.sub(" +", " ", text)


def test_fit_takes_ordered(narrows):
    assert narrows(f"fit iris.csv --n-components 3 --ordered --out m.safetensors {QUICK}")[0] == 0
    assert load("m.safetensors").ordered is True


def test_fit_names_the_memory_of_a_graph(narrows):
    code, text, _ = narrows(f"fit digits.npy --objective neighbors --out m.safetensors {QUICK}")
    assert code == 0
    assert re.search(r"neighbours +15 of each row, found exactly in about [\d.]+ [kM]B", text)
