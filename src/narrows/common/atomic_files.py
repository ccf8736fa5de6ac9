"""Files that take their place in one step or not at all, and whether they may be written."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from narrows.errors import FileExists, NarrowsError, ParameterError, near_miss


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a path to write to; on success it takes the place of ``path`` in one step.

    Until then, and after any failure, the old file stands as it was, and nothing stands beside it.

    Raises
    ------
    OSError
        Naming ``path``, where it cannot be written.
    """
    target = Path(path)
    temporary = temporary_beside(target)
    with naming(target, temporary):
        known = target.exists()
        # The kernel takes the umask off 0o666; a process can read its umask only by setting it.
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        os.close(os.open(temporary, flags, 0o600 if known else 0o666))
        try:
            rights = (target if known else temporary).stat().st_mode & 0o777
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            temporary.chmod(rights)  # some libraries put a file of their own in its place
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_file(path: str | os.PathLike[str], suffix: str) -> Iterator[Path]:
    """Give a path with a suffix to write to, for libraries that go by it; else as `replacing`."""
    with replacing(path) as temporary:
        suffixed = temporary.with_name(temporary.name + suffix)
        try:
            yield suffixed
            suffixed.replace(temporary)
        finally:
            suffixed.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a folder to write files to; on success they stand in ``path``, each in one step.

    Until then, and after any failure, nothing there has changed.

    Raises
    ------
    OSError
        Naming ``path``, where it cannot be written.
    """
    target = Path(path)
    stands = target.is_dir()
    made = temporary_beside(target / "any" if stands else target)
    try:
        with naming(target, made):
            made.mkdir()
            yield made
            if not stands:
                made.replace(target)
                return
            for file in sorted(made.iterdir()):
                file.replace(target / file.name)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def temporary_beside(target: Path) -> Path:
    """Return a new hidden path in the folder of a file or folder that is to be made."""
    return target.parent / f".narrows-{secrets.token_hex(8)}"


@contextlib.contextmanager
def naming(target: Path, temporary: Path) -> Iterator[None]:
    """Let an OSError about a temporary path name the one that was asked for."""
    try:
        yield
    except NarrowsError:
        raise
    except OSError as error:
        named = str(target if error.filename is None else error.filename)
        if named != str(target) and not named.startswith(str(temporary)):
            raise  # another file, such as one that is read meanwhile
        raise _cannot_write(target, error) from error


def _cannot_write(path: Path, error: OSError) -> OSError:
    reason = (error.strerror or str(error)).lower()
    return OSError(error.errno or errno.EIO, f"cannot be written: {reason}", str(path))


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
        The allowed ones.
    overwrite : bool
        Whether a file that stands there may be replaced.
    others : str
        What else is allowed, for the message.
    option : str
        The option that gave the path, for the message.

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
