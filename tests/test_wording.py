"""Losses in words: terms of one unit together, the plain squared error apart."""

import pytest

from narrows import VAE, WAE, Reconstruction
from narrows.objectives.shared.terms import is_plain, term_words


@pytest.mark.parametrize(
    ("row", "units", "plain"),
    [
        ({"epoch": 1, "reconstruction": 0.1}, Reconstruction.units, True),
        ({"cross_entropy": 80.0}, Reconstruction.units, False),
        ({"reconstruction": 80.0, "kl": 20.0}, VAE.units, False),
        ({"reconstruction": 0.1, "mmd": 0.1}, WAE.units, False),
        ({}, Reconstruction.units, False),
    ],
)
def test_a_squared_error_alone_is_plain(row, units, plain):
    assert is_plain(row, units) == plain


def test_terms_of_one_unit_stand_together():
    row = {"epoch": 1, "reconstruction": 74.8151, "kl": 23.30765, "mmd": 0.00125}
    units = {"reconstruction": "nats", "mmd": "squares", "kl": "nats", "absent": "nats"}
    assert term_words(row, units) == "reconstruction 74.82, kl 23.31 nats; mmd 0.00125 squares"
