"""Limits, and the one checker that words a complaint."""

from __future__ import annotations

import dataclasses
import fractions

import numpy as np
import pytest

from narrows import Autoencoder
from narrows.common.limits import (
    boolean,
    check,
    check_part,
    get_params,
    integer,
    interval,
    nothing,
    one_of,
    parameter,
    plain,
    real,
    replaced,
    widths,
)
from narrows.errors import ParameterError

INF, NAN = float("inf"), float("nan")

LIMITS = [
    (boolean(), [True, False, np.True_, np.bool_(False)], [0, 1, "True", None]),
    (
        integer(1),
        [1, 5, np.int64(3), np.uint8(1), 10**30],
        [0, -1, 1.0, "1", True, np.True_, None, NAN],
    ),
    (
        real(0),
        [0, 0.5, 3, np.float32(2), fractions.Fraction(1, 2)],
        [-1e-9, INF, NAN, "1", True, 1j],
    ),
    (real(0, 1), [0, 0.999], [1, 1.0, -0.1]),
    (real(0, low_open=True), [1e-300], [0, 0.0]),
    (one_of("cat", "dog"), ["cat", "dog"], ["cow", "", None, 1, ["cat"]]),
    (nothing(), [None], [0, False, "", ()]),
    (
        widths(),
        [(), [5], (5, np.int64(3)), np.array([5, 3])],
        [5, (0,), (1.0,), "55", None, (True,), np.array([0, 3]), np.array([[5]]), np.ones(2)],
    ),
    (
        interval(),
        [(0, 1), [-1.5, np.float64(2)], np.array([0, 255]), np.array([-1.5, 1])],
        [
            np.array([1, 1]),
            np.array([[0, 1]]),
            np.array([True, False]),
            (1, 1),
            (1, 0),
            (0, INF),
            (0,),
            3,
            (NAN, 1),
            "01",
        ],
    ),
    (integer(1) | nothing() | one_of("auto"), [3, None, "auto"], [0, "all", 1.5]),
]


@pytest.mark.parametrize(("limit", "allowed", "refused"), LIMITS, ids=[x[0].words for x in LIMITS])
def test_what_a_limit_allows(limit, allowed, refused):
    assert [value for value in allowed if not limit.allows(value)] == []
    assert [value for value in refused if limit.allows(value)] == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.True_, True),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.str_("best"), "best"),
        (np.array([5, 3]), (5, 3)),
        ((0, 1), (0, 1)),
        (None, None),
    ],
)
def test_plain_values_are_of_pythons_own_types(given, expected):
    found = plain(given)
    assert (type(found), found) == (type(expected), expected)


def test_a_complaint_says_name_owner_limit_and_value():
    with pytest.raises(ParameterError) as caught:
        check("VAE", {"beta": -1}, {"beta": real(0)})
    assert str(caught.value) == "`beta` of VAE must be a number ≥ 0, got -1."


def test_alternatives_are_listed_and_the_near_miss_named():
    with pytest.raises(ParameterError) as caught:
        check("Tree", {"kind": "oka"}, {"kind": one_of("oak", "ash") | nothing()})
    assert str(caught.value) == (
        "`kind` of Tree must be 'oak' or 'ash', or None, got 'oka'. Did you mean 'oak'?"
    )


def test_everything_is_reported_at_once():
    limits = {"a": integer(1), "b": nothing(), "c": real(0)}
    with pytest.raises(ParameterError) as caught:
        check("It", {"a": 0, "b": 3, "c": 1.0}, limits)
    said = str(caught.value)
    assert "`a` of It" in said
    assert "`b` of It" in said
    assert "`c`" not in said


@dataclasses.dataclass(frozen=True)
class Knob:
    get_params = get_params

    size: int = parameter(3, integer(1), "size, millimetres")
    colour: str = parameter("red", one_of("red", "blue"), "of the cap")


def test_fields_are_the_parameters():
    assert Knob(size=4).get_params() == {"size": 4, "colour": "red"}
    assert Knob(size=4).get_params(deep=False) == Knob(size=4).get_params()
    check_part(Knob())
    with pytest.raises(ParameterError, match="`size` of Knob must be an integer ≥ 1, got 0"):
        check_part(Knob(size=0))


def test_replaced_is_a_changed_copy():
    knob = Knob()
    assert replaced(knob, {"colour": "blue"}) == Knob(colour="blue")
    assert knob == Knob()
    with pytest.raises(
        ParameterError, match=r"Knob has no parameter 'color'.*Did you mean 'colour'"
    ):
        replaced(knob, {"color": "blue"})


def test_a_whole_number_beyond_all_floats_is_refused_with_words():
    with pytest.raises(ParameterError, match="`learning_rate` of Autoencoder must be"):
        Autoencoder(learning_rate=10**400).fit(np.eye(4))
