"""Local loadings: finite differences, PCA's components, shapes, any batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_wine

from conftest import assert_apart_and_inside, pixels, quick, written
from narrows import Autoencoder, Conv, figures, loadings_table
from narrows.errors import DataError, DataTypeError, ParameterError
from narrows.model.loadings import representatives


@pytest.fixture(scope="module")
def digits():
    return (load_digits().images / 16).astype(np.float32)


def finite_differences(ae, Z, step):
    slopes = []
    for number in range(Z.shape[1]):
        shift = np.zeros_like(Z)
        shift[:, number] = step
        slopes.append(
            (ae.inverse_transform(Z + shift) - ae.inverse_transform(Z - shift)) / 2 / step
        )
    return np.stack(slopes, axis=-1)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"objective": "neighbors"},
        {"objective": "vae"},
        {"ordered": True, "n_components": 4},
        {"scaling": "standard", "objective": "denoising"},
    ],
)
def test_they_are_finite_differences(X, changes):
    ae = quick(**{"n_components": 2, "max_steps": 200, "keep": "last", **changes}).fit(X)
    Z = ae.transform(X[:40])
    found = ae.loadings(Z)
    expected = finite_differences(ae, Z, 1e-5)
    assert found.shape == (40, X.shape[1], Z.shape[1])
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6 * scale)
    assert np.ptp(found, axis=0).max() > 1e-3 * scale  # they are local


def test_of_a_shorter_code_they_are_those_of_what_it_decodes_to(X):
    ae = quick(4, ordered=True, max_steps=100).fit(X)
    Z = ae.transform(X[:20])[:, :2]
    np.testing.assert_allclose(
        ae.loadings(Z), finite_differences(ae, Z, 1e-5), rtol=1e-3, atol=1e-6
    )


def test_at_the_start_they_are_pca_s_components(X):
    ae = quick(3, max_steps=1, learning_rate=1e-30, keep="last").fit(X)
    found = ae.loadings(ae.transform(X[:5]))
    for slopes in found:
        np.testing.assert_allclose(slopes, ae.pca_.components_.T, atol=1e-5)


@pytest.mark.parametrize("network", ["auto", Conv()])
def test_of_pictures_they_have_the_shape_of_pictures(digits, network):
    ae = quick(2, network=network, max_steps=40).fit(digits)
    Z = ae.transform(digits[:7])
    found = ae.loadings(Z)
    assert found.shape == (7, 8, 8, 2)
    outside = (ae.inverse_transform(Z) <= 0) | (ae.inverse_transform(Z) >= 1)
    assert outside.any()
    assert not found[outside].any()


def test_a_row_alone_gives_the_same_bits(digits):
    ae = quick(3, max_steps=40).fit(digits)
    Z = ae.transform(digits[:100])
    whole = ae.loadings(Z)
    np.testing.assert_array_equal(whole[71:72], ae.loadings(Z[71:72]))
    assert ae.loadings(Z.astype(np.float32)).dtype == np.float32


def test_own_modules_have_loadings_too(X):
    D = X.shape[1]
    pair = (
        torch.nn.Sequential(torch.nn.Linear(D, 8), torch.nn.SiLU(), torch.nn.Linear(8, 2)),
        torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.SiLU(), torch.nn.Linear(8, D)),
    )
    ae = Autoencoder(2, network=pair, max_steps=60, random_state=0).fit(X)
    Z = ae.transform(X[:9])
    np.testing.assert_allclose(
        ae.loadings(Z), finite_differences(ae, Z, 1e-5), rtol=1e-3, atol=1e-6
    )


def test_wrong_codes_are_refused(trained):
    with pytest.raises(DataError, match="Z has 5 columns"):
        trained.loadings(np.zeros((2, 5)))


# The table, and the picture ----------------------------------------------------------------


def test_the_table_holds_the_strongest_first():
    wine = load_wine(as_frame=True).data
    ae = quick(2, scaling="standard", keep="last", validation_fraction=0).fit(wine)
    Z = ae.transform(wine)
    table = loadings_table(ae, Z, spots=4, top=None)
    assert list(table.columns) == ["spot", "number", "feature", "loading", "strength"]
    assert len(table) == 4 * 2 * 13
    spots = table["spot"].unique()
    slopes = ae.loadings(Z[spots])
    deviations = wine.std()
    for (spot, number), part in table.groupby(["spot", "number"], sort=False):
        expected = slopes[list(spots).index(spot), :, number]
        found = part.set_index("feature")["loading"][list(wine.columns)]
        np.testing.assert_array_equal(found, expected)
        strength = part.set_index("feature")["strength"]
        assert strength.is_monotonic_decreasing
        np.testing.assert_allclose(
            strength[list(wine.columns)], abs(expected) / deviations, rtol=1e-6
        )
    first = loadings_table(ae, Z, spots=4, top=1)
    assert len(first) == 8
    assert (
        first["strength"]
        == table.groupby(["spot", "number"], sort=False)["strength"].max().to_numpy()
    ).all()


def test_features_without_names_are_numbered_and_few_codes_are_all_taken(X):
    ae = quick(2).fit(X)
    table = loadings_table(ae, ae.transform(X[:3]))
    assert set(table["feature"]) == {f"x{number}" for number in range(6)}
    assert table["spot"].unique().tolist() == [0, 1, 2]


def test_spots_are_one_in_each_group(rng):
    middles = np.array([[0, 0], [50, 0], [0, 50], [50, 50]])
    group = np.repeat(np.arange(4), [40, 30, 20, 10])
    codes = middles[group] + rng.normal(size=(100, 2))
    chosen = representatives(codes, 4)
    assert group[chosen].tolist() == [0, 1, 2, 3]
    assert np.abs(codes[chosen] - middles).max() < 2
    assert len(representatives(np.ones((9, 2)), 4)) == 1
    assert representatives(codes[:3], 4).tolist() == [0, 1, 2]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_picture_shows_what_grows_and_what_shrinks(channels, theme):
    images = np.random.default_rng(0).random((60, 6, 6, channels)).astype(np.float32)
    images[:, :3] = np.linspace(0, 1, 60)[:, None, None, None] * 0.8
    images[:, 3:] = 0.9 - images[:, :3]
    ae = quick(3, init="pca", max_steps=3).fit(images)
    Z = ae.transform(images)
    figure = figures.loadings(ae, Z, spots=2, theme=theme)
    sheet = np.asarray(figure.axes[0].images[0].get_array())
    slopes = ae.loadings(Z[representatives(Z, 2)])[0].mean(axis=2)[
        ..., 0
    ]  # of z0, at the first spot
    shown = sheet[:6, 8:14]  # after the picture and its gap
    warm = shown[..., 0] - shown[..., 2]
    assert np.corrcoef(warm.ravel(), slopes.ravel())[0, 1] > 0.98
    names = [text.get_text() for text in figure.texts]
    assert {"x̂", "∂x̂/∂z0", "∂x̂/∂z2", "0", "∂x̂/∂z"} <= set(names)
    assert sum(name.startswith("z = (") for name in names) == 2
    assert pixels(figure).size
    for text in figure.texts:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1


def test_of_many_numbers_eight_are_drawn_and_flat_loadings_too():
    ae = quick(10, max_steps=3).fit(load_digits().images[:80] / 16)
    figure = figures.loadings(ae, np.zeros((1, 10)))
    assert sum(text.get_text().startswith("∂x̂/∂z") for text in figure.texts) == 9
    wide = quick(1, max_steps=3).fit(np.random.default_rng(0).random((30, 1, 64)))
    figure = figures.loadings(wide.model_, np.zeros((1, 1)))
    assert_apart_and_inside(figure, [*written(figure).values()])
    flat = quick(1, max_steps=3).fit(np.full((30, 4, 4), 3.0) + np.eye(4))
    assert pixels(figures.loadings(flat, np.zeros((2, 1)))).size


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda ae: loadings_table("x", [[0]]), DataTypeError, "takes a fitted Autoencoder first"),
        (lambda ae: figures.loadings("x", [[0]]), DataTypeError, "loadings takes a fitted"),
        (lambda ae: loadings_table(ae, [[0.0, 0]], spots=0), ParameterError, "`spots`"),
        (lambda ae: loadings_table(ae, [[0.0, 0]], top=0), ParameterError, "`top`.*None, got 0"),
        (lambda ae: figures.loadings(ae, [[0.0, 0]]), DataError, "not a square picture"),
    ],
)
def test_bad_loadings_say_what_is_allowed(trained, call, error, said):
    with pytest.raises(error, match=said):
        call(trained)
