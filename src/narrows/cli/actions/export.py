"""The verb ``export``: a model as other programs read it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, NamedTuple

from narrows.cli.exit import expected_failures
from narrows.cli.outputs import rows_for
from narrows.cli.print import say
from narrows.common.text import count, in_bytes
from narrows.errors import MissingExtra, ParameterError
from narrows.estimator import load
from narrows.model.export import Exported
from narrows.sources.labels import read_labels
from narrows.sources.open import Table, read_table


class Shown(NamedTuple):
    """Rows to check with or to show, and a file of their labels, each where it was given."""

    data: str | None
    labels: str | None


def export(
    model: str, shown: Shown, to: str, out: str, *, quantize: bool, push: str | None
) -> None:
    """Write what other programs read, and print how it was checked."""
    if push is not None:
        _check_push(to)
    ae = load(model)
    table = None if shown.data is None else read_table(shown.data)
    given: dict[str, Any] = {}
    with expected_failures(shown.data or ""):
        if table is not None:
            given = {"X": rows_for(ae, table), "row_names": table.row_names}
            given["y"] = _labels(shown.labels, table)
        found = ae.export(out, to=to, quantize=quantize, **given)
    for file in found.files:
        say(f"wrote {file} ({in_bytes(file.stat().st_size)})")
    if found.n_checked:
        say(_checked(found))
    if push is not None:
        say(f"uploaded {out} to {_pushed(out, push)}")


def _labels(given: str | None, table: Table) -> Any:
    """Return one label per row, from a file or those that came with the rows."""
    return table.labels if given is None else read_labels(given, len(table.values))


def _checked(found: Exported) -> str:
    rows = count(found.n_checked, "row")
    if found.errors is None:
        return f"checked on {rows}: equal to the model within {found.difference:.1g} of the range"
    before, after = found.errors
    more = f" ({after / before - 1:+.1%})" if before > 0 else ""
    return (
        f"mean squared error of {rows}: {before:.5g} before weights were rounded to 8 bits,"
        f" {after:.5g} after{more}"
    )


def _check_push(to: str) -> None:
    """Check, before anything is written, that a folder can be uploaded.

    Raises
    ------
    ParameterError, MissingExtra
    """
    if to != "card":
        raise ParameterError(f"--push is for --to card alone, got --to {to}.")
    if find_spec("huggingface_hub") is None:
        raise MissingExtra(
            "--push needs huggingface_hub, which is not installed: pip install huggingface_hub."
        )


def _pushed(folder: str, repository: str) -> str:
    """Upload a folder to a hub, as the user who is logged in there; return its address."""
    from huggingface_hub import HfApi

    hub = HfApi()
    address = str(hub.create_repo(repository, exist_ok=True))
    hub.upload_folder(repo_id=repository, folder_path=folder)
    return address
