"""Warnings that point to the line outside the package that led to them."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from narrows.errors import NarrowsWarning

_PACKAGE = str(Path(__file__).parent.parent)


def warn(message: str) -> None:
    """Warn with a `NarrowsWarning` that names the caller's own file and line."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, NarrowsWarning, stacklevel=level)
