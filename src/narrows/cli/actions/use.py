"""The verbs that use a model: ``encode``, ``decode``, ``reconstruct``, ``info``."""

from __future__ import annotations

from pathlib import Path

from narrows.cli.exit import expected_failures
from narrows.cli.model_lines import error_lines, step_lines
from narrows.cli.outputs import feature_names, picture_shape, rows_for, write_rows, write_sheet
from narrows.cli.paths import kind_of
from narrows.cli.print import say, say_pairs
from narrows.common.text import count, in_bytes
from narrows.estimator import Autoencoder, load
from narrows.sources.open import Table, read_table
from narrows.sources.write import write_table


def encode(model: str, data: str, out: str) -> None:
    """Write the code of each row."""
    ae, table = load(model), read_table(data)
    with expected_failures(data):
        codes = ae.transform(rows_for(ae, table))
    names = tuple(str(name) for name in ae.get_feature_names_out())
    write_table(Path(out), Table(codes, table.row_names, names))
    say(f"wrote {count(len(codes), 'code')} of {codes.shape[1]} numbers to {out}")


def decode(model: str, codes: str, out: str) -> None:
    """Write the rows that codes decode to, as numbers or as pictures."""
    kind = kind_of(out)
    ae, table = load(model), read_table(codes)
    if kind == "folder":
        picture_shape(ae)
    with expected_failures(codes):
        rows = ae.inverse_transform(table.values)
    write_rows(ae, rows, Path(out), pictures=kind == "folder", row_names=table.row_names)


def reconstruct(model: str, data: str, out: str) -> None:
    """Write the round trip of rows, as numbers, pictures or one sheet."""
    kind, target = kind_of(out), Path(out)
    ae = load(model)
    if kind != "file":
        picture_shape(ae)
    table = read_table(data)
    with expected_failures(data):
        if kind == "sheet":
            shown = write_sheet(target, ae, table)
            say(f"wrote {target}: {count(shown, 'original')} above, reconstructions below")
            return
        rows = ae.reconstruct(rows_for(ae, table))
    write_rows(ae, rows, target, pictures=kind == "folder", row_names=table.row_names)


def info(model: str) -> None:
    """Print what a model file contains."""
    ae = load(model)
    shape = " × ".join(str(n) for n in ae.sample_shape_)
    bounds = "none" if ae.bounds_ is None else f"{ae.bounds_[0]:g} to {ae.bounds_[1]:g}"
    n_parameters = sum(parameter.numel() for parameter in ae.network_.parameters())
    say_pairs(
        [
            ("features → code", f"{ae.n_features_in_:,} → {ae.n_components_}"),
            ("shape of a row", shape),
            ("names of columns", _some(feature_names(ae))),
            ("network", repr(ae.model_.architecture)),
            ("objective", repr(ae.model_.objective)),
            ("classes", _classes(ae)),
            ("priors", _priors(ae)),
            ("start", f"init={ae.init!r}, scaling={ae.scaling!r}"),
            ("bounds", bounds),
            ("parameters", f"{n_parameters:,}"),
            *error_lines(ae),
            *step_lines(ae),
            ("trained on", f"{ae.pca_.n_samples_:,} rows, {ae.device_}, {ae.precision_}"),
            ("random_state", repr(ae.random_state)),
            ("file", in_bytes(Path(model).stat().st_size)),
        ],
        title=model,
    )


def _classes(ae: Autoencoder) -> str:
    known = ae.model_.classes
    return _some(None if known is None else tuple(map(str, known.tolist())))


def _priors(ae: Autoencoder) -> str:
    """Name the priors that `sample` can draw from, as fitted to codes or trained with them."""
    own = ae.model_.own_prior
    fitted = f"{', '.join(ae.priors_) or 'none'} (fitted to codes)"
    return fitted if own is None else f"{own.name} (trained with the model); {fitted}"


def _some(names: tuple[str, ...] | None) -> str:
    if names is None:
        return "none"
    return ", ".join(names[:6]) + (f" … ({len(names):,} in all)" if len(names) > 6 else "")
