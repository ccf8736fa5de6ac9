"""Architectures: one file each, which `narrows.model.parts` finds."""

from narrows.networks.autoencoding import Autoencoding, converted, is_finite, on_cpu
from narrows.networks.base import Network, Widths
from narrows.networks.conv import Conv
from narrows.networks.linear_plus import Axes, CellPath, LinearPath, LinearPlus, OnAxes
from narrows.networks.mlp import MLP

__all__ = [
    "MLP",
    "Autoencoding",
    "Axes",
    "CellPath",
    "Conv",
    "LinearPath",
    "LinearPlus",
    "Network",
    "OnAxes",
    "Widths",
    "converted",
    "is_finite",
    "on_cpu",
]
