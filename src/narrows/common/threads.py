"""What the threads of a process share: work in one must not change the numbers of another.

OpenMP and MKL, with which torch computes, have a number of threads for each calling thread.
NumPy's BLAS, torch's global random streams and Python's warning filters are the same for all.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch
from threadpoolctl import ThreadpoolController

Result = TypeVar("Result")

_LOCK = threading.RLock()
"""Held while torch's global streams are replaced, and during a fork."""
_PAUSE_HARD = 2
"""OpenMP's ``omp_pause_hard``: end the threads of a pool; a new pool starts when it is needed."""


@contextlib.contextmanager
def compute_threads(n: int) -> Iterator[None]:
    """Let torch compute with ``n`` threads in the calling thread alone.

    `torch.set_num_threads` would set a number for the whole process, too.
    """
    torch.get_num_threads()  # at a thread's first use torch sets its number, over any that is set
    n = n if _forks.may_share_out else 1
    with _pools().limit(limits=n, user_api="openmp"):
        before = _set_mkl_threads(n)
        try:
            yield
        finally:
            _set_mkl_threads(before)


def on_one_thread(function: Callable[..., Result], *args: Any) -> Result:
    """Call a factorisation of `torch.linalg`, whose numbers depend on how many threads it has."""
    with compute_threads(1):
        return function(*args)


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Compute with one thread in NumPy's BLAS, for all threads of the process; one at a time."""
    with _forks.blas_lock, _pools().limit(limits=1, user_api="blas"):
        yield


@contextlib.contextmanager
def torch_stream(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global random streams, from which layers such as dropout draw; one at a time.

    On leaving, the streams are as before.
    """
    on_gpu = device.type == "cuda"
    with _LOCK, torch.random.fork_rng(devices=[device] if on_gpu else []):
        # Not torch.manual_seed, which takes as long as a small step.
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


@contextlib.contextmanager
def without_warnings(category: type[Warning], message: str = "") -> Iterator[None]:
    """Ignore warnings of a category whose text begins with a message; one at a time."""
    with _forks.warnings_lock, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message, category)
        yield


def _pools() -> ThreadpoolController:
    """Return the libraries of this process that compute with several threads."""
    return _pools_of(len(sys.modules))


@functools.lru_cache(maxsize=1)
def _pools_of(n_modules: int) -> ThreadpoolController:
    """Look for them anew, which takes milliseconds, when there are other modules than before."""
    del n_modules
    return ThreadpoolController()


@functools.cache
def _mkl_function() -> Callable[[int], int] | None:
    """Return MKL's function that sets the threads of the calling thread, where torch has MKL.

    Without it, MKL uses OpenMP's number unless `torch.set_num_threads` was called.
    """
    folder = Path(torch.__file__).parent / "lib"
    for name in ("libtorch_cpu.so", "libtorch_cpu.dylib", "torch_cpu.dll"):
        if torch.backends.mkl.is_available() and (folder / name).exists():
            return getattr(ctypes.CDLL(str(folder / name)), "MKL_Set_Num_Threads_Local", None)
    return None


def _set_mkl_threads(n: int) -> int:
    """Set MKL's threads for the calling thread; return the number before, 0 if none was set."""
    function = _mkl_function()
    return 0 if function is None else function(n)


class _Forks:
    """What is done at a fork, so that the child can compute.

    GNU's OpenMP in a child waits for ever for the threads of its parent. So the parent ends the
    threads of its pool before it forks. Where OpenMP cannot do that, the child uses one thread.
    """

    may_share_out = True

    def __init__(self) -> None:
        self._new_locks()
        self._ended = True

    def _new_locks(self) -> None:
        """Locks that may be held for long: a fork does not wait for them."""
        self.blas_lock, self.warnings_lock = threading.RLock(), threading.RLock()

    def before(self) -> None:
        _LOCK.acquire()
        openmp = [info["filepath"] for info in _pools().info() if info["user_api"] == "openmp"]
        ended = [_end_pool(ctypes.CDLL(path)) for path in openmp]
        self._ended = all(ended)

    def in_child(self) -> None:
        self._new_locks()  # the owners of the old ones may be threads that the child has not
        if not self._ended:
            self.may_share_out = False
            torch.set_num_threads(1)
        _LOCK.release()


def _end_pool(openmp: Any) -> bool:
    """End the threads that OpenMP keeps for the calling thread; tell whether it could."""
    pause = getattr(openmp, "omp_pause_resource_all", None)
    return pause is not None and pause(_PAUSE_HARD) == 0


_forks = _Forks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_forks.before, after_in_parent=_LOCK.release, after_in_child=_forks.in_child
    )
