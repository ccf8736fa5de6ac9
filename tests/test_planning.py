"""From parameters to numbers: limits and relations, not the tuned constants."""

from __future__ import annotations

import math

import pytest
import torch

from narrows import MLP, AdamW, Autoencoder
from narrows.errors import ParameterError
from narrows.training.make_plan import make_plan


def plan(n_rows=5_000, n_features=20, partial=False, **changes):
    params = Autoencoder(**changes).get_params(deep=False)
    return make_plan(params, n_rows, n_features, seed=0, partial=partial)


SHAPES = [(2, 1), (3, 500), (20, 500), (150, 4), (999, 30), (1_000, 30), (60_000, 784)]


@pytest.mark.parametrize(("n_rows", "n_features"), SHAPES)
@pytest.mark.parametrize("changes", [{}, {"init": "random"}, {"keep": "last"}])
def test_nothing_is_automatic_afterwards(n_rows, n_features, changes):
    found = plan(n_rows, n_features, n_components=1, **changes)
    assert found.batch_size >= 1
    assert found.n_steps >= 1
    assert found.learning_rate > 0
    assert found.patience >= 1
    assert found.n_nets >= max(found.split.n_folds, 1)
    assert (found.n_runs == 1) == (found.side_by_side or found.n_nets == 1)
    assert found.schedule != "auto"
    assert found.dtype in (torch.float32, torch.bfloat16)
    assert isinstance(found.network.hidden, tuple)
    assert isinstance(found.optimizer, AdamW)
    assert 0 <= found.split.n_held_out < found.n_rows
    assert 1 <= found.split.n_train_rows <= found.n_rows
    most_rows = n_rows if found.side_by_side else found.split.n_train_rows
    assert found.steps_per_epoch == math.ceil(most_rows / found.batch_size)


def test_what_is_asked_is_done():
    found = plan(
        max_steps=77,
        batch_size=33,
        learning_rate=0.5,
        schedule="linear",
        patience=4,
        precision="bfloat16",
        validation_fraction=0.25,
        network=MLP(hidden=(9,)),
        n_components=3,
    )
    assert (found.n_steps, found.batch_size, found.learning_rate) == (77, 33, 0.5)
    assert (found.schedule, found.patience, found.dtype) == ("linear", 4, torch.bfloat16)
    assert (found.split.n_held_out, found.split.n_folds) == (1_250, 0)
    assert found.network == MLP(hidden=(9,)).resolved(found.widths, 5_000)
    layers = 21 * 9 + 10 * 3 + 4 * 9 + 10 * 20
    assert found.n_parameters == layers + 2 * 20 * 3  # and the linear path's axes
    assert plan(network=MLP(hidden=(9,)), n_components=3, init="random").n_parameters == layers


def test_few_rows_are_cross_fitted_where_the_best_is_kept():
    assert plan(150, 4).split.n_folds > 1
    assert plan(150, 4).split.n_held_out == 0
    assert plan(3, 4).split.n_folds <= 3
    assert plan(60_000, 4).split.n_folds == 0
    for changes in ({"keep": "last"}, {"init": "random"}, {"validation_fraction": 0.1}):
        assert plan(150, 4, **changes).split.n_folds == 0
        assert plan(150, 4, **changes).split.n_held_out == 15


@pytest.mark.parametrize("n_rows", [150, 5_000, 60_000])
def test_a_map_is_trained_once(n_rows):
    found = plan(n_rows, 4, objective="neighbors")
    assert found.n_runs == 1
    assert found.split.n_held_out > 0


def test_many_rows_give_a_tenth_and_no_more_than_needed():
    assert plan(2_000).split.n_held_out == 200
    assert plan(1_000_000).split.n_held_out < 10_000
    assert plan(validation_fraction=0.0).split.n_held_out == 0


def test_budgets():
    per_epoch = plan(batch_size=100, validation_fraction=0.0).steps_per_epoch
    assert per_epoch == 50
    given = {"batch_size": 100, "validation_fraction": 0.0}
    assert plan(**given, max_epochs=3).n_steps == 150
    assert plan(**given, max_epochs=3, max_steps=1_000).n_steps == 150
    assert plan(**given, max_epochs=3, max_steps=10).n_steps == 10
    assert plan(**given, max_steps=10_000_000).n_steps == 10_000_000
    timed = plan(**given, max_epochs=3, max_seconds=5)
    assert (timed.n_steps, timed.most_steps) == (None, 150)
    assert plan(**given, max_seconds=5).most_steps >= plan(**given).n_steps
    assert plan(**given, max_seconds=5, max_steps=40).n_steps == 40


def test_a_pass_of_partial_fit():
    found = plan(1_000, 20, partial=True, batch_size=32)
    assert (found.n_steps, found.split.n_held_out, found.split.n_folds) == (32, 0, 0)
    assert found.schedule == "constant"
    assert found.split.n_train_rows == 1_000


def test_precision_follows_the_work(monkeypatch):
    monkeypatch.setattr("narrows.training.make_plan.has_bfloat16_products", lambda: True)
    assert plan(150, 4).dtype == torch.float32
    assert plan(60_000, 4_000, n_components=100).dtype == torch.bfloat16
    monkeypatch.setattr("narrows.training.make_plan.has_bfloat16_products", lambda: False)
    if not torch.cuda.is_available():
        assert plan(60_000, 4_000, n_components=100).dtype == torch.float32


def test_work_and_memory_grow_with_the_job():
    small, large = plan(1_000, 20), plan(100_000, 500)
    assert 0 < small.memory < large.memory
    assert large.memory >= 100_000 * 500 * large.dtype.itemsize
    assert small.flops(10) == 6 * small.n_parameters * small.batch_size * 10
    assert 1 <= small.threads(8) <= large.threads(8) <= 8


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_components": 21}, r"`n_components`=21.*n_features = 20.*init='random'"),
        ({"network": MLP(output_activation="sigmoid")}, "output_activation.*init='random'"),
        ({"device": "nowhere"}, "`device`='nowhere'.*'cpu'"),
    ],
)
def test_what_does_not_fit_together(changes, words):
    with pytest.raises(ParameterError, match=words):
        plan(**changes)


def test_a_random_start_takes_any_code_and_any_output():
    assert plan(init="random", n_components=50).n_components == 50
    plan(init="random", network=MLP(output_activation="sigmoid"))


def test_a_map_of_ever_more_rows_gets_steps_by_their_root():
    def steps(n_rows, objective="neighbors"):
        return plan(n_rows, 50, n_components=2, objective=objective).n_usual

    assert steps(20_000) == steps(60_000) == 2_400
    assert steps(1_000_000) == pytest.approx(2 * steps(250_000), rel=0.01)
    assert steps(1_000_000, "reconstruction") == pytest.approx(
        4 * steps(250_000, "reconstruction"), rel=0.01
    )
