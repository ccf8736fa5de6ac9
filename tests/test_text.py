"""Numbers as plain text."""

import pytest

from narrows.common.text import (
    count,
    error_text,
    four_digits,
    in_bytes,
    in_seconds,
    ratio_text,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (count(1, "row"), "1 row"),
        (count(1200, "row"), "1,200 rows"),
        (in_bytes(640), "640 bytes"),
        (in_bytes(1234.4), "1.2 kB"),
        (in_bytes(3.4e9), "3.4 GB"),
        (in_seconds(0.001), "0.1 s"),
        (in_seconds(2.34), "2.3 s"),
        (in_seconds(45.2), "45 s"),
        (in_seconds(200), "3 min"),
        (in_seconds(9000), "2.5 h"),
        (in_seconds(float("nan")), "–"),
        (four_digits(0.05), "0.05000"),
        (four_digits(1234.0), "1234"),
        (four_digits(123456.7), "123,457"),
        (error_text(0.01234), "0.0123"),
        (error_text(0.000123), "1.2e-04"),
        (error_text(float("nan")), "–"),
        (ratio_text(1.0, 4.0), "0.25 ×"),
        (ratio_text(1.0, 0.0), "–"),
    ],
)
def test_numbers_are_short_and_have_units(text, expected):
    assert text == expected
