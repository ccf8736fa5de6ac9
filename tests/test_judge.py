"""States are chosen on some held-out rows and judged on others."""

import numpy as np
import pytest

from narrows.training import judge
from narrows.training.judge import Choice, dealt


def choose(losses, parts=None, **how):
    parts = dealt(losses.shape[1], 0) if parts is None else parts
    return judge.choose(losses, parts, **how)


def naive(losses, parts=None, **how):
    """The planted fault: every row is judged by the state that all rows chose, its own too."""
    best = choose(losses, parts, **how).best
    by_row = np.full(losses.shape[1], best)
    gain = losses[0] - losses[best]
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    return Choice(best, bool(best > 0 and gain.mean() > 2 * error), by_row)


def states(rng, law, n, n_states=24, last=0.7, walk=False):
    """Errors without gain: log-normal or of other laws, all states like the start."""
    z = rng.standard_normal((n_states, n))
    if walk:
        z[1:] = np.cumsum(z[1:], axis=0) / np.sqrt(np.arange(1, n_states))[:, None]
    r = np.linspace(0.995, last, n_states - 1)[:, None] if walk else last
    z[1:] = r * z[0] + np.sqrt(1 - r**2) * z[1:]
    if law == "normal":
        return np.abs(1 + 0.3 * z)
    if law == "like digits":
        return np.exp(0.4 * z)
    if law == "contaminated":
        return np.exp(z) * np.where(rng.random(n) < 0.02, 50, 1)
    if law == "t2":  # the normal numbers are shared out among rows, so tails are shared too
        return np.abs(z) / np.sqrt(rng.exponential(size=n))
    return np.exp(z)


def left(rule, law, n, draws, factor=1.0, **how):
    rng = np.random.default_rng(1)
    kept = 0
    for _ in range(draws):
        losses = states(rng, law, n, **how)
        losses[1:] *= factor
        kept += rule(losses).leaves_start
    return kept / draws


def bias(rule, draws=300, n=150):
    """Error that is told of the chosen state over the true one, where all states are the same."""
    rng = np.random.default_rng(2)
    ratios = []
    for _ in range(draws):
        losses = states(rng, "like digits", n)
        ratios.append(rule(losses).judged(losses).mean() / losses[0].mean())
    return np.mean(ratios) - 1


@pytest.mark.parametrize("law", ["normal", "lognormal", "t2", "contaminated"])
@pytest.mark.parametrize(("n", "walk"), [(150, False), (150, True), (1000, False)])
def test_start_is_left_seldom_where_nothing_was_gained(law, n, walk):
    draws = 250 if n == 150 else 120
    assert left(choose, law, n, draws, walk=walk) <= 0.05
    assert left(choose, law, n, draws // 2, 1.01, walk=walk) <= 0.05


@pytest.mark.parametrize("law", ["normal", "lognormal"])
def test_a_rule_that_chooses_and_judges_on_the_same_rows_is_found_out(law):
    assert left(naive, law, 150, 300) > 0.15


def test_told_errors_are_true_and_those_of_the_naive_rule_are_not():
    assert abs(bias(choose)) < 0.01
    assert bias(naive) < -0.03


@pytest.mark.parametrize("n", [150, 500])
def test_a_gain_of_a_twentieth_is_kept(n):
    assert left(choose, "like digits", n, 200, 0.95, last=0.95, walk=True) >= 0.9


@pytest.mark.parametrize("law", ["lognormal", "t2", "contaminated"])
def test_a_large_gain_is_kept_where_tails_are_heavy(law):
    assert left(choose, law, 150, 200, 0.6, walk=True) >= 0.9


def test_folds_that_differ_by_their_training_need_to_agree():
    rng = np.random.default_rng(3)
    parts = np.arange(2000) % 5
    kept = 0
    for _ in range(150):
        losses = 1 + 0.1 * rng.standard_normal((8, 2000))
        luck = np.cumsum(rng.standard_normal((7, 5)), axis=0) / np.sqrt(np.arange(1, 8))[:, None]
        losses[1:] *= np.exp(0.02 * luck)[:, parts]
        kept += choose(losses, parts).leaves_start
    assert kept / 150 <= 0.05


def test_rows_that_are_compared_with_each_other_lie_in_one_part():
    rng = np.random.default_rng(4)
    parts = np.repeat(np.arange(5), 200)
    across = within = 0
    for _ in range(200):
        noise = rng.standard_normal((6, 5))[:, parts] + rng.standard_normal((6, 1000))
        losses = 5 + noise
        across += choose(losses, absolute=True).leaves_start
        within += choose(losses, parts, absolute=True).leaves_start
    assert within / 200 <= 0.05 < 0.15 < across / 200


def test_no_row_is_judged_by_a_state_that_its_own_part_chose():
    rng = np.random.default_rng(5)
    losses, parts = rng.random((10, 60)), np.arange(60) % 4
    before = choose(losses, parts).by_row
    changed = losses.copy()
    changed[:, parts == 2] = rng.random((10, 15)) * 100
    after = choose(changed, parts).by_row
    np.testing.assert_array_equal(before[parts == 2], after[parts == 2])


def test_nothing_to_choose_from():
    rows = np.random.default_rng(0).random((1, 50))
    for losses in (rows, np.repeat(rows, 5, axis=0), rows[:, :0], np.zeros((4, 50))):
        found = choose(losses)
        assert (found.best, found.leaves_start) == (0, False)
        np.testing.assert_array_equal(found.judged(losses), losses[0])


@pytest.mark.parametrize("n", [1, 2])
def test_hardly_any_rows(n):
    losses = np.array([[1.0] * n, [0.5] * n])
    assert choose(losses).best == 1
    assert not choose(losses[:, :1]).leaves_start


def test_constant_gains_count_and_rounding_does_not():
    for factor, leaves in ((0.9, True), (1 - 1e-4, True), (1 - 5e-7, False), (1.0, False)):
        losses = np.outer([1, factor, factor], np.ones(100)).astype(np.float64)
        found = choose(losses)
        assert found.leaves_start is leaves
        assert found.best == int(leaves)  # the earliest of states that count as one


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_states_that_fell_apart_are_never_chosen(bad):
    losses = np.outer([1, 0.5, 0.1], np.ones(100)) * np.random.default_rng(0).random(100)
    losses[2, 7] = bad
    found = choose(losses)
    assert found.best == 1 and found.leaves_start and set(found.by_row) == {1}
    assert np.isfinite(found.judged(losses)).all()
    losses[0, 3] = bad
    assert not choose(losses).leaves_start


def test_one_far_off_row_neither_makes_up_a_gain_nor_drowns_one():
    rng = np.random.default_rng(6)
    start = rng.random(200) + 0.5
    same = start * np.exp(0.2 * rng.standard_normal(200) - 0.02)
    made_up = np.stack([start, same])
    made_up[:, 9] = 1000, 1
    assert not choose(made_up).leaves_start
    drowned = np.stack([start, 0.7 * same])
    drowned[:, 9] = 1000, 950
    assert choose(drowned).leaves_start


def test_float32_gives_the_same_verdict_and_parts_may_bear_any_names():
    losses = states(np.random.default_rng(7), "like digits", 300, walk=True)
    losses[1:] *= np.linspace(1, 0.8, 23)[:, None]
    parts = np.arange(300) % 5
    one, other = choose(losses, parts), choose(losses.astype(np.float32), 10 * parts - 7)
    assert (one.best, one.leaves_start) == (other.best, other.leaves_start)
    np.testing.assert_array_equal(one.by_row, other.by_row)


def test_losses_below_zero_are_judged_by_plain_gains():
    rng = np.random.default_rng(8)
    losses = rng.standard_normal(300) - np.array([[0.0], [0.5]]) + 0.1 * rng.random((2, 300))
    assert choose(losses).leaves_start
