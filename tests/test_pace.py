"""How large steps are, where a run ends, and how it keeps to a time."""

import math

import numpy as np
import pytest

from conftest import curved, quick
from narrows import Autoencoder
from narrows.common.optimizers import fall_begins, steps_of_fall
from narrows.errors import NarrowsWarning, ParameterError
from narrows.training import deadline
from narrows.training import threads as threads_file
from narrows.training.deadline import Deadline, StepClock, Timekeeper
from narrows.training.pace import ENDLESS, Pace
from narrows.training.threads import Threads

SCHEDULES = ["trapezoidal", "inverse_sqrt", "averaged", "constant"]


def test_a_fall_begins_where_it_is_to():
    for begun in range(1_000):
        n_steps = begun + steps_of_fall("trapezoidal", begun)
        assert fall_begins("trapezoidal", n_steps) == begun
        assert (n_steps - begun) <= n_steps / 5
    assert fall_begins("averaged", 100) == 100
    assert steps_of_fall("averaged", 80) == 0


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("decided_at", [1, 2, 3, 4, 5, 30, 77, 400])
def test_an_end_that_is_decided_late_gives_the_steps_of_one_that_was_planned(schedule, decided_at):
    late = Pace(schedule, n_warm_up=20, n_usual=300)
    assert late.is_open
    seen = [(late.factor(step), late.progress(step)) for step in range(decided_at)]
    n_steps = late.end_after(decided_at)
    late.fix_end(n_steps)
    seen += [(late.factor(step), late.progress(step)) for step in range(decided_at, n_steps)]
    planned = Pace(schedule, n_steps, n_steps, n_warm_up=20, n_usual=300)
    assert seen == [(planned.factor(step), planned.progress(step)) for step in range(n_steps)]
    assert decided_at < n_steps <= decided_at + max(decided_at / 4, 1)


def test_a_shortened_run_goes_through_the_rest_of_its_schedule():
    pace = Pace("cosine", 100, 100)
    assert [pace.place(step) for step in (0, 40)] == [0.0, 40.0]
    pace.shorten(40, 60)
    assert pace.until == 60
    assert [pace.place(step) for step in (40, 50, 60)] == [40.0, 70.0, 100.0]
    pace.shorten(50, 51)
    assert [pace.place(step) for step in (50, 51)] == [70.0, 100.0]


def test_a_warm_up_ends_with_the_usual_steps_or_within_the_fall():
    long = Pace("trapezoidal", 1_000, 1_000, n_usual=100)
    assert [long.progress(step) for step in (0, 50, 100, 900)] == [0.0, 0.5, 1.0, 1.0]
    short = Pace("trapezoidal", 100, 100, n_usual=1_000)
    assert [short.progress(step) for step in (0, 79, 85, 90, 99)] == [0.0, 0.079, 0.5, 1.0, 1.0]


class Clock:
    """Stands in for `time`, and goes only when it is told to."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(deadline.time, "perf_counter", lambda: self.now)


def kept(monkeypatch, plan, seconds, steps, *, schedule="trapezoidal", afterwards=0.0):
    """Take steps of given seconds until a run ends; return when, its pace and its keeper."""
    clock = Clock(monkeypatch)
    pace = Pace(schedule)
    keeper = Timekeeper(Deadline(seconds, seconds), pace, plan)
    step, over = 0, False
    while not over and step < pace.until:
        step += 1
        clock.now += steps(step)
        over = keeper.keep(step, afterwards)
    return clock.now, step, pace, keeper


@pytest.fixture(scope="module")
def plan():
    from narrows.training.make_plan import make_plan

    params = {**Autoencoder(max_seconds=10).get_params(deep=False), "validation_fraction": 0.0}
    return make_plan(params, 20_000, 10, 0)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("seconds", [0.5, 5.0, 30.0])
@pytest.mark.parametrize("per_step", [0.01, 0.1])
@pytest.mark.parametrize("afterwards", [0.0, 0.2])
def test_a_run_ends_when_its_time_is_over(
    monkeypatch, plan, schedule, seconds, per_step, afterwards
):
    given = {"schedule": schedule, "afterwards": afterwards}
    now, step, pace, keeper = kept(monkeypatch, plan, seconds, lambda _: per_step, **given)
    assert 0.98 * seconds - 3 * per_step < now + afterwards <= seconds + per_step
    assert step == pace.n_steps == pace.until
    assert keeper.ended_by_time
    assert not keeper.hurried


def test_a_run_uses_the_time_that_a_busy_moment_has_left(monkeypatch, plan):
    def steps(step):
        return 1.0 if step < 5 else 0.01

    now, step, _, keeper = kept(monkeypatch, plan, 30.0, steps)
    assert now > 29
    assert step > 2_000
    assert not keeper.hurried


def test_a_run_that_becomes_slow_in_its_fall_is_hurried(monkeypatch, plan):
    def steps(step):
        return 0.01 if step < 850 else 0.05

    now, step, pace, keeper = kept(monkeypatch, plan, 10.0, steps)
    assert keeper.hurried
    assert step == pace.until < pace.n_steps
    assert pace.place(step) == pace.n_steps
    assert now <= 10.5


def test_a_step_that_takes_all_the_time_is_the_last(monkeypatch, plan):
    now, step, pace, _ = kept(monkeypatch, plan, 5.0, lambda _: 8.0)
    assert (now, step, pace.n_steps) == (8.0, 1, 1)


def test_the_most_steps_are_not_exceeded(monkeypatch, plan):
    _, step, pace, keeper = kept(monkeypatch, plan, 1e9, lambda _: 0.01)
    assert step == pace.n_steps == plan.most_steps
    assert not keeper.ended_by_time


def test_several_runs_share_the_time(monkeypatch):
    clock = Clock(monkeypatch)
    whole = Deadline.after(12.0)
    assert whole.shared(3).left == 4.0
    clock.now = 6.0
    assert whole.shared(2).left == 3.0
    assert whole.earlier(1.0).left == 5.0


def test_seconds_of_a_step_are_those_of_late_without_measurements(monkeypatch):
    clock = Clock(monkeypatch)
    steps = StepClock()
    assert steps.seconds_per_step == 0.0
    for step in range(1, 101):
        clock.now += 1.0 if step <= 50 else 2.0
        steps.note(step)
    assert steps.seconds_per_step == pytest.approx(2.0)
    clock.now += 100.0
    steps.leave_out(100.0)
    clock.now += 2.0
    steps.note(101)
    assert steps.seconds_per_step == pytest.approx(2.0)


# ---------------------------------------------------------------- threads


def settled(computed, threads, seconds_of, n_steps=400, part=1.0):
    """Let threads take steps of given seconds, of which they compute a part; return how many."""
    taken = []
    for _ in range(n_steps):
        taken.append(threads.n)
        computed[0] += part * seconds_of(threads.n)
        threads.note(seconds_of(threads.n))
    return taken


@pytest.fixture
def computed(monkeypatch):
    """The seconds for which a thread has computed."""
    seconds = [0.0]
    monkeypatch.setattr(threads_file.time, "thread_time", lambda: seconds[0])
    return seconds


def test_threads_are_as_many_as_are_faster_now(computed):
    threads = Threads(4, 2, 1)
    with threads.in_use():
        quiet = settled(computed, threads, lambda n: 0.04 / n)
        assert np.mean(np.array(quiet[20:]) == 4) > 0.9
        busy = settled(computed, threads, lambda n: 0.04 / n if n < 4 else 0.2)
        assert np.mean(np.array(busy[60:]) == 2) > 0.9
        again = settled(computed, threads, lambda n: 0.04 / n, 1_000)
        assert np.mean(np.array(again[-200:]) == 4) > 0.9


def test_one_thread_that_shares_its_core_is_left_alone(computed):
    """More threads would wait for each other, and one trial of them takes long."""
    threads = Threads(4, 2, 1)
    with threads.in_use():
        settled(computed, threads, lambda n: 0.04 if n == 1 else 0.2)
        assert threads.n == 1
        # Slower than before, so that the others would be tried at once.
        shared = settled(computed, threads, lambda n: 0.06 if n == 1 else 0.2, part=0.5)
        assert set(shared) == {1}


def test_a_number_of_threads_that_was_asked_for_stays(computed):
    threads = Threads(2)
    with threads.in_use():
        assert set(settled(computed, threads, lambda n: 0.1 * n)) == {2}


# ---------------------------------------------------------------- whole fits


@pytest.mark.parametrize("schedule", ["auto", "trapezoidal", "constant"])
@pytest.mark.parametrize("n_threads", ["auto", 1])
def test_max_steps_repeats_what_time_has_ended(monkeypatch, schedule, n_threads):
    clock = Clock(monkeypatch)
    monkeypatch.setattr(deadline.time, "perf_counter", lambda: clock.now)

    def step(progress):
        clock.now += 0.01

    X = curved(1_500)
    given = {"schedule": schedule, "validation_fraction": 0.1, "n_threads": n_threads}
    given |= {"patience": 10_000, "callbacks": (step,)}
    timed = quick(max_steps=None, max_seconds=0.7, **given).fit(X)
    assert timed.stopped_because_ == "budget"
    assert timed.model_.record.repeatable
    assert timed.n_steps_ > 20
    again = quick(max_steps=timed.n_steps_, **given).fit(X)
    assert again.stopped_because_ == "steps"
    np.testing.assert_array_equal(again.transform(X), timed.transform(X))


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_a_schedule_that_falls_from_the_start_has_to_know_its_end(schedule):
    with pytest.raises(ParameterError, match=r"max_seconds leaves it open.*schedule='auto'"):
        quick(max_steps=None, max_seconds=1.0, schedule=schedule).fit(curved(50))
    assert quick(max_steps=20, max_seconds=60.0, schedule=schedule).fit(curved(50)).n_steps_ == 20


def test_a_run_that_falls_behind_is_shortened_and_says_so(monkeypatch):
    clock = Clock(monkeypatch)
    monkeypatch.setattr(deadline.time, "perf_counter", lambda: clock.now)

    def steps(progress):
        fixed = progress.n_steps is not None
        clock.now += 0.5 if fixed and progress.step > progress.n_steps - 20 else 0.01

    ae = quick(
        max_steps=None, max_seconds=20.0, validation_fraction=0.2, schedule="trapezoidal",
        max_epochs=100_000, callbacks=(steps,),
    )  # fmt: skip
    with pytest.warns(NarrowsWarning, match="became slower"):
        ae.fit(curved(200))
    assert ae.history_[-1]["step"] < ae.n_steps_
    assert ae.stopped_because_ == "late"
    assert not ae.model_.record.repeatable


def test_no_time_leaves_pca_and_says_that_it_was_the_time():
    ae = quick(max_steps=None, max_seconds=1e-9, validation_fraction=0.2, network="auto")
    with pytest.warns(NarrowsWarning, match=r"leaves no time to train.* will be PCA"):
        ae.fit(curved(200))
    assert ae.model_.architecture.hidden == ()  # no weights that do nothing


@pytest.mark.parametrize("given", [{}, {"objective": "vae"}, {"validation_fraction": 0.0}])
def test_time_that_is_over_after_pca_is_named_as_the_reason(monkeypatch, given):
    """In folds and side by side, and where PCA had been expected to leave time."""
    monkeypatch.setattr("narrows.training.fit.shortage", lambda plan, seconds: None)
    settings = {"max_steps": None, "validation_fraction": "auto", **given}
    ae = quick(max_seconds=1e-9, network="auto", **settings)
    with pytest.warns(NarrowsWarning, match=r"was over before a network could be trained"):
        ae.fit(curved(200))
    assert ae.stopped_because_ == "late"
    assert (ae.best_step_, ae.history_) == (0, [])


def test_the_command_line_does_not_call_lack_of_time_no_gain():
    from narrows.cli.model_lines import start_lines

    ae = quick(max_steps=None, max_seconds=1e-9, validation_fraction=0.2)
    with pytest.warns(NarrowsWarning, match="will be PCA"):
        ae.fit(curved(200))
    ((_, words),) = start_lines(ae)
    assert "in the time that there was" in words
    assert (ae.best_step_, ae.stopped_because_) == (0, "late")
    assert ae.validation_error_ == ae.pca_validation_error_
    assert not ae.history_


def test_an_endless_run_has_no_end_of_its_own():
    pace = Pace("trapezoidal")
    assert pace.factor(10**9) == 1.0
    assert not pace.falls(10**9)
    assert pace.n_steps == ENDLESS
    assert math.isfinite(pace.progress(5))


@pytest.mark.parametrize(
    ("of_two", "of_one", "chosen"),
    [
        ((0.5, 1.0), (1.0, 1.0), 2),
        ((0.95, 1.9), (1.0, 1.0), 1),  # hardly faster
        ((3.0, 3.0), (1.0, 1.0), 1),
        ((0.5, 1.0), (1.5, 1.0), 1),  # other work has a third of the one core
    ],
)
def test_a_fit_begins_with_one_thread_unless_more_are_faster_by_far(
    monkeypatch, of_two, of_one, chosen
):
    seconds = {2: of_two, 1: of_one}
    monkeypatch.setattr(Threads, "_seconds_of_products", lambda self, n: seconds[n])
    threads = Threads(2, 1)
    with threads.in_use():
        assert threads.n == chosen
