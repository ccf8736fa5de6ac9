"""Rows in memory: blocks, batches, and who is held out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from narrows.linear.scaling import Scaling
from narrows.sources import array as module
from narrows.sources.array import ArraySource
from narrows.sources.split import count_held_out, folds, held_out_rows
from narrows.training import batches as batches_module
from narrows.training.batches import ScaledRows

X = np.random.default_rng(0).normal(size=(101, 4))


def scaled(n=101, dtype=torch.float32):
    scaling = Scaling(X.mean(axis=0), np.full(1, 2.0))
    return ScaledRows(ArraySource(X[:n]), scaling, dtype, torch.device("cpu"))


def drawn(rows, batch_size, **where):
    return [batch.x for batch in rows.batches(batch_size, **{"seed": 0, "epoch": 0, **where})]


# ---------------------------------------------------------------- who is held out


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.1, 1 / 3, 0.5, 0.999])
@pytest.mark.parametrize("n_rows", [2, 3, 10, 101, 1000])
def test_exactly_the_asked_part_is_held_out(n_rows, fraction):
    n_held_out = count_held_out(n_rows, fraction)
    assert n_held_out == min(math.ceil(fraction * n_rows), n_rows - 1)
    held = held_out_rows(n_rows, n_held_out, seed=5)
    assert len(held) == len(set(held.tolist())) == n_held_out
    assert held.tolist() == sorted(held.tolist())
    assert all(0 <= row < n_rows for row in held)


def test_the_hash_is_that_of_splitmix64():
    # Its first outputs from state 0 are known: e220a839…, 6e789e6a…, 06c45d18…, f88bb8a8…,
    # 1b39896a…; so the rows by rising hash are 2, 4, 1, 0, 3.
    assert [held_out_rows(5, n, seed=0).tolist() for n in (1, 2, 3)] == [[2], [2, 4], [1, 2, 4]]


def test_a_row_stays_held_out_as_rows_arrive():
    for n_rows in range(50, 150):
        before = set(held_out_rows(n_rows, 10, seed=1).tolist())
        after = set(held_out_rows(n_rows + 1, 10, seed=1).tolist())
        assert after - before <= {n_rows}


def test_more_held_out_rows_hold_the_fewer():
    few, many = (set(held_out_rows(200, n, seed=2).tolist()) for n in (20, 60))
    assert few < many


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 2])
def test_held_out_rows_are_spread_evenly(seed):
    held = held_out_rows(10_000, 1_000, seed)
    # A binomial count of 250 has a deviation of 14; five of them are 70.
    assert np.abs(np.histogram(held, bins=4, range=(0, 10_000))[0] - 250).max() < 70


def test_seeds_differ():
    assert held_out_rows(100, 10, 0).tolist() != held_out_rows(100, 10, 1).tolist()


@pytest.mark.parametrize(("n_rows", "n_folds"), [(2, 2), (7, 3), (101, 5), (5, 5)])
def test_folds_cut_the_rows_into_even_parts(n_rows, n_folds):
    parts = folds(n_rows, n_folds, seed=3)
    assert np.sort(np.concatenate(parts)).tolist() == list(range(n_rows))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == n_folds


# ---------------------------------------------------------------- rows and blocks


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.int64, bool])
def test_blocks_give_all_rows_in_order_in_float64(monkeypatch, dtype):
    monkeypatch.setattr(module, "BLOCK_VALUES", 40)
    rows = (np.abs(X) * 50).astype(dtype)
    blocks = list(ArraySource(rows).blocks())
    assert len(blocks) > 5
    assert all(block.dtype == np.float64 and block.size <= 40 for block in blocks)
    np.testing.assert_array_equal(np.concatenate(blocks), rows)


def test_subsets_are_counted_within_their_source():
    source = ArraySource(X).subset(np.array([3, 5, 8])).subset(np.array([2, 0]))
    assert (source.n_rows, source.n_features) == (2, 4)
    np.testing.assert_array_equal(source.take(slice(0, 2)), X[[8, 3]])
    np.testing.assert_array_equal(source.take(np.array([1])), X[[3]])
    np.testing.assert_array_equal(np.concatenate(list(source.blocks())), X[[8, 3]])


# ---------------------------------------------------------------- batches


@pytest.mark.parametrize("batch_size", [1, 2, 25, 100, 101, 1000])
@pytest.mark.parametrize("shuffle", [True, False])
def test_batches_cover_every_row_once(batch_size, shuffle):
    batches = drawn(scaled(), batch_size, shuffle=shuffle)
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    assert 0 < len(batches[-1]) <= batch_size
    found = torch.cat(batches).numpy()
    expected = ((X - X.mean(axis=0)) / 2).astype(np.float32)
    if shuffle:
        found, expected = found[found[:, 0].argsort()], expected[expected[:, 0].argsort()]
    np.testing.assert_array_equal(found, expected)


def test_the_order_depends_on_seed_and_epoch_alone():
    first = torch.cat(drawn(scaled(), 10, seed=1, epoch=2))
    assert torch.equal(first, torch.cat(drawn(scaled(), 33, seed=1, epoch=2)))
    assert not torch.equal(first, torch.cat(drawn(scaled(), 10, seed=1, epoch=3)))
    assert not torch.equal(first, torch.cat(drawn(scaled(), 10, seed=2, epoch=2)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shuffle", [True, False])
def test_batches_do_not_depend_on_what_is_kept(monkeypatch, dtype, shuffle):
    kept = drawn(scaled(dtype=dtype), 20, shuffle=shuffle)
    monkeypatch.setattr(batches_module, "CACHE_BYTES", 0)
    read = drawn(scaled(dtype=dtype), 20, shuffle=shuffle)
    assert all(torch.equal(one, other) for one, other in zip(kept, read, strict=True))
    assert read[0].dtype == dtype


def test_a_large_mean_costs_no_digits():
    far = X + 1e9
    scaling = Scaling(far.mean(axis=0), np.ones(1))
    rows = ScaledRows(ArraySource(far), scaling, torch.float32, torch.device("cpu"))
    found = torch.cat(drawn(rows, 50, shuffle=False)).numpy()
    np.testing.assert_allclose(found, X - X.mean(axis=0), atol=1e-6)
