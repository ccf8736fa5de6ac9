"""Architectures: one file each, found by the name of the file."""

from narrows.networks.base import Autoencoding, Network, Widths, converted, is_finite
from narrows.networks.conv import Conv
from narrows.networks.linear_plus import CellPath, LinearPath, LinearPlus
from narrows.networks.mlp import MLP

__all__ = [
    "MLP",
    "Autoencoding",
    "CellPath",
    "Conv",
    "LinearPath",
    "LinearPlus",
    "Network",
    "Widths",
    "converted",
    "is_finite",
]
