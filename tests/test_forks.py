"""A forked child answers with the bits of its parent, whatever both computed before.

Each test is a process of its own with two threads, since one thread has nothing to wait for. It is
killed where it hangs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
COMMON = """
import ctypes, multiprocessing, os, sys, threading
import numpy as np, torch
from conftest import curved
from threadpoolctl import threadpool_info
from narrows import MLP, Autoencoder, load
from narrows.common import threads as shared

torch.set_num_threads(2)
X = curved(300)
wide = np.random.default_rng(0).normal(size=(2_000, 300)).astype(np.float32)

def fitted():
    given = dict(max_steps=5, validation_fraction=0.2, random_state=0, precision="float32")
    return Autoencoder(2, network=MLP(hidden=(16,)), n_threads=2, **given).fit(X)

def large_product():
    "Something that torch shares out over its threads."
    product = torch.from_numpy(wide) @ torch.ones(300, 500)
    return product.sum() + torch.ones(3_000_000).add(1).sum()

def answers(ae):
    again = fitted()
    return [
        torch.get_num_threads(),
        float(large_product()),
        ae.transform(X).tobytes(),
        ae.sample(10, random_state=0).tobytes(),
        ae.trust(ae.transform(X), X).tobytes(),
        again.transform(X).tobytes(),
    ]

def as_expected(found, expected):
    "The same bits; where OpenMP is older than GCC 9, a child's own products have one thread."
    libraries = [ctypes.CDLL(i["filepath"]) for i in threadpool_info() if i["user_api"] == "openmp"]
    if all(hasattr(library, "omp_pause_resource_all") for library in libraries):
        return found == expected
    return found[0] == 1 and found[2:] == expected[2:]

def in_child(function, *given):
    context = multiprocessing.get_context("fork")
    with context.Pool(1) as pool:
        return pool.apply(function, given)
"""


def run(program, seconds=120):
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMMON + program],
        cwd=Path(__file__).parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_child_answers_as_its_parent_does():
    """After fits and products in the parent; and a child's child, as servers have them, too."""
    said = run("""
ae = fitted()
expected = answers(ae)
print(as_expected(in_child(answers, ae), expected), answers(ae) == expected)

def twice(ae):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if as_expected(answers(ae), expected) else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

pid = os.fork()
if pid == 0:
    same = as_expected(answers(ae), expected)
    os._exit(twice(ae) if same else 2)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""")
    assert said == ["True", "True", "0"]


def test_a_loaded_model_answers_in_a_child(model_file):
    said = run(f"""
large_product()
ae = load({str(model_file)!r})
print(in_child(ae.transform, X).tobytes() == ae.transform(X).tobytes())
""")
    assert said == ["True"]


def test_a_child_forked_during_a_fit_of_another_thread_answers():
    said = run("""
ae = fitted()
expected = answers(ae)
begun, go_on = threading.Event(), threading.Event()

def wait(progress):
    begun.set()
    go_on.wait(60)

def fit():
    Autoencoder(2, max_steps=2, validation_fraction=0.2, callbacks=[wait]).fit(X)

thread = threading.Thread(target=fit)
thread.start()
begun.wait(60)
with shared.one_blas_thread():  # which the child's own thread does not hold
    print(as_expected(in_child(answers, ae), expected))
go_on.set()
thread.join()
""")
    assert said == ["True"]


def test_without_a_way_to_end_threads_a_child_computes_with_one():
    """As where OpenMP is older than GCC 9."""
    said = run("""
ae = fitted()
expected = answers(ae)
shared._end_pool = lambda library: False
found = in_child(answers, ae)
print(found[0], found[2:4] == expected[2:4], answers(ae) == expected)
""")
    assert said == ["1", "True", "True"]
