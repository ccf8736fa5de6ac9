"""The denoising autoencoder: its noise, its start at the Wiener filter, and that it cleans."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from conftest import curved, quick
from narrows import Autoencoder, Denoising, load
from narrows.errors import ParameterError
from narrows.linear.pca import fit_pca
from narrows.linear.scaling import choose_scaling
from narrows.networks import Autoencoding, Widths
from narrows.networks.pca_path import linear_path
from narrows.objectives import Batch, Bounds, Step
from narrows.training.loop import drawn

B, D = 400, 30
DATA = np.random.default_rng(0).normal(size=(B, D)) * np.linspace(1, 8, D) + np.linspace(-9, 20, D)
COMMON = choose_scaling("auto", DATA.mean(axis=0), DATA.var(axis=0), 0, 0)
BY_COLUMN = choose_scaling("standard", DATA.mean(axis=0), DATA.var(axis=0), 0, 0)


def network(scaling, objective, shape=(D,)):
    """A network that gives back what it is given."""
    sizes = Widths(D, D, D, D, shape)
    extra = objective.build(sizes, None, torch.Generator())
    return Autoencoding(scaling, nn.Identity(), nn.Identity(), extra=extra)


def corrupted(objective, scaling=COMMON, shape=(D,), data=DATA):
    """Rows before and after, both in data units, float64."""
    net = network(scaling, objective, shape)
    x_BD = scaling(torch.tensor(data)).float()
    noise = drawn(objective, x_BD, D, (0,))
    return data, scaling.inverse(objective.corrupted(net, x_BD, noise).double()).numpy()


# ---------------------------------------------------------------- the noise


@pytest.mark.parametrize("scaling", [COMMON, BY_COLUMN])
def test_gaussian_noise_has_its_deviation_in_data_units_in_every_column(scaling):
    clean, noisy = corrupted(Denoising(level=0.7), scaling)
    assert abs((noisy - clean).mean()) < 4 * 0.7 / np.sqrt(clean.size)
    np.testing.assert_allclose((noisy - clean).std(axis=0), 0.7, rtol=5 / np.sqrt(2 * B))


@pytest.mark.parametrize("scaling", [COMMON, BY_COLUMN])
def test_the_usual_deviation_is_half_of_what_scaling_divides_by(scaling):
    clean, noisy = corrupted(Denoising(), scaling)
    relative = (noisy - clean) / scaling.divisor.numpy()
    np.testing.assert_allclose(relative.std(), 0.5, rtol=5 / np.sqrt(2 * clean.size))


def test_masking_sets_a_part_of_the_values_to_zero_in_data_units():
    clean, noisy = corrupted(Denoising(noise="masking", level=0.4))
    masked = np.abs(noisy - clean) > 1e-4
    np.testing.assert_allclose(noisy[masked], 0, atol=1e-4)
    assert abs(masked.mean() - 0.4) < 4 * np.sqrt(0.24 / clean.size)


def test_salt_and_pepper_are_the_ends_of_the_data_in_equal_parts():
    data = np.clip(DATA, -5, 15)
    low_to_high = choose_scaling((0.0, 1.0), data.mean(axis=0), data.var(axis=0), -6.0, 16.0)
    clean, noisy = corrupted(Denoising(noise="salt_and_pepper", level=0.4), low_to_high, data=data)
    changed = np.abs(noisy - clean) > 1e-4
    np.testing.assert_allclose(np.unique(noisy[changed].round(3)), [-6, 16])
    for share in (noisy == 16).mean(), (np.abs(noisy + 6) < 1e-4).mean():
        assert abs(share - 0.2) < 4 * np.sqrt(0.16 / clean.size)


def test_salt_and_pepper_asks_for_a_range_and_the_others_take_any():
    for name in ("gaussian", "masking", "blur"):
        assert Denoising(noise=name).needs.input_range is None
    assert Denoising(noise="salt_and_pepper").needs.input_range == (0, 1)


@pytest.mark.parametrize("scaling", [COMMON, BY_COLUMN])
@pytest.mark.parametrize("shape", [(30,), (5, 6), (5, 2, 3), (2, 5, 3, 1)])
@pytest.mark.parametrize("level", [0.3, 1.0, 4.0])
def test_blur_is_scipys_gaussian_filter_of_each_channel(scaling, shape, level):
    clean, noisy = corrupted(Denoising(noise="blur", level=level), scaling, shape)
    axes = (1,) if len(shape) == 1 else tuple(range(1, max(len(shape), 3)))
    pictures = clean.reshape(B, *shape)
    expected = gaussian_filter(pictures, level, axes=axes, mode="nearest", truncate=4.0)
    np.testing.assert_allclose(noisy, expected.reshape(B, D), atol=1e-4)


def test_a_range_of_levels_gives_every_row_its_own():
    objective = Denoising(level=(0.5, 2.0))
    clean, noisy = corrupted(objective)
    places = drawn(objective, torch.zeros(B, D), D, (0,))["place"].numpy()
    levels = 0.5 + 1.5 * places[:, 0]
    np.testing.assert_allclose((noisy - clean).std(axis=1) / levels, 1, atol=5 / np.sqrt(2 * D))
    assert levels.min() < 0.6
    assert levels.max() > 1.9


def test_a_row_is_blurred_alike_whatever_the_levels_of_others():
    objective = Denoising(noise="blur", level=(0.2, 3.0))
    net, x_BD = network(COMMON, objective), COMMON(torch.tensor(DATA)).float()
    noise = drawn(objective, x_BD, D, (0,))
    one = {name: tensor[7:8] for name, tensor in noise.items()}
    whole = objective.corrupted(net, x_BD, noise)
    torch.testing.assert_close(objective.corrupted(net, x_BD[7:8], one), whole[7:8])


@pytest.mark.parametrize(
    ("noise", "level", "words"),
    [
        ("masking", 1.5, r"in \(0, 1\] for noise='masking', got 1\.5"),
        ("salt_and_pepper", (0.5, 2.0), r"in \(0, 1\]"),
        ("gaussian", (-1.0, 1.0), "> 0"),
        ("gaussian", 0.0, "`level` of Denoising must be 'auto', or a number > 0"),
        ("gaussian", "much", "'auto'"),
    ],
)
def test_a_level_that_cannot_be_is_named(X, noise, level, words):
    with pytest.raises(ParameterError, match=words):
        quick(objective=Denoising(noise=noise, level=level)).fit(X)


# ---------------------------------------------------------------- start and loss


def path_of(scaling, k):
    scaled = scaling(torch.tensor(DATA)).numpy()
    by_column = scaling.divisor.numel() > 1
    return linear_path(fit_pca(lambda: iter([scaled if by_column else DATA]), k, 0), scaling)


def filtered(path, y_BD):
    z_BK = y_BD @ path.into_weight.T + path.into_bias
    return z_BK @ path.back_weight.T + path.back_bias


def test_it_starts_at_the_wiener_filter():
    path = Denoising(level=3.0).start(path_of(COMMON, D))
    noisy = DATA + 3.0 * np.random.default_rng(1).normal(size=DATA.shape)
    covariance, mean = np.cov(DATA.T), DATA.mean(axis=0)
    expected = (noisy - mean) @ np.linalg.solve(covariance + 9.0 * np.eye(D), covariance) + mean
    found = COMMON.inverse(filtered(path, COMMON(torch.tensor(noisy)))).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("scaling", [COMMON, BY_COLUMN])
@pytest.mark.parametrize("k", [5, D])
def test_what_the_filter_leaves_over_is_known(scaling, k):
    rng = np.random.default_rng(1)
    path = Denoising(level=(1.0, 5.0)).start(path_of(scaling, k))
    errors = []
    for _ in range(40):
        noisy = DATA + rng.uniform(1, 5, (B, 1)) * rng.normal(size=DATA.shape)
        x_hat = filtered(path, scaling(torch.tensor(noisy)))
        errors.append((x_hat - scaling(torch.tensor(DATA))).square().mean().item())
    # With a divisor for each column the noise of one score is not that of another, which the
    # filter, score by score, does not know; so much is the tolerance.
    assert np.mean(errors) == pytest.approx(path.left_over**2, rel=0.05)
    assert torch.equal(path.back_gain, torch.full_like(path.back_gain, path.left_over))


def test_other_noise_starts_at_pca():
    path = path_of(COMMON, 5)
    assert Denoising(noise="masking").start(path) is path


@pytest.mark.parametrize("bounds", [None, Bounds(torch.full((D,), -0.5), torch.full((D,), 0.5))])
def test_the_held_out_loss_is_what_is_left_of_the_noise(bounds):
    objective = Denoising(level=2.0)
    net, x_BD = network(COMMON, objective), COMMON(torch.tensor(DATA)).float()
    noise = drawn(objective, x_BD, D, (0,))
    if bounds is not None:
        x_BD = x_BD.clamp(*bounds)
    given = Step(noise, bounds)
    found = objective.held_out_loss(net, Batch(x_BD), given, x_hat=x_BD)
    x_hat = x_BD + noise["normal"] * (2.0 / COMMON.divisor.item())
    x_hat = x_hat if bounds is None else x_hat.clamp(*bounds)
    torch.testing.assert_close(found, (x_hat - x_BD).square().mean(dim=1))
    assert (objective.terms(net, Batch(x_BD), given)["reconstruction"] >= found - 1e-6).all()


# ---------------------------------------------------------------- what it is for


def left_of_noise(ae, clean, noisy):
    return np.square(ae.reconstruct(noisy) - clean).mean()


@pytest.mark.parametrize("level", [1.0, (0.5, 1.5)])
def test_it_cleans_new_rows_better_than_what_has_seen_no_noise(level):
    X, clean = curved(1_500), curved(500, seed=1)
    noisy = clean + np.random.default_rng(2).normal(size=clean.shape)
    cleaner = quick(4, objective=Denoising(level=level), max_steps=400, learning_rate=0.01).fit(X)
    plain = quick(4, max_steps=400, learning_rate=0.01).fit(X)
    start = quick(4, objective=Denoising(level=level), max_steps=1, learning_rate=1e-9).fit(X)
    left = left_of_noise(cleaner, clean, noisy)
    assert left < 0.8 * left_of_noise(start, clean, noisy)
    assert left < 0.7 * left_of_noise(plain, clean, noisy)
    assert left < 0.5 * np.square(noisy - clean).mean()


def test_a_model_that_deblurs_survives_its_file(tmp_path):
    X = np.random.default_rng(0).random((60, 4, 5))
    ae = Autoencoder(3, objective=Denoising(noise="blur"), max_steps=10, keep="last").fit(X)
    ae.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert again.objective == Denoising(noise="blur")
    assert again.network_.extra.shape == (4, 5)
    np.testing.assert_array_equal(again.reconstruct(X), ae.reconstruct(X))
