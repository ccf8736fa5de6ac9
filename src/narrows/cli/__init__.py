"""The command line: parse, call one public function, print.

Verbs are declared in ``verbs/``; what they do is in ``actions/``. An action is imported when its
verb runs, so help texts and checks of paths need neither torch nor scikit-learn.
"""

from narrows.cli.app import run

__all__ = ["run"]
