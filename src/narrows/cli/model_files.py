"""Saving a model that was just trained: to another path where the first cannot be written."""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from narrows.cli.exit import FAILED, complain, file_trouble, one_line
from narrows.common.atomic_files import check_target
from narrows.errors import NarrowsError

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

SUFFIX = ".safetensors"


def save(ae: Autoencoder, target: str) -> Path:
    """Write a model that was just trained, and return the path that was written.

    Where that fails and somebody sits at the terminal, they are asked for another path until one
    works. Without a terminal, or without an answer, the model goes to another folder.

    Raises
    ------
    typer.Exit
        With 1 where the model is in a place that nobody chose, or could not be written at all.
    """
    path = Path(target)
    while True:
        try:
            return _written(ae, path)
        except OSError as error:
            complain(file_trouble(error))
        other = _another_path() if sys.stdin.isatty() and sys.stderr.isatty() else None
        if other is None:
            _keep_elsewhere(ae, path)
            raise typer.Exit(FAILED)
        path = other


@contextlib.contextmanager
def kept_if_writing_fails(ae: Autoencoder, target: str) -> Iterator[None]:
    """Where a result of a training cannot be written, keep the model, named like the result.

    Raises
    ------
    typer.Exit
        With 1, after any OSError.
    """
    try:
        yield
    except OSError as error:
        complain(file_trouble(error))
        _keep_elsewhere(ae, Path(target).with_suffix(SUFFIX))
        raise typer.Exit(FAILED) from error


def _written(ae: Autoencoder, path: Path) -> Path:
    """Save a model; a second Ctrl-C does not disturb this."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ae.save(path)
    finally:
        signal.signal(signal.SIGINT, before)
    return path


def _another_path() -> Path | None:
    """Ask for a path until one can be written; return None for an empty answer."""
    while True:
        try:
            answer = typer.prompt(
                "Another path for the model (empty: a temporary folder)",
                default="",
                show_default=False,
                err=True,
            )
        except typer.Abort:
            return None
        if not answer:
            return None
        try:
            check_target(Path(answer), (SUFFIX,), overwrite=False, option="path")
        except NarrowsError as error:
            complain(one_line(error))
        except OSError as error:
            complain(file_trouble(error))
        else:
            return Path(answer)


def _keep_elsewhere(ae: Autoencoder, path: Path) -> None:
    """Save a model under its name in the working directory or a temporary one, and say where."""
    here = Path.cwd() / path.name
    if not here.exists() and path.resolve() != here:
        with contextlib.suppress(OSError):
            complain(f"The trained model is saved in {_written(ae, here)} instead.")
            return
    with contextlib.suppress(OSError):
        folder = Path(tempfile.mkdtemp(prefix="narrows-"))
        try:
            complain(f"The trained model is saved in {_written(ae, folder / path.name)} instead.")
            return
        except OSError:
            folder.rmdir()
    complain("The trained model could not be saved in a temporary folder either, and is lost.")
