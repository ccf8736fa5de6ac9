"""Float32 matrix products by oneDNN, where they are faster than torch's usual ones.

For float32 products on the CPU torch calls Intel's MKL, which uses half of the vector units or less
on processors of other makers; torch's own copy of oneDNN uses them all. Only training uses these
products: codes are always computed by torch's usual ones.

Legend: B batch, I inputs, O outputs.
"""

from __future__ import annotations

import copy
import functools
import itertools
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from narrows.common.processor import capabilities
from narrows.networks.linear_plus import LinearPlus

LARGE_WEIGHT = 1 << 15
"""Numbers in a weight from which the faster product makes up for its Python code."""
_Net = TypeVar("_Net", bound=nn.Module)


@functools.cache
def prefers_onednn() -> bool:
    """Tell whether this processor runs oneDNN's float32 products faster than MKL's."""
    has_both = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()
    if not has_both:
        return False
    processor = capabilities()
    # Without AVX-512, MKL leaves no vector units unused.
    wide = bool(processor.get("avx512_f", False))
    other_maker = str(processor.get("cpu_name", "")).startswith("AMD")
    return wide and other_maker and has_product()


def has_product() -> bool:
    """Tell whether this torch has the product that `multiply` calls, whose name is not public."""
    one = torch.ones(1, 1)
    try:
        return bool(multiply(one, one, torch.ones(1)) == 2.0)
    except (AttributeError, RuntimeError, TypeError):
        return False


class _Product(torch.autograd.Function):
    """``x @ weightᵀ + bias`` by oneDNN; so are its derivatives."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return product

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient_BO,) = gradients
        x_BI, weight_OI = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            multiply(gradient_BO, weight_OI.t(), None) if needs_x else None,
            multiply(gradient_BO.t(), x_BI.t(), None) if needs_weight else None,
            gradient_BO.sum(dim=0) if needs_bias else None,
        )


def multiply(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``x @ weightᵀ + bias``, (B, O), of x (B, I), weight (O, I) and bias (O,), float32."""
    # torch gives the call of a Function no types.
    product: Tensor = _Product.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return product


class _Linear(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return multiply(x, self.weight, self.bias) if x.ndim == 2 else super().forward(x)


class _LinearPlus(LinearPlus):
    def linear(self, x: Tensor) -> Tensor:
        return multiply(x, self.weight, self.bias)


def with_fast_products(net: _Net) -> _Net:
    """Return the network with large products by oneDNN where that is faster, else unchanged.

    Parameters and buffers are shared with the one given.
    """
    if not prefers_onednn() or any(tensor.device.type != "cpu" for tensor in net.parameters()):
        return net
    shared = {id(tensor): tensor for tensor in itertools.chain(net.parameters(), net.buffers())}
    copied = copy.deepcopy(net, shared)
    for module in copied.modules():
        if type(module) is nn.Linear and module.weight.numel() >= LARGE_WEIGHT:
            module.__class__ = _Linear
        elif type(module) is LinearPlus and module.weight.numel() >= LARGE_WEIGHT:
            module.__class__ = _LinearPlus
    return copied
