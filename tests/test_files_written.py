"""Tables that are written: what comes back, names and formulas, disks that fail, rights."""

import csv
import errno
import os
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest

from narrows.common.atomic_files import check_folder, check_target, replacing
from narrows.errors import FileExists, ParameterError
from narrows.sources.csv import _exact_floats, escaped, unescaped
from narrows.sources.labels import read_labels
from narrows.sources.open import DATA_SUFFIXES, Table, read_table
from narrows.sources.write import write_frame, write_table


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
