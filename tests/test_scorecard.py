"""The numbers of a scorecard, against scikit-learn, SciPy and plain counting."""

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest
from rich.cells import cell_len
from scipy.sparse import csr_array
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr, t
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from conftest import quick
from narrows import VAE, evaluate, load
from narrows.errors import DataError, DataTypeError, NarrowsWarning, ParameterError
from narrows.evaluation import neighbors, probes, splitting
from narrows.evaluation.clusters import k_means, matched_table, mixture
from narrows.evaluation.report import aligned
from narrows.evaluation.rows import MeasuredRows
from narrows.evaluation.scores import Measure, Score, Section, measure, merged, number_text
from narrows.evaluation.seeds import fitted_again
from narrows.evaluation.shown import on_a_plane
from narrows.evaluation.views import pca_inference, untrained


def digits(n_train=240):
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    return X[:n_train], y[:n_train], X[n_train : 2 * n_train], y[n_train : 2 * n_train]


@pytest.fixture(scope="module")
def model():
    return quick(3).fit(digits()[0])


@pytest.fixture(scope="module")
def card(model):
    X_train, y_train, X, y = digits()
    return evaluate(model, X, y, X_train=X_train, y_train=y_train)


def keys(report, section):
    return [line.key for part in report.sections if part.key == section for line in part.measures]


def notes(report):
    return " ".join(note.en for part in report.sections for note in part.notes)


# ---------------------------------------------------------------------- neighbours


def test_neighbourhoods_are_scikit_learns_and_scipys(rng):
    rows = rng.normal(size=(40, 5))
    codes = rows[:, :2] + rng.normal(0, 0.3, (40, 2))
    space = neighbors.Space(rows, 7)
    assert space.trustworthiness(codes) == pytest.approx(
        trustworthiness(rows, codes, n_neighbors=7)
    )
    assert space.continuity(codes) == pytest.approx(trustworthiness(codes, rows, n_neighbors=7))
    assert space.continuity(codes) != pytest.approx(space.trustworthiness(codes), abs=1e-3)
    expected = spearmanr(pdist(rows), pdist(codes)).statistic
    assert space.shepard(codes) == pytest.approx(expected, rel=1e-6)
    kept = [
        len(set(np.argsort(np.linalg.norm(rows - rows[i], axis=1))[1:8])
            & set(np.argsort(np.linalg.norm(codes - codes[i], axis=1))[1:8])) / 7
        for i in range(40)
    ]  # fmt: skip
    assert space.kept(codes) == pytest.approx(np.mean(kept))
    perfect = [test(3 * rows) for test in (space.kept, space.trustworthiness, space.shepard)]
    assert perfect == pytest.approx([1, 1, 1])


def test_very_many_pairs_are_drawn_by_chance(rng, monkeypatch):
    rows = rng.normal(size=(300, 4))
    codes = rows[:, :2]
    whole = neighbors.Space(rows, 5).shepard(codes)
    monkeypatch.setattr(neighbors, "MOST_PAIRS", 20_000)
    drawn = neighbors.Space(rows, 5, seed=1).shepard(codes)
    assert drawn != whole
    assert drawn == pytest.approx(whole, abs=0.02)
    first, second = neighbors._pairs(300, 1)
    assert len(first) == 20_000
    assert (first != second).all() and first.max() == second.max() == 299


def test_codes_that_are_all_alike_have_no_correlation(rng):
    space = neighbors.Space(rng.normal(size=(20, 4)), 5)
    assert math.isnan(space.shepard(np.ones((20, 2))))


def test_distances_are_those_that_the_model_sees():
    X = load_wine().data
    ae = quick(13, scaling="standard", keep="best", max_steps=1).fit(X[::2])
    line = evaluate(ae, X[1::2]).measure("neighbours", "neighbours_kept")
    assert line.scores["pca"].mean > 0.99  # as many numbers as columns: nothing can be lost


def test_10_nn_accuracy_is_scikit_learns_by_training_rows(model, card):
    X_train, y_train, X, y = digits()
    for encode, name in ((model.transform, "narrows"), (pca_inference(model).encode, "pca")):
        judge = KNeighborsClassifier(10).fit(encode(X_train), y_train)
        line = card.measure("neighbours", "knn_accuracy")
        assert line.scores[name].mean == pytest.approx(judge.score(encode(X), y))
        assert line.scores[name].mean == card.measure("probes", "knn_all").scores[name].mean
    assert card.knn_accuracy == line.scores["narrows"].mean
    assert line.name.en == "10-NN accuracy of codes"


def test_10_nn_accuracy_without_training_rows_is_called_leave_one_out(model):
    _, _, X, y = digits()
    Z = model.transform(X)
    hits = [
        KNeighborsClassifier(10).fit(np.delete(Z, i, 0), np.delete(y, i)).predict(Z[i : i + 1])[0]
        == y[i]
        for i in range(len(Z))
    ]
    report = evaluate(model, X, y)
    assert report.knn_accuracy == pytest.approx(np.mean(hits))
    name = report.measure("neighbours", "knn_accuracy").name
    assert name.en == "10-NN accuracy of codes, leave-one-out" and "留一法" in name.zh


# ---------------------------------------------------------------------- rows


def test_halves_share_no_row_and_have_equal_classes():
    classes = np.repeat([0, 1, 2], [10, 31, 4])
    learn, test = splitting.halves(classes, 1000, seed=3)
    assert sorted([*learn, *test]) == list(range(45))
    assert np.bincount(classes[learn]).tolist() == [5, 16, 2]
    assert not np.array_equal(learn, splitting.halves(classes, 1000, seed=4)[0])
    assert sum(map(len, splitting.halves(classes, 20, seed=3))) == 20


def test_training_rows_are_learned_from_and_held_out_rows_are_tested_on():
    rows = np.arange(100.0)[:, None]
    data = MeasuredRows(rows[60:], np.arange(40) % 2, ("a", "b"), rows[:60], np.arange(60) % 2)
    chosen = splitting.split(data, 0)
    assert chosen.learn.max() == 59 and chosen.test.min() == 60
    assert np.array_equal(chosen.learn[:, 0] % 2, chosen.learn_classes)
    halved = splitting.split(MeasuredRows(rows[60:], np.arange(40) % 2, ("a", "b"), rows[:60]), 0)
    assert not set(halved.learn[:, 0]) & set(halved.test[:, 0])
    assert halved.learn.min() >= 60


def test_few_labels_are_spread_evenly():
    classes = np.repeat([0, 1, 2], [500, 300, 3])
    drawn = probes.few_of_each(classes, 100, seed=0)
    assert len(set(drawn)) == 100
    counts = np.bincount(classes[drawn])
    assert counts[2] == 3 and sorted(counts[:2]) == [48, 49]
    assert set(drawn) != set(probes.few_of_each(classes, 100, seed=1))


# ---------------------------------------------------------------------- probes and clusters


def test_probes_are_scikit_learns_on_codes_of_training_rows(model, card):
    X_train, y_train, X, y = digits()
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    codes, held_out = (model.transform(rows).astype(float) for rows in (X_train, X))
    expected = probe.fit(codes, y_train).score(held_out, y)
    line = card.measure("probes", "linear_all")
    assert line.scores["narrows"].mean == pytest.approx(expected)
    assert line.name.en == "linear, 240 labels"
    raw = probe.fit(X_train, y_train).score(X, y)
    assert line.scores["input"].mean == pytest.approx(raw, abs=0.01)
    assert set(line.scores) == {"narrows", "pca", "input", "random_network"}
    assert keys(card, "probes") == ["linear_all", "linear_100", "knn_all", "knn_100"]
    for budget in ("all", "100"):
        assert card.measure("probes", f"knn_{budget}").scores["narrows"].mean > 0.4  # chance: 0.1


def test_labels_of_chance_are_not_learned(model):
    _, _, X, _ = digits()
    y = np.random.default_rng(0).integers(0, 2, len(X))
    report = evaluate(model, X, y)
    # Five deviations of 120 tosses of a coin.
    for line in ("linear_all", "linear_100", "knn_all", "knn_100"):
        for score in report.measure("probes", line).scores.values():
            assert abs(score.mean - 0.5) < 5 * math.sqrt(0.25 / 120)


def test_the_random_network_has_the_architecture_and_other_weights(model):
    X = digits()[2]
    before = model.transform(X)
    drawn = untrained(model.model_, 0).encode(X)
    assert drawn.shape == before.shape
    assert np.array_equal(drawn, untrained(model.model_, 0).encode(X))
    assert not np.allclose(drawn, untrained(model.model_, 1).encode(X))
    assert np.array_equal(model.transform(X), before)
    hidden = [
        layer
        for layer in untrained(model.model_, 0)._net.encoder.modules()
        if isinstance(layer, nn.Linear)
    ]
    assert [layer.out_features for layer in hidden] == [16, 3]
    assert float(hidden[-1].weight.detach().abs().min()) > 0  # not silent, as beside PCA


def test_the_users_own_modules_are_drawn_anew():
    X, _, held_out, _ = digits()
    pair = nn.Linear(64, 2), nn.Linear(2, 64)
    ae = quick(2, network=pair, init="random").fit(X)
    drawn = untrained(ae.model_, 0).encode(held_out)
    assert not np.allclose(drawn, untrained(ae.model_, 1).encode(held_out))
    with_own_weights = ((held_out - X.mean(axis=0)) @ pair[0].weight.detach().numpy().T)[:, 0]
    assert abs(np.corrcoef(drawn[:, 0], with_own_weights)[0, 1]) < 0.999


def test_clusters_are_matched_as_well_as_they_can_be(rng):
    classes, found = rng.integers(0, 4, (2, 200))
    best = max(
        np.mean(np.array(order)[found] == classes) for order in itertools.permutations(range(4))
    )
    assert np.trace(matched_table(classes, found, 4)) / 200 == pytest.approx(best)
    renamed = np.array([2, 0, 3, 1])[classes]
    assert np.array_equal(matched_table(classes, renamed, 4), np.diag(np.bincount(classes)))


@pytest.mark.parametrize("cluster", [k_means, mixture])
def test_clusters_of_apart_groups_are_the_groups(cluster, rng):
    classes = np.arange(300) % 3
    rows = 1000 + 100 * np.eye(3)[classes] + rng.normal(0, 1, (300, 3))
    found = cluster(rows[:150], rows[150:], 3, 0)
    assert np.trace(matched_table(classes[150:], found, 3)) == 150


def test_clusters_are_counted_class_by_class(card):
    counts = card.shown.clusters
    assert np.array_equal(counts.sum(axis=1), np.bincount(digits()[3]))
    accuracy = card.measure("clusters", "kmeans_accuracy").scores["narrows"].mean
    assert np.trace(counts) / counts.sum() == pytest.approx(accuracy)
    assert set(card.measure("clusters", "mixture_accuracy").scores) == {"narrows", "pca"}


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


# ---------------------------------------------------------------------- the report


def test_a_report_finds_its_lines_and_names_near_misses(card):
    assert card.measure("neighbours", "continuity").scores["pca"].mean <= 1
    with pytest.raises(ParameterError, match="Did you mean 'probes'"):
        card.measure("probe", "linear_all")
    with pytest.raises(ParameterError, match="Did you mean 'linear_all'"):
        card.measure("probes", "linear_al")


def test_a_report_is_saved_as_json(card, tmp_path):
    card.save(tmp_path / "card.json")
    read = json.loads((tmp_path / "card.json").read_text("utf-8"))
    assert read == card.as_dict()
    assert read["sections"]["class_errors"]["3"]["pca"]["values"] == [
        card.measure("class_errors", "3").scores["pca"].mean
    ]
    with pytest.raises(ParameterError, match=r"\.json or \.html, got 'card\.jso'.*Did you mean"):
        card.save(tmp_path / "card.jso")


def test_equal_reports_are_equal_whatever_they_took(model, card):
    X_train, y_train, X, y = digits()
    assert evaluate(model, X, y, X_train=X_train, y_train=y_train) == card
    assert evaluate(model, X, y, X_train=X_train, y_train=y_train, random_state=1) != card


def test_many_classes_are_cut_in_the_table_and_whole_in_json(model):
    X = digits()[2]
    report = evaluate(model, X, np.arange(240) % 30)
    assert len(keys(report, "class_errors")) == 30
    (block,) = [block for block in report.blocks() if block.head[0] == "Error by class"]
    assert len(block.rows) == 20
    assert block.notes == ["10 further classes have smaller errors."]


def test_columns_are_as_wide_as_their_characters_and_not_endless():
    rows = [["class", "error"], ["猫", "1.5"], ["x" * 5000, "12.5"]]
    lines = aligned(rows, n_left=1)
    assert len({cell_len(line) for line in lines}) == 1
    assert cell_len(lines[0]) < 60 and "…" in lines[2]


def test_a_score_of_one_seed_has_no_interval():
    assert Score((0.5,)).half_width is None
    assert Score((0.5,)).text("share") == "0.5000"
    assert Score((1.0, 3.0)).text("error").startswith("2.000 ± ")
    assert Score((float("nan"), 1.0)).text("share") == "–"
    assert Score((0.1 + 0.2, 0.3)).text("error") == "0.3000 ± 0"


@pytest.mark.parametrize(
    ("value", "kind", "half", "text"),
    [
        (0.00341, "error", None, "0.003410"),
        (12345.6, "error", None, "12,346"),
        (1449.0, "error", 3.21, "1449 ± 3.2"),
        (0.5, "share", 0.01, "0.5000 ± 0.0100"),
        (0.85, "ratio", None, "0.850"),
        (1234567, "count", None, "1,234,567"),
        (7.5, "count", 1.23, "7.5 ± 1.2"),
        (1500, "bytes", None, "1.5 kB"),
        (1500, "bytes", 20, "1.5 kB ± 20 bytes"),
        (2.31, "seconds", 0.2, "2.3 ± 0.2 s"),
        (0.4991, "seconds", 0.18, "499 ± 180 ms"),
        (52e-6, "seconds", None, "52 µs"),
        (0.0, "seconds", None, "0.0 µs"),
    ],
)
def test_numbers_are_written_with_their_units(value, kind, half, text):
    assert number_text(value, kind, half) == text


def test_the_best_is_the_best_as_it_is_written():
    def best(better="high", **values):
        return measure("m", "m", values, "share", better).best()

    assert best(narrows=0.5, pca=0.4) == {"narrows"}
    assert best("low", narrows=0.5, pca=0.4) == {"pca"}
    assert best(narrows=0.5, pca=0.5000001, input=0.1) == {"narrows", "pca"}
    assert (
        best(narrows=0.5, pca=0.5000001) == best(narrows=0.5) == best("", narrows=1, pca=2) == set()
    )


def test_seeds_are_joined_line_by_line():
    def seed(*lines):
        return [
            Section(
                "s", "title", "about", tuple(measure(key, key, values) for key, values in lines)
            )
        ]

    (joined,) = merged([seed(("a", {"pca": 1})), seed(("a", {"pca": 3}), ("b", {"pca": 5}))])
    assert [line.scores["pca"].values for line in joined.measures] == [(1, 3), (5,)]
    assert isinstance(joined.measures[0], Measure)


def test_codes_on_a_plane(rng):
    codes = rng.normal(size=(50, 2))
    assert np.array_equal(on_a_plane(codes), codes)
    wide = rng.normal(size=(50, 6)) * [1, 5, 1, 1, 9, 1]
    places = on_a_plane(wide)
    values = np.linalg.eigvalsh(np.cov(wide, rowvar=False))[::-1]
    assert places.var(axis=0, ddof=1) == pytest.approx(values[:2])
    line = on_a_plane(codes[:, :1])
    assert np.array_equal(line[:, 0], codes[:, 0])
    assert np.ptp(line[:, 1]) <= np.ptp(codes[:, 0]) / 4
