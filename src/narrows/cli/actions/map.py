"""The verb ``map``: codes of one to three numbers as a page, a picture or a table."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer
from numpy.typing import NDArray

from narrows.cli.actions.fit import learn
from narrows.cli.exit import INTERRUPTED, complain, expected_failures
from narrows.cli.model_files import kept_if_writing_fails, save
from narrows.cli.model_lines import error_lines, is_start, movement_lines, start_lines
from narrows.cli.outputs import picture_shape, rows_for, write_figure
from narrows.cli.parameters import make_autoencoder
from narrows.cli.print import say, say_pairs
from narrows.common.atomic_files import replacing
from narrows.common.text import in_seconds
from narrows.errors import DataError, ParameterError, near_miss
from narrows.estimator import load
from narrows.evaluation.map_accuracy import Accuracy, map_accuracy
from narrows.evaluation.reconstruction import unit_words
from narrows.model.parts import named_part
from narrows.sources.labels import read_labels
from narrows.sources.open import Table, read_table
from narrows.sources.write import write_frame, write_table

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder
    from narrows.figures.colouring import Colouring
    from narrows.web import Fact
    from narrows.web.words import Words

COLUMNS = ("x", "y", "z")
"""Columns of a table; a map has at most three latent dimensions."""


@dataclass(frozen=True)
class Asked:
    """What to draw, and where to write it.

    Attributes
    ----------
    data, out : str
    labels : str or None
        File of labels; MNIST's own by default.
    labels_are : {"auto", "classes", "numbers"}
        Checked by `make_map`, like the theme.
    theme : {"light", "dark"} or None
        Colours of a picture.
    """

    data: str
    out: str
    labels: str | None
    labels_are: Any
    theme: Any

    @property
    def suffix(self) -> str:
        """The kind of file to write."""
        return Path(self.out).suffix.lower()


@dataclass(frozen=True)
class Found:
    """A model and its map of DATA."""

    ae: Autoencoder
    table: Table
    codes: NDArray[Any]
    labels: NDArray[Any] | None
    accuracy: Accuracy | None

    def trust(self) -> NDArray[np.float64] | None:
        """Return the trust of each row, (N,), or None.

        Models of earlier versions and of `partial_fit` have no held-out rows to compare with.
        """
        if self.ae.model_.trust_scale is None:
            return None
        return self.ae.trust(self.codes, rows_for(self.ae, self.table))


def make_map(
    asked: Asked,
    given: Mapping[str, str | None],
    settings: Sequence[str],
    *,
    model: str | None,
    align_to: str | None,
    save_to: str | None,
) -> None:
    """Train a map, or take an existing model, and write what was asked for.

    Parameters
    ----------
    asked : Asked
    given : mapping of str to str or None
        Options of training by parameter name; None for those left out.
    settings : sequence of str
        Values of ``--set``.
    model : str or None
        Existing model; nothing is trained then.
    align_to : str or None
        Model that training starts from.
    save_to : str or None
        File for the trained model.

    Raises
    ------
    As ``fit``, and
    ParameterError
        For options that would have no effect, or a code of more than three numbers.
    DataError
        For an existing model with more than three numbers.
    """
    _check_looks(asked)
    if model is None:
        ae = _new_map(given, settings)
    else:
        _check_unused(model, {**given, "align_to": align_to}, settings, save_to)
        ae = _opened(model)
    table = read_table(asked.data)
    labels, colours = _labels(asked, table)
    started, interrupted, written = time.perf_counter(), False, []
    if model is None:
        interrupted, _ = learn(ae, asked.data, table=table, align_to=align_to)
        written = [] if save_to is None else [save(ae, save_to)]
    fitted = model is None and align_to is None
    found = _place(asked, ae, table, labels, colours, fitted=fitted)
    lines = _lines(found)
    if model is None:
        lines.append(("time", in_seconds(time.perf_counter() - started)))
    else:
        lines.insert(0, ("model", model))
    say_pairs(lines, title="map")
    unsaved = model is None and not written
    with kept_if_writing_fails(ae, asked.out) if unsaved else contextlib.nullcontext():
        _write(asked, found)
    for path in (*written, asked.out):
        say(f"wrote {path}")
    if interrupted:
        complain("Interrupted; the map is that of the best state so far.")
        raise typer.Exit(INTERRUPTED)


def _check_looks(asked: Asked) -> None:
    _check_choice("--labels-are", asked.labels_are, ("auto", "classes", "numbers"))
    if asked.theme is not None:
        _check_choice("--theme", asked.theme, ("light", "dark"))
        if asked.suffix != ".png":
            raise ParameterError(
                f"--theme is for a .png, and {asked.out} is none; a page follows its reader. Leave"
                " --theme out."
            )


def _check_choice(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ParameterError(
            f"{option} must be one of {', '.join(known)}, got {value!r}.{near_miss(value, known)}"
        )


def _check_unused(
    model: str, given: Mapping[str, str | None], settings: Sequence[str], save_to: str | None
) -> None:
    """Refuse options that have no effect on an existing model."""
    unused = [f"--{name.replace('_', '-')}" for name, text in given.items() if text is not None]
    unused += ["--set"] if settings else []
    unused += ["--save"] if save_to is not None else []
    if unused:
        raise ParameterError(
            f"--model {model} is an existing model, so {', '.join(unused)} would have no effect;"
            " leave that out, or leave out --model to train a map."
        )


def _new_map(given: Mapping[str, str | None], settings: Sequence[str]) -> Autoencoder:
    ae = make_autoencoder(given, settings, usual={"objective": "neighbors"})
    if not named_part("objective", ae.objective).needs.n_neighbors:
        raise ParameterError(
            "A map needs a family that looks at neighbours, as 'neighbors' does; leave"
            " --set objective out."
        )
    if ae.n_components not in (1, 2, 3):
        raise ParameterError(f"--n-components of a map must be 1 to 3, got {ae.n_components!r}.")
    return ae


def _opened(model: str) -> Autoencoder:
    ae = load(model)
    if ae.n_components_ > len(COLUMNS):
        raise DataError(
            f"{model} has codes of {ae.n_components_} numbers, and a map shows one to three. Leave"
            " out --model to train a map, or give a model with fewer numbers."
        )
    return ae


def _labels(asked: Asked, table: Table) -> tuple[NDArray[Any] | None, Colouring]:
    """Return one label per row, if there are any, and how they are coloured."""
    from narrows.figures.colouring import colouring

    n_rows = len(table.values)
    labels = table.labels if asked.labels is None else read_labels(asked.labels, n_rows)
    return labels, colouring(labels, n_rows, labels_are=asked.labels_are)


def _place(
    asked: Asked,
    ae: Autoencoder,
    table: Table,
    labels: NDArray[Any] | None,
    colours: Colouring,
    *,
    fitted: bool,
) -> Found:
    """Encode the rows, and measure the 10-NN accuracy where labels are classes."""
    with expected_failures(asked.data):
        codes = ae.transform(rows_for(ae, table))
    accuracy, rows = None, np.asarray(table.values).reshape(len(codes), -1)
    if labels is not None and colours.kind == "classes":
        accuracy = map_accuracy(ae, rows, codes, labels, colours.known, fitted=fitted)
    return Found(ae, table, codes, labels, accuracy)


def _lines(found: Found) -> list[tuple[str, str]]:
    ae = found.ae
    lines = [*error_lines(ae), *movement_lines(ae), *start_lines(ae)]
    if found.accuracy is not None:
        lines.append(("10-NN accuracy", found.accuracy.words().en))
    return lines


def _write(asked: Asked, found: Found) -> None:
    if asked.suffix == ".html":
        _write_page(asked, found)
    elif asked.suffix == ".png":
        from narrows import figures

        looks = {**_looks(asked, found), "theme": asked.theme or "light"}
        write_figure(Path(asked.out), figures.map_of(found.codes, found.labels, **looks))
    elif asked.suffix == ".csv":
        _write_csv(Path(asked.out), found)
    else:
        write_table(Path(asked.out), Table(found.codes))


def _looks(asked: Asked, found: Found) -> dict[str, Any]:
    """Return the arguments that a picture and a page of a map share."""
    looks: dict[str, Any] = {"labels_are": asked.labels_are}
    if asked.labels is not None and not asked.labels.startswith("mnist:"):
        looks["labels_name"] = Path(asked.labels).stem
    try:
        looks["sample_shape"] = picture_shape(found.ae)
    except DataError:  # rows are no pictures
        return looks
    return {**looks, "pictures": found.table.values, "bounds": found.ae.bounds_}


def _write_page(asked: Asked, found: Found) -> None:
    from narrows.web import map_page

    html = map_page(
        found.codes,
        found.labels,
        name=_name(asked.data),
        row_names=found.table.row_names,
        trust=found.trust(),
        notes=_notes(found.ae),
        facts=_facts(found),
        **_looks(asked, found),
    )
    with replacing(asked.out) as temporary:
        temporary.write_text(html, "utf-8")


def _notes(ae: Autoencoder) -> list[Words]:
    """Return what is to be known of the plane."""
    from narrows.web.words import say

    if is_start(ae):
        return [say("map.notes.pca")]
    return [say("map.notes.neighbors")] if ae.model_.objective.needs.n_neighbors else []


def _facts(found: Found) -> list[Fact]:
    """Return numbers of the model and of its map, for the page."""
    from narrows.web import Fact
    from narrows.web.words import say

    ae = found.ae
    sizes = f"{ae.n_features_in_:,} → {ae.n_components_}"
    facts = [
        Fact(say("map.facts.rows"), f"{len(found.codes):,}"),
        Fact(say("map.facts.sizes"), sizes),
        Fact(say("map.facts.objective"), repr(ae.model_.objective)),
    ]
    ours, pca = float(ae.validation_error_), float(ae.pca_validation_error_)
    if np.isfinite(ours):
        unit = unit_words(ae.model_.error_unit)
        error = say("map.facts.error_value", ours=f"{ours:.4g}", pca=f"{pca:.4g}", unit=unit)
        facts.append(Fact(say("map.facts.error"), error))
    if found.accuracy is not None:
        facts.append(Fact(say("map.facts.accuracy"), found.accuracy.words()))
    return facts


def _name(data: str) -> str:
    return data if data.startswith("mnist:") else Path(data).name


def _write_csv(target: Path, found: Found) -> None:
    """Write row names, coordinates, labels and trust."""
    import pandas as pd

    names = list(COLUMNS[: found.codes.shape[1]])
    frame = pd.DataFrame(found.codes, index=found.table.row_names, columns=names)
    if found.labels is not None:
        frame["label"] = found.labels
    trust = found.trust()
    if trust is not None:
        frame["trust"] = trust
    write_frame(target, frame, index=found.table.row_names is not None)
