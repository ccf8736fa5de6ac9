"""Data sets that travel inside the package."""

from narrows.datasets.mnist_files import load_mnist

__all__ = ["load_mnist"]
