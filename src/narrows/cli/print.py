"""Printing lines, pairs and columns, the same on a terminal, in a file and through a pipe."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text


class _PatientConsole(Console):
    """A console that falls silent when its reader is gone, as in ``| head``."""

    def on_broken_pipe(self) -> None:
        """Print nothing more, but let the command finish its files."""
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
    """Print one line as it is, without wrapping or markup."""
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
    """Print a table with right-aligned columns."""
    from narrows.evaluation.report import aligned

    for number, line in enumerate(aligned([titles, *rows])):
        out().print(Text(f"  {line}", style="" if number else "dim"), soft_wrap=True)
