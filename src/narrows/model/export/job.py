"""What a format is given to write.

Legend: N rows, D features.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from narrows.model.export.check import Check
from narrows.model.export.parts import Part
from narrows.model.model import Model


class Job(NamedTuple):
    """What a format is given to write.

    Attributes
    ----------
    model : Model
    parts : list of Part
        Encoder, decoder and both as one.
    check : Check
        Compares what was written with the model.
    rows : ndarray (N, D) or None
        Rows that the user gave, in data units.
    labels : array-like (N,) or None
        Of these rows.
    name : str
        Of what is written, for a title.
    quantize : bool
        Whether weights are rounded to 8 bits.
    """

    model: Model
    parts: list[Part]
    check: Check
    rows: NDArray[np.generic] | None = None
    labels: Any = None
    name: str = ""
    quantize: bool = False
