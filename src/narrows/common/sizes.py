"""How many rows count as few, and as many."""

FEW_ROWS, MANY_ROWS = 1_000, 10_000
"""Rows below which data counts as scarce, and from which as plentiful, wherever defaults differ."""
