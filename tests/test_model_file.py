"""A model file runs nothing, holds no row, survives accidents and refuses forgeries."""

from __future__ import annotations

import math
import os
import signal
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from safetensors import safe_open

from attacks.model_files import (
    DAMAGED,
    FORGED,
    TEXTS,
    forged,
    forged_text,
    header_length,
    metadata_of,
)
from conftest import curved, noise, quick
from narrows import MLP, AdamW, Autoencoder, load
from narrows.errors import ModelFileError, NewerModelFile, NotAModelFile, TruncatedModelFile
from narrows.model.file import ModelState, read_model, write_model

DATA = Path(__file__).parent / "data"


def refused(path):
    """Load a file, which must fail in one helpful line; return the error."""
    with pytest.raises((ModelFileError, OSError)) as caught:
        load(path)
    said = str(caught.value)
    assert "\n" not in said
    assert Path(path).name in said
    assert len(said) < 1_000
    return caught.value


# ---------------------------------------------------------------- what is in a file


def test_plain_safetensors_opens_it(model_file, trained):
    found = safetensors.numpy.load_file(model_file)
    for name, tensor in trained.network_.state_dict().items():
        np.testing.assert_array_equal(found[f"network.{name}"], tensor.numpy())
    assert set(metadata_of(model_file)) == {"format", "version", "config", "sha256"}


def test_it_is_hardly_larger_than_its_tensors(tmp_path):
    ae = quick(32, max_steps=2, network=MLP(hidden=(400,))).fit(noise(100, 300))
    ae.save(tmp_path / "large.safetensors")
    n_bytes = sum(
        t.nbytes for t in safetensors.numpy.load_file(tmp_path / "large.safetensors").values()
    )
    assert n_bytes > 1_000_000
    assert (tmp_path / "large.safetensors").stat().st_size <= 1.1 * n_bytes + 100_000


@pytest.mark.parametrize("scaling", ["auto", "standard", None])
@pytest.mark.parametrize("split", ["auto", 0.2])
def test_no_training_row_is_in_it(tmp_path, scaling, split):
    X = curved(150)
    ae = quick(scaling=scaling, validation_fraction=split).fit(X).partial_fit(X[:20])
    ae.transform(X)
    ae.save(tmp_path / "model.safetensors")
    content = (tmp_path / "model.safetensors").read_bytes()
    shift, divisor = (getattr(ae.network_.scaling, name).numpy() for name in ("shift", "divisor"))
    codes = ae.transform(X)
    for table in (X, (X - shift) / divisor, codes, codes / ae.network_.code_unit.numpy()):
        for dtype in (np.float32, np.float64):
            needles = [row.tobytes() for row in np.ascontiguousarray(table[:, :2].astype(dtype))]
            assert not any(needle in content for needle in needles)
    assert ae.network_.scaling.shift.numpy().tobytes() in content  # the search can find things


# ---------------------------------------------------------------- there and back

MODELS = {
    "defaults": lambda X: Autoencoder(max_steps=5).fit(X),
    "kept last": lambda X: quick(keep="last", batch_size=300, max_steps=100).fit(X),
    "random": lambda X: quick(9, init="random", scaling="standard").fit(X),
    "nothing held out": lambda X: quick(validation_fraction=0.0, bounds=(-9, 9.5)).fit(X),
    "low rank": lambda X: quick(4).fit(X[:, :2] @ np.ones((2, 5))),
    "partial": lambda X: quick().partial_fit(X).partial_fit(X),
    "continued": lambda X: quick().fit(X).partial_fit(X),
    "pictures": lambda X: quick().fit(X.reshape(-1, 2, 3)),
    "frame": lambda X: quick().fit(pd.DataFrame(X, columns=["a", "b", "ü", "维", "e", ""])),
    "parts": lambda X: quick(
        network=MLP(hidden=[5, 3], activation="relu"),
        optimizer=AdamW(weight_decay=0.0),
        sample_shape=[3, 2],
        scaling=[0, 1],
        random_state=np.random.RandomState(0),
        callbacks=[print],
        max_steps=None,
        max_epochs=np.int64(2),
        learning_rate=np.float32(0.001),
    ).fit(X),
    "bytes": lambda X: quick().fit((X * 5 + 100).clip(0, 255).astype(np.uint8)),
}


@pytest.mark.parametrize("model", MODELS)
def test_every_learned_attribute_comes_back(model, X, tmp_path, capsys):
    ae = MODELS[model](X)
    path = tmp_path / "model.safetensors"
    ae.save(path)
    again = load(path)
    learned, there = (
        {name for name in dir(one) if name.endswith("_") and name[0] != "_" and hasattr(one, name)}
        for one in (ae, again)
    )
    assert learned == there
    for name in learned - {"model_", "network_", "pca_", "history_", "priors_"}:
        np.testing.assert_array_equal(getattr(again, name), getattr(ae, name), err_msg=name)
    normal, other = (model.priors_["normal"].state_dict() for model in (ae, again))
    for name, tensor in normal.items():
        np.testing.assert_array_equal(tensor, other[name])
    for name, array in vars(ae.pca_).items():
        np.testing.assert_array_equal(getattr(again.pca_, name), array)
    ours, theirs = ae.network_.state_dict(), again.network_.state_dict()
    assert {n: t.dtype for n, t in ours.items()} == {n: t.dtype for n, t in theirs.items()}
    assert all(ours[name].equal(theirs[name]) for name in ours)
    assert [list(row) for row in again.history_] == [list(row) for row in ae.history_]
    for row, read in zip(ae.history_, again.history_, strict=True):
        np.testing.assert_array_equal(list(read.values()), list(row.values()))
    Z = np.random.default_rng(0).normal(size=(9, ae.n_components_))
    np.testing.assert_array_equal(again.inverse_transform(Z), ae.inverse_transform(Z))


def test_parameters_come_back(X, tmp_path):
    ae = MODELS["parts"](X)
    ae.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert again.network == MLP(hidden=(5, 3), activation="relu")
    assert again.optimizer == AdamW(weight_decay=0.0)
    assert (again.scaling, again.sample_shape, again.max_epochs) == ((0, 1), (3, 2), 2)
    assert (again.random_state, again.callbacks) == (None, ())
    again.set_params(random_state=0).fit(X)  # and it can learn again


def test_a_history_with_gaps_comes_back(trained, tmp_path):
    errors = [row["validation_error"] for row in trained.history_]
    assert any(math.isnan(error) for error in errors)
    assert not all(math.isnan(error) for error in errors)
    trained.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal([row["validation_error"] for row in again.history_], errors)
    assert isinstance(again.history_[0]["epoch"], int)


@pytest.mark.filterwarnings("ignore:The loss was no longer finite:narrows.errors.NarrowsWarning")
def test_a_fit_that_diverged_can_be_saved_and_loaded(X, tmp_path):
    ae = quick(learning_rate=1e30).fit(X)
    assert not math.isfinite(ae.history_[-1]["loss"])
    ae.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.history_[-1]["loss"], ae.history_[-1]["loss"])


def test_partial_fit_goes_on_after_load(trained, model_file, X):
    again = load(model_file).partial_fit(X)
    assert again.n_steps_ > trained.n_steps_


def test_saving_the_loaded_model_gives_the_same_file(model_file, tmp_path):
    load(model_file).save(tmp_path / "again.safetensors")
    # safetensors writes its metadata in any order, so the bytes may differ.
    assert metadata_of(tmp_path / "again.safetensors") == metadata_of(model_file)


def test_a_file_that_calls_all_steps_finished_is_read_as_such(trained, tmp_path):
    """As builds before `stopped_because_` wrote it."""
    trained.save(tmp_path / "now.safetensors")
    state = read_model(tmp_path / "now.safetensors")
    state.config["ended"] = "finished"
    write_model(tmp_path / "before.safetensors", state)
    before = load(tmp_path / "before.safetensors")
    assert before.stopped_because_ == trained.stopped_because_ == "steps"
    assert before.model_.record.repeatable


def test_a_version_1_file_opens_for_ever():
    expected = np.load(DATA / "version-1.npz")
    ae = load(DATA / "version-1.safetensors")
    names = ["width", "height", "площадь", "面积", "tilt"]
    assert ae.feature_names_in_.tolist() == names
    assert ae.bounds_ == (-0.8, 0.9)
    assert ae.network == MLP(hidden=(8, 4), activation="tanh")
    assert ae.best_step_ == 200
    assert ae.validation_error_ == expected["validation_error"]
    rows = pd.DataFrame(expected["X"], columns=names)
    # Another processor may add in another order.
    np.testing.assert_allclose(ae.transform(rows), expected["Z"], atol=1e-12)
    np.testing.assert_allclose(ae.reconstruct(rows), expected["X_hat"], atol=1e-12)


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused(name, model_file):
    model_file.write_bytes(DAMAGED[name](model_file.read_bytes()))
    refused(model_file)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("version 4", NewerModelFile),
        ("text", NotAModelFile),
        ("pickle", NotAModelFile),
        ("another program's", NotAModelFile),
        ("header past the end", TruncatedModelFile),
        ("header alone", TruncatedModelFile),
        ("a byte more", TruncatedModelFile),
    ],
)
def test_the_error_says_what_kind_of_damage_it_is(name, error, model_file):
    model_file.write_bytes(DAMAGED[name](model_file.read_bytes()))
    assert type(refused(model_file)) is error


def test_a_newer_file_asks_for_a_newer_narrows(model_file, monkeypatch):
    state = read_model(model_file)
    with monkeypatch.context() as patch:
        patch.setattr("narrows.model.file.VERSION", 4)
        write_model(model_file, state)
    error = refused(model_file)
    assert isinstance(error, NewerModelFile)
    assert "upgrade" in str(error)


def test_a_file_cut_short_anywhere_is_refused(model_file, tmp_path):
    content = model_file.read_bytes()
    ends = {*range(0, 300, 7), *range(0, len(content), 97), len(content) - 1}
    header_end = 8 + header_length(content)
    for end in sorted(ends | {7, 8, 9, header_end - 1, header_end, header_end + 1}):
        cut = tmp_path / "cut.safetensors"
        cut.write_bytes(content[:end])
        refused(cut)


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_flipped_byte_anywhere_is_refused(model_file, tmp_path, mask):
    content = bytearray(model_file.read_bytes())
    step = 5 if mask == 0x01 else 11
    header_end = 8 + header_length(content)
    bad = tmp_path / "flipped.safetensors"
    opened = []
    for place in [*range(0, header_end, step), *range(header_end, len(content), 41)]:
        content[place] ^= mask
        bad.write_bytes(content)
        content[place] ^= mask
        try:
            load(bad)
        except (ModelFileError, OSError) as error:
            assert "\n" not in str(error)
        else:
            opened.append((place, bytes(content[max(place - 12, 0) : place + 2])))
    assert opened == []


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_file_is_refused(name, model_file):
    forged(model_file, FORGED[name])
    assert isinstance(refused(model_file), ModelFileError)


@pytest.mark.parametrize("name", TEXTS)
def test_a_configuration_that_is_none_is_refused(name, model_file, monkeypatch):
    forged_text(model_file, TEXTS[name], monkeypatch)
    assert isinstance(refused(model_file), ModelFileError)


def test_forging_alone_does_not_make_a_file_bad(model_file, trained, X):
    forged(model_file, lambda config, tensors: None)
    np.testing.assert_array_equal(load(model_file).transform(X), trained.transform(X))


def test_a_folder_is_refused_in_pythons_words(tmp_path):
    assert isinstance(refused(tmp_path), IsADirectoryError)


def test_a_missing_file_is_refused_with_its_neighbour(model_file):
    error = refused(model_file.parent / "modle.safetensors")
    assert isinstance(error, FileNotFoundError)
    assert "no such file; give a model" in str(error)
    assert "Did you mean 'model.safetensors'?" in str(error)


@pytest.mark.parametrize(
    "name", ["enormous hidden widths", "wide hidden layers", "enormous data", "an enormous code"]
)
def test_a_forged_width_is_refused_before_anything_is_built(name, model_file, monkeypatch):
    def build(*args, **kwargs):
        raise AssertionError("memory was claimed")

    monkeypatch.setattr("narrows.model.serialise.bare_network", build)
    forged(model_file, FORGED[name])
    refused(model_file)


# ---------------------------------------------------------------- saving is atomic


def save_in_another_process(path, accident):
    """Read a model and write it again over itself, while an accident happens."""
    code = f"""
import os, resource, signal
import safetensors.numpy
from narrows.model.file import read_model, write_model

state = read_model({str(path)!r})
{textwrap.dedent(accident)}
try:
    write_model({str(path)!r}, state)
except OSError as error:
    print("one line" if "\\n" not in str(error) else "lines")
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_killed_in_mid_save_the_old_file_stands(model_file, trained, X):
    before = model_file.read_bytes()
    result = save_in_another_process(
        model_file,
        """
        def half(tensors, path, metadata=None):
            whole = safetensors.numpy.save(tensors, metadata=metadata)
            with open(path, "wb") as file:
                file.write(whole[: len(whole) // 2])
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)

        safetensors.numpy.save_file = half
        """,
    )
    assert result.returncode == -signal.SIGKILL, result.stderr
    assert model_file.read_bytes() == before
    np.testing.assert_array_equal(load(model_file).transform(X), trained.transform(X))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_save_leaves_everything_as_it_was(model_file, trained, monkeypatch, error):
    def fail(tensors, path, metadata=None):
        Path(path).write_bytes(b"half")
        raise error

    before = model_file.read_bytes()
    monkeypatch.setattr("safetensors.numpy.save_file", fail)
    with pytest.raises(type(error)):
        trained.save(model_file)
    with pytest.raises(type(error)):
        trained.save(model_file.with_name("new.safetensors"))
    assert model_file.read_bytes() == before
    assert os.listdir(model_file.parent) == [model_file.name]  # noqa: PTH208 - hidden files too


def test_a_disk_that_is_full_is_an_oserror(model_file):
    """A limit on the size of files stands for a disk without space."""
    before = model_file.read_bytes()
    result = save_in_another_process(
        model_file, "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    )
    assert result.stdout == "one line\n", result.stderr
    assert model_file.read_bytes() == before
    assert os.listdir(model_file.parent) == [model_file.name]  # noqa: PTH208 - a plain list of names


def test_a_folder_that_is_missing_or_in_the_way(trained, tmp_path):
    with pytest.raises(OSError, match=r"no such folder"):
        trained.save(tmp_path / "no such folder" / "model.safetensors")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        trained.save(tmp_path / "folder")
    assert os.listdir(tmp_path) == ["folder"]  # noqa: PTH208 - a plain list of names


def test_saving_keeps_the_rights_of_the_old_file(model_file, trained):
    model_file.chmod(0o640)
    trained.save(model_file)
    assert model_file.stat().st_mode & 0o777 == 0o640


def test_a_new_file_has_the_usual_rights(trained, tmp_path):
    (tmp_path / "plain").write_text("")
    trained.save(tmp_path / "model")
    modes = [(tmp_path / name).stat().st_mode for name in ("plain", "model")]
    assert modes[0] == modes[1]


def test_a_state_that_json_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(ValueError, match="JSON"):
        write_model(path, ModelState({"x": math.nan}, {}))
    assert not list(tmp_path.iterdir())


def test_the_header_is_the_one_of_the_format(model_file):
    content = model_file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert content[8:9] == b"{"
    with safe_open(model_file, framework="numpy") as file:
        n_bytes = sum(file.get_tensor(name).nbytes for name in file.keys())  # noqa: SIM118 - not a dict
    assert len(content) == 8 + length + n_bytes
    assert metadata_of(model_file)["version"] == "3"
