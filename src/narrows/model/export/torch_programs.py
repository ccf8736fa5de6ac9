"""Programs of `torch.export`, which run without narrows."""

from __future__ import annotations

from pathlib import Path

import torch

from narrows.common.threads import without_warnings
from narrows.model.export.check import Floats, Function
from narrows.model.export.job import Job
from narrows.model.export.parts import parts_of, traced

SUFFIX: str | None = None
"""None for a folder of files."""
NEEDS: tuple[str, ...] = ()


def write(job: Job, folder: Path) -> None:
    """Write a ``.pt2`` file for each part, read it again, and compare it with the model."""
    parts = parts_of(job.model)
    for part in parts:
        name = f"{part.name}.pt2"
        with without_warnings(Warning):
            torch.export.save(traced(part, job.model), folder / name)
            program = torch.export.load(folder / name).module()
        job.check.compare(part.name, as_function(program), part.shape)


def as_function(program: torch.nn.Module) -> Function:
    """Return the function of a program."""

    def run(batch: Floats) -> Floats:
        with torch.no_grad():
            found: Floats = program(torch.from_numpy(batch)).numpy()
        return found

    return run
