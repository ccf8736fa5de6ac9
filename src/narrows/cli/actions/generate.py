"""The verbs that make new rows: ``sample``, ``interpolate``, ``traverse``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from narrows.cli.exit import expected_failures
from narrows.cli.outputs import picture_shape, rows_for, write_figure, write_rows
from narrows.cli.paths import kind_of
from narrows.cli.print import say
from narrows.common.text import count
from narrows.errors import DataError, ParameterError, near_miss
from narrows.estimator import Autoencoder, load
from narrows.model.sampling import check_options, check_prior_name
from narrows.sources.open import Table, read_table

MOST_DIMENSIONS = 10
"""Latent dimensions that ``traverse`` changes where none are named."""


def sample(
    model: str,
    n: int,
    out: str,
    *,
    prior: str,
    temperature: float,
    y: str | None,
    random_state: int | None,
) -> None:
    """Draw and write new rows, as numbers, pictures or one sheet."""
    check_options("sample", n=n, temperature=temperature)
    ae, kind, target = _opened(model, out)
    check_prior(ae, prior, model)
    labels = None if y is None else _labels(ae, y)
    rows = ae.sample(n, prior=prior, temperature=temperature, y=labels, random_state=random_state)
    if kind == "sheet":
        _write_sheet(ae, target, count(n, "sample"), "sheet", rows)
        return
    write_rows(ae, rows, target, pictures=kind == "folder")


def interpolate(model: str, data: str, pairs: list[str], out: str, *, steps: int, how: str) -> None:
    """Write rows between the two rows of each pair."""
    check_options("interpolate", steps=steps, how=how)
    numbers = [_pair(text) for text in pairs]
    ae, kind, target = _opened(model, out)
    table = read_table(data)
    names = _names(table, sorted({number for pair in numbers for number in pair}), data)
    with expected_failures(data):
        ways = [
            ae.interpolate(_row(ae, table, a), _row(ae, table, b), steps, how=how)
            for a, b in numbers
        ]
    labels = [f"{names[a]} → {names[b]}" for a, b in numbers]
    if kind == "sheet":
        chosen = (np.asarray(table.values[[pair[end] for pair in numbers]]) for end in (0, 1))
        ends = [rows.reshape(len(rows), -1) for rows in chosen]
        words = f"{count(len(ways), 'way')} of {steps} steps"
        _write_sheet(ae, target, words, "interpolations", ways, ends=ends, row_labels=labels)
        return
    shares = [f"{share:.3g}" for share in np.linspace(0, 1, steps)]
    step_names = tuple(f"{label} {share}" for label in labels for share in shares)
    rows = np.concatenate(ways)
    write_rows(ae, rows, target, pictures=kind == "folder", row_names=step_names)


def traverse(
    model: str, data: str, row: int, dimensions: str | None, out: str, *, steps: int, span: float
) -> None:
    """Write what a row becomes as latent dimensions change, one after the other."""
    check_options("traverse", steps=steps, span=span)
    asked = None if dimensions is None else _integers("--dimensions", dimensions)
    ae, kind, target = _opened(model, out)
    table = read_table(data)
    _names(table, [row], data)
    chosen = _most_varied(ae) if asked is None else asked
    with expected_failures(data):
        start = _row(ae, table, row)
        ways = {number: ae.traverse(start, number, steps, span=span) for number in chosen}
    if kind == "sheet":
        words = f"{count(len(ways), 'number')} of a code, {steps} steps each"
        _write_sheet(ae, target, words, "traversals", ways, span=span)
        return
    moves = [f"{move:+.3g}" for move in np.linspace(-span, span, steps)]
    step_names = tuple(f"z{number} {move}" for number in ways for move in moves)
    rows = np.concatenate([*ways.values()])
    write_rows(ae, rows, target, pictures=kind == "folder", row_names=step_names)


def check_prior(ae: Autoencoder, prior: str, model: str) -> None:
    """Check that a model file has a prior; it holds no codes to fit another one to.

    Raises
    ------
    ParameterError, DataError
    """
    check_prior_name(prior, more=("auto",))
    own = ae.model_.own_prior
    known = ("auto", *ae.priors_, *(() if own is None else (own.name,)))
    if prior not in known:
        raise DataError(
            f"{model} has no {prior!r} prior, and holds no codes to fit one to; it has"
            f" {', '.join(dict.fromkeys(known))}. Fit it with `narrows fit ... --prior {prior}`."
        )


def _opened(model: str, out: str) -> tuple[Autoencoder, str, Path]:
    """Load a model, and check that its rows are pictures where ``out`` asks for pictures."""
    kind, ae = kind_of(out), load(model)
    if kind != "file":
        picture_shape(ae)
    return ae, kind, Path(out)


def _labels(ae: Autoencoder, text: str) -> Any:
    """Return the classes of the model that a text names."""
    known = ae.model_.classes
    classes = [] if known is None else known.tolist()
    if not classes:
        raise ParameterError(
            f"--y {text}: this model was not trained with classes. Fit one with --objective vae"
            " --set objective__conditional=true, or leave --y out."
        )
    by_text = {str(label): label for label in classes}
    # A name may hold a comma itself.
    given = [text] if text in by_text else [word.strip() for word in text.split(",")]
    unknown = [word for word in given if word not in by_text]
    if unknown:
        listed = ", ".join(by_text)
        raise DataError(
            f"--y {text}: the model was trained with the classes {listed}, and {unknown[0]!r} is"
            f" none of them.{near_miss(unknown[0], by_text)}"
        )
    labels = [by_text[word] for word in given]
    return labels[0] if len(labels) == 1 else labels


def _integers(option: str, text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError as error:
        raise ParameterError(
            f"{option} takes whole numbers from 0, with commas between them, such as 0,1; got"
            f" {text!r}."
        ) from error


def _pair(text: str) -> tuple[int, int]:
    numbers = _integers("--rows", text)
    if len(numbers) != 2:
        raise ParameterError(
            f"--rows takes a pair of rows, such as 0,1, and may be repeated; got {text!r}."
        )
    return numbers[0], numbers[1]


def _names(table: Table, rows: list[int], data: str) -> dict[int, str]:
    """Check that rows exist; return their names, or their numbers where they have none."""
    n_rows = len(table.values)
    for row in rows:
        if not 0 <= row < n_rows:
            raise DataError(
                f"{data} has {count(n_rows, 'row')}, numbered from 0 to {n_rows - 1}; row {row} is"
                " none of them."
            )
    return {row: str(row) if table.row_names is None else table.row_names[row] for row in rows}


def _row(ae: Autoencoder, table: Table, number: int) -> Any:
    """Return one row of DATA as a table (1, D)."""
    values = np.asarray(table.values[number : number + 1])
    return rows_for(ae, Table(values, column_names=table.column_names))


def _most_varied(ae: Autoencoder) -> list[int]:
    """Return the latent dimensions that vary most over training rows, at most ten."""
    deviations = ae.model_.normal_prior.deviations.numpy()
    order: list[int] = np.argsort(-deviations, kind="stable")[:MOST_DIMENSIONS].tolist()
    return order


def _write_sheet(
    ae: Autoencoder, target: Path, words: str, figure: str, rows: Any, **options: Any
) -> None:
    """Draw a figure by its name, and say what is on it."""
    from narrows import figures

    draw, shape = getattr(figures, figure), picture_shape(ae)
    write_figure(target, draw(rows, sample_shape=shape, bounds=ae.bounds_, **options))
    say(f"wrote {target}: {words}")
