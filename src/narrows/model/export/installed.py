"""Whether the libraries of the extra are there."""

from __future__ import annotations

from importlib.util import find_spec

from narrows.errors import MissingExtra


def check_installed(what: str, *needed: str) -> None:
    """Check that libraries are installed.

    Raises
    ------
    MissingExtra
        Naming those that are missing, and the command that installs them.
    """
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f"{what} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not"
            " installed: pip install 'narrows[export]'."
        )
