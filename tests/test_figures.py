"""Pictures: odd inputs draw without a warning, bad ones say what is allowed."""

from __future__ import annotations

import io
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib import font_manager, get_data_path, rcParams
from PIL import Image

from conftest import assert_apart_and_inside, pixels, texts, written
from narrows import figures
from narrows.errors import DataError, ParameterError
from narrows.figures import lettering as lettering_module
from narrows.figures.lettering import lettering, shorten
from narrows.figures.theme import MARKER_SIGNS, MARKERS, PALETTE, THEMES
from narrows.model.size_curve import size_curve

RNG = np.random.default_rng(0)
IMAGES = RNG.random((12, 28, 28))
CODES = RNG.normal(size=(60, 2))


def colours_in(figure, dpi=50):
    """Return the colours that cover at least ten pixels, as `#rrggbb`."""
    red, green, blue = pixels(figure, dpi).astype(int).reshape(-1, 3).T
    values, counts = np.unique(65536 * red + 256 * green + blue, return_counts=True)
    return {f"#{value:06x}" for value in values[counts >= 10]}


EVERY_FIGURE = {
    "reconstructions": lambda theme: figures.reconstructions(IMAGES, IMAGES**2, theme=theme),
    "strip": lambda theme: figures.strip(IMAGES, theme=theme),
    "plane": lambda theme: figures.plane(CODES, np.arange(60) % 10, theme=theme),
    "space": lambda theme: figures.space(IMAGES[:, 0, :3], np.arange(12), theme=theme),
    "scree": lambda theme: figures.scree([2, 32], {"PCA": [0.05, 0.01]}, theme=theme),
    "training": lambda theme: figures.training(
        {"narrows": ([1, 2], [0.05, 0.01])}, pca_error=0.02, theme=theme
    ),
}


@pytest.mark.parametrize("name", EVERY_FIGURE)
def test_each_picture_has_the_paper_of_its_theme(name):
    for theme in ("light", "dark"):
        assert THEMES[theme].paper in colours_in(EVERY_FIGURE[name](theme))


@pytest.mark.parametrize("name", EVERY_FIGURE)
def test_the_same_figure_gives_the_same_bytes_and_no_global_setting_changes(name):
    before = dict(rcParams)
    first, second = (figures.to_png(EVERY_FIGURE[name]("light"), 50) for _ in range(2))
    assert first == second
    assert dict(rcParams) == before


SIZES = [2, 3, 8, 16, 32]
FALLING = np.array([0.055, 0.045, 0.03, 0.02, 0.012])
BLOBS = RNG.normal(size=(10, 2))[np.arange(300) % 10] * 5 + RNG.normal(size=(300, 2))
LONG = [f"a name that goes on and on, number {i}" for i in range(100)]
ODD_FIGURES = {
    "plane of large codes": lambda: figures.plane(BLOBS * 1e9 + 1e12, title="large"),
    "plane of codes of one offset": lambda: figures.plane(BLOBS * 1e-3 + 1e4),
    "plane of five digits": lambda: figures.plane(BLOBS * 1234, side=2.9),
    "small plane": lambda: figures.plane(
        BLOBS, np.arange(300) % 30, side=2.0, label_names=LONG, title=LONG[0] * 3
    ),
    "one code": lambda: figures.plane(np.ones((1, 2)), [3]),
    "scree": lambda: figures.scree(SIZES, {"PCA": FALLING, "narrows": FALLING / 2}),
    "scree of equal errors": lambda: figures.scree(SIZES, {"PCA": FALLING, "narrows": FALLING}),
    "scree of constant errors": lambda: figures.scree([2, 4, 8], {"a": [0.3] * 3, "b": [0.3] * 3}),
    "scree of one size": lambda: figures.scree([2], {"narrows": [0.3], "PCA": [0.4]}),
    "scree up and down": lambda: figures.scree(SIZES, {"a": np.array([4, 3, 2, 3, 2]) * 1e7}),
    "scree of tiny errors": lambda: figures.scree(SIZES, {"PCA": FALLING * 1e-9, "a": [1e-12] * 5}),
    "scree of many decades": lambda: figures.scree(SIZES, {"a": [1e3, 1, 1e-3, 1e-6, 1e-12]}),
    "scree of close sizes": lambda: figures.scree([1000, 1001, 1002, 99999], {"a": [4, 3, 2, 1]}),
    "scree of marks": lambda: figures.scree(
        range(1, 129), {"a": 1 / np.arange(1, 129)}, marks={"a": 128}
    ),
    "training": lambda: figures.training(
        {"narrows": ([1, 2, 60], [9, 8, 1]), LONG[0]: ([1, 30], [9, 4])}, pca_error=4
    ),
    "thirty trainings": lambda: figures.training({n: ([1, 2], [2, 1]) for n in LONG[:30]}),
    "many row names": lambda: figures.sheet(
        np.zeros((400, 2, 100)), columns=10, row_labels=LONG[:40]
    ),
    "tall lattice": lambda: figures.lattice(
        np.zeros((4, 40, 2)), [[-1e6, 0], [1e6, 0], [-1e6, 1], [1e6, 1]]
    ),
}


@pytest.mark.parametrize("name", ODD_FIGURES)
def test_no_text_is_cut_off_or_lies_on_another(name):
    figure = ODD_FIGURES[name]()
    assert_apart_and_inside(figure, [*written(figure).values()])


@pytest.mark.parametrize("scale", [1, 1e9, 1e-9])
def test_every_axis_of_a_space_is_named_and_its_numbers_do_not_touch(scale):
    figure = figures.space(IMAGES[:, 0, :3] * scale, np.arange(12))
    (axes,) = figure.axes
    seen = written(figure)
    for number, axis in enumerate((axes.xaxis, axes.yaxis, axes.zaxis)):
        assert axis.label.get_text().startswith(f"latent dimension z{number}")
        assert ("×1e" in axis.label.get_text()) == (scale != 1)
    names = {axis.label for axis in (axes.xaxis, axes.yaxis, axes.zaxis)}
    assert_apart_and_inside(figure, [seen[name] for name in names])
    numbers = [box for text, box in seen.items() if text not in {*axes.texts, *names}]
    assert len(numbers) >= 6
    assert_apart_and_inside(figure, numbers)


def test_axes_of_errors_say_what_is_measured_and_in_which_unit():
    draw = {
        "latent dimensions": lambda **given: figures.scree(SIZES, {"PCA": FALLING}, **given),
        "epoch": lambda **given: figures.training({"PCA": (SIZES, FALLING)}, **given),
    }
    error = "mean squared error on held-out rows"
    for x_label, figure in draw.items():
        for given, unit in (
            ({}, "\n(squared data units)"),
            ({"unit": ""}, ""),
            ({"unit": "squared deviations"}, "\n(squared deviations)"),
        ):
            axes = figure(**given).axes[0]
            assert (axes.get_xlabel(), axes.get_ylabel()) == (x_label, error + unit)


def test_names_of_axes_are_wrapped_by_the_columns_of_their_characters():
    for letter in "a误":
        figure = figures.scree([2, 3], {"PCA": [0.2, 0.1]}, x_label=letter * 60, unit="")
        first, *_ = figure.axes[0].get_xlabel().split("\n")
        shown = first[0]  # a box, where no font of this machine has the character
        columns = 2 if unicodedata.east_asian_width(shown) == "W" else 1
        assert 40 <= columns * len(first) <= 52


@pytest.mark.parametrize("n", [2, 3])
def test_every_curve_of_several_equal_ones_is_seen(n):
    names = ["narrows", "PCA", "other"][:n]
    figures_drawn = [
        figures.scree(SIZES, dict.fromkeys(names, FALLING)),
        figures.training(dict.fromkeys(names, (range(100), np.full(100, 0.5)))),
        figures.training({"narrows": (range(100), np.full(100, 0.5))}, pca_error=0.5),
    ]
    for figure in figures_drawn:
        drawn, box = pixels(figure, 100), figure.axes[0].bbox
        height = len(drawn)
        inside = drawn[int(height - box.y1) : int(height - box.y0), int(box.x0) : int(box.x1)]
        for colour in {line.get_color() for line in figure.axes[0].lines}:
            rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
            assert (np.abs(inside.astype(int) - rgb).max(axis=2) < 30).sum() > 60


def test_long_names_in_space_stand_in_a_key():
    figure = figures.space(IMAGES[:, 0, :3], np.arange(12), label_names=LONG)
    assert not figure.axes[0].texts
    assert len(texts(figure)) == 12
    seen = written(figure)
    key = [seen[text] for text in figure.texts]
    assert_apart_and_inside(figure, [*key, seen[figure.axes[0].zaxis.label]])


@pytest.mark.parametrize("scale", [1e-9, 1, 1e9])
def test_limits_follow_the_codes_whatever_their_size(scale):
    axes = figures.plane(BLOBS * scale).axes[0]
    assert np.ptp(axes.get_xlim()) < 1.1 * scale * np.ptp(BLOBS, axis=0).max()
    constant = figures.plane(np.full((3, 2), 5.0 * scale)).axes[0].get_xlim()
    assert 0 >= constant[0] > -scale and 10 * scale < constant[1] < 11 * scale


def test_shapes_of_the_page_and_of_the_pictures_are_as_many():
    assert len(MARKER_SIGNS) == len(MARKERS)


DRAWN_IN_A_THEME = EVERY_FIGURE | {
    "a sheet": lambda theme: figures.sheet(IMAGES, theme=theme),
    "a map": lambda theme: figures.map_of(CODES, theme=theme),
    "frames": lambda theme: next(figures.reconstruction_frames(IMAGES, [IMAGES], theme=theme)),
}


@pytest.mark.parametrize("name", DRAWN_IN_A_THEME)
def test_an_unknown_theme_is_met_with_the_nearest(name):
    with pytest.raises(ParameterError, match="Did you mean 'dark'"):
        DRAWN_IN_A_THEME[name]("drak")


def test_themes_keep_text_readable():
    for theme in THEMES.values():
        assert contrast(theme.ink, theme.paper) >= 7
        assert contrast(theme.muted, theme.paper) >= 4.5
        assert contrast(theme.accent, theme.paper) >= 4.5


def test_palette_shows_on_both_papers_and_its_colours_differ():
    assert len(set(PALETTE)) >= 10
    for colour in PALETTE:
        assert all(contrast(colour, theme.paper) >= 2 for theme in THEMES.values())


def contrast(one, other):
    """Return the contrast ratio of WCAG 2.2 between two colours."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


# Curves ----------------------------------------------------------------------------------------


def lines_by_name(figure):
    axes = figure.axes[0]
    return {line.get_color(): np.asarray(line.get_ydata()) for line in axes.lines}


def test_scree_draws_both_methods_on_the_same_log_axes_in_order_of_size():
    figure = figures.scree(
        [32, 2, 10], {"PCA": [0.015, 0.055, 0.033], "narrows": [0.004, 0.03, 0.01]}
    )
    axes, theme = figure.axes[0], THEMES["light"]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert list(axes.get_xticks()) == [2, 10, 32]
    lines = lines_by_name(figure)
    np.testing.assert_array_equal(lines[theme.muted], [0.055, 0.033, 0.015])
    np.testing.assert_array_equal(lines[theme.accent], [0.03, 0.01, 0.004])
    assert {"0.055", "0.004"} <= {text.get_text() for text in axes.texts}
    assert {"PCA", "narrows"} == set(texts(figure))


def test_scree_of_a_size_curve_marks_what_is_recommended():
    errors = 1.0 / np.arange(1, 102)
    curve = size_curve(100, errors, 2 * errors)
    figure = figures.scree(curve, marks={"narrows": 30, "PCA": 60})
    axes = figure.axes[0]
    low, high = axes.get_xlim()
    assert 3 < sum(low <= tick <= high for tick in axes.get_xticks()) < 20
    assert {"30", "60"} <= {text.get_text() for text in axes.texts}
    marked = [line.get_xydata()[0] for line in axes.lines if len(line.get_xydata()) == 1]
    np.testing.assert_allclose(marked, [[30, 1 / 31], [60, 2 / 61]])
    with pytest.raises(DataError, match="cannot mark 3000"):
        figures.scree(curve, marks={"narrows": 3000})


def test_a_mark_among_few_sizes_is_read_off_the_axis():
    curves = {"narrows": [0.3, 0.1, 0.029], "PCA": [0.3, 0.1, 0.029]}
    (axes,) = figures.scree([1, 2, 3], curves, marks={"narrows": 3, "PCA": 3}).axes
    assert "3" in {tick.get_text() for tick in axes.get_xticklabels()}
    assert "3" not in {text.get_text() for text in axes.texts}


@pytest.mark.parametrize(
    "errors", [[0.0, 0.0], [1.0, 1.0], [np.nan, 0.5], [np.nan, np.nan], [-1.0, 5.0], [1e-9, 1.0]]
)
def test_scree_draws_odd_errors(errors):
    assert pixels(figures.scree([2, 3], {"PCA": errors, "名字": errors})).size
    assert pixels(figures.scree([2], {"one": errors[:1]})).size


@pytest.mark.parametrize("n", [2, 5, 12])
def test_names_at_the_ends_of_lines_do_not_touch(n):
    figure = figures.scree([2, 3], {f"method {i}": [0.5, 0.1] for i in range(n)})
    seen = written(figure)
    boxes = sorted((seen[text] for text in figure.texts), key=lambda box: box.y0)
    assert len(boxes) == n
    assert all(above.y0 >= below.y1 for below, above in pairwise(boxes))
    assert all(box.x0 > figure.axes[0].bbox.x1 for box in boxes)


def test_training_draws_the_line_of_pca():
    figure = figures.training(
        {"narrows": ([1, 2, 3], [0.05, 0.01, 0.004])}, pca_error=0.0034, x_label="s"
    )
    assert [0.0034, 0.0034] in [list(y) for y in lines_by_name(figure).values()]
    assert set(texts(figure)) == {"narrows", "PCA"}


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: figures.scree([], {}), "at least one"),
        (lambda: figures.scree([2, 3], {"PCA": [0.1]}), r"2 sizes.*'PCA'.*\(1,\)"),
        (lambda: figures.training({}), "at least one curve"),
        (lambda: figures.training({"a": ([1, 2], [0.1])}), "2 positions and 1 errors"),
    ],
)
def test_bad_curves_say_what_is_allowed(draw, said):
    with pytest.raises(DataError, match=said):
        draw()


# PNG and text ----------------------------------------------------------------------------------


def test_palette_png_is_smaller_and_keeps_the_paper():
    codes = RNG.normal(size=(2000, 2))
    for theme in ("light", "dark"):
        figure = figures.plane(codes, np.arange(2000) % 10, theme=theme)
        full, reduced = figures.to_png(figure, 80), figures.to_png(figure, 80, palette=True)
        assert len(reduced) < 0.7 * len(full)
        a, b = (np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) for png in (full, reduced))
        assert a.shape == b.shape
        assert "#{:02x}{:02x}{:02x}".format(*b[0, 0]) == THEMES[theme].paper
        assert np.abs(a.astype(int) - b).mean() < 2


def test_a_character_without_a_glyph_is_a_box(monkeypatch):
    monkeypatch.setattr(lettering_module, "_candidates", lambda: iter(()))
    lettering_module._choose.cache_clear()
    try:
        letters = lettering(["零 one"])
        assert letters.drawable("零 one") == "□ one"
        assert pixels(
            figures.plane(CODES, np.arange(60) % 2, label_names=["零", "\U0001f600"])
        ).size
    finally:
        lettering_module._choose.cache_clear()


@pytest.mark.parametrize("family", ["STIXGeneral", ""])
def test_a_missing_glyph_is_taken_from_another_font(monkeypatch, family):
    # A stand-in for a Chinese font that is there on every machine; "": a font not in the list.
    path = str(Path(get_data_path(), "fonts", "ttf", "STIXGeneral.ttf"))
    base = font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap()
    rare = chr(min(set(font_manager.get_font(path).get_charmap()) - set(base)))
    monkeypatch.setattr(lettering_module, "_candidates", lambda: iter([(family, path)]))
    lettering_module._choose.cache_clear()
    try:
        letters = lettering(["a" + rare])
        assert letters.drawable("a" + rare) == "a" + rare
        assert (letters.path == path) == (family == "")
        assert pixels(figures.plane(CODES, np.arange(60) % 2, label_names=["a", rare])).size
    finally:
        lettering_module._choose.cache_clear()


def test_chinese_names_draw_whatever_fonts_are_installed():
    letters = lettering(["零 one"])
    assert letters.drawable("零 one") in {"零 one", "□ one"}
    assert pixels(figures.plane(CODES, np.arange(60) % 2, label_names=["零", "一"])).size


def test_text_that_the_base_font_has_uses_it_alone():
    assert lettering(["narrows", "x̂", "é", "Ω"]).family == ("DejaVu Sans",)


def test_shorten_counts_wide_characters_twice():
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"
    assert shorten("一二三四", 6) == "一二…"


def test_epochs_are_counted_in_whole_numbers():
    figure = figures.training({"narrows": (range(1, 14), [0.1] * 13)})
    figure.canvas.draw()
    ticks = figure.axes[0].get_xticks()
    assert np.array_equal(ticks, np.rint(ticks))
