"""Families of autoencoders: one file each, which `narrows.model.parts` finds."""

from narrows.objectives.adversarial import Adversarial
from narrows.objectives.base import Batch, Bounds, Needs, Noise, Objective, Step, Usual
from narrows.objectives.contractive import Contractive
from narrows.objectives.denoising import Denoising
from narrows.objectives.fsq import FSQ
from narrows.objectives.iwae import IWAE
from narrows.objectives.neighbors import Neighbors
from narrows.objectives.reconstruction import Reconstruction
from narrows.objectives.sparse import Sparse
from narrows.objectives.vae import VAE
from narrows.objectives.vq import VQ
from narrows.objectives.wae import WAE

__all__ = [
    "FSQ",
    "IWAE",
    "VAE",
    "VQ",
    "WAE",
    "Adversarial",
    "Batch",
    "Bounds",
    "Contractive",
    "Denoising",
    "Needs",
    "Neighbors",
    "Noise",
    "Objective",
    "Reconstruction",
    "Sparse",
    "Step",
    "Usual",
]
