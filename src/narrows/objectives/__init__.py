"""Families of autoencoders: one file each, found by the name of the file."""

from narrows.objectives.base import Batch, Bounds, Noise, Objective, Step
from narrows.objectives.iwae import IWAE
from narrows.objectives.reconstruction import Reconstruction
from narrows.objectives.vae import VAE

__all__ = ["IWAE", "VAE", "Batch", "Bounds", "Noise", "Objective", "Reconstruction", "Step"]
