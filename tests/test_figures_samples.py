"""Pictures of samples: reconstructions, sheets, strips, and films of them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from conftest import pixels
from narrows import figures
from narrows.errors import DataError, ParameterError

RNG = np.random.default_rng(0)
IMAGES = RNG.random((12, 28, 28))


# Samples ---------------------------------------------------------------------------------------


def sheet(figure):
    """Return the picture that `reconstructions` and `strip` lay out, (height, width, 3)."""
    return np.asarray(figure.axes[0].images[0].get_array())


def cell(figure, row, column, height=28, width=28):
    gap = max(1, round(0.09 * min(height, width)))
    y, x = row * (height + gap), column * (width + gap)
    return sheet(figure)[y : y + height, x : x + width]


def test_originals_stand_above_their_reconstructions():
    X = np.linspace(0, 1, 12 * 784).reshape(12, 784)
    X[:, :2] = 0, 1
    figure = figures.reconstructions(X, {"narrows": 1 - X, "PCA": X / 2}, columns=3)
    for column in range(3):
        picture = X[column].reshape(28, 28, 1).repeat(3, axis=2)
        low, high = X[:3].min(), X[:3].max()
        np.testing.assert_allclose(cell(figure, 0, column), (picture - low) / (high - low))
        np.testing.assert_allclose(cell(figure, 1, column), 1 - picture, atol=1e-12)
        np.testing.assert_allclose(cell(figure, 2, column), picture / 2, atol=1e-12)
    assert [text.get_text() for text in figure.texts] == ["x", "narrows", "PCA"]


def test_rows_share_the_scale_of_the_originals_and_are_clipped():
    X = np.tile(np.linspace(0, 1, 16), (2, 1))
    figure = figures.reconstructions(X, 4 * X - 1)
    assert cell(figure, 1, 0, 4, 4).min() == 0
    assert cell(figure, 1, 0, 4, 4).max() == 1


def test_black_and_white_must_differ_and_may_be_exchanged():
    with pytest.raises(ParameterError, match=r"two different values, got \(0, 0\)"):
        figures.strip(IMAGES, bounds=(0, 0))
    usual, inverted = (figures.strip(IMAGES, bounds=ends) for ends in ((0, 1), (1, 0)))
    np.testing.assert_allclose(cell(usual, 0, 0), 1 - cell(inverted, 0, 0))


def test_integers_are_black_at_0_and_white_at_255():
    figure = figures.strip(np.full((1, 4, 4), 51, dtype=np.uint8))
    np.testing.assert_allclose(sheet(figure), 0.2)


@pytest.mark.parametrize(
    ("shape", "sample_shape", "cell_shape"),
    [
        ((1, 784), None, (28, 28)),
        ((3, 560), (28, 20), (28, 20)),
        ((4, 28, 20), None, (28, 20)),
        ((2, 5, 9, 3), None, (5, 9)),
        ((2, 5, 9, 1), None, (5, 9)),
        ((2, 12), (2, 2, 3), (2, 2)),
        ((2, 300, 400), None, (300, 400)),
        ((2, 1, 64), None, (1, 64)),
    ],
)
def test_shapes_of_samples(shape, sample_shape, cell_shape):
    X = RNG.random(shape)
    figure = figures.reconstructions(X, X, sample_shape=sample_shape)
    gap = max(1, round(0.09 * min(cell_shape)))
    columns = min(10, shape[0])
    assert sheet(figure).shape == (
        2 * (cell_shape[0] + gap) - gap,
        columns * (cell_shape[1] + gap) - gap,
        3,
    )
    assert pixels(figure).size
    assert max(figure.get_size_inches()) < 32


@pytest.mark.parametrize("X", [np.zeros((2, 9)), np.full((2, 9), np.nan), np.ones((2, 9), bool)])
def test_constant_missing_and_boolean_samples_draw(X):
    assert np.isfinite(sheet(figures.reconstructions(X, X))).all()


@pytest.mark.parametrize(
    ("X", "X_hat", "options", "said"),
    [
        (np.ones(784), np.ones(784), {}, r"\(784,\)"),
        (np.ones((0, 784)), np.ones((0, 784)), {}, r"\(0, 784\)"),
        (np.ones((2, 30)), np.ones((2, 30)), {}, "sample_shape=\\(height, width\\)"),
        (np.ones((2, 30)), np.ones((2, 30)), {"sample_shape": (4, 7)}, r"\(4, 7"),
        (np.ones((2, 8)), np.ones((2, 8)), {"sample_shape": (2, 2, 2)}, "1, 3 or 4"),
        (np.ones((2, 4)), np.ones((1, 4)), {}, r"\(1, 4\).*\(2, 4\)"),
        (np.ones((2, 4)), {"PCA": np.ones((2, 9))}, {}, r"'PCA'.*\(2, 9\)"),
        (np.ones((2, 4)), np.ones((2, 4)), {"columns": 0}, "at least 1, got 0"),
    ],
)
def test_bad_samples_say_what_is_allowed(X, X_hat, options, said):
    with pytest.raises(DataError, match=said) as caught:
        figures.reconstructions(X, X_hat, **options)
    assert isinstance(caught.value, ValueError)


# Film ------------------------------------------------------------------------------------------


def test_gif_holds_every_frame_and_replaces_the_file(tmp_path):
    snapshots = [IMAGES * share for share in (0.2, 0.6, 1.0)]
    captions = ["step 0", "step 100", "step 200"]
    frames = list(figures.reconstruction_frames(IMAGES, snapshots, captions=captions))
    path = tmp_path / "film.gif"
    path.write_bytes(b"old")
    figures.save_gif(frames, path, frame_seconds=0.1, last_seconds=1.0)
    with Image.open(path) as film:
        assert film.n_frames == 3
        assert film.size == frames[0].size
        assert film.info["loop"] == 0
        durations = []
        for i in range(3):
            film.seek(i)
            durations.append(film.info["duration"])
    assert durations == [100, 100, 1000]
    assert [p.name for p in tmp_path.iterdir()] == ["film.gif"]


def test_frames_grow_brighter_as_the_reconstruction_does():
    frames = figures.reconstruction_frames(IMAGES, [0 * IMAGES, IMAGES], theme="dark")
    dark, bright = (np.asarray(frame).mean() for frame in frames)
    assert bright > dark + 10


def test_a_gif_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "film.gif"
    path.write_bytes(b"old")
    with pytest.raises(DataError, match="at least one frame"):
        figures.save_gif([], path)
    with pytest.raises(DataError, match="snapshot 1"):
        figures.save_gif(figures.reconstruction_frames(IMAGES, [IMAGES, IMAGES[:, 1:]]), path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["film.gif"]
