"""How large the steps of a run are, and where it ends."""

from __future__ import annotations

from dataclasses import dataclass

from narrows.common.optimizers import fall_begins, learning_rate_factor, steps_of_fall

ENDLESS = 1 << 60
"""Steps of a run whose end is still open."""


@dataclass
class Pace:
    """Where a run ends, and how far along its schedule a step is.

    A run against time begins with an open end. `end_after` fixes it, in time for the learning rate
    to fall. The steps until then are those of a run that was planned for so many from the start.

    Attributes
    ----------
    schedule : str
        One of `narrows.common.optimizers.SCHEDULE`.
    n_steps : int
        Steps that the schedule is laid out for; `ENDLESS` while they are open.
    until : int
        Count of steps at which to end.
    n_warm_up : int
        Steps over which the learning rate rises.
    n_usual : int
        Steps of a usual run on such data. A family's warm-up is a part of them, so that it does
        not depend on a number of steps that is not known yet.
    """

    schedule: str
    n_steps: int = ENDLESS
    until: int = ENDLESS
    n_warm_up: int = 0
    n_usual: int = 1
    _from_step: int = 0
    _from_place: float = 0.0
    _end: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether the number of steps is still open."""
        return self.n_steps == ENDLESS

    def end_after(self, step: int) -> int:
        """Return the steps of a run whose learning rate falls from ``step`` on."""
        return step + max(steps_of_fall(self.schedule, step), 1)

    def fix_end(self, n_steps: int) -> None:
        """End after ``n_steps`` steps at the latest, so that the rate falls from now on."""
        self.n_steps, self.until = n_steps, min(self.until, n_steps)

    def shorten(self, step: int, until: int) -> None:
        """From a step on, run through the rest of the schedule faster, to end at ``until``."""
        self._from_place, self._from_step = self.place(step), step
        self._end = self.until = until

    def place(self, step: int) -> float:
        """Return the step of the schedule that a step counts as; they differ once shortened."""
        if self._end is None:
            return float(step)
        share = (step - self._from_step) / max(self._end - self._from_step, 1)
        return self._from_place + (self.n_steps - self._from_place) * share

    def factor(self, step: int) -> float:
        """Return the factor on the learning rate at a step counted from 0."""
        return learning_rate_factor(self.schedule, self.place(step), self.n_steps, self.n_warm_up)

    def falls(self, step: int) -> bool:
        """Tell whether a learning rate that stayed the same has begun to fall."""
        return self.place(step) >= fall_begins(self.schedule, self.n_steps)

    def progress(self, step: int) -> float:
        """Return how far a family's warm-up is, in parts of a usual run, at most 1.

        A run that falls early brings it to its end in the first half of the fall.
        """
        place, begun = self.place(step), fall_begins(self.schedule, self.n_steps)
        fallen = 2 * (place - begun) / max(self.n_steps - begun, 1)
        return min(max(place / self.n_usual, fallen), 1.0)
