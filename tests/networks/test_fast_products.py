"""Products by oneDNN give what torch's own give, forwards and backwards."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import linear

from narrows.networks import LinearPlus, fast_products

HAS_ONEDNN = torch.backends.mkldnn.is_available()
pytestmark = pytest.mark.skipif(not HAS_ONEDNN, reason="this build of torch has no oneDNN")


@pytest.fixture
def preferred(monkeypatch):
    monkeypatch.setattr(fast_products, "prefers_onednn", lambda: True)


def draw(*shape):
    generator = torch.Generator().manual_seed(len(shape) + sum(shape))
    return torch.randn(*shape, generator=generator, requires_grad=True)


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize(("batch", "inputs", "outputs"), [(1, 1, 1), (1, 300, 7), (65, 33, 129)])
def test_values_and_derivatives_are_those_of_torch(batch, inputs, outputs, with_bias):
    x, weight = draw(batch, inputs), draw(outputs, inputs)
    bias = draw(outputs) if with_bias else None
    asked = [tensor for tensor in (x, weight, bias) if tensor is not None]
    found, expected = fast_products.multiply(x, weight, bias), linear(x, weight, bias)
    torch.testing.assert_close(found, expected)
    for own, theirs in zip(
        torch.autograd.grad(found.square().sum(), asked),
        torch.autograd.grad(expected.square().sum(), asked),
        strict=True,
    ):
        torch.testing.assert_close(own, theirs, rtol=1e-4, atol=1e-3)


def test_second_derivatives_are_those_of_torch():
    x, weight, bias = draw(5, 8), draw(6, 8), draw(6)

    def penalty(product):
        (slope,) = torch.autograd.grad(product(x, weight, bias).tanh().sum(), x, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), weight)[0]

    torch.testing.assert_close(
        penalty(fast_products.multiply), penalty(linear), rtol=1e-4, atol=1e-5
    )


def test_the_faster_network_shares_its_parameters_and_its_results(preferred):
    net = nn.Sequential(nn.Linear(300, 256), nn.GELU(), nn.Linear(256, 3), nn.BatchNorm1d(3))
    path = LinearPlus(
        nn.Linear(300, 200), draw(200, 300).detach(), torch.ones(200), torch.ones(1), torch.ones(1)
    )
    for given in (net, path):
        fast = fast_products.with_fast_products(given)
        assert fast is not given
        assert {id(p) for p in fast.parameters()} == {id(p) for p in given.parameters()}
        assert {id(b) for b in fast.buffers()} == {id(b) for b in given.buffers()}
        x = draw(64, 300).detach()
        expected = copy.deepcopy(given)(x)
        torch.testing.assert_close(fast(x), expected, rtol=1e-4, atol=1e-4)
    assert type(net[0]) is nn.Linear
    assert type(fast_products.with_fast_products(net)[0]) is not nn.Linear
    assert type(fast_products.with_fast_products(net)[2]) is nn.Linear  # too small to gain


def test_elsewhere_the_network_stays_as_it_is(monkeypatch):
    monkeypatch.setattr(fast_products, "prefers_onednn", lambda: False)
    net = nn.Linear(300, 300)
    assert fast_products.with_fast_products(net) is net


def test_a_torch_without_the_product_keeps_its_own(monkeypatch):
    """Its name is not public: it may be missing, or take other arguments."""
    net = nn.Linear(300, 300)
    for product in (None, lambda: None):
        monkeypatch.setattr(fast_products, "multiply", product)
        assert not fast_products.has_product()
    capable = {"avx512_f": True, "cpu_name": "AMD EPYC"}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capable, raising=False)
    fast_products.prefers_onednn.cache_clear()
    assert fast_products.with_fast_products(net) is net
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    fast_products.prefers_onednn.cache_clear()
    assert fast_products.with_fast_products(net) is net
    fast_products.prefers_onednn.cache_clear()
