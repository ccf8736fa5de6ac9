"""Files that take their place in one step, or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a path to write to; on success it takes the place of ``path`` in one step.

    Until then, and after any failure, the old file stands as it was.
    """
    target = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        mode = target.stat().st_mode if target.exists() else 0o666 & ~umask()
        temporary.chmod(mode & 0o777)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def umask() -> int:
    """Return the rights that new files are not given."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
