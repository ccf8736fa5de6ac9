"""Small data and small models that most tests share."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

# Keras computes with torch here, which is loaded anyway.
os.environ.setdefault("KERAS_BACKEND", "torch")
# One thread a process, those that tests start included: pytest runs as many as there are cores.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA

from few_digits import first_digits
from narrows import MLP, Autoencoder, evaluate
from narrows.objectives.priors import flow
from narrows.sources import mnist as mnist_files

torch.set_num_threads(1)

LONG = (
    "test_documents.py",
    "test_demo.py",
    "test_nearest_rows.py",
    "test_exports.py",
    "test_recipes.py",
    "test_estimator_contract.py",
)
"""Files whose tests take seconds each: they begin, so that short ones fill the end."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


def curved(n_rows=300, n_features=6, seed=0):
    """Rows about a curved sheet: PCA gives a part of them back, and a network more."""
    rng = np.random.default_rng(seed)
    u, v = rng.uniform(-1, 1, (2, n_rows))
    sheet = np.stack([u, v, u * u, u * v, v * v, np.sin(3 * u)], axis=1)[:, :n_features]
    return 10 * sheet + rng.normal(0, 0.05, sheet.shape) + 3


def noise(n_rows=120, n_features=8, seed=0):
    """Gaussian rows: nothing but PCA to gain."""
    return np.random.default_rng(seed).normal(size=(n_rows, n_features)) + 1


def quick(n_components=2, **changes):
    """An `Autoencoder` that fits in a fraction of a second, with one part held out."""
    given = {
        "max_steps": 60,
        "validation_fraction": 0.2,
        "random_state": 0,
        "precision": "float32",
        "network": MLP(hidden=(16,)),
    }
    return Autoencoder(n_components, **{**given, **changes})


def bits(ae):
    """Every tensor of a fitted network, as bytes by name."""
    return {name: t.numpy().tobytes() for name, t in ae.network_.state_dict().items()}


def without_sign(Z):
    return Z * np.sign(Z[np.abs(Z).argmax(axis=0), np.arange(Z.shape[1])] + 1e-300)


def assert_is_pca_of(ae, X, rtol=1e-8):
    """The model is scikit-learn's PCA of all rows, up to the signs of the axes."""
    pca = PCA(ae.n_components_, svd_solver="full").fit(X)
    Z, expected = without_sign(ae.transform(X)), without_sign(pca.transform(X))
    np.testing.assert_allclose(Z, expected, atol=rtol * np.abs(expected).max())
    X_hat = pca.inverse_transform(pca.transform(X))
    np.testing.assert_allclose(ae.reconstruct(X), X_hat, atol=rtol * np.abs(X_hat).max())


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def rows(rng):
    """Normal rows (7, 3)."""
    return rng.normal(size=(7, 3))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder that is empty and the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session", name="X")
def curved_rows():
    """Float64 rows (300, 6); tests leave them alone."""
    rows = curved()
    rows.setflags(write=False)
    return rows


def digits(n_train=240):
    """Return training rows (n_train, 64) of 8 × 8 digits, labels, and as many for tests."""
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    return X[:n_train], y[:n_train], X[n_train : 2 * n_train], y[n_train : 2 * n_train]


@pytest.fixture(scope="session")
def model():
    """An estimator that knows `digits`; tests leave it alone."""
    return quick(3).fit(digits()[0])


@pytest.fixture(scope="session")
def card(model):
    """The scorecard of `model`."""
    X_train, y_train, X, y = digits()
    return evaluate(model, X, y, X_train=X_train, y_train=y_train)


@pytest.fixture
def few_digits(monkeypatch):
    """A part of MNIST in its place."""
    monkeypatch.setattr(mnist_files, "_idx", first_digits(mnist_files._idx))


@pytest.fixture
def short_flow(monkeypatch):
    """Fitting a flow to codes takes few steps, where a test does not ask how well."""
    monkeypatch.setattr(flow, "FIT_STEPS", 20)


@pytest.fixture(scope="session")
def trained(X):
    """An estimator that has left PCA, with a history that holds NaN; tests leave it alone."""
    return quick(keep="last", max_steps=100, batch_size=300, learning_rate=0.001).fit(X)


@pytest.fixture
def model_file(trained, tmp_path):
    """A saved model."""
    path = tmp_path / "model.safetensors"
    trained.save(path)
    return path


# ---------------------------------------------------------------------- the command line


def write_small_data(folder):
    """Write iris with names of rows and columns, its kinds, and 300 digits; return both sets."""
    iris, digits = load_iris(as_frame=True), load_digits()
    named = iris.data.copy()
    named.insert(0, "name", [f"flower {number}" for number in range(150)])
    named.to_csv(folder / "iris.csv", index=False)
    (folder / "kinds.txt").write_text("\n".join(iris.target_names[iris.target]))
    np.save(folder / "digits.npy", (digits.images[:300] / 16).astype(np.float32))
    return iris, digits


def python(code, **options):
    """Start Python as a terminal-less process of 100 columns."""
    env = {name: text for name, text in os.environ.items() if "COLOR" not in name}
    env |= {"COLUMNS": "100", "OMP_NUM_THREADS": "1", **options.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=env,
        text=True,
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        **options,
    )


def write_small_models(made):
    """Write small data of each kind, and a model of it."""
    _, digits = write_small_data(made)
    np.save(made / "flat.npy", digits.data[:100])
    np.save(made / "three.npy", digits.data[:100, :3])
    (made / "nan.csv").write_text("a,b\n" + "1,2\n" * 6 + "3,\n")
    quick = ["--max-steps", "20", "--random-state", "0", "--set", "network__hidden=8,"]
    for data, model in (("iris.csv", "iris"), ("digits.npy", "digits"), ("three.npy", "three")):
        arguments = ["fit", str(made / data), "--out", str(made / f"{model}.safetensors"), *quick]
        assert outcome(arguments) == 0


def new_files(path="."):
    return sorted(entry.name for entry in Path(path).iterdir() if not entry.is_symlink())


def outcome(arguments):
    """Run a command; return its exit code."""
    from narrows.cli import run

    with pytest.raises(SystemExit) as ended:
        run(arguments)
    return ended.value.code


@pytest.fixture(name="narrows")
def command_line(folder, tmp_path, monkeypatch, capsys):
    """Run a command beside a module's ``folder`` of data; return code, output, complaints."""
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)

    def run(line, *more):
        capsys.readouterr()
        code = outcome([*line.split(), *more])
        said = capsys.readouterr()
        assert "\x1b" not in said.out + said.err, "control characters without a terminal"
        return code, said.out, said.err

    return run


def picture(path):
    """Read a picture as an array of its pixels."""
    with Image.open(path) as image:
        return np.asarray(image)


def pixels(figure, dpi=60):
    """Draw a figure; return its pixels, (height, width, 3) in uint8."""
    from narrows import figures

    return np.asarray(Image.open(io.BytesIO(figures.to_png(figure, dpi))).convert("RGB"))


def keys(report, section):
    """Return the keys of the lines of a section of a scorecard."""
    return [line.key for part in report.sections if part.key == section for line in part.measures]


def texts(figure):
    """Return what is written beside axes: names of lines and classes, a title."""
    return [text.get_text() for text in figure.texts]


def written(figure):
    """Draw a figure; return its texts that are seen, by their boxes in pixels."""
    pixels(figure, 100)
    shown = [*figure.texts]
    for axes in figure.axes:
        shown += axes.texts
        names = [name for name in ("xaxis", "yaxis", "zaxis") if hasattr(axes, name)]
        for axis in (getattr(axes, name) for name in names if axes.axison or len(names) == 3):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.majorTicks if low <= tick.get_loc() <= high]
            shown += [axis.label, *(tick.label1 for tick in ticks)]
    shown = [text for text in shown if text.get_visible() and text.get_text()]
    return {text: text.get_window_extent() for text in shown}


def assert_apart_and_inside(figure, boxes):
    """No box lies on another, and none is cut off by the figure's edge."""
    for number, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        for other in boxes[:number]:
            assert min(box.x1, other.x1) <= max(box.x0, other.x0) or (
                min(box.y1, other.y1) <= max(box.y0, other.y0)
            )
