"""Checks of paths while options are read: before torch is imported and before any work.

Each function here is, or returns, a typer callback; options name theirs where they are declared.
An option that may be repeated gives a list, and one that was left out gives None.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from narrows.common.atomic_files import check_folder, check_target
from narrows.errors import DataError, FileExists, FileMissing, ParameterError, no_such_file

Check = Callable[[Any, Any, Any], Any]
ONE_FILE = {"keras": ".keras", "html": ".html", "parquet": ".parquet"}
"""Formats of `narrows export` that are one file, and its suffix."""
Kind = Literal["file", "folder", "sheet"]


def rows_exist(context: Any, option: Any, value: str | None) -> str | None:
    """Check that DATA exists and is of a kind that narrows reads."""
    from narrows.sources.open import check_table

    if value is not None:
        check_table(value)
    return value


def labels_exist(context: Any, option: Any, value: str | None) -> str | None:
    """Check that a file of labels exists and is of a kind that narrows reads."""
    from narrows.sources.labels import check_labels

    if value is not None:
        check_labels(value)
    return value


def model_exists(context: Any, option: Any, value: str | None) -> str | None:
    """Check that a model file exists."""
    if value is None:
        return None
    if Path(value).is_dir():
        raise DataError(f"{value} is a folder; give the .safetensors file of a model.")
    if not Path(value).exists():
        raise FileMissing(no_such_file(value, "a model that `save` or `narrows fit` wrote"))
    return value


def new_file(*suffixes: str) -> Check:
    """Return a check that a result with one of these suffixes can be written."""

    def check(context: Any, option: Any, value: Any) -> Any:
        for path in value if isinstance(value, list) else [value]:
            if path is not None:
                overwrite = context.params["overwrite"]
                check_target(Path(path), suffixes, overwrite=overwrite, option=option.opts[0])
        return value

    return check


def new_rows(*suffixes: str) -> Check:
    """Return a check that rows can be written: to a folder of pictures, or a file as above."""

    def check(context: Any, option: Any, value: str) -> str:
        overwrite = context.params["overwrite"]
        if kind_of(value) == "folder":
            _check_folder(Path(value), overwrite, "pictures")
        else:
            others = ", or a folder/ of pictures"
            check_target(Path(value), suffixes, overwrite=overwrite, others=others)
        return value

    return check


def kind_of(out: str) -> Kind:
    """Tell what ``--out`` asks for: a file of numbers, a folder of pictures, a sheet of pictures.

    A folder ends in a slash, has no suffix, or exists.
    """
    path = Path(out)
    if out.endswith(("/", os.sep)) or path.is_dir() or not path.suffix:
        return "folder"
    return "sheet" if path.suffix.lower() == ".png" else "file"


def new_export(context: Any, option: Any, value: str) -> str:
    """Check that an export can be written: one file for some formats, else a folder of files."""
    to, overwrite = context.params["to"], context.params["overwrite"]
    if to in ONE_FILE:
        check_target(Path(value), (ONE_FILE[to],), overwrite=overwrite)
        return value
    if kind_of(value) != "folder":
        raise ParameterError(
            f"--out {value}: --to {to} writes a folder of several files; name it without a suffix,"
            f" such as {Path(value).with_suffix('')}."
        )
    _check_folder(Path(value), overwrite, "files")
    return value


def _check_folder(path: Path, overwrite: bool, what: str) -> None:
    if path.exists() and not path.is_dir():
        raise FileExists(f"{path} is a file; name another folder in --out.")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise FileExists(
            f"{path} is a folder with files in it; choose another --out, or add to it with"
            f" --overwrite, which replaces {what} of the same name."
        )
    check_folder(path if path.is_dir() else path.parent)
