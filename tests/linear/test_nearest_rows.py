"""Nearest neighbours: against scikit-learn, and on strange rows."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import ThreadpoolController, threadpool_info

from narrows.errors import MissingExtra
from narrows.linear import neighbors as room
from narrows.linear.neighbors import compact, nearest, nearest_rows, neighbor_memory
from narrows.linear.pca import fit_pca
from narrows.linear.scaling import Scaling, choose_scaling
from narrows.sources.array import ArraySource
from narrows.training.batches import Near, ScaledRows


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(300, 7)).astype(np.float32)


def of_scikit_learn(rows, queries, k, *, same=False):
    search = NearestNeighbors(n_neighbors=k).fit(rows)
    return search.kneighbors(None if same else queries, return_distance=False)


@pytest.mark.parametrize("bytes_at_once", [1 << 28, 4 * 300 * 7])
def test_exact_neighbours_are_scikit_learn_s(rows, bytes_at_once, monkeypatch):
    monkeypatch.setattr(room, "BLOCK_BYTES", bytes_at_once)
    expected = of_scikit_learn(rows, rows, 9, same=True)
    np.testing.assert_array_equal(nearest_rows(rows, 9, 0), expected)
    queries = rows[:50] + 0.01
    np.testing.assert_array_equal(nearest(queries, rows, 4), of_scikit_learn(rows, queries, 4))


def test_the_smallest_of_many_values_are_found_by_stretches():
    """More values than are sorted at once, with a rest that fills no stretch."""
    values = torch.rand(20, 5 * 4 * room.STRETCH + 17, generator=torch.Generator().manual_seed(0))
    expected = values.topk(5, dim=1, largest=False).indices
    assert torch.equal(room._smallest(values, 5), expected)


@pytest.mark.long
def test_many_rows_are_searched_by_pynndescent(rows, monkeypatch):
    exact = nearest_rows(rows, 5, 0)
    monkeypatch.setattr(room, "MOST_EXACT", 100)
    threads = torch.get_num_threads(), threadpool_info()
    found = nearest_rows(rows, 5, 0)
    assert found.shape == exact.shape
    loaded = {info["filepath"]: info["num_threads"] for info in threadpool_info()}
    assert torch.get_num_threads() == threads[0]
    assert all(loaded[info["filepath"]] == info["num_threads"] for info in threads[1])
    assert (found != np.arange(300)[:, None]).all()
    common = [len(set(a) & set(b)) / 5 for a, b in zip(found, exact, strict=True)]
    assert np.mean(common) > 0.95
    np.testing.assert_array_equal(found, nearest_rows(rows, 5, 0))


def test_a_search_is_asked_for_and_threads_stay_as_they_were(rows, monkeypatch):
    def searched(data, *, n_neighbors, random_state):
        for pool in ThreadpoolController().select(user_api="openmp").lib_controllers:
            pool.set_num_threads(2)
        graph = nearest(data, data, n_neighbors)
        return SimpleNamespace(neighbor_graph=(graph, None))

    exact, threads = nearest_rows(rows, 5, 0), threadpool_info()
    monkeypatch.setattr(room, "MOST_EXACT", 100)
    monkeypatch.setitem(sys.modules, "pynndescent", SimpleNamespace(NNDescent=searched))
    np.testing.assert_array_equal(nearest_rows(rows, 5, 0), exact)
    assert threadpool_info() == threads


def test_without_pynndescent_it_says_what_to_install(rows, monkeypatch):
    monkeypatch.setattr(room, "MOST_EXACT", 100)
    monkeypatch.setitem(sys.modules, "pynndescent", None)
    with pytest.raises(
        MissingExtra, match=r"300 rows are too many .* pip install 'narrows\[map\]'"
    ):
        nearest_rows(rows, 5, 0)


def test_a_row_that_a_search_missed_loses_its_farthest_neighbour():
    found = np.array([[0, 2, 1], [2, 0, 3], [3, 2, 0], [1, 2, 3]])
    expected = [[2, 1], [2, 0], [3, 0], [1, 2]]
    assert room._without_self(found).tolist() == expected


def test_a_row_stands_for_neighbours_that_a_search_has_not_found():
    found = np.array([[0, 2, -1], [-1, -1, -1], [2, 0, 1]])
    assert room._without_self(found).tolist() == [[2, 0], [1, 1], [0, 1]]


def test_duplicates_and_single_rows():
    same = np.zeros((6, 3), dtype=np.float32)
    found = nearest_rows(same, 3, 0)
    assert (found != np.arange(6)[:, None]).all()
    assert nearest_rows(same[:1], 1, 0).tolist() == [[0]]
    assert nearest_rows(same[:2], 1, 0).tolist() == [[1], [0]]


@pytest.mark.parametrize("columnwise", [False, True])
def test_compact_rows_keep_distances(columnwise):
    """All components are a rotation, so distances are those of rows in the network's units."""
    X = load_digits().data[:80, 10:30]
    mean, variances = X.mean(axis=0), X.var(axis=0, ddof=1) + 1.0
    scaling = Scaling(mean, np.sqrt(variances))
    if not columnwise:
        scaling = choose_scaling("auto", mean, variances, 0.0, 0.0)
    scaled = scaling(torch.from_numpy(X)).numpy()
    source = ArraySource(X)
    pca = fit_pca((lambda: [scaled]) if columnwise else source.blocks, 20, 0)
    found = compact(source.blocks, pca, scaling)
    apart = np.square(found[:, None] - found[None]).sum(axis=2)
    expected = np.square(scaled[:, None] - scaled[None]).sum(axis=2)
    np.testing.assert_allclose(apart, expected, rtol=1e-4, atol=1e-4)


def test_batches_bring_a_neighbour_of_each_row(rows):
    source = ArraySource(rows.astype(np.float64))
    scaled = ScaledRows(
        source, Scaling(np.zeros(1), np.ones(1)), torch.float32, torch.device("cpu")
    )
    numbers = nearest_rows(rows, 6, 0)
    scaled.near = Near(numbers, scaled)
    for epoch in range(2):
        for batch in scaled.batches(64, seed=3, epoch=epoch):
            for row, near in zip(batch.x.numpy(), batch.near.numpy(), strict=True):
                own = np.flatnonzero((rows == row).all(axis=1))[0]
                other = np.flatnonzero((rows == near).all(axis=1))[0]
                assert other in numbers[own]
    drawn = [next(scaled.batches(300, seed=3, epoch=epoch)).near for epoch in (0, 0, 1)]
    assert drawn[0].equal(drawn[1])
    assert not drawn[0].equal(drawn[2])


def test_the_memory_named_grows_with_rows_and_neighbours():
    assert neighbor_memory(1_000, 50, 15) < neighbor_memory(2_000, 50, 15)
    assert neighbor_memory(200_000, 50, 15) < neighbor_memory(200_000, 50, 30) < 2 << 30
