"""Fits side by side give the bits of fits alone, and leave what all threads share as it was."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_info, threadpool_limits
from torch import nn

from conftest import bits, curved, quick
from narrows import Conv
from narrows.common import threads as shared

X = curved(120)


def seen_in_a_new_thread(function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def world():
    """What threads share, as this thread and as a new thread see it."""
    blas = [(info["filepath"], info["num_threads"]) for info in threadpool_info()]
    return (
        random.getstate(),
        np.random.get_state()[1].tobytes(),  # noqa: NPY002 - the global stream is what is watched
        torch.get_rng_state().numpy().tobytes(),
        torch.get_num_threads(),
        seen_in_a_new_thread(torch.get_num_threads),
        mkl_threads(),
        seen_in_a_new_thread(mkl_threads),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        np.geterr(),
        list(warnings.filters),
        sorted(blas),
    )


def mkl_threads():
    lines = torch.__config__.parallel_info().splitlines()
    return [line for line in lines if "mkl_get_max_threads" in line]


def own_pair():
    torch.manual_seed(3)
    encoder = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 2))
    decoder = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.AlphaDropout(0.2), nn.Linear(8, 6))
    return encoder, decoder


EIGHT = [
    {},
    {"n_threads": 2, "random_state": 1},
    {"network": own_pair()},
    {"network": own_pair(), "random_state": 2, "init": "random"},
    {"objective": "vae", "random_state": 3},
    {"sample_shape": (2, 3), "network": Conv(channels=(4,), dropout=0.5)},
    {"scaling": "standard", "n_threads": 2},
    {"validation_fraction": "auto", "random_state": 4},
]


def fitted(changes):
    ae = quick(**{"max_steps": 20, **changes}).fit(X)
    codes = ae.transform(X)
    return bits(ae), codes.tobytes(), ae.sample(5, random_state=0).tobytes(), ae.trust(codes, X)


def same(one, other):
    return one[:3] == other[:3] and np.array_equal(one[3], other[3])


def test_eight_threads_fit_what_each_fits_alone():
    alone = [fitted(changes) for changes in EIGHT]
    before = world()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(fitted, EIGHT))
    assert [same(*pair) for pair in zip(alone, together, strict=True)] == [True] * 8
    assert world() == before


def test_layers_that_draw_leave_the_stream_to_others():
    """A callback draws between steps what it would draw without a fit."""
    network, drawn = own_pair(), []

    def draw(progress):
        drawn.append(float(torch.rand(1)))

    torch.manual_seed(0)
    quick(network=network, max_steps=30, callbacks=(draw,)).fit(X)
    torch.manual_seed(0)
    assert drawn == [float(torch.rand(1)) for _ in drawn]
    assert drawn


def test_scopes_overlap_in_any_order():
    """The first to enter leaves first; each thread has its own number, and gets its own back."""
    torch.set_num_threads(1)
    entered, leave = threading.Event(), threading.Event()
    found = []

    def other():
        before = torch.get_num_threads()
        with shared.compute_threads(3):
            entered.set()
            leave.wait(10)
            found.append((before, torch.get_num_threads(), mkl_threads()[0][-1]))
        found.append(torch.get_num_threads())

    thread = threading.Thread(target=other)
    with shared.compute_threads(2):
        thread.start()
        entered.wait(10)
        assert torch.get_num_threads() == 2
        assert seen_in_a_new_thread(torch.get_num_threads) == 1
    leave.set()
    thread.join()
    assert found == [(1, 3, "3"), 1]
    assert torch.get_num_threads() == seen_in_a_new_thread(torch.get_num_threads) == 1


def test_scopes_within_scopes():
    with shared.compute_threads(3):
        with shared.compute_threads(1), shared.one_blas_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == 1


def test_without_mkl_openmp_has_its_number(monkeypatch):
    monkeypatch.setattr(shared, "_mkl_function", lambda: None)
    with shared.compute_threads(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 1


def blas_threads():
    return [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]


def test_blas_has_its_threads_back_after_scopes_in_several_threads():
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()

        def limited(_):
            with shared.one_blas_thread():
                return blas_threads()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(limited, range(20)))
        assert blas_threads() == before


def test_the_first_fit_of_a_process_leaves_random_alone_and_loads_no_compiler():
    program = """
import random, sys
import torch
from conftest import curved, quick
from narrows.objectives.priors import flow
torch.nn.Linear(1, 1, device="meta")  # torch 2.6 loads sympy for that
known = set(sys.modules)
flow.FIT_STEPS = 20
before = random.getstate()
ae = quick(max_steps=5).fit(curved(60))
ae.sample(3, prior="flow", random_state=0)
loaded = {"torch._dynamo", "sympy"} & (set(sys.modules) - known)
print(random.getstate() == before, sorted(loaded))
"""
    answer = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert answer.stdout.split() == ["True", "[]"]
