"""Pictures of codes: the plane and space, their classes and legends."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from conftest import assert_apart_and_inside, pixels, texts, written
from narrows import figures
from narrows.errors import DataError, ParameterError
from narrows.figures.theme import MARKERS, PALETTE, THEMES

RNG = np.random.default_rng(0)
CODES = RNG.normal(size=(60, 2))


def test_plane_draws_every_code_once_in_the_colour_of_its_class():
    labels = np.arange(60) % 3
    axes = figures.plane(CODES, labels).axes[0]
    drawn = np.concatenate([c.get_offsets() for c in axes.collections])
    colours = np.concatenate([c.get_facecolors() for c in axes.collections])
    assert len(drawn) == 60
    for point, colour in zip(drawn, colours, strict=True):
        row = np.flatnonzero((point == CODES).all(axis=1))[0]
        expected = [int(PALETTE[labels[row]][i : i + 2], 16) / 255 for i in (1, 3, 5)]
        np.testing.assert_allclose(colour[:3], expected)


def test_plane_gives_both_axes_one_scale_and_hides_no_point():
    codes = CODES * [100, 1]
    figure = figures.plane(codes, np.arange(60) % 3)
    axes = figure.axes[0]
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    assert x1 - x0 == pytest.approx(y1 - y0)
    box = axes.get_window_extent()
    assert box.width == pytest.approx(box.height)
    assert x0 < codes[:, 0].min() and codes[:, 0].max() < x1


@pytest.mark.parametrize(
    "names", [None, ["a long name that goes on and on"] * 50, ["猫" * 40] * 50]
)
@pytest.mark.parametrize("n_classes", [1, 23, 50])
def test_legend_names_every_class_beside_the_plane(names, n_classes):
    figure = figures.plane(CODES, np.arange(60) % n_classes, label_names=names)
    plane, seen = figure.axes[0].get_window_extent(), written(figure)
    assert len(texts(figure)) == n_classes
    assert all(seen[text].x0 > plane.x1 for text in figure.texts)
    assert_apart_and_inside(figure, [*seen.values()])


def test_fifty_classes_differ_in_colour_or_shape():
    looks = {(PALETTE[i % len(PALETTE)], MARKERS[i // len(PALETTE)]) for i in range(50)}
    assert len(looks) == 50
    figure = figures.plane(CODES, np.arange(60) % 50)
    assert len(figure.axes[0].collections) == 5  # one per shape


def test_a_hundred_classes_are_counted_in_the_legend():
    figure = figures.plane(RNG.normal(size=(300, 2)), np.arange(300) % 100)
    assert texts(figure)[-1] == "+ 40"


@pytest.mark.parametrize(
    ("labels", "names", "shown"),
    [
        ([0, 1, 0], ["cat", "dog"], ["cat", "dog"]),
        ([0, 7, 0], ["cat", "dog"], ["cat", "7"]),
        (["b", "a", "b"], {"a": "alpha"}, ["alpha", "b"]),
        ([-1, 0, 0], ["cat"], ["-1", "cat"]),
        (np.array([None, "x", 3], dtype=object), None, ["3", "None", "x"]),
        (["_hidden", "$x^$", "a\nb"], None, ["$x^$", "_hidden", "a b"]),
    ],
)
def test_names_of_classes(labels, names, shown):
    figure = figures.plane(CODES[:3], labels, label_names=names)
    assert texts(figure) == shown


@pytest.mark.parametrize("codes", [np.ones((1, 2)), np.full((9, 2), 1e300), np.zeros((5, 2), int)])
def test_constant_codes_draw(codes):
    assert pixels(figures.plane(codes)).size
    assert pixels(figures.plane(codes, np.zeros(len(codes)))).size


def test_rows_without_a_label_are_grey_and_the_legend_says_so():
    codes, labels = RNG.normal(size=(4, 3)), [np.nan, 1, np.nan, 2]
    muted = THEMES["light"].muted
    named = figures.space(codes, labels, label_names={1: "a long name"})
    for figure in (figures.plane(codes[:, :2], labels), named):
        assert texts(figure)[-1] == "–"
        colours = np.concatenate([c.get_facecolors() for c in figure.axes[0].collections])
        assert (np.abs(colours[:, :3] - to_rgb(muted)).max(axis=1) < 1e-6).sum() == 2
    drawn = figures.space(codes, labels).axes[0].texts
    assert [text.get_text() for text in drawn] == ["–", "1", "–", "2"]
    assert [text.get_color() for text in drawn] == [muted, PALETTE[0], muted, PALETTE[1]]


def test_classes_are_named_in_the_order_of_a_map():
    labels = [f"class {number}" for number in (10, 9, 2)] * 20
    names = texts(figures.plane(CODES, labels))
    assert names == ["class 2", "class 9", "class 10"]
    assert names == texts(figures.map_of(CODES, labels))[-6::2]


def test_unlabelled_plane_has_no_legend():
    assert not texts(figures.plane(CODES))
    assert not texts(figures.plane(CODES, np.arange(60), legend=False))


@pytest.mark.parametrize(
    ("codes", "labels", "said"),
    [
        (np.ones((5, 3)), None, r"\(n, 2\).*\(5, 3\)"),
        (np.ones(5), None, r"\(5,\)"),
        (np.ones((0, 2)), None, "at least one row"),
        ([[0, 0], [0, np.nan]], None, "row 1"),
        (np.ones((5, 2)), np.ones(4), r"\(5,\).*\(4,\)"),
        (np.ones((5, 2)), np.ones((5, 1)), r"\(5, 1\)"),
    ],
)
def test_bad_codes_say_what_is_allowed(codes, labels, said):
    with pytest.raises(DataError, match=said):
        figures.plane(codes, labels)


def test_space_writes_each_code_as_its_label():
    codes, labels = RNG.normal(size=(250, 3)), np.arange(250) % 10
    axes = figures.space(codes, labels).axes[0]
    assert [text.get_text() for text in axes.texts] == [str(label) for label in labels[:200]]
    assert pixels(figures.space(np.ones((3, 3)), ["_a", "数", "$"])).size
    with pytest.raises(DataError, match=r"space draws codes of shape \(n, 3\)"):
        figures.space(CODES, np.zeros(60))
    with pytest.raises(ParameterError, match="`limit` of space must be an integer ≥ 1, got 0"):
        figures.space(codes, labels, limit=0)
    with pytest.raises(DataError, match=r"\(250,\); got an array of shape \(240,\)"):
        figures.space(codes, labels[:240])


def test_space_names_no_class_that_the_limit_left_out():
    names = {0: "the first one", 1: "the last one"}
    labels = np.repeat([0, 1], 50)
    figure = figures.space(RNG.normal(size=(100, 3)), labels, label_names=names, limit=50)
    assert texts(figure) == ["the first one"]
