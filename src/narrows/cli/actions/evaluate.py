"""The verb ``evaluate``: a model's scorecard, printed, and written as JSON or as a page."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.text import Text

from narrows.cli.actions.generate import check_prior
from narrows.cli.exit import expected_failures
from narrows.cli.outputs import rows_for
from narrows.cli.print import out as stdout
from narrows.cli.print import say, say_pairs
from narrows.errors import DataError, DataTypeError, ParameterError
from narrows.estimator import load
from narrows.sources.labels import read_labels
from narrows.sources.open import read_table

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder
    from narrows.evaluation.scorecard import Report


class Labelled(NamedTuple):
    """Files of labels, and of training rows with theirs; None where there are none."""

    labels: str | None
    train: str | None
    train_labels: str | None


def evaluate(
    model: str,
    data: str,
    given: Labelled,
    out: Sequence[str],
    *,
    seeds: int = 1,
    samples: int = 0,
    prior: str = "auto",
    importance_samples: int = 50,
) -> None:
    """Print the scorecard of a model, and write it to files.

    Raises
    ------
    ParameterError
        For options that need the rows that the model was trained on.
    """
    import narrows
    from narrows.evaluation.seeds import fits_with_classes

    if given.train is None and (seeds > 1 or given.train_labels is not None):
        asked = f"--seeds {seeds}" if seeds > 1 else "--train-labels"
        raise ParameterError(f"{asked} needs the rows that the model was trained on: --train DATA.")
    ae = load(model)
    if samples:
        check_prior(ae, prior, model)
    X, y = _read(ae, data, given.labels)
    X_train, y_train = _read(ae, given.train, given.train_labels)
    if given.train_labels is None and y is None and not fits_with_classes(ae, seeds):
        y_train = None  # labels that came with --train, and that nothing would use
    with _in_words_of_options(data, given), expected_failures(data):
        report = narrows.evaluate(
            ae,
            X,
            y,
            X_train=X_train,
            y_train=y_train,
            seeds=seeds,
            samples=samples,
            prior=prior,
            importance_samples=importance_samples,
            verbose=1,
        )
    _say(report, f"{model} on {data}")
    for target in map(Path, out):
        report.save(target, f"{Path(model).name} on {Path(data).name}")
        say(f"wrote {target}")


def _read(ae: Autoencoder, data: str | None, labels: str | None) -> tuple[Any, Any]:
    """Read rows and their labels; MNIST has its own."""
    if data is None:
        return None, None
    table = read_table(data)
    y = table.labels if labels is None else read_labels(labels, len(table.values))
    return rows_for(ae, table), y


@contextlib.contextmanager
def _in_words_of_options(data: str, given: Labelled) -> Iterator[None]:
    """Let errors about training rows name the options that gave them."""
    try:
        yield
    except (DataError, DataTypeError) as error:
        words = str(error).removeprefix(f"{data}: ")
        if given.train is None or not words.startswith(("X_train", "y_train", "X and X_train")):
            raise
        options = {"X": data, "X_train": f"--train {given.train}", "y_train": "--train-labels"}
        named = r"^X(?= and X_train)|\b(X|y)_train\b"
        raise type(error)(re.sub(named, lambda found: options[found[0]], words)) from error


def _say(report: Report, title: str) -> None:
    """Print the numbers by section."""
    say_pairs(report.intro(), title=title)
    for block in report.blocks():
        head, *rows = block.lines()
        stdout().print()
        stdout().print(Text(f"  {head}", style="bold"), soft_wrap=True)
        for row in rows:
            say(f"  {row}")
        for note in block.notes:
            stdout().print(Text(f"  {note}", style="dim"), soft_wrap=True)
