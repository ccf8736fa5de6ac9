"""The numbers of a scorecard, against scikit-learn, SciPy and plain counting."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.stats import t
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA

from conftest import digits, keys, quick
from narrows import VAE, evaluate, load
from narrows.errors import DataError, DataTypeError, NarrowsWarning, ParameterError
from narrows.evaluation.seeds import fitted_again
from narrows.evaluation.views import pca_inference


def notes(report):
    return " ".join(note.en for part in report.sections for note in part.notes)


# ---------------------------------------------------------------------- errors, costs


def test_errors_by_class_and_of_the_worst_rows(model, card):
    _, _, X, y = digits()
    errors = model.reconstruction_error(X)
    of_three = card.measure("class_errors", "3").scores["narrows"].mean
    assert of_three == pytest.approx(errors[y == 3].mean())
    worst = card.measure("reconstruction", "error_99").scores["narrows"].mean
    assert worst == pytest.approx(np.quantile(errors, 0.99))
    ratio = card.measure("reconstruction", "error_of_pca").scores["narrows"].mean
    assert ratio == pytest.approx(card.error / card.pca_error)


def flowers(n=120):
    """Rows like penguins: four columns in different units, one of which has nearly all variance."""
    rng = np.random.default_rng(0)
    t = rng.normal(size=(n, 1))
    curve = np.hstack([t, np.square(t), np.sin(2 * t), t**3 / 4]) + rng.normal(0, 0.1, (n, 4))
    return curve * [5, 2, 10, 800] + [44, 17, 200, 4200]


def test_errors_are_in_the_unit_of_training():
    X, X_test = flowers()[:80], flowers()[80:]
    ae = quick(1, scaling="standard", max_steps=300).fit(X)
    report = evaluate(ae, X_test, np.arange(40) % 2)
    scaled = (ae.reconstruct(X_test) - X_test) / X.std(axis=0, ddof=1)
    errors = np.square(scaled).mean(axis=1)
    assert report.error_unit == "squared standard deviations of each column"
    assert report.error == pytest.approx(errors.mean(), rel=1e-6)
    assert report.worst_error == pytest.approx(np.quantile(errors, 0.95), rel=1e-6)
    of_class = report.measure("class_errors", "1").scores["narrows"].mean
    assert of_class == pytest.approx(errors[1::2].mean(), rel=1e-6)
    standard = (X_test - X.mean(axis=0)) / X.std(axis=0, ddof=1)
    assert report.score == pytest.approx(1 - errors.mean() / np.square(standard).mean(), rel=1e-6)
    Z = (X - X.mean(axis=0)) / X.std(axis=0, ddof=1)
    pca = PCA(1).fit(Z)
    theirs = pca.inverse_transform(pca.transform(standard)) - standard
    assert report.pca_error == pytest.approx(np.square(theirs).mean(), rel=1e-6)
    # In raw units the fourth column would be nearly all of the error.
    assert np.square(scaled[:, 3]).sum() / np.square(scaled).sum() < 0.9
    raw = np.square(ae.reconstruct(X_test) - X_test).sum(axis=0)
    assert raw[3] / raw.sum() > 0.99
    assert "squared standard deviations of each column" in str(report)
    assert "in squared standard deviations of each column" in report.to_html()
    assert report.as_dict()["error_unit"] == report.error_unit


def test_errors_by_column_are_parts_of_the_variance_the_worst_first():
    X, X_test = flowers()[:80], flowers()[80:]
    X, X_test = X / [1, 1, 1, 80], X_test / [1, 1, 1, 80]
    for scaling in ("auto", "standard"):
        frame = pd.DataFrame(X, columns=["bill", "depth", "flipper", "mass"])
        ae = quick(1, scaling=scaling, max_steps=5).fit(frame)
        held_out = pd.DataFrame(X_test, columns=frame.columns)
        report = evaluate(ae, held_out)
        ours = np.square(ae.reconstruct(held_out) - X_test).mean(axis=0) / X.var(axis=0, ddof=1)
        (part,) = [part for part in report.sections if part.key == "column_errors"]
        found = [line.scores["narrows"].mean for line in part.measures]
        assert found == pytest.approx(sorted(ours, reverse=True), rel=1e-5)
        assert part.measures[0].name == frame.columns[ours.argmax()]
        theirs = np.square(pca_inference(ae).reconstruct(X_test) - X_test).mean(axis=0)
        of_pca = report.measure("column_errors", "bill").scores["pca"].mean
        assert of_pca == pytest.approx(theirs[0] / X.var(axis=0, ddof=1)[0], rel=1e-5)


def test_errors_by_column_are_those_of_tables_and_of_few_columns(model, card):
    (part,) = [part for part in card.sections if part.key == "column_errors"]
    n_varying = np.count_nonzero(digits()[0].std(axis=0))
    assert len(part.measures) == 20
    assert notes(card).startswith(f"{n_varying - 20} further columns have smaller errors.")
    pictures = quick(2, max_steps=2).fit(digits()[0].reshape(-1, 8, 8))
    assert keys(evaluate(pictures, digits()[2].reshape(-1, 8, 8)), "column_errors") == []
    rows = np.column_stack([flowers()[:, :2], np.ones(120)])
    ae = quick(1, max_steps=2).fit(rows[:60])
    ae.model_ = ae.model_.changed(feature_names=("same", "same", "constant"))
    twins = evaluate(ae, rows[60:])
    assert sorted(keys(twins, "column_errors")) == ["same (0)", "same (1)"]


def test_bytes_are_those_of_the_arrays(model, card):
    X = digits()[2]
    row = card.measure("costs", "row_bytes").scores
    found = {name: score.mean for name, score in row.items()}
    assert found == {"narrows": model.transform(X)[0].nbytes, "pca": 12, "input": X[0].nbytes}
    numbers = card.measure("costs", "model_numbers").scores["narrows"].mean
    assert numbers == sum(tensor.numel() for tensor in model.network_.state_dict().values())


# ---------------------------------------------------------------------- what does not apply


def test_rows_without_labels_have_neighbours_and_costs(model):
    report = evaluate(model, digits()[2])
    assert [part.key for part in report.sections] == [
        "reconstruction", "column_errors", "neighbours", "costs",
    ]  # fmt: skip
    assert report.knn_accuracy is None
    assert report.shown.classes is None


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.zeros(240), "All rows have one label"),
        (np.arange(240), "too many to be classes"),
        (np.arange(240) % 2, ""),
    ],
)
def test_labels_that_are_no_classes_are_left_out_with_a_word(model, y, said):
    report = evaluate(model, digits()[2], y)
    assert said in notes(report)
    assert bool(keys(report, "probes")) == bool(keys(report, "class_errors")) == (not said)
    assert (report.knn_accuracy is not None) == (not said)


def test_few_rows_are_measured_as_far_as_they_go(model):
    _, _, X, y = digits()
    report = evaluate(model, X[:14], y[:14] % 2)
    assert keys(report, "probes") == ["linear_all"]
    assert "too few for 10 neighbours" in notes(report)
    assert "100 of them is left out" in notes(report)
    assert report.measure("neighbours", "neighbours_kept").name.en == "6 neighbours kept"
    few = evaluate(model, X, y, X_train=digits()[0][:9], y_train=y[:9])
    assert few.knn_accuracy is None
    assert "9 labels are too few for 10 neighbours." in notes(few)
    one = evaluate(model, X[:1])
    assert keys(one, "neighbours") == []
    assert one.error == pytest.approx(np.square(model.reconstruct(X[:1]) - X[:1]).mean())


def test_labels_may_be_texts_of_any_script(model):
    _, _, X, y = digits()
    names = np.array(["猫", "a <b>", "x" * 80] * 4, dtype=object)[y]
    report = evaluate(model, X, names)
    assert set(keys(report, "class_errors")) == {"猫", "a <b>", "x" * 80}
    with pytest.raises(DataError, match="labels of type float and int and str"):
        evaluate(model, X, np.array([1, "1", 2.5] * 80, dtype=object))


@pytest.mark.parametrize(
    "changes",
    [
        {"ordered": True},
        {"objective": "neighbors"},
        {"objective": "vq", "n_components": 8},
        {"objective": VAE(likelihood="bernoulli")},
        {"network": "conv", "sample_shape": (8, 8)},
    ],
)
def test_every_kind_of_model_has_a_scorecard(changes):
    X, y_train, held_out, y = (part / 16 if part.ndim > 1 else part for part in digits())
    ae = quick(
        **{
            "n_components": 2,
            "max_steps": 4,
            "validation_fraction": 0.2,
            "network": "auto",
            **changes,
        }
    )
    report = evaluate(ae.fit(X), held_out, y, X_train=X, y_train=y_train, importance_samples=2)
    sections = {part.key for part in report.sections}
    assert sections >= {"reconstruction", "class_errors", "neighbours", "probes", "clusters"}
    assert report.measure("probes", "linear_all").scores["random_network"].mean > 0
    json.dumps(report.as_dict(), allow_nan=False)


def test_columns_that_do_not_vary():
    X = np.column_stack([load_diabetes().data[:80], np.ones(80)])
    report = evaluate(quick(2, max_steps=2).fit(X[:50]), X[50:], np.arange(30) % 2)
    assert report.measure("probes", "linear_all").scores["input"].mean > 0
    flat = np.ones((60, 4))
    report = evaluate(quick(1, max_steps=2).fit(flat), flat[:30], np.arange(30) % 2)
    assert report.as_dict()["sections"]["neighbours"]["shepard"]["pca"]["mean"] is None
    assert "–" in str(report)


# ---------------------------------------------------------------------- seeds


def test_seeds_are_fits_with_further_seeds(model):
    X_train, y_train, X, y = digits()
    report = evaluate(model, X, y, X_train=X_train, y_train=y_train, seeds=3)
    score = report.measure("reconstruction", "error").scores["narrows"]
    again = [clone(model).set_params(random_state=seed).fit(X_train) for seed in (1, 2)]
    errors = [evaluate(ae, X).error for ae in (model, *again)]
    assert score.values == pytest.approx(errors, rel=1e-12)
    assert report.error == score.mean == pytest.approx(np.mean(errors))
    low, high = t.interval(0.95, 2, np.mean(errors), np.std(errors, ddof=1) / math.sqrt(3))
    assert score.half_width == pytest.approx((high - low) / 2)
    assert len(report.measure("costs", "fit_seconds").scores["narrows"].values) == 2
    assert {
        len(s.values) for s in report.measure("clusters", "kmeans_accuracy").scores.values()
    } == {3}
    (columns,) = [part for part in report.sections if part.key == "column_errors"]
    assert [len(line.scores["narrows"].values) for line in columns.measures] == [3] * 20
    assert "± " in str(report) and "3: mean" in str(report)
    first = evaluate(model, X, y, X_train=X_train, y_train=y_train)
    assert (
        first.measure("probes", "knn_100").scores["pca"].values[0]
        == (report.measure("probes", "knn_100").scores["pca"].values[0])
    )


def test_a_fit_with_a_time_limit_is_repeated_by_its_steps(tmp_path):
    X = digits()[0]
    ae = quick(2, max_steps=None, max_seconds=0.3, random_state=5, callbacks=(lambda p: None,))
    ae.fit(X).save(tmp_path / "m.safetensors")
    again, seconds = fitted_again(load(tmp_path / "m.safetensors"), 2, X, None)
    assert (again.max_seconds, again.max_steps, again.random_state) == (None, ae.n_steps_, 7)
    assert again.n_steps_ == ae.n_steps_
    assert seconds > 0
    assert fitted_again(ae, 1, X, None)[0].callbacks == ()


def test_seeds_go_round_at_the_largest_one(model):
    X_train, _, X, _ = digits()
    last = 2**32 - 1
    ae = clone(model).set_params(random_state=last, max_steps=2).fit(X_train)
    assert fitted_again(ae, 1, X_train, None)[0].random_state == 0
    assert evaluate(ae, X, X_train=X_train, seeds=2, random_state=last).n_seeds == 2


def test_a_model_of_classes_needs_them_again():
    X, y, held_out, _ = digits()
    ae = quick(2, objective=VAE(conditional=True), max_steps=3).fit(X / 16, y)
    with pytest.raises(DataError, match="y_train is None"):
        evaluate(ae, held_out / 16, X_train=X / 16, seeds=2)
    report = evaluate(ae, held_out / 16, X_train=X / 16, y_train=y, seeds=2, importance_samples=0)
    assert report.n_seeds == 2


# ---------------------------------------------------------------------- wrong arguments


def test_what_is_wrong_with_training_rows_is_said_of_them(model):
    X_train, y_train, X, y = digits()
    broken = X_train.copy()
    broken[3, 2] = np.nan
    with pytest.raises(DataError, match=r"(?s)^X_train: .*row 3,\s+column 2"):
        evaluate(model, X, X_train=broken)
    with pytest.raises(DataError, match=r"^Input X contains NaN"):
        evaluate(model, broken, X_train=X)
    with pytest.raises(DataError, match=r"^y_train has shape \(2,\), but X_train has 240 rows"):
        evaluate(model, X, y, X_train=X_train, y_train=[0, 1])
    with pytest.raises(DataError, match="without X_train"):
        evaluate(model, X, y, y_train=y_train)
    with pytest.raises(DataError, match="y_train was given without labels of the held-out rows"):
        evaluate(model, X, X_train=X_train, y_train=y_train)
    with pytest.raises(DataTypeError, match=r"^X_train: Sparse"):
        evaluate(model, X, X_train=csr_array(X_train))
    with pytest.raises(DataError, match="missing labels"):
        evaluate(model, X, [None] * 240)


def test_training_rows_are_not_held_out_rows(model):
    X_train, _, X, _ = digits()
    with pytest.raises(DataError, match="the same rows"):
        evaluate(model, X_train, X_train=X_train.copy())
    with pytest.warns(NarrowsWarning, match="75 % of the rows of X stand in X_train"):
        evaluate(model, np.concatenate([X_train[:30], X[:10]]), X_train=X_train)


def test_seeds_ask_for_training_rows(model):
    X = digits()[2]
    with pytest.raises(ParameterError, match=r"2 times more.*X_train.*--train DATA"):
        evaluate(model, X, seeds=3)
    with pytest.raises(ParameterError, match="`seeds` of evaluate must be an integer ≥ 1, got 0"):
        evaluate(model, X, seeds=0)
