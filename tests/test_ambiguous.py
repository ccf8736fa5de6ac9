"""Input that can be read in two ways is never taken one way without a word."""

from __future__ import annotations

import datetime
import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image
from torch.utils.data import DataLoader, Dataset, TensorDataset

from conftest import quick
from narrows import Autoencoder
from narrows.errors import DataError, DataTypeError, NarrowsWarning
from narrows.sources.inputs import as_rows

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(40, 6))


def first_rows(X):
    """What a fit sees of rows that are given without `sample_shape`."""
    return as_rows(X, shape_is_known=False)


# ---------------------------------------------------------------- axes


@pytest.mark.parametrize(
    "shape", [(5, 1, 28, 28), (5, 2, 8, 9), (5, 3, 32, 32), (5, 4, 20, 30), (5, 16, 28, 28)]
)
def test_channels_that_seem_to_come_first_are_asked_about(shape):
    _, a, b, c = shape
    words = rf"pictures of {a} × {b} pixels with {c} channels\. .*pass {{}}.*sample_shape=\({a},"
    with pytest.warns(NarrowsWarning, match=words.format(r"np\.moveaxis\(X, 1, -1\)")):
        first_rows(np.zeros(shape))
    with pytest.warns(NarrowsWarning, match=words.format(r"X\.movedim\(1, -1\)")):
        first_rows(torch.zeros(shape))


USUAL_SHAPES = "5,28,28,1 5,32,32,3 5,3,2,1 5,1,2,3 5,3,32,4 5,64,64,200 5,20,30,8 5,9,9,9 5,28,28"


@pytest.mark.parametrize(
    "shape", [tuple(map(int, shape.split(","))) for shape in USUAL_SHAPES.split()]
)
def test_usual_axes_are_taken_without_a_word(shape):
    X, found = first_rows(np.zeros(shape))
    assert (X.shape, found) == ((shape[0], np.prod(shape[1:])), shape[1:])


def test_the_warning_of_fit_is_silenced_by_saying_the_shape():
    X = RNG.normal(size=(40, 1, 6, 6))
    with pytest.warns(NarrowsWarning, match="channels come first") as caught:
        ae = quick(max_steps=3).fit(X)
    assert caught[0].filename == __file__
    ae.transform(X)  # says nothing again
    assert quick(max_steps=3, sample_shape=(1, 6, 6)).fit(X).sample_shape_ == (1, 6, 6)
    assert quick(max_steps=3).fit(torch.tensor(X).movedim(1, -1)).sample_shape_ == (6, 6, 1)


# ---------------------------------------------------------------- one picture


@pytest.mark.parametrize("shape", [(512, 512, 3), (64, 48, 4), (16, 900, 3)])
def test_one_colour_picture_is_refused_as_rows(shape):
    X = np.zeros(shape, dtype=np.uint8)
    for given in (X, torch.from_numpy(X)):
        with pytest.raises(DataError, match=r"looks like one picture.*X\[None\].*patches"):
            Autoencoder(2).fit(given)
    assert as_rows(X)[1] == shape[1:]  # where the shape is said, it is taken


def test_a_picture_of_pillow_is_one_picture():
    with pytest.raises(DataError, match=r"one picture of 30 × 40 pixels with 3 channels"):
        first_rows(Image.new("RGB", (40, 30)))


@pytest.mark.parametrize("shape", [(512, 512, 3), (3, 64, 48), (4, 16, 16)])
def test_what_may_be_one_picture_is_asked_about(shape):
    with pytest.warns(NarrowsWarning, match=r"looks like one picture.*sample_shape="):
        first_rows(np.zeros(shape, dtype=np.float32))


def test_one_grey_photograph_is_told_from_a_table_by_its_neighbours():
    photograph = np.ascontiguousarray(load_sample_image("china.jpg")[:, :, 1])
    with pytest.warns(NarrowsWarning, match=r"read as 427 rows of 640 values.*grey pixels"):
        first_rows(photograph)
    first_rows(RNG.permutation(photograph))  # rows in any order
    first_rows(photograph[:200])  # a small table
    first_rows(photograph.astype(float))
    digits = np.tile(load_digits().data.astype(np.uint8), (1, 4))
    first_rows(digits)
    first_rows(np.zeros((300, 300), dtype=np.uint8))


def test_one_picture_for_a_model_of_pictures_names_the_way_in():
    pictures = RNG.normal(size=(40, 5, 4))
    ae = quick(max_steps=3).fit(pictures)
    for use in (ae.transform, ae.reconstruct, ae.score):
        with pytest.raises(DataError, match=r"one picture; pass X\[None\]"):
            use(pictures[0])
    assert ae.transform(pictures[0][None]).shape == (1, 2)


# ---------------------------------------------------------------- masks and missing values


def test_masked_values_are_refused_and_an_empty_mask_is_none():
    X = np.ma.masked_array(TABLE, TABLE > 1)
    n_masked = int((TABLE > 1).sum())
    with pytest.raises(DataError, match=rf"{n_masked} values .*X\.filled\(value\).*any\(axis=1\)"):
        quick().fit(X)
    with pytest.raises(DataError, match=r"any\(axis=\(1, 2\)\)"):
        first_rows(X.reshape(40, 2, 3))
    with pytest.raises(DataError, match="masked"):
        first_rows(list(X))
    kept = X[~X.mask.any(axis=1)]
    np.testing.assert_array_equal(first_rows(kept)[0], kept.data)
    ae = quick(max_steps=3).fit(X.filled(0.0))
    with pytest.raises(DataError, match="masked"):
        ae.transform(X)


def test_masked_labels_are_missing_labels():
    labels = np.ma.masked_array(np.arange(40) % 2, np.arange(40) == 3)
    with pytest.raises(DataError, match="missing labels"):
        Autoencoder(2, objective="vae", max_steps=2).set_params(objective__conditional=True).fit(
            TABLE, labels
        )


@pytest.mark.parametrize("dtype", ["Float64", "double[pyarrow]", "object"])
def test_a_missing_value_of_pandas_is_named_by_its_place(dtype):
    frame = pd.DataFrame(TABLE, columns=list("abcdef")).astype(dtype)
    frame.iloc[3, 2] = pd.NA
    with pytest.raises(DataError, match=r"row 3, column 2 \('c'\).*SimpleImputer"):
        quick().fit(frame)


# ---------------------------------------------------------------- values that are no numbers


DAYS = np.arange("2020-01-01", "2020-01-31", dtype="datetime64[D]").reshape(10, 3)


@pytest.mark.parametrize(
    "X",
    [
        DAYS,
        DAYS - DAYS[0],
        pd.DataFrame(DAYS.astype("datetime64[ns]"), columns=["x", "y", "z"]),
        pd.DataFrame({"v": [1.0, 2.0], "x": pd.to_datetime(["2020-01-01", "2021-01-01"])}),
        pl.DataFrame({"v": [1.0, 2.0], "x": [datetime.date(2020, 1, n) for n in (1, 2)]}),
    ],
)
def test_dates_are_refused_because_their_unit_would_be_guessed(X):
    words = "'x'.*unit would be guessed" if hasattr(X, "columns") else "unit would be guessed"
    with pytest.raises(DataTypeError, match=words):
        quick(1).fit(X)


RECORDS = np.zeros(5, dtype=[("height", "f4"), ("weight", "f8")])


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (RECORDS, "structured_to_unstructured"),
        (RECORDS[:, None], "structured_to_unstructured"),
        (TABLE + 1j, r"np\.abs\(X\)"),
        (torch.tensor(TABLE + 1j).conj(), r"np\.abs\(X\)"),
        (torch.tensor(TABLE).to_sparse(), r"\.to_dense\(\)"),
        ([[1, 2, 3], [1, 2]], r"row 0 has shape \(3,\) and row 1 has shape \(2,\)"),
        ([np.zeros((4, 4)), np.zeros((5, 4))], r"\(4, 4\) and row 1 has shape \(5, 4\)"),
        (np.array([np.zeros(3), np.zeros(4)], dtype=object), "rows of different shapes"),
    ],
)
def test_values_that_would_be_learned_as_others_are_refused(X, words):
    with pytest.raises((DataError, DataTypeError), match=words):
        quick(1).fit(X)


def test_categories_that_are_numbers_are_taken_and_texts_are_not():
    frame = pd.DataFrame({"a": pd.Categorical([1, 2, 3]), "b": [1.0, 2.0, 9.0]})
    assert quick(1, max_steps=2, scaling="standard").fit_transform(frame).dtype == np.float64
    with pytest.raises(ValueError, match="could not convert string to float: 'x'"):
        quick(1).fit(frame.assign(a=pd.Categorical(["x", "y", "z"])))


class Holder:
    """An object that is an array by `__array__` alone."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)


def test_unusual_arrays_are_read_as_what_they_hold():
    pictures = TABLE.reshape(40, 2, 3)
    rows, shape = first_rows(Holder(pictures))
    assert shape == (2, 3)
    np.testing.assert_array_equal(rows, TABLE)
    tensors = [torch.tensor(row, requires_grad=True) for row in TABLE]
    np.testing.assert_array_equal(first_rows(tensors)[0], TABLE)
    for dtype in (torch.bfloat16, torch.float8_e4m3fn):
        short = torch.tensor(TABLE).to(dtype)
        np.testing.assert_array_equal(first_rows(short)[0], short.float().numpy())


# ---------------------------------------------------------------- containers


class Pairs(Dataset):
    def __len__(self):
        return 40

    def __getitem__(self, number):
        return torch.tensor(TABLE[number]), 0


TENSORS = TensorDataset(torch.tensor(TABLE), torch.zeros(40))


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (TENSORS, r"TensorDataset.*X\.tensors\[0\]"),
        (DataLoader(TENSORS), r"DataLoader.*X\.dataset\.tensors\[0\]"),
        (Pairs(), r"Pairs.*np\.stack\(.*partial_fit"),
        (DataLoader(Pairs()), r"DataLoader.*np\.stack\(.*partial_fit"),
        ((row for row in TABLE), r"generator.*partial_fit"),
        (torch.nn.Linear(2, 2), r"Linear.*an array, a tensor or a frame"),
        ("rows.npy", r"str.*numpy\.load"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_array_is_refused_with_what_to_pass(X, words):
    with pytest.raises(DataTypeError, match=words):
        Autoencoder(2, max_steps=2).fit(X)
    with pytest.raises(DataTypeError, match=words):
        quick(max_steps=2).fit(TABLE).transform(X)


def test_the_tensors_of_a_data_set_are_what_to_pass():
    codes = quick(max_steps=3).fit(TABLE).transform(TENSORS.tensors[0])
    assert codes.shape == (40, 2)


# ---------------------------------------------------------------- magnitudes


@pytest.mark.parametrize(
    ("dtype", "largest"), [(np.float32, 1e30), (np.float64, 1e100), (np.float16, 6e4)]
)
def test_what_a_dtype_can_hold_is_trained_on_and_more_is_refused(dtype, largest):
    X = (TABLE / np.abs(TABLE).max() * 0.99 * largest).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ae = quick(max_steps=3).fit(X)
        for result in (ae.transform(X), ae.reconstruct(X), ae.reconstruction_error(X)):
            assert np.isfinite(result).all()
    if largest * 1e3 < float(np.finfo(dtype).max):
        words = re.escape(f"up to {largest:g} in {np.dtype(dtype)}")
        with pytest.raises(DataError, match=words):
            quick(max_steps=3).fit(X * dtype(1e3))
        with pytest.raises(DataError, match=words):
            ae.transform(X * dtype(1e3))


def test_float32_near_its_end_is_refused_in_words():
    X = (TABLE / np.abs(TABLE).max() * 3e38).astype(np.float32)
    with pytest.raises(DataError, match=r"as large as 3e\+38.*np\.float64"):
        quick().fit(X)
    assert np.isfinite(quick(max_steps=3).fit_transform(X.astype(np.float64))).all()
