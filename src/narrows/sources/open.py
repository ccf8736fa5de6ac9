"""Open tables: ``.npy``, ``.npz`` and ``.csv`` files, ``mnist:train`` and ``mnist:test``.

No pickle is ever opened, and nothing here imports torch or scikit-learn.

Legend: N rows, D features.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.errors import DataError, DataTypeError, ParameterError, near_miss, no_such_file
from narrows.sources.csv import Names, first_line, read_csv
from narrows.sources.mnist import load_mnist

DATA_SUFFIXES = (".npy", ".npz", ".csv")
MNIST = ("mnist:train", "mnist:test")
_NPY_MAGIC, _ZIP_MAGIC, _PICKLE_MAGIC = b"\x93NUMPY", b"PK\x03\x04", b"\x80"


@dataclass(frozen=True)
class Table:
    """Rows from a file, with their names.

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
    if is_mnist(source):
        pixels, digits = load_mnist(source.removeprefix("mnist:"), return_X_y=True)
        return Table(pixels.reshape(-1, 28, 28), labels=digits)
    path, name = _member(source)
    suffix = checked_file(path, DATA_SUFFIXES)
    if suffix == ".csv":
        return Table(*read_csv(path))
    values = read_npy(path) if suffix == ".npy" else _read_npz(path, name)
    return Table(_checked_axes(values, source))


def check_table(source: str) -> None:
    """Find out, before any work is done, whether there is such a file of rows.

    Raises
    ------
    As `read_table`, except for the content of the file.
    """
    if not is_mnist(source):
        checked_file(_member(source)[0], DATA_SUFFIXES)


def is_mnist(source: str) -> bool:
    """Tell whether a source is MNIST; refuse names that are close to it."""
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


def checked_file(path: Path, suffixes: Sequence[str]) -> str:
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


def read_npy(path: Path) -> NDArray[Any]:
    """Return the array of a ``.npy`` file, memory-mapped.

    Raises
    ------
    DataError, DataTypeError
        For another kind of file, a damaged one, or one that holds Python objects.
    """
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
        rows: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return rows
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
        except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
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
    """Return an array of two to four axes of real numbers, or refuse it."""
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
