"""Names of torch that are not public, or that some versions lack, can be done without."""

from __future__ import annotations

import pytest
import torch

from conftest import bits, curved, quick
from narrows.common.foreach import blend_all, copy_all
from narrows.common.processor import capabilities, has_bfloat16_products


def test_without_capabilities_there_are_no_fast_formats(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert capabilities() == {}
    assert not has_bfloat16_products()


@pytest.mark.parametrize("capable", [{}, {"avx512_bf16": True}, {"amx_bf16": True}])
def test_bfloat16_is_what_the_processor_says(capable, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capable, raising=False)
    assert has_bfloat16_products() == bool(capable)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_fit_is_the_same_without_private_names(precision, monkeypatch):
    X = curved(100)
    given = {"max_steps": 8, "precision": precision, "schedule": "averaged", "keep": "last"}
    expected = bits(quick(**given).fit(X))
    for name in ("_foreach_copy_", "_foreach_lerp_"):
        monkeypatch.delattr(torch, name)
    assert bits(quick(**given).fit(X)) == expected


def test_many_tensors_at_once():
    targets, ends = [torch.zeros(2), torch.ones(3)], [torch.ones(2), torch.zeros(3)]
    blend_all(targets, ends, 0.25)
    assert [t.tolist() for t in targets] == [[0.25] * 2, [0.75] * 3]
    copy_all(targets, [end.bfloat16() for end in ends])
    assert [t.tolist() for t in targets] == [[1.0] * 2, [0.0] * 3]
