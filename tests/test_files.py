"""Tables in files: what is read, what is refused and in which words."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from narrows.datasets import load_mnist
from narrows.errors import DataError, DataTypeError, NarrowsWarning, ParameterError
from narrows.sources.labels import read_labels
from narrows.sources.open import read_table


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int16, bool])
def test_npy_is_memory_mapped_and_keeps_its_dtype(here, rows, dtype):
    np.save("x.npy", rows.astype(dtype))
    values = read_table("x.npy").values
    assert isinstance(values, np.memmap)
    assert values.dtype == dtype
    np.testing.assert_array_equal(values, rows.astype(dtype))


def test_npz_needs_a_name_where_it_holds_several(here, rows):
    np.savez("one.npz", rows)
    np.testing.assert_array_equal(read_table("one.npz").values, rows)
    np.savez("two.npz", left=rows, right=rows + 1)
    np.testing.assert_array_equal(read_table("two.npz:right").values, rows + 1)
    with pytest.raises(DataError, match=r"2 arrays; name one of them: two\.npz:left, two"):
        read_table("two.npz")
    with pytest.raises(DataError, match=r"no array 'rigt'.*Did you mean 'right'\?"):
        read_table("two.npz:rigt")


def test_csv_header_is_what_is_not_all_numbers(here):
    (here / "bare.csv").write_text("1,2\n3,4.5\n")
    bare = read_table("bare.csv")
    assert bare.column_names is None
    assert bare.frame() is bare.values
    np.testing.assert_array_equal(bare.values, [[1, 2], [3, 4.5]])
    (here / "headed.csv").write_text("\ufeffa, b\n1, 2\n", encoding="utf-8")
    headed = read_table("headed.csv")
    assert headed.column_names == ("a", "b")
    assert list(headed.frame().columns) == ["a", "b"]


def test_csv_whose_first_row_counts_columns_is_warned_of(here):
    (here / "counted.csv").write_text("0,1,2\n5,6,7\n")
    with pytest.warns(NarrowsWarning, match=r"counted\.csv counts 0, 1, 2"):
        assert read_table("counted.csv").values.shape == (2, 3)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("name,a,b\nx,1,2\ny,3,4\n", ("x", "y")),
        (",a,b\n0,1,2\n1,3,4\n", ("0", "1")),  # as pandas writes its index
    ],
)
def test_csv_row_names(here, text, names):
    (here / "t.csv").write_text(text)
    table = read_table("t.csv")
    assert (table.row_names, table.column_names) == (names, ("a", "b"))
    np.testing.assert_array_equal(table.values, [[1, 2], [3, 4]])


def test_csv_whose_first_line_may_be_a_row_warns(here):
    (here / "t.csv").write_text("x,1,2\ny,3,4\n")
    with pytest.warns(NarrowsWarning, match="taken for names of columns"):
        assert len(read_table("t.csv").values) == 1


def test_csv_blank_cells_are_nan_for_the_estimator_to_name(here):
    (here / "t.csv").write_text("a,b\n1,\n3,4\n")
    np.testing.assert_array_equal(read_table("t.csv").values, [[1, np.nan], [3, 4]])


def test_mnist_comes_as_pictures_with_labels():
    table, (X, y) = read_table("mnist:test"), load_mnist("test", return_X_y=True)
    assert table.values.shape == (10_000, 28, 28)
    np.testing.assert_array_equal(table.values.reshape(len(X), -1), X)
    np.testing.assert_array_equal(table.labels, y)


@pytest.mark.parametrize("source", ["mnist", "mnist:tset", "MNIST:test"])
def test_other_names_of_mnist_are_refused_and_both_parts_named(here, source):
    with pytest.raises(ParameterError, match=r"mnist:train .*mnist:test") as caught:
        read_table(source)
    assert ("Did you mean 'mnist:test'?" in str(caught.value)) == (source == "mnist:tset")


BAD_TEXT = {
    "ragged.csv": ("a,b\n1,2\n3\n", "line 3 is 1, but in the first line it is 2"),
    "longer.csv": ("a,b\n1,2\n3,4,5\n", "line 3 is 3, but in the first line it is 2"),
    "all_longer.csv": ("a,b\n1,2,3\n3,4,5\n", "line 2 is 3, but in the first line it is 2"),
    "text.csv": ("a,kind\n1,cat\n2,cat\n", "'kind', such as 'cat'"),
    "typo.csv": ("a,b\n1,2\nx7,3\n", "'a', such as 'x7'"),
    "names.csv": ("name\nx\ny\n", "names of rows alone"),
    "head.csv": ("a,b\n", "no rows"),
    "blank.csv": ("\n\n", "blank lines"),
    "semi.csv": ("a;b\n1;2\n", "separated by ';'"),
    "empty.csv": ("", "is empty"),
    "empty.npy": ("", "is empty"),
    "text.npy": ("not an array", r"not a \.npy file"),
    "text.npz": ("not an archive", r"not a \.npz file"),
    "t.cvs": ("1,2\n", r"Did you mean '\.csv'\?"),
    "none": ("1,2\n", "ends in 'nothing'"),
}


@pytest.mark.parametrize("name", BAD_TEXT)
def test_bad_text_files_say_what_is_wrong(here, name):
    text, words = BAD_TEXT[name]
    (here / name).write_text(text)
    with pytest.raises((DataError, DataTypeError), match=words) as caught:
        read_table(name)
    assert name in str(caught.value)


BAD_ARRAYS = {
    "objects": (np.array([[{}, 1]], dtype=object), DataTypeError, "Python objects"),
    "words": (np.array([["a"]]), DataTypeError, "<U1 values"),
    "complex": (np.ones((2, 2), complex), DataTypeError, "complex128"),
    "flat": (np.ones(5), DataError, r"shape \(5,\).*reshape\(-1, 1\)"),
    "deep": (np.ones((2, 2, 2, 2, 2)), DataError, "shape"),
    "no rows": (np.ones((0, 3)), DataError, "no values"),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_bad_arrays_say_what_is_wrong(here, name, suffix):
    array, kind, words = BAD_ARRAYS[name]
    path = f"{name}{suffix}"
    np.save(path, array) if suffix == ".npy" else np.savez(path, array)
    with pytest.raises(kind, match=words):
        read_table(path)


def test_a_pickle_is_never_opened(here):
    class Trap:
        def __reduce__(self):
            return open, ("sprung", "w")

    (here / "p.npy").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataTypeError, match="is a pickle, which narrows never opens"):
        read_table("p.npy")
    assert not (here / "sprung").exists()


def test_other_bad_files(here, rows):
    np.save("x.npy", rows)
    whole = (here / "x.npy").read_bytes()
    (here / "cut.npy").write_bytes(whole[:-9])
    with pytest.raises(DataError, match="cut short"):
        read_table("cut.npy")
    (here / "y.npz").write_bytes(whole)
    with pytest.raises(DataError, match=r"\.npy file by its content"):
        read_table("y.npz")
    np.savez("z.npz", rows)
    (here / "z.npy").write_bytes((here / "z.npz").read_bytes())
    with pytest.raises(DataError, match=r"looks like a \.npz file"):
        read_table("z.npy")
    (here / "latin.csv").write_bytes("a,größe\n1,2\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        read_table("latin.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_table(str(here))
    with pytest.raises(DataError, match=r"no such file.*Did you mean 'x\.npy'\?"):
        read_table("xx.npy")


# ---------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    ("name", "text"),
    [("y.txt", "a\nb\nb\n"), ("y.csv", "a\nb\nb\n"), ("y.csv", "kind\na\nb\nb\n")],
)
def test_labels_in_text(here, name, text):
    (here / name).write_text(text)
    assert read_labels(name, 3).tolist() == ["a", "b", "b"]


@pytest.mark.parametrize("name", ["y.txt", "y.csv"])
def test_a_blank_line_is_a_row_without_a_label(here, name):
    (here / name).write_text("kind\na\n\nb\n\n\n")
    assert read_labels(name, 3).tolist() == ["a", "", "b"]
    (here / name).write_text("a\n\nb\n\n")
    assert read_labels(name, 3).tolist() == ["a", "", "b"]


def test_labels_in_arrays_and_of_mnist(here):
    np.save("y.npy", np.array([[1], [2]]))
    assert read_labels("y.npy", 2).tolist() == [1, 2]
    assert read_labels("mnist:test", 10_000).shape == (10_000,)
    with pytest.raises(DataError, match=r"holds 2 labels, but the data has 3 rows"):
        read_labels("y.npy", 3)
    np.save("wide.npy", np.ones((2, 2)))
    with pytest.raises(DataError, match=r"shape \(2, 2\)"):
        read_labels("wide.npy", 2)
    (here / "wide.csv").write_text("1,2\n3,4\n")
    with pytest.raises(DataError, match="2 columns"):
        read_labels("wide.csv", 2)


def test_reading_tables_imports_neither_torch_nor_scikit_learn():
    # So a missing file is reported at once: importing torch takes seconds.
    modules = "open, labels, write, csv, split, array"
    program = f"import sys; from narrows.sources import {modules}; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert {"torch", "sklearn", "scipy", "pandas"} & set(result.stdout.split()) == set()


def test_a_row_called_na_is_a_row(here):
    Path("rows.csv").write_text("country,a,b\nNA,1,2\nFR,3,4\n1E10,5,6\nDE,7,8\n")
    table = read_table("rows.csv")
    assert table.row_names == ("", "FR", "1E10", "DE")
    np.testing.assert_array_equal(table.values, [[1, 2], [3, 4], [5, 6], [7, 8]])


def test_a_damaged_member_of_an_archive_is_named(here, rows):
    np.savez_compressed("rows.npz", rows)
    content = bytearray(Path("rows.npz").read_bytes())
    middle = len(content) // 2
    content[middle - 40 : middle + 40] = bytes(80)
    Path("rows.npz").write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"rows\.npz:arr_0 cannot be read"):
        read_table("rows.npz")
