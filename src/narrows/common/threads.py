"""How many threads torch and BLAS compute with, while something runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from threadpoolctl import threadpool_limits


@contextlib.contextmanager
def compute_threads(n_threads: int) -> Iterator[None]:
    """Let torch and BLAS use so many threads, and restore their settings afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        with threadpool_limits(n_threads, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)
