"""Tables in files: read what a command is given, write what it found.

DATA is a ``.npy``, ``.npz`` or ``.csv`` file, ``mnist:train`` or ``mnist:test``. No pickle is ever
opened. Results go to files of the same kinds, each put in place in one step.

Legend: N rows, D features.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.common.atomic_files import replacing
from narrows.errors import (
    DataError,
    DataTypeError,
    FileExists,
    ParameterError,
    near_miss,
    no_such_file,
)
from narrows.sources.csv import Names, first_line, not_utf8, read_csv
from narrows.sources.mnist import load_mnist

DATA_SUFFIXES = (".npy", ".npz", ".csv")
LABEL_SUFFIXES = (".npy", ".csv", ".txt")
MNIST = ("mnist:train", "mnist:test")
_NPY_MAGIC, _ZIP_MAGIC, _PICKLE_MAGIC = b"\x93NUMPY", b"PK\x03\x04", b"\x80"


@dataclass(frozen=True)
class Table:
    """Rows from a file, with the names that stand beside them.

    Attributes
    ----------
    values : ndarray (N, D), (N, H, W) or (N, H, W, C)
        Real numbers; memory-mapped where they come from a ``.npy`` file.
    row_names, column_names : tuple of str or None
        From a CSV file that has them.
    labels : ndarray (N,) or None
        Of MNIST.
    """

    values: NDArray[Any]
    row_names: Names | None = None
    column_names: Names | None = None
    labels: NDArray[Any] | None = None

    def frame(self) -> Any:
        """Return a pandas frame where columns have names, and the bare values elsewhere."""
        if self.column_names is None:
            return self.values
        import pandas as pd

        return pd.DataFrame(self.values, columns=list(self.column_names), copy=False)


# ---------------------------------------------------------------------- reading


def read_table(source: str) -> Table:
    """Read the rows that a command is given.

    Parameters
    ----------
    source : str
        A path to a ``.npy``, ``.npz`` (``file.npz:name`` where it holds several arrays) or
        ``.csv`` file, or ``mnist:train`` or ``mnist:test``.

    Raises
    ------
    ParameterError
        For a part of MNIST that there is not.
    DataError, DataTypeError
        For a file that holds no table of numbers.
    OSError
        For a file that cannot be opened.
    """
    if _is_mnist(source):
        pixels, digits = load_mnist(source.removeprefix("mnist:"), return_X_y=True)
        return Table(pixels.reshape(-1, 28, 28), labels=digits)
    path, name = _member(source)
    suffix = _checked_file(path, DATA_SUFFIXES)
    if suffix == ".csv":
        return Table(*read_csv(path))
    values = _read_npy(path) if suffix == ".npy" else _read_npz(path, name)
    return Table(_checked_axes(values, source))


def check_table(source: str) -> None:
    """Find out, before any work is done, whether there is such a file of rows.

    Raises
    ------
    As `read_table`, but for what stands in the file.
    """
    if not _is_mnist(source):
        _checked_file(_member(source)[0], DATA_SUFFIXES)


def check_labels(source: str) -> None:
    """Find out, before any work is done, whether there is such a file of labels.

    Raises
    ------
    As `read_labels`, but for what stands in the file.
    """
    if not _is_mnist(source):
        _checked_file(Path(source), LABEL_SUFFIXES)


def read_labels(source: str, n_rows: int) -> NDArray[Any]:
    """Read one label per row.

    Parameters
    ----------
    source : str
        A path to a ``.npy``, ``.csv`` or ``.txt`` file, or ``mnist:train`` or ``mnist:test``.
    n_rows : int
        Of the data; a text file of one line more begins with a header. A blank line is an empty
        label, except at the end of the file.

    Raises
    ------
    As `read_table`, and DataError where there is not one label per row.
    """
    if _is_mnist(source):
        labels: NDArray[Any] = load_mnist(source.removeprefix("mnist:"), return_X_y=True)[1]
    else:
        path = Path(source)
        suffix = _checked_file(path, LABEL_SUFFIXES)
        labels = _read_npy(path) if suffix == ".npy" else _read_label_lines(path, n_rows)
        labels = labels.reshape(-1) if labels.shape[1:] == (1,) else labels
    if labels.shape != (n_rows,):
        held = f"{len(labels)} labels" if labels.ndim == 1 else f"an array of shape {labels.shape}"
        raise DataError(
            f"{source} holds {held}, but the data has {n_rows} rows; give one label per row."
        )
    return labels


def _is_mnist(source: str) -> bool:
    """Tell whether a word names MNIST; refuse what only nearly does."""
    if source in MNIST:
        return True
    if source.lower().startswith("mnist:") or (source == "mnist" and not Path(source).exists()):
        raise ParameterError(
            f"{source!r} is no data set; MNIST has two parts: give mnist:train (60,000 digits) or"
            f" mnist:test (10,000 digits).{near_miss(source, MNIST) if ':' in source else ''}"
        )
    return False


def _member(source: str) -> tuple[Path, str | None]:
    """Split ``file.npz:name``."""
    head, colon, name = source.rpartition(":")
    if colon and head.lower().endswith(".npz") and not Path(source).exists():
        return Path(head), name
    return Path(source), None


def _checked_file(path: Path, suffixes: Sequence[str]) -> str:
    """Return the suffix of a readable file that is not empty."""
    wanted = f"a file ({', '.join(suffixes)}) or {' or '.join(MNIST)}"
    if path.is_dir():
        raise DataError(f"{path} is a folder; give {wanted}.")
    if not path.exists():
        raise DataError(no_such_file(path, wanted, MNIST))
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise DataError(
            f"{path} ends in {suffix or 'nothing'!r}; narrows reads {', '.join(suffixes)} here, or"
            f" {' or '.join(MNIST)}.{near_miss(suffix, suffixes)}"
        )
    with path.open("rb") as file:
        if not file.read(1):
            raise DataError(f"{path} is empty (0 bytes); write it again.")
    return suffix


def _read_npy(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        magic = file.read(len(_NPY_MAGIC))
    if magic[:1] == _PICKLE_MAGIC:
        raise DataTypeError(
            f"{path} is a pickle, which narrows never opens because a pickle can run code; save"
            " the array with numpy.save."
        )
    if magic != _NPY_MAGIC:
        hint = "; it looks like a .npz file, so rename it" if magic[:4] == _ZIP_MAGIC else ""
        raise DataError(f"{path} is not a .npy file{hint or '; save the array with numpy.save'}.")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]  # NumPy says Any
    except (ValueError, EOFError, SyntaxError) as error:
        if "object" in str(error).lower():
            raise _objects(str(path)) from error
        raise DataError(
            f"{path} cannot be read as .npy ({first_line(error)}); it may have been cut short:"
            " copy or write it again."
        ) from error


def _objects(where: str) -> DataTypeError:
    return DataTypeError(
        f"{where} holds Python objects, which would need a pickle, and a pickle can run code; save"
        " numbers, for example numpy.save(path, array.astype(float))."
    )


def _read_npz(path: Path, name: str | None) -> NDArray[Any]:
    try:
        archive = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is not a .npz file, or was cut short; write it again with numpy.savez."
        ) from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise DataError(f"{path} is a .npy file by its content; rename it to end in .npy.")
    with archive:
        chosen = _chosen_member(path, archive.files, name)
        try:
            return np.asarray(archive[chosen])
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            if "object" in str(error).lower():
                raise _objects(f"{path}:{chosen}") from error
            raise DataError(
                f"{path}:{chosen} cannot be read ({first_line(error)}); write the file again."
            ) from error


def _chosen_member(path: Path, names: Sequence[str], name: str | None) -> str:
    if not names:
        raise DataError(f"{path} holds no array; write it again with numpy.savez.")
    if name is None and len(names) == 1:
        return names[0]
    if name is not None and name in names:
        return name
    listed = ", ".join(f"{path}:{one}" for one in names)
    if name is None:
        raise DataError(f"{path} holds {len(names)} arrays; name one of them: {listed}.")
    raise DataError(f"{path} holds no array {name!r}; it has {listed}.{near_miss(name, names)}")


def _checked_axes(values: NDArray[Any], source: str) -> NDArray[Any]:
    """Pass arrays of two to four axes of real numbers."""
    if values.dtype.kind not in "biuf":
        raise DataTypeError(
            f"{source} holds {values.dtype} values; narrows learns from real numbers. Convert"
            " them, for example with array.astype(float)."
        )
    if not 2 <= values.ndim <= 4:
        raise DataError(
            f"{source} has shape {values.shape}; narrows takes rows (n, features) or pictures"
            " (n, height, width) or (n, height, width, channels). Reshape it, one feature with"
            " array.reshape(-1, 1) and one row with array.reshape(1, -1)."
        )
    if not values.size:
        raise DataError(f"{source} has shape {values.shape}, so there are no values in it.")
    return values


def _read_label_lines(path: Path, n_rows: int) -> NDArray[Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from error
    if path.suffix.lower() == ".txt":
        rows = [[line] if line.strip() else [] for line in text.splitlines()]
    else:
        rows = list(csv.reader(io.StringIO(text)))
        widest = max((len(row) for row in rows), default=0)
        if widest > 1:
            raise DataError(
                f"{path} has {widest} columns; give one label per row, and nothing else."
            )
    # A blank line is an empty label, but for those at the end.
    while rows and not rows[-1]:
        rows.pop()
    labels = [row[0].strip() if row else "" for row in rows]
    return np.array(labels[1:] if len(labels) == n_rows + 1 else labels)


# ---------------------------------------------------------------------- writing


def check_target(
    path: Path,
    suffixes: Sequence[str],
    *,
    overwrite: bool,
    others: str = "",
    option: str = "--out",
) -> None:
    """Find out, before any work is done, whether a result can be written to a path.

    Parameters
    ----------
    path : Path
    suffixes : sequence of str
        That the result can have.
    overwrite : bool
        Whether a file that stands there may be replaced.
    others : str
        What else is allowed, for the message.
    option : str
        That the path was given by.

    Raises
    ------
    ParameterError
        For another suffix.
    FileExists
        Where a file stands, and ``overwrite`` is false.
    OSError
        Where the folder does not exist or cannot be written to.
    """
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise ParameterError(
            f"{option} {path} ends in {suffix or 'nothing'!r}; this is written as"
            f" {', '.join(suffixes)}{others}.{near_miss(suffix, suffixes)}"
        )
    if path.is_dir():
        raise FileExists(f"{path} is a folder; name a file in {option}.")
    if path.exists() and not overwrite:
        raise FileExists(f"{path} exists; choose another {option}, or replace it with --overwrite.")
    check_folder(path.parent)


def check_folder(folder: Path) -> None:
    """Find out whether files can be made in a folder, by making one without a name.

    Raises
    ------
    OSError
        Where it does not exist, is a file, or cannot be written to.
    """
    if not folder.exists():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder; make it first", str(folder))
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "this is a file, not a folder", str(folder))
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _cannot_write(folder, error) from error


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a path to write to that takes the place of ``path`` in one step, or not at all.

    Raises
    ------
    OSError
        In words that name ``path`` instead of the temporary file.
    """
    with naming(path), replacing(path) as temporary:
        yield temporary


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError name the file that was to be written, not the temporary one beside it."""
    try:
        yield
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> OSError:
    reason = (error.strerror or str(error)).lower()
    return OSError(error.errno or errno.EIO, f"cannot be written: {reason}", os.fspath(path))


def write_table(path: Path, table: Table) -> None:
    """Write rows to a ``.npy``, ``.npz`` (one array, "values") or ``.csv`` file.

    A CSV file gets the names of rows and columns, and pictures as flat rows.

    Raises
    ------
    OSError
        Where the file cannot be written; an older file then stands as it was.
    """
    suffix = path.suffix.lower()
    with writing(path) as temporary, temporary.open("wb") as file:
        if suffix == ".npy":
            np.save(_OnlyWrite(file), table.values, allow_pickle=False)
        elif suffix == ".npz":
            np.savez(file, values=table.values)
        else:
            _write_csv(file, table)


class _OnlyWrite:
    """A file as NumPy sees a pipe: into a real file its C code writes on a full disk in silence."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self.write = file.write


def _write_csv(file: io.BufferedWriter, table: Table) -> None:
    import pandas as pd

    flat = table.values.reshape(len(table.values), -1)
    names = table.column_names or tuple(f"x{number}" for number in range(flat.shape[1]))
    frame = pd.DataFrame(flat, index=table.row_names, columns=list(names), copy=False)
    frame.to_csv(file, index=table.row_names is not None, encoding="utf-8", lineterminator="\n")
