"""Forged files: each field of each family, network and prior that the folders hold.

`load` must answer each in 2 s of processor time and 200 MB, with a model or with one clear line.
"""

from __future__ import annotations

import copy
import time
from pathlib import Path

import numpy as np
import pytest

from attacks.model_files import forged, forged_fields, wide_and_shallow
from conftest import curved, quick
from narrows import MLP, VAE, load
from narrows.errors import ModelFileError
from narrows.model.file import ModelState, read_model, write_model
from narrows.model.parts import PARTS
from narrows.objectives.priors import PRIORS

MOST_SECONDS, MOST_BYTES = 2.0, 200 << 20
PROC = Path("/proc/self")
PICTURES = curved(60).reshape(-1, 3, 2)
MODELS = {
    **{f"family {name}": {"objective": name} for name in PARTS["objective"]},
    **{f"network {name}": {"network": name} for name in PARTS["network"]},
    **{f"prior {name}": {} for name in PRIORS},
    "ordered": {"ordered": True},
    "classes": {"objective": VAE(conditional=True, prior="flow")},
    "random": {"init": "random"},
}

ABOUT = {
    "family": ("objective.", "network.extra."),
    "network": "network.",
    "prior": "prior",
    "ordered": ("ordered", "n_components_", "code_size", "cells", "objective."),
    "classes": ("classes", "prior", "objective."),
}
"""What is forged of the models of each kind; of the others, all is."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a function from a model's name to a state that a small file of it holds."""
    folder, states = tmp_path_factory.mktemp("models"), {}

    def state(name):
        if name not in states:
            given = {"network": MLP(hidden=(4,)), "max_steps": 2, "keep": "last", **MODELS[name]}
            classes = [np.arange(60) % 3] if name == "classes" else []
            ae = quick(2, **given).fit(PICTURES, *classes)
            if name.startswith("prior "):
                ae.fit_prior(name.removeprefix("prior "))
            ae.save(folder / "model.safetensors")
            states[name] = read_model(folder / "model.safetensors")
        return states[name]

    return state


def copied(state):
    return copy.deepcopy(state.config), dict(state.tensors)


def peak_bytes():
    """Return the largest memory since the last `forget_peak`."""
    for line in (PROC / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmHWM")


def forget_peak():
    (PROC / "clear_refs").write_text("5")


def outcome(path):
    """Load a file; return what is wrong with the answer, or nothing."""
    forget_peak()
    before, started, words = peak_bytes(), time.process_time(), []
    try:
        load(path)
    except ModelFileError as error:
        if "\n" in str(error) or len(str(error)) > 1000:
            words.append(f"not one clear line: {str(error)[:200]!r}")
    except BaseException as error:
        words.append(f"{type(error).__name__}: {str(error)[:200]}")
    if time.process_time() - started > MOST_SECONDS:
        words.append(f"{time.process_time() - started:.1f} s")
    if peak_bytes() - before > MOST_BYTES:
        words.append(f"{(peak_bytes() - before) >> 20} MB")
    return ", ".join(words)


@pytest.mark.skipif(not (PROC / "clear_refs").exists(), reason="memory is read from Linux's /proc")
@pytest.mark.parametrize("name", MODELS)
def test_a_forged_field_is_answered_at_once(name, saved, short_flow, tmp_path):
    path, state, wrong = tmp_path / "forged.safetensors", saved(name), {}
    about = ABOUT.get(name.split()[0], "")
    for attack, change in forged_fields(*copied(state)).items():
        if not attack.startswith(about):
            continue
        config, tensors = copied(state)
        change(config, tensors)
        write_model(path, ModelState(config, tensors))
        words = outcome(path)
        if words:
            wrong[attack] = words
    assert not wrong, "\n".join(f"{attack}: {words}" for attack, words in wrong.items())


@pytest.mark.skipif(not (PROC / "clear_refs").exists(), reason="memory is read from Linux's /proc")
@pytest.mark.parametrize("name", [name for name in MODELS if name.startswith("family")])
def test_a_wide_code_does_not_claim_what_a_family_would_add(name, saved, tmp_path):
    path, state = tmp_path / "forged.safetensors", saved(name)
    write_model(path, state)
    forged(path, wide_and_shallow)
    assert path.stat().st_size < 1_000_000
    assert not outcome(path)
