"""What `fit` and `transform` take, what they refuse, and in which words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import torch
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from conftest import quick
from narrows import Autoencoder
from narrows.errors import DataError, DataTypeError, ParameterError
from narrows.sources.inputs import as_labels

TABLE = np.random.default_rng(0).integers(0, 2, size=(40, 6))
"""Zeros and ones: every dtype holds them exactly."""


def fitted(X):
    return quick(max_steps=5, bounds=None).fit(X)


def memory_map(tmp_path, X):
    np.save(tmp_path / "rows.npy", X)
    return np.load(tmp_path / "rows.npy", mmap_mode="r")


def read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


FORMS = {
    "float32": lambda X: X.astype(np.float32),
    "float16": lambda X: X.astype(np.float16),
    "int64": lambda X: X,
    "int8": lambda X: X.astype(np.int8),
    "uint8": lambda X: X.astype(np.uint8),
    "uint16": lambda X: X.astype(np.uint16),
    "bool": lambda X: X.astype(bool),
    "big-endian": lambda X: X.astype(">f8"),
    "object": lambda X: X.astype(object),
    "read-only": lambda X: read_only(X.astype(float)),
    "Fortran": lambda X: np.asfortranarray(X.astype(float)),
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "list": lambda X: X.tolist(),
    "tensor": lambda X: torch.tensor(X),
    "tensor with gradient": lambda X: torch.tensor(X, dtype=torch.float64, requires_grad=True),
    "pandas": lambda X: pd.DataFrame(X),
    "pandas of mixed dtypes": lambda X: pd.DataFrame(X).astype({0: bool, 1: "uint8", 2: float}),
    "Arrow": lambda X: pa.table(dict(zip("abcdef", X.T.astype(float), strict=True))),
    "pandas of categories": lambda X: pd.DataFrame(X).astype("category"),
    "polars": lambda X: pl.DataFrame(X.astype(float), schema=[f"c{i}" for i in range(6)]),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_numbers_in_any_container_give_the_same_codes(form):
    plain = TABLE.astype(float)
    given = FORMS[form](TABLE)
    ae = fitted(given)
    # float32 rows are encoded in float32, which keeps 7 digits.
    tolerance = 1e-5 if form == "float32" else 0
    codes = np.asarray(ae.transform(given))
    assert codes.dtype == (np.float32 if form == "float32" else np.float64)
    np.testing.assert_allclose(
        codes, fitted(plain).transform(plain), rtol=tolerance, atol=tolerance
    )


def test_memory_mapped_rows(tmp_path):
    plain = TABLE.astype(float)
    mapped = memory_map(tmp_path, plain)
    np.testing.assert_array_equal(fitted(mapped).transform(mapped), fitted(plain).transform(plain))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_nothing_that_is_handed_over_is_changed(dtype):
    X = TABLE.astype(dtype)
    ae = quick(max_steps=5).fit(X).partial_fit(X)
    Z = ae.transform(X)
    before = Z.copy()
    for use in (ae.transform, ae.reconstruct, ae.reconstruction_error, ae.score):
        use(X)
    ae.inverse_transform(Z)
    np.testing.assert_array_equal(X, TABLE)
    np.testing.assert_array_equal(Z, before)


@pytest.mark.parametrize("shape", [(2, 3), (3, 2, 1), (1, 2, 3)])
def test_pictures_come_back_as_pictures(shape):
    flat = TABLE.astype(np.float32)
    pictures = flat.reshape(40, *shape)
    ae = fitted(pictures)
    assert ae.sample_shape_ == shape
    Z = ae.transform(pictures)
    np.testing.assert_array_equal(Z, fitted(flat).transform(flat))
    np.testing.assert_array_equal(Z, ae.transform(flat))
    assert ae.inverse_transform(Z).shape == (40, *shape)
    assert ae.reconstruct(pictures).shape == (40, *shape)
    assert ae.reconstruct(flat).shape == (40, 6)
    assert ae.reconstruction_error(pictures).shape == (40,)
    assert ae.reconstruct(torch.from_numpy(pictures)).shape == (40, *shape)


def test_pictures_of_another_shape_are_refused():
    ae = fitted(TABLE.reshape(40, 2, 3))
    with pytest.raises(ValueError, match=r"\(3, 2\).*\(2, 3\)|\(2, 3\).*\(3, 2\)"):
        ae.transform(TABLE.reshape(40, 3, 2))


def test_sample_shape_of_flat_rows():
    ae = quick(max_steps=5, sample_shape=(2, 3)).fit(TABLE)
    assert ae.sample_shape_ == (2, 3)
    assert ae.inverse_transform(ae.transform(TABLE)).shape == (40, 6)
    with pytest.raises(ParameterError, match=r"sample_shape.*\(4, 4\).*6 values"):
        quick(sample_shape=(4, 4)).fit(TABLE)


def test_pixels_are_clipped_to_their_range():
    white = np.full((60, 4), 255, dtype=np.uint8)
    white[::3, :2] = 0
    white[::7, 3] = 0
    assert fitted_bounds(white) == (0.0, 255.0)
    assert fitted_bounds(white / 255) == (0.0, 1.0)
    assert fitted_bounds(white / 255.0 + 0.5) is None
    assert fitted_bounds(white.astype(np.int64)) is None
    ae = quick(1, max_steps=5).fit(white)
    X_hat = ae.inverse_transform(np.array([[-1e4], [1e4]]))
    assert X_hat.min() >= 0
    assert X_hat.max() <= 255
    loose = quick(1, max_steps=5, bounds=None).fit(white).inverse_transform([[-1e4], [1e4]])
    assert loose.max() > 255


def fitted_bounds(X):
    return quick(1, max_steps=5).fit(X).bounds_


def test_what_a_loader_returns_is_refused_with_what_it_holds():
    bunch = load_iris()
    with pytest.raises(DataTypeError, match=r"Bunch of data, .*Pass .*X\['data'\]") as caught:
        Autoencoder(2, max_steps=2).fit(bunch)
    assert len(str(caught.value)) < 300
    ae = Autoencoder(2, max_steps=2).fit(bunch["data"])
    with pytest.raises(DataTypeError, match=r"dict of rows, not .*X\['rows'\]"):
        ae.transform({"rows": bunch["data"]})


@pytest.mark.parametrize(
    "make", [scipy.sparse.csr_matrix, scipy.sparse.coo_array, scipy.sparse.dok_array]
)
def test_sparse_is_refused_with_a_way_out(make):
    with pytest.raises(DataTypeError, match=r"[Ss]parse.*toarray") as caught:
        quick().fit(make(TABLE))
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_the_first_cell_that_is_not_finite_is_named(value, word):
    X = TABLE.astype(float)
    X[7, 4] = X[9, 1] = value
    with pytest.raises(DataError, match=f"such value is {word} in row 7, column 4") as caught:
        quick().fit(X)
    assert isinstance(caught.value, ValueError)
    assert "SimpleImputer" in str(caught.value)
    ae = fitted(TABLE)
    with pytest.raises(DataError, match="row 7, column 4"):
        ae.transform(X)


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_a_bad_cell_of_a_frame_is_named_by_its_column(library):
    frame = library({"height": [1.0, 2.0, 3.0], "weight": [1.0, float("nan"), 2.0]})
    with pytest.raises(DataError, match=r"row 1, column 1 \('weight'\)"):
        quick(1).fit(frame)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.array([["a", "b"], ["c", "d"]]), "not compatible with arrays of bytes/strings"),
        (pd.DataFrame({"a": ["x", "y"], "b": ["z", "w"]}), "could not convert string to float"),
        (TABLE + 1j, "Complex data not supported"),
        (np.empty((0, 6)), r"0 sample\(s\)"),
        (np.empty((0, 2, 3)), r"0 sample\(s\)"),
        (TABLE[:1], r"1 sample\(s\).*minimum of 2"),
        (np.empty((6, 0)), r"0 feature\(s\)"),
        (TABLE[0], "Expected 2D array, got 1D array"),
        (np.zeros((2, 2, 2, 2, 2)), r"\(2, 2, 2, 2, 2\).*\(n, height, width\)"),
    ],
)
def test_unusable_data_is_refused_in_words(X, words):
    ae = quick()
    with pytest.raises(ValueError, match=words):
        ae.fit(X)
    assert not hasattr(ae, "network_")


def test_one_column_asks_for_one_component():
    column = TABLE[:, :1] + np.linspace(0, 1, 40)[:, None]
    assert quick(1).fit_transform(column).shape == (40, 1)
    with pytest.raises(ParameterError, match=r"n_components.*init='random'"):
        quick(2).fit(column)


def test_more_components_than_features_needs_a_random_start():
    with pytest.raises(ParameterError, match=r"`n_components`=9.*n_features = 6.*init='random'"):
        quick(9).fit(TABLE)
    assert quick(9, init="random").fit_transform(TABLE).shape == (40, 9)


@pytest.mark.parametrize("use", ["transform", "reconstruct", "reconstruction_error", "score"])
def test_another_width_is_refused(use):
    ae = fitted(TABLE)
    with pytest.raises(ValueError, match="X has 5 features, but Autoencoder is expecting 6"):
        getattr(ae, use)(TABLE[:, :5])
    with pytest.raises(ValueError, match="X has 5 features, but Autoencoder is expecting 6"):
        ae.partial_fit(TABLE[:, :5])
    with pytest.raises(DataError, match=r"Z has 3 columns.*2"):
        ae.inverse_transform(TABLE[:, :3])


def test_use_before_fit(tmp_path):
    ae = Autoencoder()
    for use in (
        lambda: ae.transform(TABLE),
        lambda: ae.inverse_transform(TABLE[:, :2]),
        lambda: ae.reconstruct(TABLE),
        lambda: ae.reconstruction_error(TABLE),
        lambda: ae.score(TABLE),
        lambda: ae.save(tmp_path / "model.safetensors"),
    ):
        with pytest.raises(NotFittedError, match="fit"):
            use()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (pd.array(["a", None], dtype="string"), "missing"),
        (pd.array([1, None], dtype="Int64"), "missing"),
        ([b"a", b"b"], "bytes"),
        (np.array([1, "a"], dtype=object), "int and str"),
    ],
)
def test_labels_that_cannot_be_kept_are_refused(labels, words):
    with pytest.raises(DataError, match=words):
        as_labels(labels, 2)


def test_a_list_of_tensors_comes_back_in_its_shape():
    pictures = [torch.rand(4, 4, generator=torch.Generator().manual_seed(n)) for n in range(30)]
    ae = quick(2, max_steps=2, sample_shape=(4, 4)).fit(pictures)
    learned = [picture.requires_grad_() for picture in pictures[:3]]
    assert ae.reconstruct(learned).shape == (3, 4, 4)
