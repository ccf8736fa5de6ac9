"""The tour: both jobs of the tutorial on real digits, beside PCA, and new digits, on one page."""

from narrows.recipes.demo.tour import run_demo

__all__ = ["run_demo"]
