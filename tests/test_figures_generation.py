"""Pictures of what a model makes: every sample in its place, labels that say which, odd input."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import rcParams
from scipy.stats import norm

from conftest import assert_apart_and_inside, pixels, written
from narrows import Autoencoder, figures
from narrows.errors import DataError, ParameterError
from narrows.figures.theme import THEMES

RNG = np.random.default_rng(0)
SAMPLES = RNG.random((24, 6, 6))
GRID = np.stack(np.meshgrid([-1.0, 0.0, 2.0], [-5.0, 5.0]), axis=-1).reshape(-1, 2)
"""Six codes: three first numbers with two second ones."""
STRIPS = [RNG.random((5, 6, 6)) for _ in range(3)]
HISTORY = [
    {"epoch": epoch, "reconstruction": 90.0 / epoch, "kl": 5.0 * epoch, "mmd": 0.1}
    for epoch in range(1, 5)
]
NATS = {"reconstruction": "nats per row", "kl": "nats per row"}


def sheet_of(figure):
    """Return the picture that a figure lays out, (height, width, 3)."""
    return np.asarray(figure.axes[0].images[0].get_array())


def cell(figure, row, column, gap=1, extra=0, height=6, width=6):
    """Return a picture of the sheet; ``extra`` is what a break adds before the column."""
    y, x = row * (height + gap), column * (width + gap) + extra
    return sheet_of(figure)[y : y + height, x : x + width, 0]


def shares(X):
    """Bring samples to [0, 1] by their own extremes."""
    return (X - X.min()) / (X.max() - X.min())


def texts(figure):
    return [text.get_text() for text in figure.texts if text.get_visible()]


EVERY_FIGURE = {
    "sheet": lambda theme: figures.sheet(SAMPLES, theme=theme),
    "lattice": lambda theme: figures.lattice(SAMPLES[:6], GRID, theme=theme),
    "interpolations": lambda theme: figures.interpolations(STRIPS, theme=theme),
    "traversals": lambda theme: figures.traversals({0: STRIPS[0], 7: STRIPS[1]}, theme=theme),
    "denoised": lambda theme: figures.denoised(SAMPLES, SAMPLES, SAMPLES, theme=theme),
    "terms": lambda theme: figures.terms(HISTORY, NATS, theme=theme),
}


@pytest.mark.parametrize("name", EVERY_FIGURE)
def test_each_picture_has_the_paper_of_its_theme_and_changes_no_setting(name):
    before = dict(rcParams)
    for theme in ("light", "dark"):
        figure = EVERY_FIGURE[name](theme)
        paper = "#{:02x}{:02x}{:02x}".format(*pixels(figure)[0, 0])
        assert paper == THEMES[theme].paper
        assert figures.to_png(figure, 50) == figures.to_png(EVERY_FIGURE[name](theme), 50)
    assert dict(rcParams) == before


@pytest.mark.parametrize("name", EVERY_FIGURE)
def test_no_text_is_cut_off_or_lies_on_another(name):
    figure = EVERY_FIGURE[name]("light")
    assert_apart_and_inside(figure, [*written(figure).values()])


# Sheet of samples ------------------------------------------------------------------------------


def test_samples_stand_row_by_row_and_the_last_row_may_be_short():
    figure = figures.sheet(SAMPLES[:7], columns=3)
    expected = shares(SAMPLES[:7])
    for number in range(7):
        np.testing.assert_allclose(cell(figure, number // 3, number % 3), expected[number])
    assert (cell(figure, 2, 1) == 1).all(), "no sample, and yet no paper"


@pytest.mark.parametrize(
    ("n", "shape", "columns"), [(100, (6, 6), 10), (1, (6, 6), 1), (3, (6, 6), 2), (8, (3, 6), 2)]
)
def test_a_sheet_is_about_square(n, shape, columns):
    figure = figures.sheet(RNG.random((n, *shape)))
    assert sheet_of(figure).shape[1] == columns * (shape[1] + 1) - 1


def test_a_sheet_of_thousands_stays_small_enough_to_draw():
    figure = figures.sheet(np.zeros((5000, 4, 4)))
    assert max(figure.get_size_inches()) < 16
    assert pixels(figure, 20).size


def test_rows_of_a_sheet_are_named():
    figure = figures.sheet(SAMPLES, columns=12, row_labels=["数字 0", "a name that goes on and on"])
    assert len(texts(figure)) == 2
    assert texts(figure)[1] == "a name that goes on and…"
    with pytest.raises(DataError, match="24 samples in 12 columns make 2 rows, but 3 labels"):
        figures.sheet(SAMPLES, columns=12, row_labels=["a", "b", "c"])


def test_bounds_set_black_and_white():
    figure = figures.sheet(np.full((1, 4, 4), 0.5), bounds=(0, 2))
    np.testing.assert_allclose(sheet_of(figure), 0.25)


# Plane of decoded codes ------------------------------------------------------------------------


def test_first_numbers_grow_to_the_right_and_second_ones_upwards():
    order = RNG.permutation(6)
    figure = figures.lattice(SAMPLES[:6][order], GRID[order])
    expected = shares(SAMPLES[:6])
    for number, (first, second) in enumerate(GRID):
        row, column = (0 if second > 0 else 1), [-1, 0, 2].index(first)
        found = cell(figure, row, column, gap=0)
        np.testing.assert_allclose(found, expected[number])
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["−1", "0", "2"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["5", "−5"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("latent dimension z0", "latent dimension z1")
    # Ticks stand in the middle of pictures of 6 × 6 pixels.
    assert list(axes.get_xticks()) == [2.5, 8.5, 14.5]


def test_a_lattice_of_flat_colour_pictures_with_long_numbers():
    figure = figures.lattice(
        RNG.random((6, 60)), GRID * 123456789, sample_shape=(4, 5, 3), labels=("$x^", "很长的名字")
    )
    assert sheet_of(figure).shape == (2 * 4, 3 * 5, 3)
    pixels(figure, 100)
    labels = figure.axes[0].get_yticklabels()
    assert all(label.get_window_extent().x0 >= 0 for label in labels)


@pytest.mark.parametrize(
    ("X", "Z", "said"),
    [
        (SAMPLES[:6], GRID[:5], r"\(6, 2\); got \(5, 2\)"),
        (SAMPLES[:6], np.ones((6, 3)), r"got \(6, 3\)"),
        (SAMPLES[:6], GRID * RNG.random((6, 1)), "every first number"),
        (SAMPLES[:4], [[0, 0], [0, 1], [1, 0], [1, 0]], "every first number"),
        (np.ones((6, 30)), GRID, "sample_shape"),
    ],
)
def test_what_is_no_lattice_is_named(X, Z, said):
    with pytest.raises(DataError, match=said):
        figures.lattice(X, Z)


def fitted(n_components=2, **changes):
    X = np.random.default_rng(1).normal(size=(90, 4)) * [5, 3, 1, 1] + 7
    params = {"max_steps": 3, "validation_fraction": 0.2, "random_state": 0, **changes}
    return Autoencoder(n_components, **params).fit(X), X


def test_a_lattice_lies_at_quantiles_of_the_codes():
    ae, X = fitted()
    Z = ae.model_.lattice(5)
    codes = ae.transform(X)
    mean, deviations = codes.mean(axis=0), codes.std(axis=0, ddof=1)
    for axis in (0, 1):
        values = np.unique(Z[:, axis])
        expected = norm.ppf([0.1, 0.3, 0.5, 0.7, 0.9], mean[axis], deviations[axis])
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-6)
    assert figures.lattice(ae.inverse_transform(Z), Z).axes


def test_a_lattice_of_a_model_with_a_prior_lies_at_its_quantiles():
    ae, _ = fitted(objective="vae")
    values = np.unique(ae.model_.lattice(3)[:, 0])
    np.testing.assert_allclose(values, norm.ppf([1 / 6, 1 / 2, 5 / 6]), atol=1e-6)


def test_a_lattice_needs_two_numbers_and_two_steps():
    with pytest.raises(ParameterError, match=r"of this model has 3.*use traverse"):
        fitted(3)[0].model_.lattice()
    with pytest.raises(ParameterError, match="`steps` of lattice must be an integer ≥ 2, got 1"):
        fitted()[0].model_.lattice(1)


# Ways between codes ----------------------------------------------------------------------------


def test_strips_stand_between_their_ends():
    ends = (SAMPLES[:3], SAMPLES[3:6])
    figure = figures.interpolations(STRIPS, ends=ends, bounds=(0, 1))
    wider = round(0.4 * 6) - 1  # what a break adds to the usual gap of one pixel
    for row in range(3):
        np.testing.assert_allclose(cell(figure, row, 0), ends[0][row])
        np.testing.assert_allclose(cell(figure, row, 6, extra=2 * wider), ends[1][row])
        for step in range(5):
            found = cell(figure, row, step + 1, extra=wider)
            np.testing.assert_allclose(found, STRIPS[row][step])
    assert texts(figure) == ["a", "0", "0.25", "0.5", "0.75", "1", "b"]


def test_strips_alone_name_their_ends_and_rows():
    figure = figures.interpolations(STRIPS, row_labels=["0–1", "δ", "c"], end_labels=("x", "y"))
    assert texts(figure) == ["0–1", "δ", "c", "x", "0.25", "0.5", "0.75", "y"]


def test_columns_too_narrow_for_their_names_are_thinned_out():
    figure = figures.interpolations([np.zeros((9, 40, 4))])
    pixels(figure, 100)
    shown = texts(figure)
    assert shown[0] == "a" and len(shown) < 9
    boxes = [text.get_window_extent() for text in figure.texts if text.get_visible()]
    assert all(boxes[i].x1 < boxes[i + 1].x0 for i in range(len(boxes) - 1))


def test_traversals_are_named_by_dimension_and_deviations():
    strips = {4: STRIPS[0], 0: STRIPS[1]}
    figure = figures.traversals(strips, span=2.0, bounds=(0, 1))
    assert texts(figure) == ["z4", "z0", "−2σ", "−1σ", "0", "+1σ", "+2σ"]
    for row, strip in enumerate(strips.values()):
        for step in range(5):
            np.testing.assert_allclose(cell(figure, row, step), strip[step])


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: figures.sheet(np.ones((2, 30))), "sample_shape"),
        (lambda: figures.sheet(np.ones((0, 4))), r"\(0, 4\)"),
        (lambda: figures.sheet(SAMPLES, columns=0), "at least 1, got 0"),
        (lambda: figures.interpolations([]), "interpolations needs at least one strip"),
        (lambda: figures.traversals({}), "traversals needs at least one strip"),
        (lambda: figures.interpolations([np.ones((5, 4)), np.ones((4, 4))]), r"strip 1 has \(4, 4"),
        (lambda: figures.interpolations([np.ones((5, 3))]), "not a square picture"),
        (lambda: figures.interpolations(STRIPS, row_labels=["a"]), "1 labels for 3 rows"),
        (
            lambda: figures.interpolations(STRIPS, ends=(SAMPLES[:2], SAMPLES[:3])),
            r"one sample of 36 values for each of 3 strips; got an array of shape \(2, 6, 6\)",
        ),
        (lambda: figures.denoised(SAMPLES, SAMPLES[:2], SAMPLES), "'denoised' has shape"),
        (lambda: figures.denoised(np.ones((2, 30)), *[np.ones((2, 30))] * 2), "sample_shape"),
        (lambda: figures.terms([], NATS), "at least one epoch.*reconstruction, kl; got 0 epochs"),
        (lambda: figures.terms(HISTORY, {"l1": "squares"}), "terms l1; got 4 epochs with epoch"),
    ],
)
def test_bad_input_says_what_is_allowed(draw, said):
    with pytest.raises(DataError, match=said) as caught:
        draw()
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (5, 9, 1), (5, 9, 3), (5, 9, 4), (1, 64)])
def test_every_shape_of_picture_draws(shape):
    X = RNG.random((6, *shape))
    for figure in (
        figures.sheet(X),
        figures.lattice(X, GRID),
        figures.interpolations([X, X], ends=(X[:2], X[2:4])),
        figures.traversals({0: X}),
        figures.denoised(X, {"narrows": X, "PCA": X}, X),
    ):
        assert pixels(figure, 30).size


# Noise -----------------------------------------------------------------------------------------


def test_noise_stands_above_and_the_clean_samples_set_the_scale():
    clean = np.linspace(0, 1, 2 * 36).reshape(2, 36)
    noisy = clean + np.where(np.arange(36) % 2, 3.0, -3.0)
    figure = figures.denoised(noisy, [("ours", clean / 2), ("PCA", clean)], clean)
    assert texts(figure) == ["noisy", "ours", "PCA", "clean"]
    np.testing.assert_allclose(cell(figure, 0, 0).ravel(), np.arange(36) % 2)
    np.testing.assert_allclose(cell(figure, 1, 1).ravel(), clean[1] / 2)
    np.testing.assert_allclose(cell(figure, 3, 1).ravel(), clean[1])
    named = figures.denoised(noisy, clean, clean, labels=("有噪声", "去噪后", "原图"), columns=1)
    assert len(texts(named)) == 3


# Terms of a loss -------------------------------------------------------------------------------


def test_terms_of_one_unit_share_a_panel():
    figure = figures.terms(HISTORY, NATS)
    (axes,) = figure.axes
    assert axes.get_ylabel() == "term of the loss\n(nats per row)"
    drawn = {tuple(line.get_ydata()) for line in axes.lines}
    assert drawn == {(90.0, 45.0, 30.0, 22.5), (5.0, 10.0, 15.0, 20.0)}
    assert texts(figure) == ["kl", "reconstruction"]


def test_terms_of_different_units_have_panels_and_colours_of_their_own():
    figure = figures.terms(HISTORY, {**NATS, "mmd": "squares", "absent": "squares"})
    assert [axes.get_ylabel().split("\n")[1] for axes in figure.axes] == [
        "(nats per row)",
        "(squares)",
    ]
    colours = [line.get_color() for axes in figure.axes for line in axes.lines]
    assert len(set(colours)) == 3
    upper, lower = (axes.get_position() for axes in figure.axes)
    assert upper.y0 > lower.y1


def test_one_epoch_and_missing_values_draw():
    assert pixels(figures.terms(HISTORY[:1], NATS)).size
    assert pixels(figures.terms([{"epoch": 1, "kl": np.nan}], NATS)).size
