"""Kinds of data that training reads: one file each."""

from narrows.sources.array import ArraySource, ScaledRows, held_out_rows

__all__ = ["ArraySource", "ScaledRows", "held_out_rows"]
