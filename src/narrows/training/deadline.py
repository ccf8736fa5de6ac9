"""Keeping to ``max_seconds``: how many steps fit, and what to do when a run falls behind."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from narrows.training.loop import Pace, TrainingState

TIMED_SECONDS = 0.5
TIMED_STEPS = 3
STEPS_PER_WAIT = 16
"""Steps that are timed together on a GPU, which takes steps later than they are handed to it."""
CODED_AFTERWARDS = 60_000
"""Rows whose round trip takes as long as codes, priors and trust after a run."""
HURRY_SECONDS, LATEST_SECONDS = 0.5, 1.0
"""Seconds after ``max_seconds`` at which a run would end for it to be shortened, and is ended."""


@dataclass
class Deadline:
    """When a fit is to end.

    Attributes
    ----------
    at : float
        On the clock of `time.perf_counter`.
    seconds : float
        ``max_seconds``.
    hurried : bool
        Whether a run had to be shortened or ended because of it.
    """

    at: float
    seconds: float
    hurried: bool = False
    _began: float = field(default_factory=time.perf_counter)

    @classmethod
    def after(cls, seconds: float | None) -> Deadline | None:
        """Return the deadline so many seconds from now; None without a limit."""
        return None if seconds is None else cls(time.perf_counter() + seconds, seconds)

    def start_run(self) -> None:
        """Begin to count the seconds of a run's steps."""
        self._began = time.perf_counter()

    def keep(self, step: int, pace: Pace, *, measured: bool) -> tuple[bool, int | None]:
        """Shorten a run that has fallen behind.

        Parameters
        ----------
        step : int
            Steps taken.
        pace : Pace
            May be shortened.
        measured : bool
            Whether the held-out error is measured at this step.

        Returns
        -------
        over : bool
            Whether the run must end now.
        until : int or None
            The step at which it will end, the first time that it is shortened.
        """
        if step >= pace.until:
            return False, None
        now, told = time.perf_counter(), None
        per_step = (now - self._began) / step
        behind = now + (pace.until - step) * per_step - self.at
        if measured and behind > HURRY_SECONDS:
            until = step + max(int((self.at - now) / per_step), 1)
            told = None if self.hurried else until
            self.hurried = True
            pace.shorten(step, until)
        over = now > self.at + LATEST_SECONDS
        self.hurried = self.hurried or over
        return over, told


def seconds_per_step(
    train: Callable[[Callable[[TrainingState], bool]], object],
    seconds: float,
    device: torch.device,
) -> float:
    """Time a few steps of a trial; infinite where it ends before the second.

    Parameters
    ----------
    train : callable
        Trains on until the callable that it is given, which sees each step, returns True.
    seconds : float
        ``max_seconds``, of which a tenth is used, or what four steps take.
    device : torch.device
    """
    until = time.perf_counter() + min(TIMED_SECONDS, 0.1 * seconds)
    ticks: list[float] = []
    on_gpu = device.type != "cpu"
    stride = STEPS_PER_WAIT if on_gpu else 1

    def note(state: TrainingState) -> bool:
        if state.step % stride:
            return False
        if on_gpu:
            torch.accelerator.synchronize(device)
        ticks.append(time.perf_counter())
        return ticks[-1] >= until and len(ticks) > TIMED_STEPS

    train(note)
    # The median is not fooled by the first steps, nor by a moment's load on the machine.
    return float(np.median(np.diff(ticks))) / stride if len(ticks) > 1 else math.inf
