"""Run what a page shows, one after the other in a single interpreter, with a part of the digits.

`test_documents.py` starts it as a program: ``python shown_code.py FOLDER``, with commands (lines
that begin with ``narrows``) and snippets of Python as a JSON list on standard input. What is tested
is that all of it runs, so imports are paid for once, and digits are few.
"""

from __future__ import annotations

import json
import os
import shlex
import sys

from few_digits import first_digits
from narrows.sources import mnist as mnist_files


def run(shown: str) -> None:
    """Run a command or a snippet; leave where it fails."""
    if not shown.startswith("narrows "):
        exec(compile(shown, shown, "exec"), {"__name__": "__main__"})
        return
    from narrows.cli import run as run_command

    try:
        run_command(shlex.split(shown)[1:])
    except SystemExit as ended:
        if ended.code:
            raise


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    mnist_files._idx = first_digits(mnist_files._idx)
    for shown in json.load(sys.stdin):
        print(f"\n>>> {shown}", flush=True)
        run(shown)
