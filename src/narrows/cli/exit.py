"""Exit codes, and one line on standard error for what went wrong.

====  ===========================================================
0     done
1     an expected failure: the data, a file, memory
2     wrong usage: a command, an option, a parameter or its value
130   Ctrl-C
====  ===========================================================

Any other exception is a bug and shows its traceback.
"""

from __future__ import annotations

import errno
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb
from typing import Any, NoReturn, TextIO

import typer

from narrows.errors import DataError, DataTypeError, NarrowsError, ParameterError, near_miss

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
_ADVICE = {
    errno.ENOSPC: "free some disk space, or write to another disk",
    errno.EDQUOT: "free some of your quota, or write to another disk",
    errno.EFBIG: "write to a place that takes larger files",
    errno.EACCES: "choose another folder, or change its permissions",
    errno.EPERM: "choose another folder, or change its permissions",
    errno.EROFS: "choose a folder on a disk that can be written to",
}
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc")


@contextmanager
def exit_codes() -> Iterator[None]:
    """Show warnings as one line each; turn expected exceptions into one line and an exit code."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = _show_warning
        try:
            yield
        except typer.TyperException as error:
            _fail(_usage(error), error.exit_code)
        except ParameterError as error:
            _fail(one_line(error), WRONG_USAGE)
        except NarrowsError as error:
            _fail(one_line(error), FAILED)
        except MemoryError as error:
            _fail(_no_memory(error), FAILED)
        except OSError as error:
            _fail(file_trouble(error), FAILED)


def complain(sentence: str) -> None:
    """Write one line to standard error."""
    print(f"narrows: {sentence}", file=sys.stderr, flush=True)


def one_line(error: BaseException) -> str:
    """Return the message of an exception on one line.

    Of a longer message of scikit-learn only the first line is kept, and what narrows added to it.
    """
    text, cause = str(error), error.__cause__
    if isinstance(cause, ValueError) and text.startswith(str(cause)):
        text = f"{str(cause).splitlines()[0]} {text.removeprefix(str(cause))}"
    return " ".join(text.split())


@contextmanager
def expected_failures(source: str = "") -> Iterator[None]:
    """Turn scikit-learn's errors about data, and torch's about memory, into our own.

    Errors about data then begin with ``source``, the file that the data came from.
    """
    try:
        yield
    except (DataError, DataTypeError) as error:
        if not source or source in str(error):
            raise
        raise type(error)(f"{source}: {one_line(error)}") from error
    except NarrowsError:
        raise
    except (ValueError, TypeError) as error:
        if not _checks_data(error):
            raise
        raise DataError(f"{source}: {one_line(error)}" if source else one_line(error)) from error
    except RuntimeError as error:
        if any(words in str(error).lower() for words in _NO_MEMORY):
            raise MemoryError(str(error).splitlines()[0]) from error
        raise


def _checks_data(error: Exception) -> bool:
    """Tell whether scikit-learn's checks of data raised an error; any other is a bug."""
    modules = (frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__))
    return any(name.startswith("sklearn.utils") for name in modules)


def _fail(sentence: str, code: int) -> NoReturn:
    complain(sentence)
    sys.exit(code)


def _usage(error: typer.TyperException) -> str:
    """Say what is wrong with the command line, with the nearest option that exists."""
    text = " ".join(error.format_message().split())
    option = getattr(error, "option_name", None)
    if option is not None and option.startswith("-") and text.startswith("No such option"):
        possible = getattr(error, "possibilities", None) or ()
        text = f"No such option {option!r}.{near_miss(option, possible)}"
    context: Any = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "narrows"
    if not text:  # the help has been printed
        text = "No command was given."
    return f"{text} See {path} --help."


def _no_memory(error: MemoryError) -> str:
    said = one_line(error).rstrip(".")
    return (
        f"Not enough memory{f' ({said})' if said else ''}; give fewer rows, a smaller network"
        " (--set network__hidden=256,) or --set precision=bfloat16."
    )


def file_trouble(error: OSError) -> str:
    """Say which file could not be read or written, why, and what to do."""
    name = "" if error.filename is None else f"{error.filename}: "
    reason = one_line(error) if error.strerror is None else error.strerror
    advice = _ADVICE.get(error.errno or 0, "")
    return f"{name}{reason}{f'; {advice}' if advice else ''}."


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning as one line, without its file and line number."""
    del filename, lineno, file, line
    if issubclass(category, UserWarning):
        complain(f"warning: {' '.join(str(message).split())}")
