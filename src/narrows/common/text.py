"""Numbers as plain text: counts, bytes, seconds, errors; and long texts cut short."""

from __future__ import annotations

from math import isfinite

from rich.filesize import decimal


def count(n: int, noun: str) -> str:
    """Return a number with its noun: "1 row", "1,200 rows"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def in_bytes(size: float) -> str:
    """Return a number of bytes in units of 1,000: "640 bytes", "1.2 kB", "3.4 GB"."""
    return decimal(round(size))


def in_seconds(seconds: float) -> str:
    """Return a duration to two digits or so: "0.4 s", "12 s", "3 min", "2.5 h"; "–" for NaN."""
    if not isfinite(seconds):
        return "–"
    if seconds < 10:
        return f"{max(seconds, 0.1):.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def four_digits(value: float) -> str:
    """Return four digits, zeros at the end too, so that numbers below each other compare."""
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e8 else f"{value:#.4g}".rstrip(".")


def error_text(value: float) -> str:
    """Return an error with four decimals, or two digits where it is smaller; "–" for NaN."""
    if not isfinite(value):
        return "–"
    return f"{value:.4f}" if value >= 0.0005 or value == 0 else f"{value:.1e}"


def ratio_text(value: float, reference: float) -> str:
    """Return ``value / reference`` with a times sign; "–" where there is none."""
    known = isfinite(value) and isfinite(reference) and reference > 0
    return f"{value / reference:.2f} ×" if known else "–"


def shortened(words: str, most: int = 200) -> str:
    """Return a text as it is, or its beginning and how long it is."""
    return words if len(words) <= most else f"{words[:most]}… ({count(len(words), 'character')})"
