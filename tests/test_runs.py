"""How runs are watched, end, are interrupted, fail and go on over more rows."""

from __future__ import annotations

import copy
import math
import random

import numpy as np
import pytest
import torch
from sklearn.datasets import make_s_curve
from sklearn.exceptions import NotFittedError

from conftest import assert_is_pca_of, bits, noise, quick
from narrows import FSQ, MLP, Autoencoder
from narrows.errors import DataError, NarrowsWarning, ParameterError
from narrows.training import select

# ---------------------------------------------------------------- callbacks


def test_callbacks_watch_and_cannot_change_the_model(X):
    seen = []

    def meddle(progress):
        progress.model.reconstruct(X[:3])
        progress.model.encode(X[:3])[:] = 7
        for row in progress.history:
            row["loss"] = math.nan
        torch.manual_seed(progress.step)
        np.random.seed(progress.step)  # noqa: NPY002 - a callback may do so
        random.seed(progress.step)
        torch.rand(3)
        seen.append(progress)
        return progress.step  # not True itself

    streams = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    watched = quick(keep="last", callbacks=(meddle,)).fit(X)
    random.setstate(streams[0])
    np.random.set_state(streams[1])  # noqa: NPY002
    torch.set_rng_state(streams[2])
    assert bits(watched) == bits(quick(keep="last").fit(X))
    assert [progress.step for progress in seen] == list(range(1, 61))
    assert all(math.isfinite(row["loss"]) for row in watched.history_)
    assert all(progress.n_steps == 60 for progress in seen)
    assert seen[-1].epoch == len(watched.history_)
    with pytest.raises(AttributeError):
        seen[0].step = 5


def test_progress_shows_the_model_of_the_moment(X):
    shown = []
    ae = quick(
        keep="last",
        validation_fraction=0.0,
        callbacks=(lambda progress: shown.append(progress.model.encode(X)),),
    ).fit(X)
    assert not np.array_equal(shown[0], shown[-1])
    np.testing.assert_array_equal(shown[-1], ae.transform(X))


def test_a_callback_that_returns_true_ends_the_run(X):
    steps = []

    def stop(progress):
        steps.append(progress.step)
        return progress.step == 7

    ae = quick(callbacks=(stop,), keep="last").fit(X)
    assert steps == list(range(1, 8))
    assert ae.best_step_ == 7


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("step", [1, 40])
def test_ctrl_c_leaves_the_best_state(X, keep, step):
    def interrupt(progress):
        if progress.step == step:
            raise KeyboardInterrupt

    ae = quick(callbacks=(interrupt,), keep=keep, max_steps=200)
    with pytest.raises(KeyboardInterrupt):
        ae.fit(X)
    assert np.isfinite(ae.transform(X)).all()
    assert ae.best_step_ <= step
    if keep == "best":
        assert ae.validation_error_ <= ae.pca_validation_error_
        assert ae.best_step_ > 0 or step == 1
    else:
        assert ae.best_step_ == step


ONE_BY_ONE = MLP(hidden=(16,), skip=True)
"""A network that is not trained side by side with others."""


@pytest.mark.parametrize(
    ("network", "run"), [(MLP(hidden=(16,)), 1), *((ONE_BY_ONE, run) for run in (1, 3, 6))]
)
def test_ctrl_c_in_cross_fitting_leaves_a_model_that_says_what_it_is(X, network, run):
    def interrupt(progress):
        if progress.run == run and progress.step == 100:
            raise KeyboardInterrupt

    given = {"network": network, "validation_fraction": "auto", "max_steps": 400}
    ae = quick(callbacks=(interrupt,), **given)
    with pytest.raises(KeyboardInterrupt):
        ae.fit(X)
    assert ae.stopped_because_ == "interrupted"
    assert ae.best_step_ > 0
    assert ae.validation_error_ < ae.pca_validation_error_
    assert ae.score(X) > quick(max_steps=1).fit(X).score(X)
    assert ae.model_.record.saw_all == (network is not ONE_BY_ONE)


@pytest.mark.parametrize("n_done", [1, 2, 5])
def test_folds_that_are_done_judge_an_interrupted_fit(X, monkeypatch, n_done):
    def interrupt(progress):
        if progress.run == n_done + 1 and progress.step == 50:
            raise KeyboardInterrupt

    judged, choose = [], select.choose

    def watched(losses, parts, **given):
        judged.append((losses.shape[1], len(np.unique(parts))))
        return choose(losses, parts, **given)

    monkeypatch.setattr(select, "choose", watched)
    given = {"network": ONE_BY_ONE, "validation_fraction": "auto", "max_steps": 100}
    with pytest.raises(KeyboardInterrupt):
        quick(callbacks=(interrupt,), **given).fit(X)
    ((n_rows, n_parts),) = judged
    assert n_rows == n_done * len(X) / 5
    assert n_parts == (5 if n_done == 1 else n_done)  # a single fold is dealt into parts


# ---------------------------------------------------------------- when a run ends


def test_keep_last_returns_the_last_state(X):
    ae = quick(keep="last").fit(X)
    assert ae.best_step_ == ae.n_steps_ == 60
    assert ae.history_[-1]["step"] == 60


def test_patience_ends_a_run_that_gains_nothing():
    steps = []
    watch = (lambda progress: steps.append(progress.step),)
    ae = quick(patience=1, max_steps=200, callbacks=watch).fit(noise())
    assert ae.n_steps_ == 200
    assert 75 <= len(steps) < 200
    assert ae.best_step_ == 0


def test_a_run_that_loses_at_first_may_still_gain():
    """The first measurements of this one are worse than PCA's."""
    X = make_s_curve(1_500, random_state=4)[0]
    errors = []
    ae = Autoencoder(2, random_state=4, max_steps=300)
    ae.callbacks = (lambda progress: errors.append(progress.validation_error),)
    ae.fit(X)
    assert errors[26] > ae.pca_validation_error_
    assert ae.validation_error_ < 0.2 * ae.pca_validation_error_


def test_nothing_held_out(X):
    ae = quick(validation_fraction=0.0).fit(X)
    assert math.isnan(ae.validation_error_)
    assert ae.best_step_ == ae.n_steps_ == 60
    assert all(math.isnan(row["validation_error"]) for row in ae.history_)


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("split", [0.2, 0.0, "auto"])
def test_a_learning_rate_that_diverges_warns_and_gives_a_finite_state(X, keep, split):
    with pytest.warns(NarrowsWarning, match=r"no longer finite.*learning_rate="):
        ae = quick(keep=keep, validation_fraction=split, learning_rate=1e30).fit(X)
    assert ae.best_step_ == 0
    assert_is_pca_of(ae, X, rtol=1e-5)


def test_budgets_give_way_to_the_smaller():
    X = noise(100)
    steps = quick(max_epochs=3, max_steps=1000, batch_size=20, keep="last").fit(X).n_steps_
    assert steps == 3 * 4  # 80 rows are trained on
    assert quick(max_epochs=3, max_steps=5, batch_size=20, keep="last").fit(X).n_steps_ == 5


def test_verbose_2_prints_a_line_per_epoch(X, capsys):
    ae = quick(verbose=2, keep="last").fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(ae.history_)
    assert all(line.startswith("epoch ") and "loss" in line for line in lines)


def test_verbose_1_tells_run_part_and_errors(X, capsys):
    quick(verbose=1, validation_fraction=0.2).fit(X)
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert 2 <= len(lines) <= 11
    assert all(line.startswith("narrows: training ") and "PCA" in line for line in lines)
    assert lines[-1].startswith("narrows: training 100 %")
    quick(verbose=1, validation_fraction="auto", network=ONE_BY_ONE).fit(X)
    assert "training run 6/6 100 %" in capsys.readouterr().err


def test_fit_is_silent_by_default(X, capsys):
    quick().fit(X)
    assert capsys.readouterr() == ("", "")


# ---------------------------------------------------------------- partial_fit


def test_partial_fit_goes_through_rows_in_their_order(X):
    def continued(*parts):
        ae = quick(batch_size=16).fit(X)
        for part in parts:
            ae.partial_fit(part)
        return ae

    whole = continued(X[:96])
    assert bits(whole) == bits(continued(X[:32], X[32:96]))
    assert bits(whole) != bits(continued(X[32:96], X[:32]))
    assert whole.n_steps_ == 60 + 6


@pytest.mark.parametrize("n_rows", [1, 2, 3, 5, 17])
def test_partial_fit_takes_any_number_of_rows(trained, X, n_rows):
    ae = copy.deepcopy(trained).partial_fit(X[:n_rows])
    assert np.isfinite(ae.transform(X)).all()
    assert ae.n_steps_ > trained.n_steps_


def test_the_first_partial_fit_starts_at_pca_of_its_own_rows(X):
    first = X[:100]
    ae = quick(learning_rate=1e-12).partial_fit(first)
    assert_is_pca_of(ae, first, rtol=1e-5)
    np.testing.assert_allclose(ae.pca_.mean_, first.mean(axis=0))


def test_partial_fit_after_fit_continues_from_the_model(trained, X):
    ae = copy.deepcopy(trained).set_params(learning_rate=1e-12).partial_fit(X)
    np.testing.assert_allclose(ae.transform(X), trained.transform(X), atol=1e-4)
    assert len(ae.history_) == len(trained.history_) + 1


def test_partial_fit_learns(X):
    ae = quick(batch_size=32).partial_fit(X)
    before = ae.score(X)
    for _ in range(20):
        ae.partial_fit(X)
    assert ae.score(X) > before


def test_partial_fit_refuses_another_width_and_keeps_the_model(trained, X):
    ae = copy.deepcopy(trained)
    with pytest.raises(ValueError, match="6 features"):
        ae.partial_fit(X[:, :4])
    assert bits(ae) == bits(trained)


def test_defaults_need_no_argument():
    ae = Autoencoder(max_steps=5).fit(noise())
    assert ae.n_components_ == 2
    assert ae.device_ in ("cpu", "cuda")


# ---------------------------------------------------------------- what a failure leaves behind


def test_a_refused_fit_leaves_no_half_fitted_estimator():
    ae = quick(9)
    with pytest.raises(ParameterError, match="n_features = 4"):
        ae.fit(noise(50, 4))
    with pytest.raises(NotFittedError):
        ae.transform(noise(50, 4))


def test_a_refused_refit_leaves_the_earlier_model(X):
    ae = quick().fit(X)
    before = ae.transform(X)
    with pytest.raises(ParameterError, match="n_features = 1"):
        ae.fit(noise(50, 1))
    np.testing.assert_array_equal(ae.transform(X), before)


def test_rows_that_make_partial_fit_diverge_leave_the_model_as_it_was(X):
    ae = quick().fit(X).set_params(learning_rate=1e30)
    before = ae.transform(X)
    with pytest.raises(DataError, match="diverged"):
        ae.partial_fit(X)
    np.testing.assert_array_equal(ae.transform(X), before)


def test_a_callback_that_stops_the_repetition_leaves_a_model_that_says_what_it_is(X):
    def stop(progress):
        return progress.run == progress.n_runs and progress.step == 3

    given = {"network": ONE_BY_ONE, "validation_fraction": "auto", "max_steps": 400}
    ae = quick(callbacks=(stop,), **given).fit(X)
    assert ae.stopped_because_ == "callback"
    assert ae.best_step_ > 0  # the network of the first fold stands in
    assert not ae.model_.record.saw_all


@pytest.mark.parametrize("split", [0.2, "auto"])
def test_pcas_error_is_pcas_whatever_a_family_starts_at(X, split):
    def errors(objective):
        ae = quick(objective=objective, validation_fraction=split, max_steps=1).fit(X)
        return float(ae.validation_error_), float(ae.pca_validation_error_)

    ours, pca = errors("reconstruction")
    assert ours == pca
    rounded, still_pca = errors(FSQ(levels=2))
    assert still_pca == pytest.approx(pca, rel=1e-4)
    assert rounded > 1.2 * pca


def test_a_callback_may_answer_in_numpys_own_type(X):
    ae = quick(callbacks=(lambda progress: np.bool_(progress.step == 7),), keep="last").fit(X)
    assert (ae.best_step_, ae.stopped_because_) == (7, "callback")


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_few_steps_are_not_lost_to_an_average(X, steps):
    given = {"init": "random", "keep": "last", "max_steps": steps}
    ours = quick(schedule="averaged", **given).fit(X)
    start = quick(learning_rate=1e-12, schedule="averaged", **given).fit(X)
    assert np.abs(ours.transform(X) - start.transform(X)).max() > 1e-4


def test_partial_fit_with_another_optimizer_begins_its_means_anew(X):
    def passed(*optimizers):
        ae = quick()
        for optimizer in optimizers:
            ae.set_params(optimizer=optimizer).partial_fit(X)
        return bits(ae)

    assert passed("adamw", "adam") != passed("adamw", "adamw")


def test_every_run_prints_its_lines(X, capsys):
    quick(max_steps=1, validation_fraction="auto", verbose=2, network=ONE_BY_ONE).fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 5
    assert all(line.startswith("epoch    1  step      1") for line in lines)
