"""What a command prints: lines that read the same on a terminal, in a file and through a pipe."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.filesize import decimal
from rich.text import Text


class _PatientConsole(Console):
    """A console that goes on in silence when nobody reads any more, as in ``| head``."""

    def on_broken_pipe(self) -> None:
        """Let the work be finished: files matter more than what is printed."""
        self.quiet = True
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def out() -> Console:
    """Return a console on standard output; colours only where that is a terminal."""
    return _PatientConsole(highlight=False, soft_wrap=True)


def err() -> Console:
    """Return a console on standard error, where progress is shown."""
    return _PatientConsole(stderr=True, highlight=False)


def say(text: str) -> None:
    """Print one line as it is, never wrapped and never read as markup."""
    out().print(Text(text), soft_wrap=True)


def say_pairs(pairs: Iterable[tuple[str, str]], title: str = "") -> None:
    """Print names and values in two columns."""
    listed = list(pairs)
    width = max(len(name) for name, _ in listed)
    console = out()
    if title:
        console.print(Text(title, style="bold"), soft_wrap=True)
    for name, value in listed:
        console.print(Text.assemble("  ", (name.ljust(width), "dim"), "  ", value), soft_wrap=True)


def say_columns(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table of numbers, each column as wide as it needs, to the right."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for number, row in enumerate((titles, *rows)):
        line = "  " + "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True))
        out().print(Text(line, style="" if number else "dim"), soft_wrap=True)


def in_bytes(size: float) -> str:
    """Return a number of bytes in human units of 1,000."""
    return decimal(round(size))


def in_seconds(seconds: float) -> str:
    """Return a duration to two digits or so: "0.4 s", "12 s", "3 min", "2.5 h"."""
    if seconds < 0.1:
        return "0.1 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
