"""Warnings that point to the line of the user's program."""

from __future__ import annotations

import inspect
import warnings

from narrows.errors import NarrowsWarning

_INSIDE = {"narrows", "sklearn", "joblib", "contextlib"}
"""Packages whose frames may stand between the user's line and the one that warns."""


def warn(message: str) -> None:
    """Warn with a NarrowsWarning at the nearest caller outside narrows and scikit-learn.

    `warnings.warn` has ``skip_file_prefixes`` for this from Python 3.12 on.
    """
    level, frame = 1, inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__")).split(".")[0] in _INSIDE:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, NarrowsWarning, stacklevel=level)
