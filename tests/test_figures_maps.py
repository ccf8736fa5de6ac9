"""Maps: what stands where it should, nothing over anything else, odd codes and labels."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import gaussian_kde

from conftest import assert_apart_and_inside, pixels, texts, written
from narrows import figures
from narrows.errors import DataError, ParameterError
from narrows.figures.colouring import colouring
from narrows.figures.lettering import tick_text
from narrows.figures.maps import planes_of, round_length
from narrows.figures.relief import relief
from narrows.figures.spots import dense_spots
from narrows.figures.theme import PALETTE, THEMES

RNG = np.random.default_rng(0)
MIDDLES = np.array([[0.0, 0.0], [30.0, 0.0], [0.0, 30.0], [30.0, 30.0]])
KIND = RNG.integers(0, 4, 400)
CODES = MIDDLES[KIND] + RNG.normal(size=(400, 2))
IMAGES = RNG.random((400, 8, 8))
NAMES = np.array(["ant", "bee", "cat", "dog"])


def boxes(artists):
    return [artist.get_window_extent() for artist in artists]


def assert_apart(boxes):
    for a, b in combinations(boxes, 2):
        assert a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0


# What is drawn ---------------------------------------------------------------------------------


def test_names_stand_in_the_middle_of_their_class_and_the_key_counts():
    figure = figures.map_of(CODES, NAMES[KIND])
    written = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert set(written) == set(NAMES)
    for name, middle in zip(NAMES, MIDDLES, strict=True):
        assert np.abs(np.array(written[name]) - middle).max() < 2
    counts = dict(zip(*np.unique(NAMES[KIND], return_counts=True), strict=True))
    shown = texts(figure)
    for name, count in counts.items():
        assert shown[shown.index(name) :].index(f"{count:,}") > 0


def test_names_do_not_touch_and_stay_on_the_plane():
    # Ten classes in one heap, with long names.
    labels = [f"class {i % 10} with a long name" for i in range(400)]
    figure = figures.map_of(RNG.normal(size=(400, 2)), labels)
    pixels(figure, 100)
    plane = figure.axes[0].get_window_extent()
    found = boxes(figure.axes[0].texts)
    assert 3 <= len(found) <= 10
    assert_apart(found)
    for box in found:
        assert plane.x0 <= box.x0 and box.x1 <= plane.x1
        assert plane.y0 <= box.y0 and box.y1 <= plane.y1


@pytest.mark.parametrize("most", [5, 32])
def test_thumbnails_are_the_rows_at_their_place_framed_in_their_colour(most):
    figure = figures.map_of(CODES, KIND, pictures=IMAGES, bounds=(0, 1), thumbnails=most)
    pixels(figure, 100)
    axes = figure.axes[0]
    assert 4 <= len(axes.images) <= most
    assert_apart([*boxes(axes.images), *boxes(axes.texts)])
    for image, frame in zip(axes.images, axes.patches, strict=True):
        left, right, bottom, top = image.get_extent()
        middle = np.array([(left + right) / 2, (bottom + top) / 2])
        row = np.abs(CODES - middle).max(axis=1).argmin()
        inside = (np.abs(CODES - middle) <= [(right - left) / 2, (top - bottom) / 2]).all(axis=1)
        assert inside[row]
        shown = np.asarray(image.get_array())[..., 0]
        assert any(np.allclose(shown, IMAGES[i]) for i in np.flatnonzero(inside))
        colour = "#{:02x}{:02x}{:02x}".format(
            *np.rint(255 * np.array(frame.get_edgecolor()[:3])).astype(int)
        )
        assert colour == PALETTE[KIND[row]]
    found = {
        tuple(np.rint(np.mean(np.reshape(i.get_extent(), (2, 2)), axis=1) / 30))
        for i in axes.images
    }
    assert len(found) == 4  # every group is shown


def test_both_directions_have_one_scale_and_the_bar_counts_it():
    figure = figures.map_of(CODES * [1, 0.1], KIND)
    axes = figure.axes[0]
    box, (left, right), (bottom, top) = axes.get_window_extent(), axes.get_xlim(), axes.get_ylim()
    assert right - left == pytest.approx(top - bottom)
    assert box.width == pytest.approx(box.height)
    (bar,) = [line for line in figure.artists if len(line.get_xdata()) == 2]
    inches = np.ptp(bar.get_xdata())
    per_inch = (right - left) / (box.width / figure.dpi)
    assert inches * per_inch == pytest.approx(5)
    assert "5 units of the code" in texts(figure)


@pytest.mark.parametrize("length", [1e-7, 0.19, 0.2, 1, 4.9, 5, 99, 3e250])
def test_round_lengths(length):
    found = round_length(length)
    assert 0.4 * length <= found <= length * (1 + 1e-9)
    assert f"{found:.0e}"[0] in "125"
    assert float(f"{found:.0e}") == pytest.approx(found)


def test_three_numbers_make_three_planes_and_one_a_strip():
    Z = RNG.normal(size=(200, 3)) * [5, 2, 1]
    space, strip = figures.map_of(Z, KIND[:200]), figures.map_of(Z[:, :1])
    assert len(space.axes) == 3
    assert [text[-4:] for text in texts(space) if text.endswith("→")] == [
        *("z0 →", "z1 →", "z0 →", "z2 →", "z1 →", "z2 →"),
    ]
    for axes, pair in zip(space.axes, [[0, 1], [0, 2], [1, 2]], strict=True):
        places = np.asarray(axes.collections[-1].get_offsets())
        np.testing.assert_allclose(np.sort(places, axis=0), np.sort(Z[:, pair], axis=0))
    spans = {round(float(np.ptp(axes.get_xlim())), 9) for axes in space.axes}
    assert len(spans) == 1
    (axes,) = strip.axes
    places = np.asarray(axes.collections[-1].get_offsets())
    np.testing.assert_allclose(np.sort(places[:, 0]), np.sort(Z[:, 0]))
    assert axes.get_window_extent().height < axes.get_window_extent().width / 2


def test_a_strip_is_heaped_up_where_rows_lie_densely():
    Z = np.concatenate([RNG.normal(size=900), RNG.normal(20, 1, size=100)])[:, None]
    (plane,) = planes_of(Z)
    heights = plane.points[:, 1]
    assert (np.abs(plane.points) <= 1).all()
    assert heights[:900].max() > 0.6
    assert heights[900:].max() < -0.4


# Density ---------------------------------------------------------------------------------------


def test_relief_is_a_kernel_density_and_encloses_its_shares():
    points = np.concatenate([RNG.normal(0, 0.1, (600, 2)), RNG.normal(0.5, 0.05, (300, 2))])
    ours = relief(points)
    deviation = points.std(axis=0).max()
    bandwidth = 0.3 * deviation * len(points) ** (-1 / 6)
    kde = gaussian_kde(points.T)
    kde.set_bandwidth(kde.factor)
    kde.covariance = np.eye(2) * bandwidth**2
    distances = np.square(points[:, None] - points[None]).sum(axis=2)
    expected = np.exp(-distances / 2 / bandwidth**2).mean(axis=1)
    found = ours.at(points)
    assert np.corrcoef(found, expected)[0, 1] > 0.99
    for share, height in zip((0.9, 0.5), ours.above(points, (0.9, 0.5)), strict=True):
        assert np.mean(found >= height) == pytest.approx(share, abs=0.01)


def test_spots_are_far_apart_dense_first_and_leave_no_point_far_off():
    points, heights = RNG.uniform(-1, 1, (900, 2)), RNG.random(900)
    chosen = dense_spots(points, heights, most=20, apart=(0.05, 0.1))
    assert chosen[0] == heights.argmax()
    assert (np.diff(heights[chosen]) <= 0).all()
    assert 10 <= len(chosen) <= 20
    scaled = points / [0.05, 0.1]
    between = np.abs(scaled[chosen][:, None] - scaled[chosen]).max(axis=2)
    nearest = between[~np.eye(len(chosen), dtype=bool)].min()
    assert nearest >= 1
    assert np.abs(scaled[:, None] - scaled[chosen]).max(axis=2).min(axis=1).max() <= nearest
    # Where there is room for all, all are chosen.
    assert len(dense_spots(points[:9], heights[:9], most=20, apart=(1e-6, 1e-6))) == 9


# Labels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "given", "kind", "names"),
    [
        ([2, 10, 2, 10], {}, "classes", ("2", "10")),
        ([2.0, 10.0, np.nan, 2.0], {}, "classes", ("2", "10")),
        (["2", "10", "2", "2"], {}, "classes", ("2", "10")),
        (["k2", "k10", "k2", "k2"], {}, "classes", ("k2", "k10")),
        (["02", "10", "2", "2"], {}, "classes", ("02", "2", "10")),
        ([0.5, 1.5, 0.5, 2.5], {}, "numbers", ()),
        (["0.5", "1.5", "0.5", "nan"], {}, "numbers", ()),
        ([0.5, 1.5, 0.5, 2.5], {"labels_are": "classes"}, "classes", ("0.5", "1.5", "2.5")),
        ([1, 2, 3, 4], {"labels_are": "numbers"}, "numbers", ()),
        ([True, False, True, True], {}, "classes", ("False", "True")),
        (np.array([None, "x", 3, 3], dtype=object), {}, "classes", ("3", "None", "x")),
        ([0, 1, 0, 1], {"label_names": ["cat", "dog"]}, "classes", ("cat", "dog")),
        (None, {}, "nothing", ()),
    ],
)
def test_what_labels_are(labels, given, kind, names):
    found = colouring(labels, 4, **given)
    assert (found.kind, found.names) == (kind, names)
    assert found.known.sum() == (
        sum(found.counts) if kind == "classes" else 4 - ("nan" in str(labels))
    )


def test_more_than_twenty_whole_numbers_are_a_scale():
    assert colouring(np.arange(40) % 20, 40).kind == "classes"
    assert colouring(np.arange(40) % 21, 40).kind == "numbers"


def test_of_a_hundred_classes_the_most_frequent_have_colours():
    rare = [np.repeat(np.arange(100, 140.0), 3), [np.nan] * 7]
    labels = np.concatenate([*rare, np.repeat(np.arange(60), 5)])
    found = colouring(labels, len(labels), labels_are="classes")
    assert (found.names[0], found.names[-1], found.n_others) == ("0", "59", 40)
    assert np.flatnonzero(~found.known).tolist() == [*range(120, 127)]
    figure = figures.map_of(RNG.normal(size=(len(labels), 2)), labels, labels_are="classes")
    shown = texts(figure)
    assert "120" in shown[shown.index("+ 40") : shown.index("–")]
    assert "7" in shown[shown.index("–") :]


def test_numbers_have_a_scale_with_their_ends():
    values = np.linspace(-1500, 1500, 400)
    values[0] = np.nan
    figure = figures.map_of(CODES, values, labels_name="price")
    assert {"price", "1,500", "–  1"} <= set(texts(figure))
    colours = figure.axes[0].collections[-1].get_facecolors()
    assert len(np.unique(colours, axis=0)) > 100


@pytest.mark.parametrize(
    ("value", "span", "text"),
    [
        (1670.4, 3000, "1,670"),
        (0.25, 1, "0.25"),
        (-2.5, 10, "−2.5"),
        (0, 0, "0"),
        (3e9, 1, "3e9"),
    ],
)
def test_numbers_of_a_scale(value, span, text):
    assert tick_text(value, span) == text


# Odd inputs ------------------------------------------------------------------------------------

WIDE = np.array(["猫和狗" * 9, "$x^$", "_hidden", "a\nb"])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("codes", "labels", "images"),
    [
        (CODES[:3], NAMES[:3], IMAGES[:3]),
        (CODES[:1], None, IMAGES[:1]),
        (np.full((50, 2), 1e300), np.arange(50) % 3, None),
        (np.zeros((5, 1), int), None, None),
        (np.zeros((5, 3)), np.arange(5) / 2, IMAGES[:5, :3]),
        (CODES, np.zeros(400), RNG.random((400, 5, 9, 3))),
        (CODES, [f"class {i % 50} with a long name that goes on" for i in range(400)], None),
        (CODES, WIDE[KIND], RNG.random((400, 90, 30))),
        (CODES, np.full(400, np.nan), None),
    ],
)
def test_odd_codes_and_labels_draw(codes, labels, images, theme):
    figure = figures.map_of(codes, labels, pictures=images, title="猫 $x^$" + "W" * 90, theme=theme)
    drawn = pixels(figure, 60)
    paper = tuple(int(THEMES[theme].paper[i : i + 2], 16) for i in (1, 3, 5))
    assert tuple(drawn[0, 0]) == paper
    assert (drawn != paper).any()
    assert_apart_and_inside(figure, [*written(figure).values()])


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.map_of(CODES * 1e9, KIND, side=2.0, title="A title that goes on and on"),
        lambda: figures.map_of(CODES[:, :1], CODES[:, 1], side=2.5, labels_name="price"),
        lambda: figures.map_of(RNG.normal(size=(200_001, 2)), side=3.0, density=False),
        lambda: figures.map_of(np.c_[CODES, KIND], CODES[:, 0] * 1e12, side=2.0),
    ],
)
def test_texts_of_small_maps_do_not_touch(draw):
    figure = draw()
    assert_apart_and_inside(figure, [*written(figure).values()])


def test_a_map_of_tiny_codes_fills_its_plane():
    (plane,) = planes_of(CODES * 1e-200)
    assert np.abs(plane.points).max() == pytest.approx(1 / 1.08)


def test_the_same_map_gives_the_same_bytes():
    first, second = (figures.to_png(figures.map_of(CODES, KIND), 50) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("draw", "error", "said"),
    [
        (
            lambda: figures.map_of(np.ones((5, 4))),
            DataError,
            r"\(n, 1\) or \(n, 2\) or \(n, 3\).*got \(5, 4\)",
        ),
        (lambda: figures.map_of(np.ones((0, 2))), DataError, "at least one row"),
        (lambda: figures.map_of([[0, 0], [0, np.inf]]), DataError, "row 1"),
        (lambda: figures.map_of(CODES, KIND[:9]), DataError, r"\(400,\).*\(9,\)"),
        (lambda: figures.map_of(CODES, pictures=IMAGES[:9]), DataError, "400 of them; got 9"),
        (lambda: figures.map_of(CODES, thumbnails=-1), ParameterError, "an integer ≥ 0, got -1"),
        (lambda: figures.map_of(CODES, labels_are="x"), ParameterError, "got 'x'"),
        (lambda: figures.map_of(CODES[:2], ["a", "b"], labels_are="numbers"), DataError, "scale"),
    ],
)
def test_bad_maps_say_what_is_allowed(draw, error, said):
    with pytest.raises(error, match=said):
        draw()
