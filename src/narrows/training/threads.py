"""How many threads a run computes with: as many as are faster now.

Threads wait for each other many times in a step. Where another process keeps a core busy, each
wait lasts until the system gives that core back, so that one thread alone may be several times
faster. The number of threads changes no number of a result: MKL's products of matrices do not
depend on it, and factorisations use one thread always (`narrows.common.threads.on_one_thread`).
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterator

import torch

from narrows.common.threads import compute_threads

TRIED_STEPS, TRIED_SECONDS = 4, 0.05
"""A number of threads is tried for so many steps at the least, and for so long."""
LOOKS = 40.0
"""Times that a look has taken until the next one."""
SLOWER = 1.3
"""Factor by which steps become slower until the others are tried at once."""
FASTER = 0.95
"""Part of the time of fewer threads that more may take."""
FASTER_BY_FAR, SHARED_CORE = 0.85, 1.25
"""Part of the time of the fewest threads that more may take to begin with; factor by which time
passes faster than a thread computes where its core has other work."""
PRODUCT, N_PRODUCTS = (256, 512), 24
"""Shape of a matrix, and how often its product with its transpose is taken, to begin with."""


class Threads:
    """The number of threads that steps are computed with, chosen by their times.

    Parameters
    ----------
    counts : sequence of int
        Numbers of threads to choose from, the first to begin with.
    """

    def __init__(self, *counts: int) -> None:
        self.n = counts[0]
        self._counts = counts
        self._stack = contextlib.ExitStack()
        self._seconds: dict[int, float] = {}
        self._untried: list[int] = list(counts)
        self._recent: deque[tuple[float, float]] = deque()
        self._computed = 0.0
        self._is_first = True
        self._spent = self._since = 0.0

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Compute with the number of threads that is the best at the moment."""
        with self._stack:
            if len(self._counts) > 1:
                self.n = self._to_begin_with()
                self._untried = self._in_turn()
            self._use(self.n)
            yield

    def _to_begin_with(self) -> int:
        """Time some products of matrices, to have a number of threads before the first step.

        The fewest threads, unless more are faster by far: where all cores are busy, more threads
        lose their time in waiting for each other. A thread that computes for less time than passes
        shares its core.
        """
        found = {n: self._seconds_of_products(n) for n in self._counts}
        fewest = min(self._counts)
        passed, computed = found[fewest]
        fastest = min(self._counts, key=lambda n: found[n][0])
        alone = passed < SHARED_CORE * computed
        return fastest if alone and found[fastest][0] < FASTER_BY_FAR * passed else fewest

    def _seconds_of_products(self, n: int) -> tuple[float, float]:
        """Return the seconds of some products, and of those in which this thread computed."""
        self._use(n)
        left, right = torch.ones(PRODUCT), torch.ones(PRODUCT[::-1])
        left @ right  # a pool of threads starts
        began, computed = time.perf_counter(), time.thread_time()
        for _ in range(N_PRODUCTS):
            left @ right
        return time.perf_counter() - began, time.thread_time() - computed

    def note(self, seconds: float) -> None:
        """Note how long a step took, and change the number of threads where that is faster."""
        if len(self._counts) == 1:
            return
        computed, self._computed = self._computed, time.thread_time()
        if self._is_first:  # a pool of threads starts, or wakes up
            self._is_first = False
            return
        self._recent.append((seconds, self._computed - computed))
        total = sum(passed for passed, _ in self._recent)
        if len(self._recent) < TRIED_STEPS or total < TRIED_SECONDS:
            return
        mean = total / len(self._recent)
        if self._untried:
            self._tried(mean, total)
            return
        self._since += seconds
        slower = mean > SLOWER * self._seconds[self.n]
        if slower or self._since > LOOKS * self._spent:
            self._untried = self._in_turn()
            self._spent = 0.0
            self._tried(mean, 0.0)
        else:
            self._recent.popleft()

    def _in_turn(self) -> list[int]:
        """Return all numbers of threads, that in use first."""
        return sorted(self._counts, key=lambda n: n != self.n)

    def _tried(self, mean: float, spent: float) -> None:
        """Take down how long steps took with some threads, and go on to the next number.

        Where a single thread has to share its core, no core is left for others.
        """
        self._seconds[self._untried.pop(0)] = mean
        self._spent += spent
        if self.n == min(self._counts) and self._shares_its_core():
            self._untried.clear()
            self._seconds = {self.n: mean}
        best = min(self._counts)
        for n in sorted(self._seconds):
            if self._seconds[n] < FASTER * self._seconds.get(best, float("inf")):
                best = n
        self._use(self._untried[0] if self._untried else best)
        self._recent.clear()
        self._since = 0.0

    def _shares_its_core(self) -> bool:
        """Tell whether this thread computed for less time than passed in the latest steps."""
        passed, computed = (sum(times) for times in zip(*self._recent, strict=True))
        return bool(passed > SHARED_CORE * computed)

    def _use(self, n: int) -> None:
        self._stack.close()
        self._stack.enter_context(compute_threads(n))
        self.n, self._is_first = n, True
