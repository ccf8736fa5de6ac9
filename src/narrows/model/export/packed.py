"""A graph as JSON, for programs that compute it themselves, such as a page.

Arrays are base64 of their numbers, float32, float16 or int32, the low byte first.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.model.export.graph import Graph

LEAST_HALVED = 1_000
"""Numbers of a weight from which 16 bits each are taken, where that is asked for."""


def packed(graph: Graph, *, half: bool = False) -> dict[str, Any]:
    """Return a graph as JSON has it: names, operations, and arrays by their names.

    With ``half`` large weights have 16 bits a number.
    """
    arrays = {name: _packed(weight, half=half) for name, weight in graph.weights.items()}
    operations = []
    for operation in graph.operations:
        names = []
        for value in operation.takes:
            name = value.name
            if value.constant is not None:
                name = f"constant {len(arrays)}"
                arrays[name] = _packed(value.constant)
            names.append(name)
        operations.append(
            {
                "kind": operation.kind,
                "name": operation.name,
                "takes": names,
                "options": operation.options,
            }
        )
    return {
        "entered": graph.entered,
        "result": graph.result,
        "operations": operations,
        "arrays": arrays,
    }


def _packed(array: NDArray[Any], *, half: bool = False) -> dict[str, Any]:
    kind = "int32" if array.dtype.kind in "biu" else "float32"
    if half and array.size >= LEAST_HALVED and np.abs(array).max() < np.finfo(np.float16).max:
        kind = "float16"
    values = np.ascontiguousarray(array, dtype=np.dtype(kind).newbyteorder("<"))
    return {
        "shape": list(array.shape),
        "type": kind,
        "values": base64.b64encode(values.tobytes()).decode("ascii"),
    }
