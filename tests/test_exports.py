"""Models for other programs: the same numbers in each format, and nothing half-written."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import skl2onnx
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from conftest import curved, digits, new_files, outcome, python, quick
from narrows import FSQ, IWAE, MLP, VAE, VQ, Conv, Reconstruction, load, register_skl2onnx
from narrows.cli.paths import ONE_FILE
from narrows.datasets import load_mnist
from narrows.errors import ExportError, MissingExtra, ParameterError
from narrows.model.export import FORMATS, installed, onnx_files
from narrows.model.parts import PARTS
from narrows.recipes.runner import read_recipe

pytestmark = [
    # What Keras does on torch.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    # What a tutorial's sigmoids do.
    pytest.mark.filterwarnings("ignore:.*these numbers have collapsed"),
]
TOLERANCE = 1e-5
"""Part of the range of the values."""
MADE = {"vq": VQ(n_codes=16, width=1), "fsq": FSQ(levels=4)}
PICTURES = digits()[0].reshape(-1, 8, 8)
COLOURED = np.repeat(PICTURES[..., None], 3, axis=3)
FAMILIES = [
    pytest.param(curved().astype(np.float32), {"objective": MADE.get(name, name)}, id=name)
    for name in PARTS["objective"]
]
OTHERS = {
    "of classes": (curved(), {"objective": VAE(conditional=True)}),
    "of classes, iwae": (curved(), {"objective": IWAE(conditional=True, prior="flow")}),
    "bernoulli": (PICTURES / 16, {"objective": Reconstruction("bernoulli"), "init": "random"}),
    "ordered": (curved(), {"ordered": True, "n_components": 3}),
    "cut short": (curved(), {"n_components": 0.9}),
    "pictures": (PICTURES, {}),
    "standard": (curved() * [1, 100, 1, 1e4, 1, 1], {"scaling": "standard"}),
    "bounded": (digits()[0] / 16, {"bounds": (0, 1)}),
    "conv": (PICTURES, {"network": Conv(hidden=(8,), channels=(4,))}),
    "conv of several stages": (PICTURES, {"network": Conv(channels=(4, 6), patch=3, blocks=1)}),
    "conv of photographs": (COLOURED, {"network": "conv", "n_components": 8}),
    "activations": (
        curved(),
        {"network": MLP((8, 8), activation="silu", output_activation="tanh"), "init": "random"},
    ),
    "own modules": (curved(), {"network": (nn.Linear(6, 2), nn.Linear(2, 6))}),
    "only PCA": (curved(), {"keep": "best", "learning_rate": 1e-12}),
    "one column": (curved()[:, :1], {"n_components": 1}),
}
CASES = [*FAMILIES, *(pytest.param(*case, id=name) for name, case in OTHERS.items())]
ALIKE = {
    "adversarial",
    "contractive",
    "denoising",
    "iwae",
    "neighbors",
    "wae",
    "of classes",
    "of classes, iwae",
    "pictures",
    "bounded",
    "one column",
    "conv",
    "only PCA",
    "standard",
}
"""Cases whose encoders and decoders are made of the same operations as those of others."""


def tutorial(name):
    """A program of the tutorials, as a case of few steps on few digits."""
    arguments = {**read_recipe(name).autoencoder, "max_epochs": "auto", "max_steps": 10}
    X = load_mnist("test", return_X_y=True)[0][:200]
    return pytest.param(X, arguments, id=name)


TUTORIALS = [
    tutorial(name) for name in ("tensorflow-reconstruct", "tensorflow-map", "keras-map", "torch-3d")
]
UNLIKE = [case for case in CASES if case.id not in ALIKE]
SOME = [
    *UNLIKE,
    *(
        pytest.param(*case.values, id=case.id, marks=pytest.mark.long)
        for case in [*(case for case in CASES if case.id in ALIKE), *TUTORIALS]
    ),
]


def fitted(X, changes):
    """A model that has left PCA, of few steps."""
    given = {"keep": "last", "learning_rate": 0.01, "max_steps": 20, **changes}
    rows = np.asarray(X, dtype=np.float32)
    return quick(**given).fit(rows, np.arange(len(rows)) % 3), rows


def as_onnx(folder, name):
    session = onnxruntime.InferenceSession(folder / f"{name}.onnx")
    (entered,) = session.get_inputs()
    return lambda batch: session.run(None, {entered.name: batch})[0]


def as_program(folder, name):
    program = torch.export.load(folder / f"{name}.pt2").module()
    return lambda batch: program(torch.from_numpy(batch)).detach().numpy()


def as_keras(file, name):
    read = keras.models.load_model(file, compile=False, safe_mode=True)
    model = read if name == "reconstruct" else read.get_layer(name)
    return lambda batch: keras.ops.convert_to_numpy(model(batch))


READERS = {"onnx": as_onnx, "keras": as_keras, "torch": as_program}


def assert_equal(found, expected, ae):
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    allowed = TOLERANCE * np.ptp(expected) + 1e-30
    np.testing.assert_allclose(found, expected, rtol=0, atol=allowed)


@pytest.mark.parametrize("to", READERS)
@pytest.mark.parametrize(("X", "changes"), SOME)
def test_the_files_give_the_numbers_of_the_model(X, changes, to, tmp_path):
    ae, rows = fitted(X, changes)
    out = tmp_path / f"out{ONE_FILE.get(to, '')}"
    exported = ae.export(out, to=to)
    assert exported.difference <= TOLERANCE
    encode, decode, reconstruct = (
        READERS[to](out, name) for name in ("encoder", "decoder", "reconstruct")
    )
    Z = ae.transform(rows)
    for n_rows in (1, 2, 7, len(rows)):
        assert_equal(encode(rows[:n_rows]), Z[:n_rows], ae)
        assert_equal(decode(Z[:n_rows]), ae.inverse_transform(Z[:n_rows]), ae)
        assert_equal(reconstruct(rows[:n_rows]), ae.reconstruct(rows[:n_rows]), ae)


def test_a_file_of_an_early_version_is_exported(tmp_path):
    ae = load(Path(__file__).parent / "data" / "version-1.safetensors")
    assert ae.export(tmp_path / "out", to="torch").difference <= TOLERANCE


def test_a_program_of_torch_runs_without_narrows(trained, tmp_path):
    trained.export(tmp_path / "out", to="torch")
    code = (
        "import sys, torch; sys.modules['narrows'] = None;"
        f" program = torch.export.load({str(tmp_path / 'out' / 'encoder.pt2')!r}).module();"
        " print(tuple(program(torch.ones(5, 6)).shape))"
    )
    out, error = (process := python(code)).communicate()
    assert process.returncode == 0, error
    assert out.strip() == "(5, 2)"


def test_the_metadata_say_what_enters_and_leaves(tmp_path):
    frame = pd.DataFrame(curved(), columns=["长度", "b", "c", "d", "e", "f"])
    quick().fit(frame).export(tmp_path / "out")
    model = onnx.load(tmp_path / "out" / "encoder.onnx")
    onnx.checker.check_model(model)
    known = {prop.key: prop.value for prop in model.metadata_props}
    assert json.loads(known["narrows.row_shape"]) == [6]
    assert json.loads(known["narrows.feature_names"])[0] == "长度"
    assert known["narrows.objective"] == "reconstruction"
    assert known["narrows.held_out_error_unit"] == "squared data units"
    assert (model.graph.input[0].name, model.graph.output[0].name) == ("rows", "codes")
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_quantised_files_are_smaller_and_their_cost_is_measured(tmp_path):
    rows = digits()[0]
    wide = {"network": MLP(hidden=(256, 256)), "n_components": 8}
    ae, rows = fitted(rows, {**wide, "max_steps": 200})
    exact = ae.export(tmp_path / "exact", X=rows)
    small = ae.export(tmp_path / "small", X=rows, quantize=True)
    sizes = [sum(file.stat().st_size for file in each.files) for each in (exact, small)]
    assert sizes[1] < 0.4 * sizes[0]
    assert exact.errors is None
    before, after = small.errors
    found = as_onnx(tmp_path / "small", "reconstruct")(rows)
    assert before == pytest.approx(np.square(ae.reconstruct(rows) - rows).mean(), rel=1e-4)
    assert after == pytest.approx(np.square(found - rows).mean(), rel=1e-2)
    assert new_files(tmp_path / "small") == ["decoder.onnx", "encoder.onnx", "reconstruct.onnx"]


def test_skl2onnx_converts_a_whole_pipeline(tmp_path):
    X, y, X_test, _ = digits(400)
    encoder = quick(8, network=MLP((32,)), keep="last")
    pipeline = make_pipeline(StandardScaler(), encoder, LogisticRegression(max_iter=2000)).fit(X, y)
    register_skl2onnx()
    made = skl2onnx.to_onnx(pipeline, X[:1], options={"zipmap": False}, target_opset=20)
    session = onnxruntime.InferenceSession(made.SerializeToString())
    labels, shares = session.run(None, {"X": X_test})
    np.testing.assert_array_equal(labels, pipeline.predict(X_test))
    np.testing.assert_allclose(shares, pipeline.predict_proba(X_test), atol=1e-4)


# ---------------------------------------------------------------- Keras


ON_A_BACKEND = """
import sys, warnings
from pathlib import Path
import keras, numpy as np
assert keras.backend.backend() == {backend!r}
for file in sorted(Path({folder!r}).glob("*.keras")):
    read = keras.models.load_model(file, compile=False, safe_mode=True)
    known = np.load(file.with_suffix(".npz"))
    parts = {{"rows": read.get_layer("encoder"), "codes": read.get_layer("decoder")}}
    for given, expected in (("rows", "codes"), ("codes", "decoded")):
        found = keras.ops.convert_to_numpy(parts[given](known[given]))
        away = np.abs(found - known[expected]).max() / np.ptp(known[expected])
        assert away < 1e-5, (file.name, given, away)
        print(file.stem, given, away)
"""


@pytest.fixture(scope="session")
def keras_files(tmp_path_factory):
    """A folder with a file of each model, rows, codes and what these decode to."""
    folder = tmp_path_factory.mktemp("keras")
    for case in [*UNLIKE, *TUTORIALS]:
        ae, rows = fitted(*case.values)
        name = case.id.replace(" ", "-")
        ae.export(folder / f"{name}.keras", to="keras")
        Z = ae.transform(rows)
        np.savez(folder / f"{name}.npz", rows=rows, codes=Z, decoded=ae.inverse_transform(Z))
    return folder


@pytest.mark.parametrize("backend", ["tensorflow", pytest.param("jax", marks=pytest.mark.long)])
def test_keras_files_load_on_each_backend(backend, keras_files):
    """The backend of this process, torch, is that of the tests above."""
    pytest.importorskip(backend)
    code = ON_A_BACKEND.format(backend=backend, folder=str(keras_files))
    process = python(code, env={"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"})
    out, error = process.communicate()
    assert process.returncode == 0, error
    assert len(out.splitlines()) == 2 * len([*UNLIKE, *TUTORIALS])


def test_a_classifier_on_the_encoder_is_trained_in_keras(tmp_path):
    X_train, y_train, X, y = digits(600)
    ae, _ = fitted(X_train, {"n_components": 16, "max_steps": 300, "network": MLP((64,))})
    ae.export(tmp_path / "digits.keras", to="keras")
    encoder = keras.models.load_model(tmp_path / "digits.keras").get_layer("encoder")
    keras.utils.set_random_seed(0)
    classifier = keras.Sequential([encoder, keras.layers.Dense(10, activation="softmax")])
    classifier.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    before = classifier.evaluate(X, y, verbose=0)[1]
    classifier.fit(X_train, y_train, epochs=30, verbose=0)
    after = classifier.evaluate(X, y, verbose=0)[1]
    assert after > 0.8 > 0.4 > before
    assert encoder.trainable_weights  # it was trained along


# ---------------------------------------------------------------- modules


@pytest.mark.parametrize(("X", "changes"), CASES)
def test_modules_give_the_numbers_of_the_model(X, changes):
    ae, rows = fitted(X, changes)
    Z = ae.transform(rows)
    with torch.no_grad():
        codes = ae.encoder_module()(torch.from_numpy(rows)).numpy()
        decoded = ae.decoder_module()(torch.from_numpy(Z)).numpy()
    assert_equal(codes, Z, ae)
    assert_equal(decoded, ae.inverse_transform(Z), ae)


def test_modules_are_trained_on_and_leave_the_model_alone(trained, X):
    rows = torch.from_numpy(X.astype(np.float32))
    before = trained.transform(X)
    encoder = trained.encoder_module()
    head = nn.Linear(2, 1)
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=0.01)
    wanted = rows[:, :1] * rows[:, 1:2]
    losses = []
    for _ in range(30):
        loss = (head(encoder(rows)) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert np.abs(encoder(rows).detach().numpy() - before).max() > 0.01
    np.testing.assert_array_equal(trained.transform(X), before)


def test_an_encoder_brings_no_weight_of_the_decoder(trained):
    n_weights = sum(p.numel() for p in trained.encoder_module().parameters())
    assert n_weights == sum(p.numel() for p in trained.network_.encoder.parameters())


# ---------------------------------------------------------------- what is refused


class Stubborn(nn.Linear):
    def forward(self, x):
        return super().forward(x * float(x.sum() * 0 + 1))


def test_what_cannot_be_traced_is_refused_by_name_and_nothing_is_written(X, tmp_path):
    ae, _ = fitted(X, {"network": (Stubborn(6, 2), nn.Linear(2, 6))})
    for to in READERS:
        with pytest.raises(ExportError, match=r"encoder of this model.*Stubborn"):
            ae.export(tmp_path / f"out{ONE_FILE.get(to, '')}", to=to)
    assert new_files(tmp_path) == []


class Unusual(nn.Linear):
    def forward(self, x):
        return super().forward(torch.special.erfcx(x))


def test_an_operation_without_a_counterpart_is_refused_by_name(X, tmp_path):
    ae, _ = fitted(X, {"network": (Unusual(6, 2), nn.Linear(2, 6))})
    with pytest.raises(ExportError, match=r"special_erfcx.*Use to='onnx' or to='torch'"):
        ae.export(tmp_path / "out.keras", to="keras")
    assert new_files(tmp_path) == []
    ae.export(tmp_path / "out", to="torch")


def test_files_that_differ_from_the_model_are_not_written(trained, tmp_path, monkeypatch):
    as_function = onnx_files.as_function
    monkeypatch.setattr(
        onnx_files, "as_function", lambda path: lambda batch: as_function(path)(batch) + 0.01
    )
    with pytest.raises(ExportError, match=r"encoder differs from the model by 0\.01"):
        trained.export(tmp_path / "out")
    assert new_files(tmp_path) == []


def test_data_that_float32_cannot_hold_are_refused(tmp_path):
    ae = quick().fit(curved() * 1e36)
    with pytest.raises(ExportError, match="too large or too small for float32"):
        ae.export(tmp_path / "out")


def test_wrong_options_are_named(trained, tmp_path):
    with pytest.raises(ParameterError, match=r"got 'onx'\. Did you mean 'onnx'\?"):
        trained.export(tmp_path / "out", to="onx")
    with pytest.raises(ParameterError, match="quantize=True is for to='onnx' alone"):
        trained.export(tmp_path / "out", to="torch", quantize=True)


def test_one_file_has_the_suffix_of_its_format(trained, tmp_path):
    with pytest.raises(ParameterError, match=r"writes one file that ends in \.keras, got path="):
        trained.export(tmp_path / "model", to="keras")
    suffixes = {to: importlib.import_module(name).SUFFIX for to, name in FORMATS.items()}
    assert {to: suffix for to, suffix in suffixes.items() if suffix} == ONE_FILE


def test_a_missing_library_is_named_with_its_command(trained, tmp_path, monkeypatch):
    find = installed.find_spec
    monkeypatch.setattr(
        installed, "find_spec", lambda name: None if name == "onnxscript" else find(name)
    )
    with pytest.raises(MissingExtra, match=r"needs onnxscript.*pip install 'narrows\[export\]'"):
        trained.export(tmp_path / "out")
    assert new_files(tmp_path) == []


def test_files_of_an_earlier_export_are_replaced_and_others_stand(trained, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "encoder.pt2").write_text("old")
    (folder / "mine.txt").write_text("mine")
    trained.export(folder, to="torch")
    assert new_files(folder) == ["decoder.pt2", "encoder.pt2", "mine.txt", "reconstruct.pt2"]
    assert (folder / "mine.txt").read_text() == "mine"
    torch.export.load(folder / "encoder.pt2")


# ---------------------------------------------------------------- the command line


def test_the_command_writes_and_says_what_it_checked(model_file, X, here, capsys):
    np.save("rows.npy", X)
    line = ["export", str(model_file), "--data", "rows.npy", "--to", "torch", "--out", "programs/"]
    assert outcome(line) == 0
    printed = capsys.readouterr().out
    assert "wrote programs/encoder.pt2 (" in printed
    assert "checked on 300 rows: equal to the model within" in printed


def test_the_command_refuses_what_it_cannot_do(model_file, here, capsys):
    out = ["export", str(model_file), "--out"]
    assert outcome([*out, "model.onnx"]) == 2
    assert "name it without a suffix, such as model" in capsys.readouterr().err
    assert outcome([*out, "out", "--to", "keras2"]) == 2
    assert "`to` must be one of" in capsys.readouterr().err
    assert new_files() == [model_file.name]
    assert outcome([*out, "out", "--to", "torch"]) == 0
    assert outcome([*out, "out"]) == 1
    assert "replaces files of the same name" in capsys.readouterr().err
    assert outcome([*out, "out", "--overwrite", "--quantize"]) == 0
    assert "before weights were rounded to 8 bits" in capsys.readouterr().out
