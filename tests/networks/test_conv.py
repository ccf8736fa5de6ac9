"""Layers against torch's own convolutions, pictures of odd sizes, and what fields may be."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image
from torch.nn import functional

from conftest import quick
from narrows import Autoencoder, Conv
from narrows.errors import ParameterError
from narrows.networks import Widths
from narrows.networks.base import count_products
from narrows.networks.conv import SMALLEST_CONTRAST


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def widths_of(shape, code=3, times=1):
    features = math.prod(shape)
    return Widths(features, code, code, times * features, shape)


def built(shape, times=1, code=3, **fields):
    given = {"patch": 2, "channels": (4,), "blocks": 1, "hidden": (), "homogeneous": False}
    conv = Conv(**{**given, **fields}).resolved(widths_of(shape, code, times), 1000)
    return conv.build(widths_of(shape, code, times), generator())


def resolved(shape, code=16, **fields):
    return Conv(**fields).resolved(widths_of(shape, code), 1000)


def layer(module, kind):
    return next(part for part in module.modules() if type(part).__name__ == kind)


def maps(*shape):
    return torch.randn(*shape, generator=generator(1))


def first(x):
    """Channels from last to first, as torch's convolutions want them."""
    return x.permute(0, 3, 1, 2)


# ---------------------------------------------------------------- layers


@pytest.mark.parametrize("patch", [1, 2, 3, 5])
def test_squares_are_a_convolution_as_wide_as_its_stride(patch):
    gather = layer(built((15, 30, 3), patch=patch)[0], "_Gather")
    x = maps(6, 15, 30, 3)
    filled = functional.pad(first(x), (0, -30 % patch, 0, -15 % patch))
    kernel = gather.linear.weight.reshape(4, patch, patch, 3).permute(0, 3, 1, 2)
    expected = functional.conv2d(filled, kernel, gather.linear.bias, stride=patch)
    torch.testing.assert_close(first(gather(x)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("patch", [1, 2, 3, 5])
def test_they_are_laid_out_again_by_a_transposed_convolution(patch):
    spread = layer(built((15, 30, 3), patch=patch)[1], "_Spread")
    spread.linear.bias.data.zero_()
    x = maps(6, math.ceil(15 / patch), math.ceil(30 / patch), 4)
    kernel = spread.linear.weight.reshape(patch, patch, 3, 4).permute(3, 2, 0, 1)
    expected = functional.conv_transpose2d(first(x), kernel, stride=patch)[..., :15, :30]
    torch.testing.assert_close(first(spread(x)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_block_adds_a_convolution_within_channels_and_two_across(kernel):
    block = layer(built((8, 6), kernel=kernel, channels=(5,))[0], "_Block")
    x = maps(4, 4, 3, 5)
    within = functional.conv2d(
        first(x), block.within.weight, block.within.bias, padding=kernel // 2, groups=5
    )
    across = functional.conv2d(within, block.widen.weight[:, :, None, None], block.widen.bias)
    across = functional.conv2d(
        functional.gelu(across), block.narrow.weight[:, :, None, None], block.narrow.bias
    )
    torch.testing.assert_close(first(block(x)), first(x) + across, rtol=1e-4, atol=1e-5)


def test_several_numbers_per_value_come_one_picture_after_another():
    _, decoder = built((5, 3, 2), times=2)
    spread = layer(decoder, "_Spread")
    x = maps(4, 3, 2, 4)
    both = spread(x).flatten(1)
    for part, cells in enumerate(spread.linear.weight.chunk(2)):
        one = layer(built((5, 3, 2))[1], "_Spread")
        one.linear.weight.data, one.linear.bias.data = cells, spread.linear.bias.chunk(2)[part]
        torch.testing.assert_close(one(x).flatten(1), both.chunk(2, dim=1)[part])


def test_every_pixel_of_an_odd_picture_reaches_the_code_and_is_reached_by_it():
    shape = (11, 5, 3)
    encoder, decoder = built(shape, patch=3, channels=(4, 6, 7), blocks=0)
    x = maps(1, 165).requires_grad_()
    encoder(x).square().sum().backward()
    assert bool((x.grad != 0).all())
    pixels = decoder(maps(2, 3))
    assert bool((pixels[0] != pixels[1]).all())


def test_stages_halve_the_map_and_a_pixel_is_the_least():
    conv = Conv(patch=4, channels=(2, 3, 4, 5, 6), blocks=0, hidden=(), homogeneous=False)
    conv = conv.resolved(widths_of((28, 12)), 1000)
    encoder, _ = conv.build(widths_of((28, 12)), generator())
    gathers = [part.cells for part in encoder.modules() if type(part).__name__ == "_Gather"]
    grids = [(cells.rows, cells.columns) for cells in gathers]
    assert grids == [(7, 3), (4, 2), (2, 1), (1, 1), (1, 1)]


@pytest.mark.parametrize("activation", ["shrink", "tanh"])
@pytest.mark.parametrize("factor", [-1.0, -3.0, 0.25, 100.0])
def test_homogeneous_networks_know_neither_contrast_nor_sign(activation, factor):
    fields = {"homogeneous": True, "activation": activation, "hidden": (6,), "dropout": 0.0}
    for module, width in zip(built((6, 6, 3), **fields), (108, 3), strict=True):
        x = 1e4 * SMALLEST_CONTRAST * maps(5, width)
        torch.testing.assert_close(module(factor * x), factor * module(x), rtol=1e-3, atol=1e-4)
        assert torch.equal(module(torch.zeros(2, width)), torch.zeros(2, module(x).shape[1]))
        assert not [name for name, _ in module.named_parameters() if name.endswith("bias")]


def test_dropout_is_for_training_alone_and_spares_the_ends():
    encoder, decoder = built((6, 6, 3), hidden=(6,), dropout=0.5)
    x = maps(5, 108)
    assert torch.equal(encoder.eval()(x), built((6, 6, 3), hidden=(6,))[0](x))
    torch.manual_seed(0)
    assert not torch.equal(encoder.train()(x), encoder(x))
    for module in (encoder, decoder):
        assert isinstance(list(module.modules())[-1], (torch.nn.Linear, torch.nn.Flatten))
        assert sum(isinstance(part, torch.nn.Dropout) for part in module.modules()) == 2


def test_others_do_know_them():
    encoder, _ = built((6, 6, 3), hidden=(6,))
    x = maps(5, 108)
    assert (encoder(-x) + encoder(x)).abs().max() > 0.1


# ---------------------------------------------------------------- fields


def test_photographs_are_taken_to_be_homogeneous_and_writing_is_not():
    assert resolved((16, 16, 3)).homogeneous is True
    assert resolved((28, 28)).homogeneous is False
    assert resolved((28, 28, 1)).homogeneous is False
    # Along a ray a homogeneous decoder is linear: too little for a map of two numbers.
    assert resolved((16, 16, 3), code=2).homogeneous is False
    # A VAE's encoder gives log variances beside the code, which are no such function of a row.
    with_variances = widths_of((16, 16, 3), 16)._replace(encoder_out=32)
    assert Conv().resolved(with_variances, 1_000).homogeneous is False


@pytest.mark.parametrize(("n_rows", "part"), [(9_999, 0.6), (10_000, 0.3)])
def test_few_photographs_take_more_dropout(n_rows, part):
    assert Conv().resolved(widths_of((16, 16, 3), 16), n_rows).dropout == part
    assert Conv().resolved(widths_of((28, 28), 16), n_rows).dropout == 0


@pytest.mark.parametrize("shape", [(28, 28), (200, 300), (640, 427, 3), (3, 1000), (1, 1)])
def test_nothing_stays_automatic_and_the_last_map_is_small(shape):
    conv = resolved(shape)
    assert "auto" not in conv.get_params().values()
    encoder, _ = conv.build(widths_of(shape, 16), generator())
    gathers = [part for part in encoder.modules() if type(part).__name__ == "_Gather"]
    assert max(gathers[-1].cells[3:]) <= 4


def test_what_is_asked_is_kept():
    asked = {"patch": 3, "channels": [5, 7], "blocks": 2, "kernel": 5, "hidden": []}
    found = resolved((9, 9), **asked, activation="relu").get_params()
    expected = {**asked, "channels": (5, 7), "hidden": (), "activation": "relu"}
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((64,), r"rows have shape \(64,\).*sample_shape=\(height, width\).*network='mlp'"),
        ((2, 2, 4, 4), r"rows have shape \(2, 2, 4, 4\)"),
        ((), r"rows have shape \(1,\)"),
    ],
)
def test_rows_that_are_no_pictures_are_refused(shape, words):
    with pytest.raises(ParameterError, match=words):
        resolved(shape)
    if shape:
        X = np.zeros((10, math.prod(shape)))
        with pytest.raises(ParameterError, match=words):
            Autoencoder(1, network="conv", sample_shape=shape).fit(X)


def test_outputs_that_are_no_whole_pictures_are_refused():
    with pytest.raises(ParameterError, match=r"whole pictures of 16 values.*17 numbers"):
        Conv().resolved(Widths(16, 2, 2, 17, (4, 4)), 1000)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kernel": 4}, "`kernel` of Conv must be odd, got 4"),
        ({"channels": ()}, "`channels` of Conv must name 1 to 12 stages"),
        ({"channels": (1,) * 13}, "`channels` of Conv must name 1 to 12 stages"),
        ({"homogeneous": True, "activation": "relu"}, "activation='shrink' or 'tanh'.*'relu'"),
        ({"kernel": 2, "channels": ()}, "kernel.*channels"),
    ],
)
def test_fields_that_do_not_fit_each_other_are_all_named(fields, words):
    with pytest.raises(ParameterError, match=words):
        resolved((8, 8), **fields)


@pytest.mark.parametrize("shape", [(7, 5), (12, 9, 3), (1, 40)])
@pytest.mark.parametrize("homogeneous", [False, True])
def test_products_are_those_that_torch_counts(shape, homogeneous):
    conv, widths = resolved(shape, channels=(4, 6), homogeneous=homogeneous), widths_of(shape)
    modules = conv.build(widths, torch.Generator())
    inputs = (torch.zeros(1, n) for n in (widths.features, widths.code))
    assert conv.n_products(widths) == count_products(*modules, *inputs)


def test_counts_of_a_network_by_hand():
    conv = Conv(patch=2, channels=(4,), blocks=1, hidden=(6,), homogeneous=False)
    sizes = widths_of((4, 6))
    conv = conv.resolved(sizes, 1000)
    block = 9 * 4 + 4 + (4 * 8 + 8) + (8 * 4 + 4)
    encoder = (4 * 4 + 4) + block + (24 * 6 + 6) + (6 * 3 + 3)
    decoder = (3 * 6 + 6) + (6 * 24 + 24) + block + (4 * 4 + 4)
    assert conv.n_parameters(sizes) == encoder + decoder
    places = 6
    products = places * (4 * 4 + 9 * 4 + 2 * 4 * 8) + 24 * 6 + 6 * 3
    assert conv.n_products(sizes) == 2 * products


# ---------------------------------------------------------------- in use


def photograph(n_rows):
    """Patches 8 × 8 × 3 of a photograph."""
    picture = load_sample_image("flower.jpg") / 255.0
    rng = np.random.default_rng(0)
    corners = zip(rng.integers(0, 419, n_rows), rng.integers(0, 400, n_rows), strict=True)
    return np.stack([picture[top : top + 8, left : left + 8] for top, left in corners])


def test_colour_patches_train_sample_and_come_back_better_than_with_pca():
    X = photograph(2000)
    ae = quick(8, network="conv", max_steps=100).fit(X)
    assert ae.validation_error_ < ae.pca_validation_error_
    assert ae.sample(3, random_state=0).shape == (3, 8, 8, 3)
    assert ae.interpolate(X[0], X[1], steps=3).shape == (3, 8, 8, 3)


def test_flat_rows_with_a_shape_train_as_pictures_do():
    X = photograph(120)
    flat = X.reshape(120, -1)
    shaped = quick(8, network="conv", keep="last", max_steps=5).fit(X)
    ae = quick(8, network="conv", keep="last", max_steps=5, sample_shape=(8, 8, 3)).fit(flat)
    np.testing.assert_array_equal(ae.transform(flat), shaped.transform(X))


def test_a_code_of_the_mean_decodes_to_the_mean_at_the_start():
    X = photograph(200)
    ae = quick(8, network="conv", validation_fraction=0.0, learning_rate=1e-30).fit(X)
    mean = ae.inverse_transform(np.zeros((1, 8)))
    np.testing.assert_allclose(mean[0], X.mean(axis=0), atol=1e-9)


def test_stages_may_be_set_by_name():
    ae = Autoencoder(network="conv").set_params(network__channels=(4, 8), network__patch=2)
    assert ae.network == Conv(channels=(4, 8), patch=2)
