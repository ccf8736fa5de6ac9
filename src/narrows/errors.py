"""All exceptions; each message says what was given, what is allowed and what to do."""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Iterable
from pathlib import Path


class NarrowsError(Exception):
    """Root of every error that narrows raises on purpose."""


class ParameterError(NarrowsError, ValueError):
    """A constructor parameter or option lies outside its limits."""


class DataError(NarrowsError, ValueError):
    """The values or the shape of the data cannot be used."""


class DataTypeError(NarrowsError, TypeError):
    """The container or the dtype of the data cannot be used."""


class FileExists(NarrowsError, FileExistsError):
    """A file stands where the result should go."""


class FileMissing(NarrowsError, FileNotFoundError):
    """A file that should be read is not there."""


class MissingExtra(NarrowsError, ImportError):
    """A library that this needs, and that narrows does not always bring, is not installed."""


class ExportError(NarrowsError, ValueError):
    """A model cannot be written as other programs read it."""


class ModelFileError(NarrowsError, ValueError):
    """Root of what can be wrong with a model file."""


class NotAModelFile(ModelFileError):
    """The bytes are not a model that narrows wrote."""


class TruncatedModelFile(ModelFileError):
    """The file ends too early, or its header does not fit its length."""


class ChecksumMismatch(ModelFileError):
    """Tensors or configuration differ from what was saved."""


class NewerModelFile(ModelFileError):
    """The file was written by a newer narrows."""


class InconsistentModelFile(ModelFileError):
    """A tensor's shape, dtype or value does not fit the configuration."""


class NarrowsWarning(UserWarning):
    """Something that works, but probably not as the user hopes."""


def near_miss(given: object, allowed: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` where a name is close to an allowed one, else ``""``."""
    matches = difflib.get_close_matches(str(given), list(allowed), n=1, cutoff=0.6)
    return f" Did you mean {matches[0]!r}?" if matches else ""


def no_such_file(path: str | os.PathLike[str], wanted: str, also: Iterable[str] = ()) -> str:
    """Say that a file is missing, what to give, and which file beside it has a similar name.

    ``also`` holds further words that may have been meant.
    """
    standing: list[str] = []
    with contextlib.suppress(OSError):
        standing = [entry.name for entry in Path(path).parent.iterdir()]
    hint = near_miss(Path(path).name, [*standing, *also])
    return f"{os.fspath(path)}: there is no such file; give {wanted}.{hint}"
