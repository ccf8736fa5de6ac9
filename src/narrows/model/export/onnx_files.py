"""ONNX files: dynamic batches, scaling and bounds inside, and metadata that names it all."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from narrows import __version__
from narrows.common.threads import without_warnings
from narrows.model.export.check import Floats, Function
from narrows.model.export.job import Job
from narrows.model.export.parts import Part, parts_of, traced
from narrows.model.model import Model

SUFFIX: str | None = None
"""None for a folder of files."""
NEEDS: tuple[str, ...] = ("onnx", "onnxscript", "onnxruntime")
OPSET = 20
"""Version of ONNX's operations that files are written in; GELU is one of them from 20 on."""


def write(job: Job, folder: Path) -> None:
    """Write an ``.onnx`` file for each part, run it, and compare it with the model."""
    parts = parts_of(job.model)
    for part in parts:
        path = folder / f"{part.name}.onnx"
        program_of(part, job.model).save(path, external_data=False)
        job.check.compare(part.name, as_function(path), part.shape)
        if job.quantize:
            _quantize(path)
            if part.name == "reconstruct":
                job.check.measure(as_function(path), part.shape)


def program_of(part: Part, model: Model) -> Any:
    """Return a part as torch's exporter gives it, an `ONNXProgram`."""
    program = traced(part, model)
    with without_warnings(Warning), _quiet("torch.onnx"):
        found = torch.onnx.export(
            program,
            input_names=[part.takes],
            output_names=[part.gives],
            dynamic_shapes=({0: "batch"},),
            opset_version=OPSET,
            verbose=False,
        )
    assert found is not None, "torch gives a program where it is not asked for a file"
    found.model.metadata_props.update(metadata(model))
    found.model.producer_name, found.model.producer_version = "narrows", __version__
    return found


def metadata(model: Model) -> dict[str, str]:
    """Return what an ONNX file says of itself, as ONNX has it: words by names."""
    known: dict[str, Any] = {
        "narrows_version": __version__,
        "objective": model.objective.name,
        "row_shape": list(model.sample_shape),
        "rows": "data units, as `fit` was given them",
        "n_components": model.n_components,
        "bounds": model.bounds,
        "feature_names": model.feature_names,
        "held_out_error": model.record.validation_error,
        "held_out_error_unit": model.error_unit,
    }
    return {
        f"narrows.{name.removeprefix('narrows_')}": value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False)
        for name, value in known.items()
        if value is not None
    }


def as_function(path: Path) -> Function:
    """Return the function of a file, as onnxruntime computes it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (entered,) = session.get_inputs()

    def run(batch: Floats) -> Floats:
        found: Floats = np.asarray(session.run(None, {entered.name: batch})[0])
        return found

    return run


def _quantize(path: Path) -> None:
    """Round the weights of products to 8 bits, in the same file."""
    from onnxruntime.quantization import QuantType, quantize_dynamic, shape_inference

    prepared, rounded = path.with_suffix(".prepared"), path.with_suffix(".int8")
    shape_inference.quant_pre_process(
        path, prepared, skip_symbolic_shape=True, skip_optimization=True
    )
    quantize_dynamic(prepared, rounded, weight_type=QuantType.QInt8, per_channel=True)
    prepared.unlink()
    rounded.replace(path)


@contextlib.contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Let a library write nothing to the log but errors, such as which others it goes without."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
