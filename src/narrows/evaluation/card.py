"""A model as a folder for a hub: the model, a card that describes it, and its scorecard.

The card is Markdown with a head in YAML, as Hugging Face's hub reads it.
"""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from narrows import __version__
from narrows.common.text import in_bytes
from narrows.estimator import Autoencoder, load
from narrows.evaluation.scorecard import evaluate
from narrows.model.export.job import Job
from narrows.model.model import Model
from narrows.training.parameters import described

SUFFIX: str | None = None
NEEDS: tuple[str, ...] = ()
MODEL_FILE = "model.safetensors"
MOST_COLUMNS = 40
"""Columns of a table that are listed."""


def write(job: Job, folder: Path) -> None:
    """Write ``model.safetensors``, ``README.md`` and, with rows, ``scorecard.json``.

    The scorecard is measured on the rows that are given; the model should not have seen them.
    """
    job.model.save(folder / MODEL_FILE)
    ae = load(folder / MODEL_FILE)
    report = None
    if job.rows is not None:
        report = evaluate(ae, _as_came(job.model, job.rows), job.labels)
        report.save(folder / "scorecard.json", job.name)
    text = _card(job.name, ae, None if report is None else str(report), folder)
    (folder / "README.md").write_text(text, encoding="utf-8")


def _as_came(model: Model, rows: Any) -> Any:
    """Return flat rows as `fit` was given them, with their names of columns."""
    if model.feature_names is not None:
        import pandas as pd

        return pd.DataFrame(rows, columns=list(model.feature_names))
    return rows.reshape(-1, *model.sample_shape) if model.came_shaped else rows


def _card(name: str, ae: Autoencoder, scorecard: str | None, folder: Path) -> str:
    model, record = ae.model_, ae.model_.record
    size = in_bytes((folder / MODEL_FILE).stat().st_size)
    head = [
        "---",
        "library_name: narrows",
        "tags:",
        "- autoencoder",
        "- dimensionality-reduction",
        "- feature-extraction",
        "# Name a licence that fits the data, such as apache-2.0 or cc-by-4.0:",
        "license: unknown",
        "---",
    ]
    shape = " × ".join(f"{side:,}" for side in model.sample_shape)
    bounds = "none" if model.bounds is None else f"{model.bounds[0]:g} to {model.bounds[1]:g}"
    errors = [
        ("mean squared error on held-out rows", f"{record.validation_error:.6g}"),
        ("the same of PCA", f"{record.pca_validation_error:.6g}"),
        ("unit", model.error_unit),
        ("variance explained", f"{record.explained_variance_ratio:.4f}"),
    ]
    measured = np.isfinite(record.validation_error)
    steps = [
        ("rows", f"{model.pca.n_samples_:,}"),
        ("steps", f"{record.n_steps:,}; the best state was that of step {record.best_step:,}"),
        ("ended by", record.ended),
        ("computed on", f"{record.device}, {record.precision}"),
        ("file written with", _versions()),
    ]
    sections = [
        "\n".join(head),
        f"# {name}\n\nAn autoencoder of {model.n_features:,} features and codes of"
        f" {model.n_components:,} numbers, by narrows. The file has {size}; nothing in it is run.",
        f'## Use\n\n```python\nfrom narrows import load\n\nae = load("{MODEL_FILE}")\n'
        f"Z = ae.transform(X)  # (n, {model.n_components})\nX_hat = ae.inverse_transform(Z)\n```",
        "## Data\n\n" + _table([("shape of a row", shape), ("range of outputs", bounds)]) + "\n\n"
        "What the rows are and where they come from: to be filled in." + _columns(model),
        "## How good it is\n\n"
        + (_table(errors) if measured else "Nothing was held out when it was trained.")
        + ("" if scorecard is None else f"\n\nOn the rows of the card:\n\n```\n{scorecard}\n```"),
        f"## How it was trained\n\n{_table(steps)}\n\n```json\n{_params(ae)}\n```",
        "## Limits\n\nRows that are unlike those of training are encoded all the same."
        " `ae.trust(Z, X)` tells how usual a row is.",
        "## Licence\n\nTo be filled in, here and at the top.",
    ]
    return "\n\n".join(sections) + "\n"


def _table(rows: list[tuple[str, str]]) -> str:
    lines = [f"| {_cell(name)} | {_cell(value)} |" for name, value in rows]
    return "\n".join(["| | |", "|---|---|", *lines])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _columns(model: Model) -> str:
    """Return the names of columns with their means and deviations in training."""
    if model.feature_names is None:
        return ""
    means, variances = model.column_moments()
    shown = list(zip(model.feature_names, means, np.sqrt(variances), strict=True))[:MOST_COLUMNS]
    lines = [f"| {_cell(name)} | {mean:.4g} | {spread:.4g} |" for name, mean, spread in shown]
    more = len(model.feature_names) - len(shown)
    rest = f"\n\n… and {more:,} more columns." if more else ""
    head = ["\n\n| column | mean | standard deviation |", "|---|---:|---:|"]
    return "\n".join([*head, *lines]) + rest


def _params(ae: Autoencoder) -> str:
    """Return the parameters that differ from the defaults, as JSON."""
    usual, given = described(Autoencoder().get_params(deep=False)), ae.model_.params
    changed = {name: value for name, value in given.items() if value != usual.get(name)}
    return json.dumps(changed, indent=2, ensure_ascii=False, default=str)


def _versions() -> str:
    used = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "scikit-learn"))
    return f"narrows {__version__}, {used}, Python {platform.python_version()}"
