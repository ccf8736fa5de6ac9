"""Every picture, from arrays to a Matplotlib figure.

A picture holds numbers, names and short terms ("PCA", "latent dimensions"), no sentences, so that
one picture serves every language. Sentences stand on the page around it.
"""

from narrows.figures.codes import plane, space
from narrows.figures.curves import scree, terms, training
from narrows.figures.generation import lattice, sheet
from narrows.figures.loadings import loadings
from narrows.figures.maps import map_of
from narrows.figures.samples import (
    denoised,
    reconstruction_frames,
    reconstructions,
    save_gif,
    strip,
    to_gif,
)
from narrows.figures.theme import PALETTE, THEMES, Theme, ThemeName, to_png
from narrows.figures.ways import interpolations, traversals

__all__ = [
    "PALETTE",
    "THEMES",
    "Theme",
    "ThemeName",
    "denoised",
    "interpolations",
    "lattice",
    "loadings",
    "map_of",
    "plane",
    "reconstruction_frames",
    "reconstructions",
    "save_gif",
    "scree",
    "sheet",
    "space",
    "strip",
    "terms",
    "to_gif",
    "to_png",
    "training",
    "traversals",
]
