"""What is exported: modules of torch with the names of what enters and leaves them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from narrows.common.threads import without_warnings
from narrows.errors import ExportError
from narrows.model.model import Model
from narrows.model.modules import DecoderModule, EncoderModule, ReconstructModule

N_TRACED = 2
"""Rows of the batch that a module is traced with; any other number may follow."""


class Part(NamedTuple):
    """A module to export.

    Attributes
    ----------
    name, takes, gives : str
        Of the part, its input and its output.
    module : nn.Module
        In float32, in evaluation mode.
    shape : tuple of int
        Of one row that enters.
    """

    name: str
    takes: str
    gives: str
    module: nn.Module
    shape: tuple[int, ...]

    def example(self) -> Tensor:
        """Return a batch to trace the module with."""
        return torch.zeros(N_TRACED, *self.shape)


def parts_of(model: Model) -> list[Part]:
    """Return encoder, decoder and both as one.

    Raises
    ------
    ExportError
        Where float32, in which all exports compute, cannot hold the model's scaling.
    """
    if not model.net.scaling.fits_float32():
        raise ExportError(
            "This model's data are too large or too small for float32, in which exported files"
            " compute. Bring the data to another unit, and fit again."
        )
    encoder = EncoderModule(model)
    shape, code = encoder.row_shape, (model.n_components,)
    return [
        Part("encoder", "rows", "codes", encoder, shape),
        Part("decoder", "codes", "rows", DecoderModule(model), code),
        Part("reconstruct", "rows", "reconstructed_rows", ReconstructModule(model), shape),
    ]


def traced(part: Part, model: Model) -> ExportedProgram:
    """Return a part as a program of torch for batches of any number of rows.

    Raises
    ------
    ExportError
        Naming the user's own network or family where it cannot be traced.
    """
    try:
        with without_warnings(Warning):
            return torch.export.export(
                part.module, (part.example(),), dynamic_shapes=({0: Dim("batch", min=1)},)
            )
    except Exception as error:
        words = " ".join(str(error).split())[:300]
        raise ExportError(
            f"The {part.name} of this model (network {model.architecture!r}, objective"
            f" {model.objective!r}) cannot be exported: torch.export failed with"
            f" {type(error).__name__}: {words}"
        ) from error
