"""From words on the command line to parameters of `Autoencoder`."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from narrows.errors import ParameterError, near_miss

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

_WORDS = {"none": None, "null": None, "true": True, "false": False}


def parsed(text: str) -> Any:
    """Read a value as Python or TOML would: a number, a list, true, none; else it is a word.

    >>> parsed("512, 256"), parsed("[512, 256]"), parsed("none"), parsed("gelu")
    ((512, 256), (512, 256), None, 'gelu')
    """
    stripped = text.strip()
    if stripped.lower() in _WORDS:
        return _WORDS[stripped.lower()]
    try:
        value = ast.literal_eval(stripped)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return stripped
    return tuple(value) if isinstance(value, list) else value


def make_autoencoder(
    given: Mapping[str, str | None], settings: Sequence[str], usual: Mapping[str, Any] | None = None
) -> Autoencoder:
    """Return an estimator with the options that were given, checked.

    Parameters
    ----------
    given : mapping of str to str or None
        Options by the name of their parameter; None for those left out.
    settings : sequence of str
        What stood after ``--set``: ``part__field=value`` or ``parameter=value``.
    usual : mapping of str to value, optional
        The verb's own defaults.

    Raises
    ------
    ParameterError
        For an unknown name, with the near miss; for a name given twice; for a value outside the
        limits.
    """
    from narrows.estimator import Autoencoder
    from narrows.training.parameters import check_params

    values = {name: parsed(text) for name, text in given.items() if text is not None}
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise ParameterError(
                f"--set {setting!r} has no value; write --set part__field=value or --set"
                " parameter=value, such as --set network__hidden=512,256."
            )
        if name in values:
            raise ParameterError(f"{name!r} was given twice; give it once.")
        values[name] = parsed(text)
    values = {**(usual or {}), **values}
    _check_names([name for name in values if "__" not in name], Autoencoder)
    ae = Autoencoder()
    # Parts first: a field is set on the part that was chosen.
    ae.set_params(**{name: value for name, value in values.items() if "__" not in name})
    check_params(ae.get_params(deep=False))
    fields = {name: value for name, value in values.items() if "__" in name}
    _check_parts(fields, ae)
    ae.set_params(**fields)
    check_params(ae.get_params(deep=False))
    return ae


def _check_names(names: Sequence[str], estimator: type[Autoencoder]) -> None:
    from narrows.model.parts import PARTS

    known = [name for name in estimator().get_params(deep=False) if name != "callbacks"]
    for name in names:
        if name not in known:
            fields = {
                field: f"{kind}__{field}"
                for kind, parts in PARTS.items()
                for part in parts.values()
                for field in part().get_params()
            }
            hint = f" Did you mean {fields[name]!r}?" if name in fields else near_miss(name, known)
            raise ParameterError(
                f"--set: Autoencoder has no parameter {name!r} that the command line can set; it"
                f" has {', '.join(known)}.{hint}"
            )


def _check_parts(fields: Mapping[str, Any], ae: Autoencoder) -> None:
    from narrows.model.parts import PARTS, named_part

    for name in fields:
        kind, _, field = name.partition("__")
        if kind not in PARTS:
            raise ParameterError(
                f"--set {name}: there is no part {kind!r}; parts are {', '.join(PARTS)}."
                f"{near_miss(kind, PARTS)}"
            )
        part = named_part(kind, getattr(ae, kind))
        owners = [other for other, its in PARTS[kind].items() if field in its().get_params()]
        if owners and field not in part.get_params():
            choice = f"--set {kind}=" if kind == "optimizer" else f"--{kind} "
            raise ParameterError(
                f"--set {name}: {type(part).__name__} has no parameter {field!r}; it is one of"
                f" {', '.join(owners)}. Add {choice}{owners[0]}."
            )
