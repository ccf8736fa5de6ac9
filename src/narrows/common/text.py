"""Numbers as plain text: counts, bytes, seconds."""

from __future__ import annotations

from rich.filesize import decimal


def count(n: int, noun: str) -> str:
    """Return a number with its noun: "1 row", "1,200 rows"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def in_bytes(size: float) -> str:
    """Return a number of bytes in units of 1,000: "640 bytes", "1.2 kB", "3.4 GB"."""
    return decimal(round(size))


def in_seconds(seconds: float) -> str:
    """Return a duration to two digits or so: "0.4 s", "12 s", "3 min", "2.5 h"."""
    if seconds < 10:
        return f"{max(seconds, 0.1):.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
