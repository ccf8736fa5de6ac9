"""Numbers of things in words."""

from __future__ import annotations


def count(n: int, noun: str) -> str:
    """Return a number with its noun: "1 row", "1,200 rows"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
