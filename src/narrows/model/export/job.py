"""What a format is given to write.

Legend: N rows, D features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from narrows.errors import ParameterError
from narrows.model.export.check import Check
from narrows.model.model import Model


class Job(NamedTuple):
    """What a format is given to write.

    Attributes
    ----------
    model : Model
    check : Check
        Compares what was written with the model.
    rows : ndarray (N, D) or None
        Rows that the user gave, in data units.
    labels : array-like (N,) or None
        Of these rows.
    row_names : sequence of str or None
        Of these rows; without them they are numbered from 0.
    name : str
        Of what is written, for a title.
    quantize : bool
        Whether weights are rounded to 8 bits.
    """

    model: Model
    check: Check
    rows: NDArray[np.generic] | None = None
    labels: Any = None
    row_names: Sequence[str] | None = None
    name: str = ""
    quantize: bool = False

    def rows_to_show(self, to: str) -> NDArray[np.generic]:
        """Return the rows that the user gave.

        Raises
        ------
        ParameterError
            Without them.
        """
        if self.rows is None:
            raise ParameterError(
                f"to={to!r} shows rows: give them as X (on the command line --data)."
            )
        return self.rows

    def codes(self) -> NDArray[np.float32]:
        """Return the codes (N, K) of these rows."""
        assert self.rows is not None, "asked for after rows_to_show"
        return self.model.encode(self.rows).astype(np.float32)

    def names(self) -> Iterator[tuple[str, str]]:
        """Give the name and the label of each row; an empty label where there is none."""
        assert self.rows is not None, "asked for after rows_to_show"
        n_rows = len(self.rows)
        names = [str(i) for i in range(n_rows)] if self.row_names is None else self.row_names
        labels = [""] * n_rows if self.labels is None else np.asarray(self.labels).astype(str)
        for name, label in zip(names, labels, strict=True):
            yield str(name), str(label)
