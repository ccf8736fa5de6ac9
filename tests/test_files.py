"""Tables in files: what is read, what is refused and in which words, what is written."""

import csv
import errno
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from narrows.common.atomic_files import check_folder, check_target, replacing
from narrows.datasets import load_mnist
from narrows.errors import DataError, DataTypeError, FileExists, NarrowsWarning, ParameterError
from narrows.sources.csv import _exact_floats, escaped, unescaped
from narrows.sources.labels import read_labels
from narrows.sources.open import DATA_SUFFIXES, Table, read_table
from narrows.sources.write import write_frame, write_table


@pytest.fixture
def rows(rng):
    return rng.normal(size=(7, 3))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ---------------------------------------------------------------------- reading


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


# ---------------------------------------------------------------------- writing


@pytest.mark.parametrize("suffix", DATA_SUFFIXES)
def test_what_is_written_comes_back_bit_for_bit(here, rows, suffix):
    path = here / f"r{suffix}"
    write_table(path, Table(rows))
    np.testing.assert_array_equal(read_table(str(path)).values, rows)
    assert [entry.name for entry in here.iterdir()] == [path.name]


def test_older_pandas_is_asked_for_exact_floats():
    assert _exact_floats("3.0.4") == {"float_precision": "round_trip"}
    assert _exact_floats("3.1.0rc1") == _exact_floats("4.0.0") == {}


def test_csv_keeps_names(here, rows):
    names, columns = tuple("rstuvwx"), ("a", "b,c", "d")
    write_table(here / "r.csv", Table(rows, names, columns))
    table = read_table("r.csv")
    assert (table.row_names, table.column_names) == (names, columns)


FORMULAS = ("=1+1", "+a", "-a", "@SUM(A1)", "\tx", "'=1", "-", "=cmd|' /C calc'!A0", '=a","b"')


def test_csv_names_cannot_run_in_a_spreadsheet_and_come_back(here, rows):
    names, columns = FORMULAS[:7], ("-1+1", "=HYPERLINK(A1)", "plain")
    write_table(here / "r.csv", Table(rows - 9, names, columns))
    with (here / "r.csv").open(newline="") as file:
        cells = list(csv.reader(file))
    assert [row[0] for row in cells[1:]] == [f"'{name}" for name in names]
    assert cells[0] == ["", "'-1+1", "'=HYPERLINK(A1)", "plain"]
    assert all(cell.startswith("-") for row in cells[1:] for cell in row[1:])  # numbers stay
    table = read_table("r.csv")
    assert (table.row_names, table.column_names) == (names, columns)
    np.testing.assert_array_equal(table.values, rows - 9)


@pytest.mark.parametrize("text", [*FORMULAS, "＝1", "\r=1", "\n=1", "''=x", "'quoted'", "a=b", ""])
def test_what_is_escaped_comes_back(text):
    assert unescaped(escaped(text)) == text
    assert (escaped(text) == text) == (text in ("'quoted'", "a=b", ""))


@pytest.mark.parametrize("number", ["-1.5", "+3", "-1e-9", "12", "-inf"])
def test_numbers_are_not_escaped(number):
    assert escaped(number) == number


def test_csv_texts_beside_numbers_are_escaped_too(here):
    labels = [*FORMULAS, "-1.5"]
    frame = pd.DataFrame({"x": range(len(labels)), "label": labels})
    before = frame.copy()
    write_frame(here / "map.csv", frame)
    read = pd.read_csv(here / "map.csv")["label"]
    assert read.tolist() == [f"'{name}" for name in FORMULAS] + ["-1.5"]
    pd.testing.assert_frame_equal(frame, before)
    read.to_csv(here / "y.csv", index=False)
    assert read_labels("y.csv", len(labels)).tolist() == [
        label.strip() if not label[0].isspace() else label for label in labels
    ]


def test_csv_flattens_pictures(here):
    write_table(here / "r.csv", Table(np.arange(8.0).reshape(2, 2, 2)))
    assert (here / "r.csv").read_text() == "x0,x1,x2,x3\n0.0,1.0,2.0,3.0\n4.0,5.0,6.0,7.0\n"


def test_a_full_disk_leaves_the_old_file(here, rows, monkeypatch):
    write_table(here / "r.npy", Table(rows))

    def full(file, array, **_):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="cannot be written: no space left") as caught:
        write_table(here / "r.npy", Table(rows + 1))
    assert caught.value.filename == str(here / "r.npy")
    np.testing.assert_array_equal(read_table("r.npy").values, rows)
    assert [entry.name for entry in here.iterdir()] == ["r.npy"]


def test_other_errors_pass_through_and_leave_nothing(here):
    with pytest.raises(ZeroDivisionError), replacing(here / "r.csv") as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("where", ["no/such/r.npy", "file/r.npy", "folder"])
def test_an_error_of_the_system_names_the_file_that_was_asked_for(here, where):
    (here / "file").write_text("")
    (here / "folder").mkdir()
    with pytest.raises(OSError, match="cannot be written") as caught, replacing(where) as temporary:
        temporary.write_text("new")
    assert caught.value.filename == where
    assert sorted(entry.name for entry in here.iterdir()) == ["file", "folder"]


def test_an_error_about_another_file_keeps_its_words(here):
    with pytest.raises(FileNotFoundError) as caught, replacing("r.npy"):
        (here / "other").read_text()
    assert caught.value.filename == str(here / "other")


def test_a_write_that_the_system_stops_leaves_nothing(here):
    # A limit on the size of files stops a write half-way, as a full disk does.
    program = (
        "import resource, numpy as np\nfrom pathlib import Path\n"
        "from narrows.sources.write import write_table\nfrom narrows.sources.open import Table\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "for name in ('r.npy', 'r.npz', 'r.csv'):\n"
        "    try:\n        write_table(Path(name), Table(np.random.rand(100, 100)))\n"
        "    except OSError as error:\n        print(error.filename)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout.split() == ["r.npy", "r.npz", "r.csv"], result.stderr
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_new_files_have_the_rights_that_the_umask_leaves_and_old_ones_keep_theirs(here, mask):
    before = os.umask(mask)
    try:
        write_table(here / "new.csv", Table(np.ones((2, 2))))
    finally:
        os.umask(before)
    assert (here / "new.csv").stat().st_mode & 0o777 == 0o666 & ~mask
    (here / "new.csv").chmod(0o640)
    write_table(here / "new.csv", Table(np.zeros((2, 2))))
    assert (here / "new.csv").stat().st_mode & 0o777 == 0o640


def test_the_umask_of_the_process_is_never_touched(here, monkeypatch):
    monkeypatch.setattr(os, "umask", None)  # a call fails
    writers = [
        threading.Thread(target=write_table, args=(here / f"{n}.npy", Table(np.ones((2, 2)))))
        for n in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(entry.name for entry in here.iterdir()) == [f"{n}.npy" for n in range(4)]


def test_a_name_of_the_greatest_length_can_be_written(here):
    path = here / f"{'r' * 251}.npy"
    write_table(path, Table(np.ones((2, 2))))
    assert path.exists()


def test_target_is_checked_before_any_work(here):
    (here / "r.csv").write_text("mine")
    with pytest.raises(FileExists, match="--overwrite"):
        check_target(here / "r.csv", DATA_SUFFIXES, overwrite=False)
    check_target(here / "r.csv", DATA_SUFFIXES, overwrite=True)
    check_target(here / "new.NPY", DATA_SUFFIXES, overwrite=False)
    with pytest.raises(ParameterError, match=r"'\.npyy'.*Did you mean '\.npy'\?"):
        check_target(here / "r.npyy", DATA_SUFFIXES, overwrite=False)
    (here / "folder.csv").mkdir()
    with pytest.raises(FileExists, match="is a folder"):
        check_target(here / "folder.csv", DATA_SUFFIXES, overwrite=True)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        check_target(here / "no" / "r.csv", DATA_SUFFIXES, overwrite=False)
    with pytest.raises(NotADirectoryError, match="a file, not a folder"):
        check_folder(here / "r.csv")
    assert sorted(entry.name for entry in here.iterdir()) == ["folder.csv", "r.csv"]


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
