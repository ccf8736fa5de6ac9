"""Numbers about samples, against closed forms, brute force and the digits themselves."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from conftest import quick
from narrows import MLP, evaluate, load
from narrows.datasets import load_mnist
from narrows.errors import DataError, NarrowsWarning, ParameterError
from narrows.evaluation import sample_quality
from narrows.evaluation.digit_features import digit_classes, digit_features, network
from narrows.evaluation.round_trip import Measurement
from narrows.evaluation.sample_quality import as_grey_pictures, frechet_distance, precision_recall

README = Path(network.__file__).parent / "README.md"


@pytest.fixture(scope="module")
def digits():
    X, y = load_mnist("test", return_X_y=True)
    return X, y


@pytest.fixture(scope="module")
def model(digits):
    """Knows 600 of the training digits, hardly."""
    X = load_mnist("train", return_X_y=True)[0][:600]
    return quick(4, keep="last", max_steps=30, network=MLP(hidden=(32,))).fit(X)


# ---------------------------------------------------------------- Fréchet distance


def with_moments(mean, covariance, rng, n=50):
    """Rows that have a mean and a covariance exactly."""
    rows = rng.normal(size=(n, len(mean)))
    rows -= rows.mean(axis=0)
    own = np.atleast_2d(np.cov(rows, rowvar=False))
    whitening = np.linalg.inv(np.linalg.cholesky(own))
    return mean + rows @ whitening.T @ np.linalg.cholesky(covariance).T


def test_frechet_distance_of_one_feature_is_that_of_two_normals(rng):
    a = with_moments(np.array([1.0]), np.array([[4.0]]), rng)
    b = with_moments(np.array([3.0]), np.array([[0.25]]), rng)
    # (μ_a − μ_b)² + (σ_a − σ_b)²
    assert frechet_distance(a, b) == pytest.approx(4 + 1.5**2, rel=1e-9)


def test_frechet_distance_agrees_with_scipys_root_of_a_matrix(rng):
    factor_a, factor_b = rng.normal(size=(2, 5, 5))
    covariances = [factor @ factor.T + np.eye(5) for factor in (factor_a, factor_b)]
    means = rng.normal(size=(2, 5))
    a, b = (with_moments(m, c, rng) for m, c in zip(means, covariances, strict=True))
    root = sqrtm(covariances[0] @ covariances[1]).real
    expected = np.square(means[0] - means[1]).sum()
    expected += np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_the_same_rows_is_nothing_even_where_features_are_constant(rng):
    rows = np.column_stack([rng.normal(size=(30, 3)), np.ones(30)])
    assert frechet_distance(rows, rows[::-1]) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(rows, rows + 2) == pytest.approx(4 * 4, rel=1e-9)


# ---------------------------------------------------------------- precision and recall


def test_precision_and_recall_by_hand():
    real = np.array([[0.0], [1.0], [3.0]])  # their nearest neighbours are 1, 1 and 2 away
    generated = np.array([[-1.0], [-1.5], [5.0], [7.0]])  # 0.5, 0.5, 2 and 2
    # Among the real: −1 (1 from 0) and 5 (2 from 3). Among the generated: 3 (2 from 5).
    assert precision_recall(real, generated, k=1) == (2 / 4, 1 / 3)


def brute_precision(real, generated, k):
    radii = np.sort(cdist(real, real), axis=1)[:, k]
    return np.mean([(cdist([row], real)[0] <= radii).any() for row in generated])


def test_precision_and_recall_by_brute_force_and_in_blocks(rng, monkeypatch):
    real, generated = rng.normal(size=(60, 4)), 1 + rng.normal(size=(40, 4))
    expected = brute_precision(real, generated, 3), brute_precision(generated, real, 3)
    assert 0 < min(expected) < max(expected) < 1
    assert precision_recall(real, generated) == pytest.approx(expected)
    monkeypatch.setattr(sample_quality, "WORKING_MIB", 0.002)  # four rows at a time
    assert precision_recall(real, generated) == pytest.approx(expected)


def test_precision_falls_off_the_manifold_and_recall_with_what_is_missing(digits):
    X, y = digits
    real, copies, others = X[:1000], X[1000:2000], X[1000:2000][y[1000:2000] < 5]
    noise = np.random.default_rng(0).random((200, 784))
    good = sample_quality.sample_quality(copies, real)
    half = sample_quality.sample_quality(others, real)
    bad = sample_quality.sample_quality(noise, real)
    assert good.precision > 0.7
    assert good.recall > 0.7
    assert half.precision > 0.7
    assert half.recall < 0.6
    assert bad.precision == bad.recall == 0.0
    assert good.frechet < half.frechet < bad.frechet
    # As many real pictures as there are differ by less than two halves of them.
    assert good.frechet < 2 * good.frechet_floor
    assert half.frechet > 5 * half.frechet_floor


# ---------------------------------------------------------------- the classifier


def test_the_readme_states_the_accuracy(digits):
    X, y = digits
    stated = float(re.search(r"(\d\d\.\d\d) %", README.read_text("utf-8"))[1])
    accuracy = 100 * np.mean(digit_classes(X) == y)
    assert accuracy >= 99
    # Another processor may turn a digit or two that lie on the border.
    assert stated == pytest.approx(accuracy, abs=0.03)


def test_features_are_scaled_to_the_training_digits():
    X = load_mnist("train", return_X_y=True)[0][:3000]
    features = digit_features(X)
    assert features.shape == (3000, 64)
    assert features.var(axis=0).mean() == pytest.approx(1, rel=0.03)


def test_features_do_not_depend_on_how_pictures_are_given(digits):
    X = digits[0][:7]
    features = digit_features(X)
    for same in (X.reshape(-1, 28, 28), X.reshape(-1, 28, 28, 1), X.astype(float)):
        np.testing.assert_array_equal(digit_features(same), features)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 64)), r"\(3, 64\)"),
        (np.zeros((3, 28, 28, 3)), r"\(3, 28, 28, 3\)"),
        (np.full((3, 784), 255), "holds 255 to 255"),
        (np.full((3, 784), np.nan), "holds nan to nan"),
        (np.full((3, 784), "1"), "<U1"),
    ],
)
def test_other_pictures_are_refused(X, message):
    with pytest.raises(DataError, match=message):
        digit_features(X)


def test_a_damaged_file_is_refused(monkeypatch):
    monkeypatch.setattr(network, "WEIGHTS", "README.md")
    with pytest.raises(DataError, match="SHA-256"):
        network.digit_net.__wrapped__()


def test_loading_leaves_torchs_global_stream_alone():
    import torch

    before = torch.get_rng_state()
    network.digit_net.__wrapped__()
    assert torch.equal(torch.get_rng_state(), before)


# ---------------------------------------------------------------- in a report


def test_a_report_measures_samples_where_asked(model, digits):
    X = digits[0][:500]
    report = evaluate(model, X, samples=300)
    generated = model.sample(300, random_state=0)
    features, real = digit_features(generated), digit_features(X)
    found = report.samples
    assert found.n_samples == 300
    assert found.frechet == pytest.approx(frechet_distance(real, features))
    assert (found.precision, found.recall) == precision_recall(real, features)
    assert 0 < found.frechet_floor < found.frechet
    assert report.as_dict()["samples"]["frechet"] == found.frechet
    assert "300 samples" in str(report)
    assert evaluate(model, X, samples=300) == report
    assert evaluate(model, X, samples=300, prior="mixture").samples != found


def test_no_samples_unless_asked(model, digits):
    report = evaluate(model, digits[0][:20])
    assert report.samples is None
    assert "samples" not in str(report)


def test_bytes_are_measured_as_their_fractions_are(digits):
    X = digits[0][:50]
    of_bytes = as_grey_pictures(np.round(255 * X).astype(np.uint8), (0.0, 255.0))
    np.testing.assert_allclose(of_bytes, as_grey_pictures(X, (0.0, 1.0)), atol=1e-7)
    assert as_grey_pictures(X, (-1.0, 1.0)) is None
    assert as_grey_pictures(X, None) is None


def test_samples_of_other_rows_are_not_measured_and_it_says_why(trained, X):
    with pytest.warns(NarrowsWarning, match="rows of 6 values"):
        report = evaluate(trained, X, samples=10)
    assert report.samples is None


def test_wrong_requests(model, digits):
    X = digits[0][:20]
    with pytest.raises(ParameterError, match="`samples` of evaluate must be"):
        evaluate(model, X, samples=-1)
    with pytest.raises(ParameterError, match="Did you mean 'mixture'"):
        evaluate(model, X, samples=10, prior="mixtur")


def test_samples_that_cannot_be_had_are_refused_before_anything_is_measured(
    model, digits, tmp_path, monkeypatch
):
    X = digits[0][:20]
    model.save(tmp_path / "m.safetensors")
    read = load(tmp_path / "m.safetensors")
    monkeypatch.setattr(Measurement, "of", lambda *given: pytest.fail("measured"))
    with pytest.raises(ParameterError, match="`samples` of evaluate must be 0, or an integer ≥ 8"):
        evaluate(model, X, samples=7)
    with pytest.raises(DataError, match="holds no codes"):
        evaluate(read, X, samples=10, prior="flow")
