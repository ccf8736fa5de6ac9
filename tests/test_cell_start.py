"""Pictures that are too large for one PCA start at the PCA of their cells; here large is small."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from conftest import bits, quick
from narrows import Autoencoder, Conv, evaluate, load
from narrows.errors import InconsistentModelFile, ParameterError
from narrows.linear.patches import Cells
from narrows.linear.pca import fit_pca, fit_pca_of_cells
from narrows.model.file import read_model, write_model
from narrows.training.make_plan import make_plan

SHAPE, K = (10, 7, 3), 8
CUT = Cells(*SHAPE, 2, 2)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Pictures of 210 values and codes of 8 numbers are just too large."""
    monkeypatch.setattr("narrows.linear.patches.LARGEST_PATH", 300)


@pytest.fixture(name="P", scope="module")
def pictures():
    """Pictures with waves of many directions, so that cells differ and none is easy."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    angle, length, phase = rng.uniform(0, 6.3, (3, 400, 1, 1, 1))
    wave = np.sin(np.cos(angle) * y[..., None] + np.sin(angle) * x[..., None] + phase)
    return 100 + 10 * wave * (1 + length) * np.array([1.0, 0.5, -0.5])


def conv(**fields):
    return Conv(**{"patch": 3, "channels": (8,), "hidden": (8,), **fields})


def expected_scores(X, cells=CUT):
    """Scores by scikit-learn: one PCA of all cells, each about the mean at its own place."""
    high, wide = -(-SHAPE[0] // cells.rows), -(-SHAPE[1] // cells.columns)
    centred = X - X.mean(axis=0)
    filled = np.zeros((len(X), cells.rows * high, cells.columns * wide, SHAPE[2]))
    filled[:, : SHAPE[0], : SHAPE[1]] = centred
    parts = filled.reshape(len(X), cells.rows, high, cells.columns, wide, SHAPE[2])
    parts = parts.swapaxes(2, 3).reshape(len(X) * cells.n_cells, -1)
    pca = PCA(K // cells.n_cells, svd_solver="full").fit(parts)
    axes = (
        pca.components_
        * np.sign(
            pca.components_[np.arange(len(pca.components_)), np.abs(pca.components_).argmax(axis=1)]
        )[:, None]
    )
    scores = (parts @ axes.T).reshape(len(X), cells.n_cells, -1)
    back = (scores @ axes).reshape(len(X), cells.rows, cells.columns, high, wide, SHAPE[2])
    back = back.swapaxes(2, 3).reshape(filled.shape)[:, : SHAPE[0], : SHAPE[1]]
    return scores.swapaxes(1, 2).reshape(len(X), K), back + X.mean(axis=0), pca


def test_pca_of_cells_is_that_of_scikit_learn(P):
    rows = P.reshape(len(P), -1)
    found = fit_pca_of_cells(lambda: iter([rows[:150], rows[150:]]), K, CUT, seed=0)
    scores, back, pca = expected_scores(P)
    np.testing.assert_allclose(found.transform(rows), scores, atol=1e-8)
    np.testing.assert_allclose(found.inverse_transform(scores), back.reshape(rows.shape), atol=1e-8)
    np.testing.assert_allclose(found.explained_variance_, pca.explained_variance_, rtol=1e-8)
    np.testing.assert_allclose(found.mean_, rows.mean(axis=0))
    np.testing.assert_allclose(found.variances_, rows.var(axis=0, ddof=1))
    assert found.n_components_ == K
    assert 0 < found.explained_variance_ratio_.sum() < 1


def test_one_cell_is_plain_pca(P):
    rows = P.reshape(len(P), -1)
    whole = Cells(*SHAPE, 1, 1)
    one = fit_pca_of_cells(lambda: iter([rows]), K, whole, seed=0)
    other = fit_pca(lambda: iter([rows]), K, seed=0)
    for name in ("components_", "explained_variance_", "explained_variance_ratio_"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-9)


@pytest.mark.parametrize("scaling", ["auto", "standard", None, (0.0, 1.0)])
@pytest.mark.parametrize("network", ["conv", "mlp"])
def test_training_starts_there_exactly(network, scaling, P):
    part = conv() if network == "conv" else network
    ae = quick(K, network=part, scaling=scaling, validation_fraction=0.0, learning_rate=1e-30)
    ae.set_params(max_steps=1, bounds=None).fit(P)
    assert ae.pca_.cells == CUT
    scale = P.std(axis=0, ddof=1) if scaling == "standard" else 1.0
    scores, back, _ = expected_scores(P / scale)
    Z, tolerance = ae.transform(P), 1e-4 * np.abs(scores).max()
    # Where two entries of an axis are equally large, its sign is anybody's choice.
    np.testing.assert_allclose(Z * np.sign((Z * scores).sum(axis=0)), scores, atol=tolerance)
    np.testing.assert_allclose(ae.reconstruct(P), back * scale, atol=1e-4 * np.abs(back).max())


def test_it_trains_and_leaves_pca_behind(P):
    ae = quick(K, network=conv(), max_steps=400, learning_rate=0.003).fit(P)
    assert ae.validation_error_ < 0.9 * ae.pca_validation_error_
    report = evaluate(ae, P)
    _, back, _ = expected_scores(P)
    assert report.pca_error == pytest.approx(np.square(back - P).mean(), rel=0.1)
    assert report.error < report.pca_error
    assert ae.sample(2, random_state=0).shape == (2, *SHAPE)


def test_the_path_is_trained_apart_from_the_network(P):
    ae = quick(K, network=conv(), keep="last", max_steps=3).fit(P)
    for part in (ae.network_.encoder, ae.network_.decoder):
        assert part.weight.requires_grad
        assert part.weight.numel() == CUT.size * K // CUT.n_cells


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_has_the_same_bits_alone_and_in_any_batch(dtype, P):
    X = P[:150].astype(dtype)
    ae = quick(K, network=conv(), keep="last", max_steps=5).fit(X)
    Z = ae.transform(X)
    np.testing.assert_array_equal(ae.transform(X[::-1]), Z[::-1])
    np.testing.assert_array_equal(ae.transform(X[64:65]), Z[64:65])
    np.testing.assert_array_equal(ae.inverse_transform(Z[9:10]), ae.inverse_transform(Z)[9:10])


@pytest.fixture
def saved(P, tmp_path):
    ae = quick(K, network=conv(), keep="last", max_steps=5).fit(P)
    ae.save(tmp_path / "m.safetensors")
    return ae, tmp_path / "m.safetensors"


def test_a_model_survives_its_file(saved, P):
    ae, path = saved
    again = load(path)
    assert bits(again) == bits(ae)
    assert again.pca_.cells == ae.pca_.cells
    np.testing.assert_array_equal(again.reconstruct(P), ae.reconstruct(P))
    np.testing.assert_array_equal(again.pca_.transform(P[:3].reshape(3, -1)).shape, (3, K))
    one, other = (model.partial_fit(P).transform(P) for model in (ae, again))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cells", [[2], [3, 1], [0, 2], [2, 4], "2", [1, 1]])
def test_forged_cells_are_refused(cells, saved):
    _, path = saved
    state = read_model(path)
    state.config["cells"] = cells
    write_model(path, state)
    with pytest.raises(InconsistentModelFile):
        load(path)


def test_plan_counts_what_is_trained_and_names_what_does_not_fit(P):
    params = Autoencoder(K, network=conv(), sample_shape=SHAPE).get_params(deep=False)
    plan = make_plan(params, 400, 210, 0, sample_shape=SHAPE)
    inner = plan.network.n_parameters(plan.widths)
    assert plan.n_parameters == inner + 2 * CUT.size * K // CUT.n_cells
    assert plan.n_products >= plan.n_parameters - inner
    with pytest.raises(ParameterError, match=r"objective='vae' cannot start.*2 × 2 cells.*random"):
        make_plan({**params, "objective": "vae"}, 400, 210, 0, sample_shape=SHAPE)
    with pytest.raises(
        ParameterError, match=r"`n_components`=11.*cannot be shared out. Ask for 10 or 12"
    ):
        make_plan({**params, "n_components": 11}, 400, 210, 0, sample_shape=SHAPE)


def test_batches_of_large_rows_are_small():
    params = Autoencoder(1, network="mlp").get_params(deep=False)
    plan = make_plan(params, 100_000, 3 << 20, 0)
    assert 1 <= plan.batch_size * (3 << 20) <= 1 << 24
    assert make_plan(params, 100_000, 784, 0).batch_size == 256


def test_partial_fit_starts_there_too(P):
    ae = quick(K, network=conv()).partial_fit(P)
    assert ae.pca_.cells == CUT
    assert torch.isfinite(torch.from_numpy(ae.transform(P))).all()
