"""Samples from priors, ways between rows, and numbers of a code that are moved."""

from __future__ import annotations

import copy
import math

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import curved, noise, quick
from narrows import IWAE, VAE, load
from narrows.errors import DataError, ParameterError
from narrows.model.sampling import between
from narrows.objectives.priors import PRIORS

A, B = np.array([3.0, 0.0]), np.array([0.0, 1.0])
CENTRE = np.zeros(2)


# ---------------------------------------------------------------- sample


@pytest.mark.parametrize("prior", sorted(PRIORS))
def test_a_plain_autoencoder_samples_rows_like_its_own(trained, X, prior):
    ae = copy.deepcopy(trained)
    rows = ae.sample(2_000, prior=prior, random_state=0)
    assert rows.shape == (2_000, X.shape[1])
    assert rows.dtype == np.float32
    rebuilt = ae.reconstruct(X)
    np.testing.assert_allclose(rows.mean(axis=0), rebuilt.mean(axis=0), atol=0.5)
    np.testing.assert_allclose(rows.std(axis=0), rebuilt.std(axis=0), rtol=0.3)
    assert prior in ae.priors_
    again = ae.sample(2_000, prior=prior, random_state=0)
    assert again.tobytes() == rows.tobytes()
    assert ae.sample(2_000, prior=prior, random_state=1).tobytes() != rows.tobytes()


def test_sampling_leaves_numpys_and_torchs_streams_alone(trained):
    # The old global stream is what scikit-learn's users seed, so it is the one to watch.
    streams = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    first, second = trained.sample(3), trained.sample(3)
    assert first.tobytes() != second.tobytes()
    assert (np.random.get_state()[1] == streams[0]).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), streams[1])


def test_at_temperature_0_every_sample_is_the_middle(trained):
    rows = trained.sample(5, temperature=0)
    assert (rows == rows[0]).all()
    middle = trained.priors_["normal"].mean.numpy()[None].astype(np.float32)
    np.testing.assert_array_equal(rows[:1], trained.inverse_transform(middle))


def test_samples_have_the_shape_and_the_bounds_of_pictures():
    pictures = np.random.default_rng(0).integers(0, 256, (60, 5, 4), dtype=np.uint8)
    rows = quick(3, max_steps=5).fit(pictures).sample(7, temperature=30, random_state=0)
    assert rows.shape == (7, 5, 4)
    assert 0 <= rows.min() <= rows.max() <= 255


@pytest.mark.parametrize("unit", [1e-30, 1e25, 1e60])
def test_data_in_any_unit_can_be_sampled_and_saved(unit, tmp_path):
    X = unit * curved(80)
    X = X.astype(np.float32) if unit < 1e30 else X
    ae = quick(max_steps=5).fit(X)
    assert np.isfinite(ae.sample(5)).all()
    ae.save(tmp_path / "model.safetensors")
    assert np.isfinite(load(tmp_path / "model.safetensors").sample(5)).all()


def test_samples_of_one_column_and_one_number(short_flow):
    rows = quick(1, max_steps=5).fit(noise(60, 1)).sample(4, prior="flow", random_state=0)
    assert rows.shape == (4, 1)
    assert np.isfinite(rows).all()


def test_a_constant_is_all_that_constant_rows_teach():
    rows = quick(2, max_steps=5).fit(np.full((30, 3), 7.0)).sample(4, random_state=0)
    np.testing.assert_allclose(rows, 7.0, atol=1e-4)


def test_a_fitted_prior_is_saved_and_codes_are_not(trained, X, short_flow, tmp_path):
    path = tmp_path / "model.safetensors"
    copy.deepcopy(trained).fit_prior("mixture").save(path)
    again = load(path)
    assert sorted(again.priors_) == ["mixture", "normal"]
    with pytest.raises(DataError, match=r"fit_prior\('flow', X\)"):
        again.sample(3, prior="flow")
    assert again.fit_prior("flow", X).sample(3, prior="flow").shape == (3, 6)
    samples = [
        model.fit_prior("mixture", X).sample(9, prior="mixture", random_state=0).tobytes()
        for model in (copy.deepcopy(trained), again)
    ]
    assert samples[0] == samples[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n": 0}, "`n`"),
        ({"n": 2.5}, "`n`"),
        ({"temperature": -1}, "`temperature`"),
        ({"temperature": math.nan}, "`temperature`"),
        ({"prior": "norml"}, "'normal'"),
        ({"prior": None}, "`prior`"),
    ],
)
def test_wrong_samples_say_what_is_allowed(trained, changes, words):
    with pytest.raises(ParameterError, match=words):
        trained.sample(**changes)


# ---------------------------------------------------------------- priors and partial_fit


def test_a_single_row_more_does_not_take_the_prior_away(trained, X, tmp_path):
    trained.save(tmp_path / "model.safetensors")
    for ae in (copy.deepcopy(trained), load(tmp_path / "model.safetensors")):
        spread = ae.sample(500, random_state=0).std(axis=0)
        ae.partial_fit(X[:1])
        np.testing.assert_allclose(ae.sample(500, random_state=0).std(axis=0), spread, rtol=0.5)


def test_priors_follow_the_rows_that_go_on(X):
    ae = quick().fit(X).fit_prior("mixture")
    ae.partial_fit(X + 1)
    assert list(ae.priors_) == ["normal"]
    assert np.isfinite(ae.sample(9, prior="mixture")).all()


@pytest.mark.parametrize("saved", [False, True])
def test_the_kl_term_keeps_its_weight_when_training_goes_on(X, saved, tmp_path):
    ae = quick(objective=VAE(warm_up=0.01)).fit(X)  # of 1,200 usual steps
    if saved:
        ae.save(tmp_path / "model.safetensors")
        ae = load(tmp_path / "model.safetensors")
    before = ae.history_[-1]["kl"]
    assert before > 0
    ae.partial_fit(X[:64])
    assert ae.history_[-1]["kl"] == pytest.approx(before, rel=0.5)
    assert ae.history_[-1]["step"] == ae.n_steps_


def test_in_a_stream_from_nothing_the_kl_term_rises_in_the_first_pass(X):
    ae = quick(objective=VAE(warm_up=0.9), batch_size=8).partial_fit(X).partial_fit(X)
    first, second = (row["kl"] for row in ae.history_)
    assert 0 < first < 0.8 * second


def test_training_goes_on_with_the_model_whatever_was_set_since(X):
    ae = quick().fit(X).set_params(objective="vae", network__hidden=(3,))
    ae.partial_fit(X)
    assert set(ae.history_[-1]) >= {"reconstruction"}
    assert "kl" not in ae.history_[-1]
    assert ae.fit(X).history_[-1]["kl"] > 0


# ---------------------------------------------------------------- ways between rows


def test_a_straight_way_is_even():
    np.testing.assert_allclose(between(A, B, CENTRE, 4, "linear")[1], [2.0, 1 / 3])


def test_a_way_around_turns_evenly_while_the_distance_changes_evenly():
    codes = between(A, B, CENTRE, 5, "spherical")
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), [3, 2.5, 2, 1.5, 1])
    angles = np.arctan2(codes[:, 1], codes[:, 0])
    np.testing.assert_allclose(angles, np.linspace(0, np.pi / 2, 5), atol=1e-12)


@pytest.mark.parametrize("end", [A, -A, 2 * A, CENTRE], ids=["same", "opposite", "line", "centre"])
def test_where_no_way_around_is_the_only_one_it_is_straight(end):
    straight = between(A, end, CENTRE, 5, "linear")
    np.testing.assert_array_equal(between(A, end, CENTRE, 5, "spherical"), straight)


@pytest.mark.parametrize("how", ["linear", "spherical"])
def test_interpolate_begins_and_ends_at_the_reconstructions(trained, X, how):
    way = trained.interpolate(X[3], X[8:9], steps=5, how=how)
    assert way.shape == (5, 6)
    np.testing.assert_allclose(way[[0, -1]], trained.reconstruct(X[[3, 8]]), rtol=1e-6)


def test_rows_may_come_as_a_series_a_tensor_or_a_picture(X):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    ae = quick().fit(frame)
    as_series = ae.interpolate(frame.iloc[0], frame.iloc[[1]])
    np.testing.assert_array_equal(as_series[[0, -1]], ae.reconstruct(frame.iloc[:2]))
    way = quick().fit(X).traverse(torch.tensor(X[0], requires_grad=True), 1)
    assert way.shape == (9, 6)
    pictures = noise(40, 12).reshape(40, 3, 4)
    shaped = quick(max_steps=5).fit(pictures).interpolate(pictures[0], pictures[1], steps=3)
    assert shaped.shape == (3, 3, 4)


def test_traverse_moves_one_number_by_its_deviation(trained, X):
    way = trained.traverse(X[0], 1, steps=3, span=2.0)
    np.testing.assert_allclose(way[1], trained.reconstruct(X[:1])[0], rtol=1e-6)
    code = trained.transform(X[:1])
    code[0, 1] += 2 * trained.transform(X).std(axis=0)[1]
    np.testing.assert_allclose(way[2], trained.inverse_transform(code)[0], rtol=1e-2)


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda ae, X: ae.interpolate(X[0], X[1], steps=1), "`steps`"),
        (lambda ae, X: ae.interpolate(X[0], X[1], how="straight"), "'linear' or 'spherical'"),
        (lambda ae, X: ae.interpolate(X[:2], X[1]), "One row"),
        (lambda ae, X: ae.interpolate(X[0, :4], X[1]), "One row"),
        (lambda ae, X: ae.traverse(X[0], 2), "integer ≥ 0 and ≤ 1"),
        (lambda ae, X: ae.traverse(X[0], 1.0), "integer"),
        (lambda ae, X: ae.traverse(X[0], 0, span=0), "`span`"),
        (lambda ae, X: ae.model_.lattice(1), "`steps`"),
        (lambda ae, X: quick(3, max_steps=2).fit(X).model_.lattice(), "two numbers"),
    ],
)
def test_wrong_ways_say_what_is_right(trained, X, use, words):
    with pytest.raises((ParameterError, DataError), match=words):
        use(trained, X)


def test_a_lattice_has_as_many_codes_where_codes_are_frequent(trained):
    normal = trained.priors_["normal"]
    codes = trained.model_.lattice(9).astype(np.float64)
    assert codes.shape == (81, 2)
    z = (codes - normal.mean.numpy()) / normal.deviations.numpy()
    assert (np.abs(z) < 0.6745).mean(axis=0) == pytest.approx(0.5, abs=0.1)
    own = quick(objective=IWAE(), max_steps=2).fit(curved()).model_.lattice(3)
    np.testing.assert_allclose(own[0], [-0.9674, -0.9674], atol=1e-3)


# ---------------------------------------------------------------- Ctrl-C after the last step


def test_a_model_stands_though_its_codes_were_not_taken(X, monkeypatch, tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    ae = quick()
    with monkeypatch.context() as patch:
        patch.setattr("narrows.training.fit.diagnose", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ae.fit(X)
    assert ae.transform(X).tobytes() == quick().fit(X).transform(X).tobytes()
    with monkeypatch.context() as patch:
        patch.setattr("narrows.training.afterwards.Normal.fit", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ae.fit(X)
    ae.save(tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors").transform(X).shape == (300, 2)


def test_no_prior_is_trained_for_a_draw_that_is_refused(trained, monkeypatch):
    monkeypatch.setattr(PRIORS["flow"], "fit", lambda codes, seed: pytest.fail("trained a flow"))
    with pytest.raises(ParameterError, match="`n`"):
        trained.sample(0, prior="flow")
