"""From names to parts and back, by way of JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from narrows import MLP, Adam, AdamW, Reconstruction
from narrows.errors import ParameterError
from narrows.model.parts import PARTS, from_json, named_part, to_json

EVERY = [(kind, name) for kind, known in PARTS.items() for name in known]


def test_parts_are_found_under_the_names_of_their_files():
    assert PARTS["network"]["mlp"] is MLP
    assert PARTS["objective"]["reconstruction"] is Reconstruction
    assert PARTS["optimizer"] == {"adamw": AdamW, "adam": Adam}
    for kind in ("network", "objective"):
        for name, part in PARTS[kind].items():
            assert part.__module__.rpartition(".")[2] == name


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_name_stands_for_the_part_with_its_defaults(kind, name):
    part = named_part(kind, name)
    assert part == PARTS[kind][name]()
    assert named_part(kind, part) == part


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_field_has_a_default_within_its_limit_and_a_meaning(kind, name):
    for field in dataclasses.fields(PARTS[kind][name]):
        assert field.metadata["limit"].allows(field.default), field.name
        assert field.metadata["meaning"]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_there_and_back_through_json(kind, name):
    part = PARTS[kind][name]()
    assert from_json(kind, json.loads(json.dumps(to_json(part)))) == part


def test_tuples_survive_json():
    part = MLP(hidden=(512, 256), activation="relu")
    assert from_json("network", json.loads(json.dumps(to_json(part)))) == part


def test_auto_is_the_usual_network():
    assert named_part("network", "auto") == MLP()


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("network", "mpl", r"`network` must be .*'mlp' \(MLP\).*got 'mpl'.*Did you mean 'mlp'"),
        ("objective", "auto", r"`objective` must be .*'reconstruction' \(Reconstruction\)"),
        ("optimizer", MLP(), r"`optimizer` must be .*AdamW.*got MLP\("),
        ("network", MLP, "`network` must be"),
        ("network", None, "`network` must be"),
        ("network", MLP(hidden="deep"), "`hidden` of MLP must be"),
    ],
)
def test_what_is_no_part_is_refused(kind, value, words):
    with pytest.raises(ParameterError, match=words):
        named_part(kind, value)


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ({"name": "torch.nn.Linear"}, r"'torch.nn.Linear' is unknown; known are .*'mlp'"),
        ({}, "None is unknown"),
        ({"name": "mlp", "depth": 3}, "does not take these fields.*depth"),
        ({"name": "mlp", "hidden": [0]}, "`hidden` of MLP must be"),
    ],
)
def test_a_file_cannot_ask_for_another_class_or_field(description, words):
    with pytest.raises(ParameterError, match=words):
        from_json("network", description)
