"""Data sets that travel inside the package."""

from narrows.sources.mnist import load_mnist

__all__ = ["load_mnist"]
