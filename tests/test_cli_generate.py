"""The verbs that make new rows, and what `fit` does for them: classes and priors."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from conftest import outcome, picture, write_small_data
from narrows import load
from narrows.cli.actions import generate
from narrows.sources.open import read_table

QUICK = ["--max-steps", "20", "--random-state", "0", "--set", "network__hidden=8,"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Small data of each kind, and models that generate."""
    made = tmp_path_factory.mktemp("generation")
    _, digits = write_small_data(made)
    np.save(made / "labels.npy", digits.target[:300])
    models = {
        "vae": ["digits.npy", "--objective", "vae", "--n-components", "3", "--prior", "mixture"],
        "plain": ["digits.npy", "--n-components", "12"],
        "classes": ["digits.npy", "--labels", str(made / "labels.npy"), "--objective", "vae",
                    "--set", "objective__conditional=true"],
        "flowers": ["iris.csv", "--labels", str(made / "kinds.txt"), "--objective", "vae",
                    "--set", "objective__conditional=true"],
    }  # fmt: skip
    for name, (data, *options) in models.items():
        out = ["--out", str(made / f"{name}.safetensors")]
        assert outcome(["fit", str(made / data), *options, *QUICK, *out]) == 0
    return made


# ---------------------------------------------------------------------- sample


@pytest.mark.parametrize("options", ["", "--prior mixture", "--prior normal --temperature 0.5"])
def test_sample_is_the_estimators(narrows, options):
    line = f"sample vae.safetensors --n 5 --random-state 3 --out s.npy {options}"
    code, text, complaint = narrows(line)
    assert (code, text, complaint) == (0, "wrote 5 rows of 64 numbers to s.npy\n", "")
    words = options.split()
    given = {words[i].removeprefix("--"): words[i + 1] for i in range(0, len(words), 2)}
    if "temperature" in given:
        given["temperature"] = float(given["temperature"])
    expected = load("vae.safetensors").sample(5, random_state=3, **given)
    np.testing.assert_array_equal(np.load("s.npy"), expected)


def test_samples_are_pictures_or_a_sheet(narrows):
    assert narrows("sample vae.safetensors --n 3 --random-state 0 --out new/")[1] == (
        "wrote 3 pictures to new/\n"
    )
    expected = load("vae.safetensors").sample(3, random_state=0)
    np.testing.assert_array_equal(picture("new/00002.png"), np.rint(255 * expected[2]))
    assert narrows("sample vae.safetensors --out sheet.png")[1] == "wrote sheet.png: 100 samples\n"
    height, width = picture("sheet.png").shape[:2]
    assert height == width


def test_a_plain_autoencoder_samples_too(narrows):
    assert narrows("sample plain.safetensors --n 4 --out s.npy")[0] == 0
    assert np.load("s.npy").shape == (4, 8, 8)


def test_samples_of_a_class_named_in_text(narrows):
    assert (
        narrows("sample flowers.safetensors --n 4 --y setosa --out s.csv --random-state 0")[0] == 0
    )
    table = read_table("s.csv")
    assert table.column_names[0] == "sepal length (cm)"
    expected = load("flowers.safetensors").sample(4, y="setosa", random_state=0)
    np.testing.assert_array_equal(table.values.astype(np.float32), expected)
    assert (
        narrows("sample classes.safetensors --n 3 --y 0,1,7 --out y.npy --random-state 0")[0] == 0
    )
    expected = load("classes.safetensors").sample(3, y=[0, 1, 7], random_state=0)
    np.testing.assert_array_equal(np.load("y.npy"), expected)


# ---------------------------------------------------------------------- interpolate, traverse


def test_a_class_may_have_a_comma_in_its_name():
    known = np.array(["red", "red, dark"])
    ae = SimpleNamespace(model_=SimpleNamespace(classes=known))
    assert generate._labels(ae, "red, dark") == "red, dark"
    assert generate._labels(ae, "red,red") == ["red", "red"]


def test_interpolate_writes_each_way_with_its_name(narrows):
    code, text, _ = narrows(
        "interpolate flowers.safetensors iris.csv --rows 0,149 --rows 3,50 --steps 3 --out w.csv"
    )
    assert (code, text) == (0, "wrote 6 rows of 4 numbers to w.csv\n")
    ae, table = load("flowers.safetensors"), read_table("w.csv")
    X = read_table("iris.csv").frame()
    expected = [ae.interpolate(X[a : a + 1], X[b : b + 1], 3) for a, b in ((0, 149), (3, 50))]
    np.testing.assert_array_equal(table.values, np.concatenate(expected))
    assert table.row_names[:3] == (
        "flower 0 → flower 149 0",
        "flower 0 → flower 149 0.5",
        "flower 0 → flower 149 1",
    )


def test_interpolate_draws_strips_between_their_ends(narrows):
    code, text, _ = narrows(
        "interpolate plain.safetensors digits.npy --rows 0,1 --how spherical --out w.png"
    )
    assert (code, text) == (0, "wrote w.png: 1 way of 8 steps\n")
    height, width = picture("w.png").shape[:2]
    assert width > 6 * height
    narrows("interpolate plain.safetensors digits.npy --steps 4 --how spherical --out w/")
    X = np.load("digits.npy")
    way = load("plain.safetensors").interpolate(X[0], X[1], 4, how="spherical")
    np.testing.assert_array_equal(picture("w/00001.png"), np.rint(255 * way[1]))


def test_traverse_moves_the_numbers_named(narrows):
    code, text, _ = narrows(
        "traverse vae.safetensors digits.npy --row 5 --dimensions 2,0 --steps 3 --span 2"
        " --out t.csv"
    )
    assert (code, text) == (0, "wrote 6 rows of 64 numbers to t.csv\n")
    ae, X, table = load("vae.safetensors"), np.load("digits.npy"), read_table("t.csv")
    expected = [ae.traverse(X[5], dimension, 3, span=2.0) for dimension in (2, 0)]
    np.testing.assert_allclose(table.values, np.concatenate(expected).reshape(6, 64), rtol=1e-6)
    assert table.row_names == ("z2 -2", "z2 +0", "z2 +2", "z0 -2", "z0 +0", "z0 +2")


def test_traverse_takes_the_ten_numbers_that_vary_most(narrows):
    code, text, _ = narrows("traverse plain.safetensors digits.npy --steps 2 --out t.npy")
    assert (code, text) == (0, "wrote 20 rows of 64 numbers to t.npy\n")
    ae, X = load("plain.safetensors"), np.load("digits.npy")
    most = int(ae.priors_["normal"].deviations.argmax())
    np.testing.assert_array_equal(np.load("t.npy")[:2], ae.traverse(X[0], most, 2))
    assert narrows("traverse plain.safetensors digits.npy --out t.png")[1] == (
        "wrote t.png: 10 numbers of a code, 9 steps each\n"
    )


# ---------------------------------------------------------------------- fit and info


def test_fit_says_what_the_loss_is_made_of_and_fits_priors(narrows):
    code, text, progress = narrows(
        "fit digits.npy --objective vae --max-steps 5 --prior mixture --prior mixture"
        " --out m.safetensors"
    )
    assert code == 0
    assert re.search(r"loss in training +reconstruction -?\S+, kl \S+ nats per row\n", text)
    assert "priors" in text and "normal, mixture" in text
    assert progress.count("fitting a mixture prior to codes") == 1
    assert set(load("m.safetensors").priors_) == {"normal", "mixture"}


def test_fit_plans_for_the_shape_of_rows_and_their_classes(narrows, monkeypatch):
    from narrows.cli.actions import fit

    plans = []
    make_plan = fit.make_plan
    monkeypatch.setattr(
        fit, "make_plan", lambda *a, **o: plans.append(make_plan(*a, **o)) or plans[-1]
    )
    code, text, _ = narrows(
        "fit digits.npy --labels labels.npy --objective vae --set objective__conditional=true"
        " --max-steps 2 --out m.safetensors"
    )
    assert code == 0
    assert re.search(r"classes +10\n", text)
    (plan,) = plans
    assert plan.widths.sample_shape == (8, 8)
    shares = np.bincount(np.load("labels.npy")) / 300
    np.testing.assert_allclose(plan.widths.class_shares, shares)


def test_fit_takes_mnists_classes_without_asking(narrows, monkeypatch):
    from narrows.cli.actions import fit
    from narrows.sources import open as files

    def few(source):
        table = files.read_table(source)
        return files.Table(table.values[:300], labels=table.labels[:300])

    monkeypatch.setattr(fit, "read_table", few)
    line = "fit mnist:test --objective vae --max-steps 2 --out m.safetensors"
    assert narrows(f"{line} --set objective__conditional=true --set network__hidden=8,")[0] == 0
    assert load("m.safetensors").model_.classes.tolist() == list(range(10))


def test_info_names_family_classes_and_priors(narrows):
    text = narrows("info vae.safetensors")[1]
    assert re.search(r"objective +VAE\(beta=1.0, ", text)
    assert re.search(r"classes +none\n", text)
    assert re.search(
        r"priors +normal \(trained with the model\); mixture, normal \(fitted to codes\)\n", text
    )
    assert re.search(r"priors +normal \(fitted to codes\)\n", narrows("info plain.safetensors")[1])
    assert re.search(r"classes +setosa, versi", narrows("info flowers.safetensors")[1])


def test_ctrl_c_while_a_prior_is_fitted_saves_the_model(narrows, monkeypatch):
    from narrows import Autoencoder

    def interrupted(self, prior):
        raise KeyboardInterrupt

    monkeypatch.setattr(Autoencoder, "fit_prior", interrupted)
    line = "fit digits.npy --max-seconds 60 --max-steps 2 --random-state 0 --prior flow"
    code, text, complaint = narrows(f"{line} --out m.safetensors")
    assert code == 130
    assert complaint.endswith("narrows: Interrupted; not all priors are in m.safetensors.\n")
    assert "--max-steps 2 repeats this model" in text
    assert set(load("m.safetensors").priors_) == {"normal"}


# ---------------------------------------------------------------------- failures

WRONG_USAGE = {
    "sample vae.safetensors --n 0 --out x.npy": "`n` of sample must be an integer ≥ 1, got 0",
    "sample vae.safetensors --temperature -1 --out x.npy": "`temperature` of sample must be",
    "sample vae.safetensors --prior mixtrue --out x.npy": "Did you mean 'mixture'?",
    "sample vae.safetensors --out x.gif": ".npy, .npz, .csv, .png, or a folder/",
    "interpolate vae.safetensors digits.npy --how sperical --out x.npy": "Did you mean 'spherical'",
    "interpolate vae.safetensors digits.npy --steps 1 --out x.npy": "must be an integer ≥ 2",
    "interpolate vae.safetensors digits.npy --rows 0 --out x.npy": "a pair of rows, such as 0,1",
    "interpolate vae.safetensors digits.npy --rows a,b --out x.npy": "whole numbers from 0",
    "interpolate vae.safetensors digits.npy --row 0,1 --out x.npy": "Did you mean '--rows'?",
    "traverse vae.safetensors digits.npy --dimensions 3 --out x.npy": "≤ 2, got 3",
    "traverse vae.safetensors digits.npy --dimensions x --out x.npy": "--dimensions takes whole",
    "traverse vae.safetensors digits.npy --span 0 --out x.npy": "`span` of traverse must be",
    "fit digits.npy --objective vea --out x.safetensors": "Did you mean 'vae'?",
    "fit digits.npy --objective vae --set objective__beat=4 --out x.safetensors": "mean 'beta'?",
    "fit digits.npy --set objective__beta=4 --out x.safetensors": "one of vae. Add --objective vae",
    "fit digits.npy --objective vae --set objective__beta=-1 --out x.safetensors": "≥ 0, got -1",
    "sample vae.safetensors --y 3 --out x.npy": "objective__conditional=true, or leave --y out",
    "evaluate vae.safetensors digits.npy --samples 9 --prior flwo": "Did you mean 'flow'?",
    "fit digits.npy --prior mixtrue --out x.safetensors": "Did you mean 'mixture'?",
    "fit digits.npy --labels labels.npy --out x.safetensors": "learns without classes; leave",
}  # fmt: skip
FAILURES = {
    "sample vae.safetensors --prior flow --out x.npy": "narrows fit ... --prior flow",
    "evaluate vae.safetensors digits.npy --samples 9 --prior flow": "narrows fit ... --prior flow",
    "sample classes.safetensors --y 11 --out x.npy": "'11' is none of them",
    "sample flowers.safetensors --y setossa --out x.npy": "Did you mean 'setosa'?",
    "sample flowers.safetensors --out x.png": "--set sample_shape=HEIGHT,WIDTH",
    "sample classes.safetensors --y 0,1 --n 3 --out x.npy": "one label, or one for each of 3 rows",
    "sample vea.safetensors --out x.npy": "Did you mean 'vae.safetensors'?",
    "interpolate vae.safetensors digits.npy --rows 0,300 --out x.npy": "numbered from 0 to 299",
    "interpolate vae.safetensors digits.npy --rows 0,-1 --out x.npy": "row -1 is none of them",
    "interpolate vae.safetensors iris.csv --out x.npy": "narrows: iris.csv: X has 4 features",
    "traverse vae.safetensors digits.npy --row 300 --out x.npy": "row 300 is none of them",
    "fit digits.npy --objective vae --set objective__conditional=true --out x.safetensors":
        "digits.npy brings none; give one label per row with --labels FILE",
    "fit digits.npy --labels kinds.txt --objective vae --set objective__conditional=true"
    " --out x.safetensors": "kinds.txt holds 150 labels, but the data has 300 rows",
}  # fmt: skip


@pytest.mark.parametrize("line", [*WRONG_USAGE, *FAILURES])
def test_each_failure_is_one_line(narrows, line):
    code, _, complaint = narrows(line)
    assert code == (2 if line in WRONG_USAGE else 1), complaint
    assert re.fullmatch(r"narrows: .*\n", complaint), complaint
    assert {**WRONG_USAGE, **FAILURES}[line] in complaint
    assert not [entry for entry in Path().iterdir() if not entry.is_symlink()]


def test_flat_pixels_without_names_are_pictures_and_tables_are_not(narrows):
    rng = np.random.default_rng(0)
    np.save("pixels.npy", rng.integers(0, 256, (40, 64), dtype=np.uint8))
    np.save("table.npy", rng.normal(size=(40, 64)))
    header = ",".join(f"c{number}" for number in range(64))
    np.savetxt("named.csv", np.load("pixels.npy") / 255, "%.4f", ",", header=header, comments="")
    for data in ("pixels.npy", "table.npy", "named.csv"):
        narrows(f"fit {data} --out {data}.safetensors --max-steps 2 --set bounds=auto")
        code, _, complaint = narrows(f"reconstruct {data}.safetensors {data} --out {data}-drawn/")
        assert code == (0 if data == "pixels.npy" else 1), data
        assert ("sample_shape" in complaint) == (data != "pixels.npy")
    assert picture("pixels.npy-drawn/00039.png").shape == (8, 8)
