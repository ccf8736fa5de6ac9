"""The verb ``map``: a page, a picture, a table; honest numbers; nothing asked for in vain."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from conftest import picture, quick, write_small_data
from narrows import Autoencoder, load
from narrows.evaluation.map_accuracy import map_accuracy
from narrows.evaluation.views import pca_inference
from narrows.sources.split import held_out_rows

QUICK = (
    "--set max_steps=40 --random-state 0 --set network__hidden=16, --set validation_fraction=0.2"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("mapping")
    iris, _ = write_small_data(made)
    (made / "petals.csv").write_text("petal\n" + "\n".join(map(str, iris.data.iloc[:, 2])))
    Autoencoder(5, max_steps=2).fit(np.random.default_rng(0).normal(size=(50, 6))).save(
        made / "five.safetensors"
    )
    return made


def test_a_map_is_fitted_drawn_and_kept(narrows):
    code, text, _ = narrows(f"map digits.npy --out m.html --save m.safetensors {QUICK}")
    assert code == 0
    assert "neighbours  15 of each row" in re.sub("  +", "  ", text)
    assert re.search(r"held-out error +[\d.]+ \([\d.]+ of PCA's\)", text)
    assert text.splitlines()[-2:] == ["wrote m.safetensors", "wrote m.html"]
    ae = load("m.safetensors")
    assert (ae.objective.name, ae.n_components_) == ("neighbors", 2)
    html = Path("m.html").read_text("utf-8")
    assert "A map of digits.npy" in html and '"sheet":{' in html and '"trust":"' in html

    # The same model draws again, to a picture and to a table.
    assert narrows("map digits.npy --model m.safetensors --out m.png --theme dark")[0] == 0
    assert picture("m.png").shape[0] > 500
    assert narrows("map digits.npy --model m.safetensors --out m.npy")[0] == 0
    np.testing.assert_array_equal(np.load("m.npy"), ae.transform(np.load("digits.npy")))


def test_a_map_may_start_from_an_earlier_one(narrows):
    assert narrows(f"map digits.npy --out a.npy --save a.safetensors {QUICK}")[0] == 0
    code, text, _ = narrows(f"map digits.npy --out b.npy --align-to a.safetensors {QUICK}")
    assert code == 0
    assert re.search(r"moved +median [\d.]+% of the width", text)
    code, _, errors = narrows(
        "map digits.npy --model a.safetensors --align-to a.safetensors --out c.npy"
    )
    assert code == 2
    assert "--align-to would have no effect" in errors


def test_a_table_has_names_places_and_labels(narrows):
    line = f"map iris.csv --labels kinds.txt --n-components 3 --out m.csv {QUICK}"
    code, text, _ = narrows(line)
    assert code == 0
    frame = pd.read_csv("m.csv", index_col=0)
    assert list(frame.columns) == ["x", "y", "z", "label", "trust"]
    assert frame["trust"].between(0, 1).all()
    assert list(frame.index[:2]) == ["flower 0", "flower 1"]
    assert set(frame["label"]) == {"setosa", "versicolor", "virginica"}
    # Each row among the others: scikit-learn asked for one neighbour more finds the row itself.
    Z, y = frame[["x", "y", "z"]].to_numpy(), frame["label"].to_numpy()
    hits = [
        KNeighborsClassifier(10).fit(np.delete(Z, i, 0), np.delete(y, i)).predict(Z[i : i + 1])[0]
        == y[i]
        for i in range(150)
    ]
    said = re.search(r"10-NN accuracy +([\d.]+) \(PCA [\d.]+\) on (.*)", text)
    assert float(said[1]) == pytest.approx(np.mean(hits), abs=0.007)  # ties among distances
    assert said[2] == (
        "150 rows that training saw, though not their labels, each left out in turn"
        " (leave-one-out); each is classified by its 10 nearest of 149 other rows"
    )


def test_rows_without_a_label_are_not_judged_among_many_classes(narrows):
    quick(2, max_steps=2).fit(np.load("digits.npy")).save("digits.safetensors")
    labels = np.arange(300) % 100.0
    labels[:40] = np.nan
    np.save("labels.npy", labels)
    line = "map digits.npy --model digits.safetensors --labels labels.npy --labels-are classes"
    code, text, _ = narrows(f"{line} --out m.npy")
    assert code == 0
    assert "on 260 rows" in text and "of 259 other rows" in text


def test_numbers_make_a_scale_and_no_accuracy(narrows):
    code, text, _ = narrows(f"map iris.csv --labels petals.csv --out m.html {QUICK}")
    assert code == 0
    assert "10-NN" not in text
    html = Path("m.html").read_text("utf-8")
    assert "mean, in squared data units" in html and "单位为数据单位的平方" in html
    assert '"kind":"numbers"' in html and "<h2>petals</h2>" in html
    line = f"map iris.csv --labels petals.csv --labels-are classes --out n.html {QUICK}"
    assert narrows(line)[0] == 0
    assert '"kind":"classes"' in Path("n.html").read_text("utf-8")


def test_rows_that_training_held_out_are_judged_where_there_are_such():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 10_000)
    X = rng.normal(size=(10_000, 5)) + 4 * np.eye(3, 5)[y]
    ae = Autoencoder(
        2, objective="neighbors", max_steps=30, keep="last", random_state=3, network="mlp"
    ).set_params(network__hidden=(8,))
    Z, known = ae.fit_transform(X), np.ones(10_000, dtype=bool)
    found = map_accuracy(ae, X, Z, y, known, fitted=True)
    held = held_out_rows(10_000, 1000, int(np.random.RandomState(3).randint(2**31 - 1)))
    rest = np.setdiff1d(np.arange(10_000), held)
    assert (found.n_judged, found.n_others, found.training) == (1000, 9000, "unseen")
    for Z_, accuracy in ((Z, found.ours), (pca_inference(ae).encode(X), found.pca)):
        judge = KNeighborsClassifier(10).fit(Z_[rest], y[rest])
        assert accuracy == pytest.approx(judge.score(Z_[held], y[held]), abs=1e-3)
    assert "training did not see" in found.words().en and "没有见过" in found.words().zh
    # Of a model that came from a file nobody knows what it saw.
    unknown = map_accuracy(ae, X, Z, y, known, fitted=False)
    assert (unknown.n_judged, unknown.n_others, unknown.training) == (10_000, 9_999, "unknown")
    assert map_accuracy(ae, X, Z, y, np.arange(10_000) < 11, fitted=False) is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("iris.csv --out m.txt", ".html, .png, .npy, .npz, .csv"),
        ("iris.csv --out m.png --theme drak", "--theme must be one of light, dark, got 'drak'"),
        ("iris.csv --out m.html --theme dark", "a page follows its reader"),
        ("iris.csv --out m.png --labels-are class", "--labels-are must be one of auto, classes"),
        ("iris.csv --out m.png --n-components 4", "of a map must be 1 to 3, got 4"),
        ("iris.csv --out m.png --n-components 0.9", "of a map must be 1 to 3, got 0.9"),
        ("iris.csv --out m.png --set objective=vae", "needs a family that looks at neighbours"),
        ("iris.csv --out m.png --set objective__n_neighbours=4", "n_neighbours"),
        (
            "iris.csv --out m.png --model five.safetensors --max-seconds 3 --save x.safetensors",
            "so --max-seconds, --save would have no effect",
        ),
        ("iris.csv --out m.png --save x.npy", "--save x.npy ends in '.npy'"),
    ],
)
def test_wrong_usage(narrows, line, said):
    code, _, complaint = narrows(f"map {line}")
    assert code == 2
    assert said in complaint
    assert not Path("m.png").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "iris.csv --model five.safetensors --out m.png",
            "has codes of 5 numbers, and a map shows",
        ),
        ("iris.csv --labels digits.npy --out m.png", "give one label per row"),
        (
            "iris.csv --labels kinds.txt --labels-are numbers --out m.png",
            "cannot be read as numbers",
        ),
        ("none.csv --out m.png", "there is no such file"),
        ("iris.csv --out iris.csv", "iris.csv exists"),
        ("iris.csv --model gone.safetensors --out m.png", "gone.safetensors"),
    ],
)
def test_failures_are_said_in_a_line(narrows, line, said):
    code, _, complaint = narrows(f"map {line}")
    assert code == 1
    assert said in complaint and complaint.count("\n") == 1
