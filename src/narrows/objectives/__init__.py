"""Families of autoencoders: one file each, found by the name of the file."""

from narrows.objectives.base import Batch, Bounds, Noise, Objective, Step
from narrows.objectives.reconstruction import Reconstruction

__all__ = ["Batch", "Bounds", "Noise", "Objective", "Reconstruction", "Step"]
