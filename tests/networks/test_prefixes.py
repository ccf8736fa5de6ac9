"""Codes that may be cut short, and a decoder that is told."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from narrows.networks.prefixes import ReadsPrefix, first_numbers, lengths_of


def test_a_code_counts_as_cut_before_its_last_zeros():
    z = torch.tensor([[1.0, 2.0, 3.0], [1.0, 0.0, 3.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    assert lengths_of(z).tolist() == [3, 3, 2, 0]


def test_given_numbers_are_the_first():
    found = first_numbers(torch.tensor([0, 1, 3]), 3, torch.float32)
    assert found.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize("told", [True, False])
def test_the_decoder_is_told_the_length_and_its_output_has_the_unit_of_it(told):
    seen = []

    class Inner(nn.Module):
        def forward(self, x):
            seen.append(x)
            return torch.ones(len(x), 4)

    reader = ReadsPrefix(Inner(), 3, told=told)
    reader.gain.copy_(torch.tensor([3.0, 2.0, 1.0]))
    z = torch.tensor([[5.0, 0.0, 0.0], [5.0, 6.0, 0.0], [5.0, 6.0, 7.0]])
    assert reader(z)[:, 0].tolist() == [3.0, 2.0, 1.0]
    assert seen[0][:, :3].equal(z)
    assert seen[0].shape[1] == (6 if told else 3)
    if told:
        assert seen[0][:, 3:].tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
