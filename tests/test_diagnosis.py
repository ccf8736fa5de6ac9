"""What went wrong is named with what to type, and nothing is said where nothing did."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_iris, load_wine
from torch import nn

from conftest import curved, noise, quick
from narrows import FSQ, VAE, VQ, WAE
from narrows.errors import NarrowsWarning
from narrows.linear.pca import fit_pca
from narrows.linear.scaling import Scaling
from narrows.model.diagnosis import collapsed_numbers, diagnose, rows_to_show
from narrows.model.parts import PARTS
from narrows.networks import Autoencoding
from narrows.objectives import Reconstruction
from narrows.objectives.vq import CodeBooks


def pca(X, k=3):
    return fit_pca(lambda: iter([X]), k, seed=0)


def low_rank(n=60):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 2)) @ rng.normal(size=(2, 5))


@pytest.mark.parametrize(
    "X",
    [noise(), low_rank(), np.ones((20, 5)), noise(3)],
    ids=["noise", "low rank", "constant", "few"],
)
def test_codes_of_pca_have_not_collapsed(X):
    axes = pca(X)
    codes = (X - axes.mean_) @ axes.components_.T
    assert collapsed_numbers(codes, axes, 0.001) == []
    assert collapsed_numbers(codes * np.array([1, 1e2, 1e-2]), axes, 0.001) == []


def test_a_number_that_is_the_same_for_every_row_has_collapsed():
    X = noise()
    codes = X[:, :3].copy()
    codes[:, 1] = 7.0
    (sentence,) = collapsed_numbers(codes, pca(X), 0.002)
    assert sentence.startswith("1 of 3 numbers of the code are the same for every row")
    assert "learning_rate=0.0002, or n_components=2." in sentence


def test_where_every_number_has_collapsed_none_is_proposed():
    (sentence,) = collapsed_numbers(np.ones((20, 3)), pca(noise(20)), 0.002)
    assert sentence.startswith("3 of 3")
    assert sentence.endswith("Try learning_rate=0.0002.")


def test_numbers_for_which_the_data_have_no_direction_may_be_the_same():
    codes = low_rank()[:, :3].copy()
    codes[:, 2] = 0.0
    assert collapsed_numbers(codes, pca(low_rank()), 0.001) == []
    assert len(collapsed_numbers(codes, pca(noise(60)), 0.001)) == 1


def test_fit_warns_of_a_collapse(X):
    dead = nn.Linear(6, 2)
    torch.nn.init.zeros_(dead.weight)
    ae = quick().fit(X)
    ae.network_.encoder = dead
    found = diagnose(
        Reconstruction(), ae.network_, X, np.zeros((300, 2)), ae.pca_, learning_rate=0.001
    )
    assert len(found) == 1


@dataclasses.dataclass(frozen=True)
class Complaining(Reconstruction):
    """A family that always has something to say."""

    def diagnose(self, net, x):
        assert not net.training
        assert x.dtype == torch.float32
        return [f"{len(x)} rows are wrong."]


def test_fit_says_what_a_family_says_once(X):
    with pytest.warns(NarrowsWarning, match="300 rows are wrong") as caught:
        ae = quick(objective=Complaining(), max_steps=2).fit(X)
    assert len(caught) == 1
    assert hasattr(ae, "network_")


def test_a_word_of_the_family_comes_before_the_check_that_all_share(X):
    ae = quick(max_steps=2).fit(X)
    codes = np.zeros((300, 2))
    (found,) = diagnose(Complaining(), ae.network_, X, codes, ae.pca_, 0.001)
    assert found == "300 rows are wrong."


@pytest.mark.parametrize("rows", [np.ones((50, 6)), curved(9)], ids=["constant", "few"])
def test_nothing_is_said_of_what_teaches_nothing(rows, X):
    ae = quick(max_steps=2).fit(X)
    codes = np.zeros((len(rows), 2))
    assert diagnose(Complaining(), ae.network_, rows, codes, ae.pca_, 0.001) == []


# ---------------------------------------------------------------- families


def with_books(words):
    books = CodeBooks(words, 1 / words.shape[1])
    return Autoencoding(Scaling(np.zeros(1), np.ones(1)), nn.Identity(), nn.Identity(), extra=books)


def test_a_dead_code_book_is_named():
    rows = torch.from_numpy(noise(500, 4)).float()
    words = torch.randn(2, 64, 2, generator=torch.Generator().manual_seed(0))
    objective = VQ(n_codes=64, width=2)
    assert objective.diagnose(with_books(words), rows) == []
    words[1, 3:] += 1000
    (sentence,) = objective.diagnose(with_books(words), rows)
    assert sentence.startswith("Only 3 of 64 words")
    assert "objective__n_codes=6" in sentence


@pytest.mark.parametrize(
    "rows",
    [torch.ones(500, 2), torch.arange(500)[:, None] % 3 * torch.ones(2), torch.randn(8, 2)],
    ids=["constant", "three kinds of rows", "few rows"],
)
def test_few_words_for_few_kinds_of_rows_are_no_dead_code_book(rows):
    words = torch.randn(1, 512, 2, generator=torch.Generator().manual_seed(0)) * 3
    assert VQ(width=2).diagnose(with_books(words), rows.float()) == []


def test_codes_that_ran_off_are_named(X):
    ae = quick(objective="wae", max_steps=2).fit(X)
    ae.network_.encoder.weight.data *= 50
    ae.network_.encoder.gain *= 50
    (sentence,) = diagnose(WAE(), ae.network_, X, ae.transform(X), ae.pca_, 0.001)
    assert "sample(prior='mixture')" in sentence


@pytest.mark.parametrize("family", PARTS["objective"])
@pytest.mark.parametrize(
    "X",
    [
        load_iris().data,
        load_wine().data / load_wine().data.std(axis=0),
        noise(200),
        low_rank(),
        curved(30),
        np.ones((9, 3)),
    ],
    ids=["iris", "wine", "noise", "low rank", "few", "constant"],
)
def test_nothing_is_said_of_ordinary_fits(family, X):
    """Warnings are errors here."""
    quick(objective=family, max_steps=60, keep="last").fit(X)


def test_levels_that_tell_rows_apart_have_not_collapsed():
    quick(3, objective=FSQ(levels=2), max_steps=60, keep="last").fit(noise(200))


def test_rows_are_shown_from_all_over_the_data():
    shown = rows_to_show(100_000, 10)
    assert len(shown) == 2_048
    assert (shown[0], shown[-1]) == (0, 99_999)
    assert np.ptp(np.diff(shown)) <= 1
    assert rows_to_show(5, 10).tolist() == [0, 1, 2, 3, 4]
    assert len(rows_to_show(5_000, 1 << 22)) == 10


def test_a_collapse_on_pictures_is_named():
    # Their first direction holds 15 % of the variance, which is ten times a direction's share.
    with pytest.warns(NarrowsWarning, match="collapsed to the prior"):
        quick(
            4, objective=VAE(beta=300.0, warm_up=0.0), init="random", keep="last", max_steps=400
        ).fit(load_digits().data)
