"""The command line: parse, call one public function, print.

Nothing here imports torch, scikit-learn, pandas or Matplotlib before a verb needs it, so that
``narrows --help`` is quick.
"""

from narrows.cli.exit import run

__all__ = ["run"]
