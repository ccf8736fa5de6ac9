"""Keeping to ``max_seconds``: what is left of the time, and how long steps take of late."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from narrows.training.pace import Pace
from narrows.training.plan import Plan

LATE_PART, LATE_SECONDS = 0.02, 0.2
"""Part of ``max_seconds``, and seconds beside it, that a run may end late without being hurried."""
EARLY_PART = 0.01
"""Part of ``max_seconds`` that a run aims to end early by."""
OF_LATE = 0.25
"""Part of a run's time, up to now, whose steps tell how long the next ones take."""


@dataclass(frozen=True)
class Deadline:
    """When a fit, or a run of it, is to end.

    Attributes
    ----------
    at : float
        On the clock of `time.perf_counter`.
    seconds : float
        ``max_seconds``.
    """

    at: float
    seconds: float

    @classmethod
    def after(cls, seconds: float | None) -> Deadline | None:
        """Return the deadline so many seconds from now; None without a limit."""
        return None if seconds is None else cls(time.perf_counter() + seconds, seconds)

    @property
    def left(self) -> float:
        """Seconds until then; below zero once it is over."""
        return self.at - time.perf_counter()

    @property
    def patience(self) -> float:
        """Seconds that a run may end late without being hurried."""
        return LATE_PART * self.seconds + LATE_SECONDS

    def earlier(self, seconds: float) -> Deadline:
        """Return a deadline so many seconds before this one."""
        return Deadline(self.at - seconds, self.seconds)

    def shared(self, n_runs: int) -> Deadline:
        """Return when the first of several runs is to end that share the time alike."""
        return self.earlier(self.left * (n_runs - 1) / n_runs)


class StepClock:
    """How long the steps of a run take, told by those of late."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._marks = deque([(self._began, 0)])
        self._left_out = 0.0

    def note(self, step: int) -> None:
        """Note that so many steps have been taken by now."""
        now = time.perf_counter() - self._left_out
        self._marks.append((now, step))
        since = now - OF_LATE * (now - self._began)
        while len(self._marks) > 2 and self._marks[1][0] < since:
            self._marks.popleft()

    def leave_out(self, seconds: float) -> None:
        """Leave out what did not go into steps, such as measurements."""
        self._left_out += seconds

    @property
    def seconds_per_step(self) -> float:
        """Seconds of a step of late; 0 before the first."""
        (began, first), (now, last) = self._marks[0], self._marks[-1]
        return (now - began) / (last - first) if last > first else 0.0


class Timekeeper:
    """Ends a run in time: fixes an open end, and hurries a run that has fallen behind.

    Parameters
    ----------
    deadline : Deadline
        Of the run.
    pace : Pace
        Changed where time asks for it.
    plan : Plan

    Attributes
    ----------
    measuring : float
        Seconds of a measurement of held-out rows.
    ended_by_time : bool
        Whether time has fixed the end.
    hurried : bool
        Whether a run had to be shortened or ended, so that ``max_steps`` cannot repeat it.
    """

    def __init__(self, deadline: Deadline, pace: Pace, plan: Plan) -> None:
        self._deadline, self._pace, self._plan = deadline, pace, plan
        self._clock, self._seconds = StepClock(), deadline.left
        self.measuring, self.ended_by_time, self.hurried = 0.0, False, False

    @property
    def done(self) -> float:
        """Part of the time that is over."""
        return 1.0 - max(self._deadline.left, 0.0) / self._seconds

    @property
    def seconds_per_step(self) -> float:
        """Seconds of a step of late; 0 before the first."""
        return self._clock.seconds_per_step

    def measured(self, seconds: float) -> None:
        """Note how long a measurement of held-out rows took."""
        self.measuring = seconds
        self._clock.leave_out(seconds)

    def keep(self, step: int, afterwards: float) -> bool:
        """Keep to the time after a step; tell whether it is over.

        Parameters
        ----------
        step : int
            Steps taken.
        afterwards : float
            Seconds of what follows the run.
        """
        pace, left = self._pace, self._deadline.left - afterwards
        if step >= pace.until:
            return False
        self._clock.note(step)
        per_step = self._clock.seconds_per_step
        if pace.is_open:
            n_steps = pace.end_after(step)
            n_measurements = self._plan.evaluations_of_fall(n_steps - step)
            needed = (n_steps - step) * per_step + n_measurements * self.measuring
            if n_steps >= self._plan.most_steps:
                pace.fix_end(self._plan.most_steps)
            elif left <= 0:
                self.ended_by_time, self.hurried = True, pace.end_after(step - 1) > step
                pace.fix_end(step)
                return True
            elif needed >= left - EARLY_PART * self._deadline.seconds:
                self.ended_by_time = True
                pace.fix_end(n_steps)
            return False
        patience = self._deadline.patience
        if (pace.until - step) * per_step - left > patience:
            self.hurried = True
            pace.shorten(step, step + max(int(left / per_step), 1))
        over = left < -patience
        self.hurried = self.hurried or over
        return over
