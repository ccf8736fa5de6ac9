"""Comma-separated numbers, with names of rows and columns where there are any.

The first line holds names of columns unless all of its fields are numbers. A first column is taken
for names of rows where it holds unique text, or where names of columns stand above all the others.
Names that a spreadsheet would run are written behind a single quote, and read without it.
"""

from __future__ import annotations

import csv
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from narrows.common.warn import warn
from narrows.errors import DataError, DataTypeError

if TYPE_CHECKING:
    import pandas as pd

Names = tuple[str, ...]


class NamedRows(NamedTuple):
    """Values (N, D), and the names of rows and columns where the file has them."""

    values: NDArray[np.float64]
    row_names: Names | None
    column_names: Names | None


_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
"""How a text begins that a spreadsheet may run, behind quotes that `escaped` has put before it."""
MOSTLY_NUMBERS = 0.5
"""A first column of text holds names if less than this part of its values look like numbers."""
_BLANK = {"", "na", "n/a", "nan", "null", "none"}


def read_csv(path: Path) -> NamedRows:
    """Read a CSV file as this module's docstring says.

    Raises
    ------
    DataError, DataTypeError
        Naming the line that is ragged, or the columns that hold text.
    """
    first = _first_fields(path)
    # A blank may be a missing value; a blank corner above numbers is how pandas names an index.
    corner = first[0] == "" and len(first) > 1 and all(_is_number(field) for field in first[1:])
    has_header = corner or not all(_is_number(f) or f.lower() in _BLANK for f in first)
    if has_header and len(first) > 1 and all(_is_number(field) for field in first[1:]) and first[0]:
        warn(
            f"The first line of {path} was taken for names of columns, because it begins with the"
            f" text {first[0]!r}. If it is a row, put a line of names above it."
        )
    if len(first) > 2 and first == [str(number) for number in range(len(first))]:
        warn(
            f"The first line of {path} counts 0, 1, 2, … and was taken for a row. If it numbers"
            " the columns, as pandas does by default, delete it or give the columns names."
        )
    frame = _parsed(path, has_header)
    if not len(frame):
        raise DataError(f"{path} holds names of columns, but no rows.")
    row_names, frame = _split_row_names(path, frame, unnamed_first=has_header and first[0] == "")
    values = _numbers(path, frame)
    names = tuple(unescaped(str(name)) for name in frame.columns) if has_header else None
    return NamedRows(values, row_names, names)


def _first_fields(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(islice((row for row in csv.reader(file) if row), 2))
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from error
    except csv.Error as error:
        raise DataError(
            f"{path} is not a CSV file ({error}); save it as comma-separated."
        ) from error
    if not lines:
        raise DataError(f"{path} holds nothing but blank lines; write it again.")
    first = lines[0]
    other = next((mark for mark in (";", "\t") if len(first) == 1 and mark in first[0]), None)
    if other is not None:
        raise DataError(
            f"{path} is separated by {other!r}, but narrows reads values separated by commas;"
            f" convert it: pandas.read_csv(path, sep={other!r}).to_csv(new_path, index=False)."
        )
    # pandas would take one field too many in the second line for an index.
    if len(lines[-1]) > len(first) and (ragged := _ragged(path)) is not None:
        raise ragged
    return [field.strip() for field in first]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parsed(path: Path, has_header: bool) -> pd.DataFrame:
    import pandas as pd

    try:
        frame: pd.DataFrame = pd.read_csv(
            path,
            header=0 if has_header else None,
            encoding="utf-8-sig",
            skipinitialspace=True,
            low_memory=False,
            **_exact_floats(pd.__version__),
        )
    except pd.errors.ParserError as error:
        raise _ragged(path) or DataError(
            f"{path} cannot be read as CSV: {first_line(error)}."
        ) from error
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from error
    if frame.isna().to_numpy().any():
        # pandas fills short rows with NaN.
        ragged = _ragged(path)
        if ragged is not None:
            raise ragged
    return frame


def _exact_floats(version: str) -> dict[str, Any]:
    """Return the option with which pandas reads floats exactly; from version 3.1 it needs none."""
    major, minor = (int(number) for number in version.split(".")[:2])
    return {} if (major, minor) >= (3, 1) else {"float_precision": "round_trip"}


def _ragged(path: Path) -> DataError | None:
    """Name the first line whose number of fields differs from the first line's."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        expected = 0
        for row in reader:
            if row and not expected:
                expected = len(row)
            if row and len(row) != expected:
                return DataError(
                    f"{path}: the number of fields in line {reader.line_num} is {len(row)}, but in"
                    f" the first line it is {expected}; give every row as many."
                )
    return None


def _split_row_names(
    path: Path, frame: pd.DataFrame, *, unnamed_first: bool
) -> tuple[Names | None, pd.DataFrame]:
    """Take a first column of unique text, or one without a name, as names of rows."""
    first = frame.iloc[:, 0]
    is_unique_text = (
        not _is_numeric(first)
        and first.is_unique
        # One mistyped number makes a column text; where most are numbers, it holds no names.
        and np.mean([_is_number(str(value)) for value in first.dropna()]) < MOSTLY_NUMBERS
    )
    if not is_unique_text and not unnamed_first:
        return None, frame
    if frame.shape[1] == 1:
        raise DataError(f"{path} holds names of rows alone; narrows learns from numbers.")
    return tuple(unescaped(str(name)) for name in first.fillna("")), frame.iloc[:, 1:]


def _is_numeric(column: pd.Series[Any]) -> bool:
    return getattr(column.dtype, "kind", "O") in "biuf"


def _numbers(path: Path, frame: pd.DataFrame) -> NDArray[np.float64]:
    """Return the values of a frame, or name the columns that hold something else."""
    text = [str(name) for name in frame.columns if not _is_numeric(frame[name])]
    if text:
        listed = ", ".join(repr(name) for name in text[:5]) + (" …" if len(text) > 5 else "")
        examples = frame.loc[:, [not _is_numeric(frame[name]) for name in frame.columns]]
        raise DataTypeError(
            f"{path}: {len(text)} of {frame.shape[1]} columns hold text ({listed}, such as"
            f" {_example(examples)!r}), but narrows learns from numbers. Drop them, turn them into"
            " numbers with pandas.get_dummies, or give labels by --labels of `narrows fit` or"
            " `narrows evaluate`."
        )
    return frame.to_numpy(dtype=np.float64)


def _example(frame: pd.DataFrame) -> str:
    """Return the first value of the first column that is not a number."""
    values = [str(value) for value in frame.iloc[:, 0].dropna()]
    return next((value for value in values if not _is_number(value)), values[0] if values else "")


def escaped(text: Any) -> Any:
    """Return a text so that no spreadsheet takes it for a formula; numbers stay as they are.

    A single quote goes before it (OWASP, "CSV Injection"). `unescaped` takes it off again.
    """
    is_formula = isinstance(text, str) and _FORMULA.match(text) and not _is_number(text)
    return f"'{text}" if is_formula else text


def unescaped(text: str) -> str:
    """Return the text that `escaped` was given."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text) else text


def first_line(error: Exception) -> str:
    """Return the first line of what a library says, to be put in brackets."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def not_utf8(path: Path, error: UnicodeDecodeError) -> DataError:
    """Say that a file is not text."""
    return DataError(f"{path} is not UTF-8 text ({error.reason}); save it as UTF-8.")
