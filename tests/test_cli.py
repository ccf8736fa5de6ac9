"""The command line: help, verbs and what they print.

`python tests/test_cli.py` writes tests/golden/help.txt anew.
"""

import importlib.metadata
import inspect
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from conftest import new_files, picture, python, write_small_models

GOLDEN = Path(__file__).parent / "golden" / "help.txt"
VERBS = ["", "demo", "recipe", "recipe list", "recipe run", "fit", "size", "map", "encode"]
VERBS += [
    "decode",
    "reconstruct",
    "export",
    "sample",
    "interpolate",
    "traverse",
    "evaluate",
    "loadings",
    "info",
]
_PRINT_HELP = """
import sys
from narrows.cli import run
for verb in {verbs!r}:
    print("$ narrows", *verb.split(), "--help", flush=True)
    try:
        run([*verb.split(), "--help"])
    except SystemExit as end:
        assert end.code == 0, end.code
heavy = {{"torch", "sklearn", "pandas", "matplotlib", "scipy", "numpy"}} & set(sys.modules)
sys.exit(f"imported for help alone: {{heavy}}" if heavy else 0)
"""


def help_texts():
    process = python(_PRINT_HELP.format(verbs=VERBS))
    text, complaints = process.communicate()
    assert (process.returncode, complaints) == (0, "")
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("cli")
    write_small_models(made)
    return made


# ---------------------------------------------------------------------- help


def test_help_is_the_golden_text_and_light():
    found, golden = help_texts(), GOLDEN.read_text("utf-8")
    if pinned("typer") and pinned("rich"):
        assert found == golden, "run `python tests/test_cli.py`"
    else:  # other versions break lines elsewhere
        assert words(found) == words(golden)


def pinned(package):
    constraints = (Path(__file__).parents[1] / "constraints.txt").read_text("utf-8").split()
    return f"{package}=={importlib.metadata.version(package)}" in constraints


def words(text):
    return "".join(re.findall(r"\w", text))


def test_help_survives_an_ascii_terminal():
    process = python(
        "from narrows.cli import run; run(['--help'])", env={"PYTHONIOENCODING": "ascii"}
    )
    text, complaints = process.communicate()
    assert (process.returncode, complaints) == (0, "")
    assert "reconstruct" in text


def test_version(narrows):
    from narrows import __version__

    assert narrows("--version") == (0, f"narrows {__version__}\n", "")


def test_options_of_fit_are_parameters_of_the_estimator():
    from narrows import Autoencoder
    from narrows.cli.verbs.learn import fit

    options = set(inspect.signature(fit).parameters) - {"data", "out", "settings", "overwrite"}
    options -= {"labels", "prior", "align_to"}  # of `fit` itself, and calls of `fit_prior`
    assert options <= set(Autoencoder().get_params(deep=False))


# ---------------------------------------------------------------------- verbs


def test_fit_prints_plan_progress_and_summary(narrows):
    from narrows import load

    code, text, progress = narrows(
        "fit iris.csv --out m.safetensors --n-components 3 --scaling standard --max-steps 12"
        " --batch-size 50 --learning-rate 1e-3 --random-state 7 --set network__hidden=[9,5]"
        " --set optimizer__beta2=0.95 --set validation-fraction=0.2 --set bounds=-1,9"
    )
    assert code == 0
    for words in ("rows", "150 (30 held out)", "4 → 3 → 4", "parameters", "kB beside the data",
                  "time", "held-out error", "PCA's error"):  # fmt: skip
        assert words in text
    assert progress.startswith("narrows: training 0 %  held-out error ")
    assert "PCA" in progress
    ae = load("m.safetensors")
    chosen = ("n_components", "scaling", "max_steps", "batch_size", "learning_rate", "random_state")
    found = tuple(getattr(ae, name) for name in chosen)
    assert found == (3, "standard", 12, 50, 0.001, 7)
    assert (ae.network.hidden, ae.optimizer.beta2, ae.bounds) == ((9, 5), 0.95, (-1, 9))
    assert ae.feature_names_in_[0] == "sepal length (cm)"


def test_fit_gives_what_python_gives(narrows):
    from narrows import MLP, Autoencoder, load

    ae = Autoencoder(max_steps=20, random_state=0, network=MLP(hidden=(8,)))
    X = np.load("digits.npy")
    np.testing.assert_array_equal(load("digits.safetensors").transform(X), ae.fit(X).transform(X))


def test_max_seconds_is_the_estimate_and_names_its_steps(narrows):
    from narrows import load

    code, text, _ = narrows(
        "fit flat.npy --out m.safetensors --max-seconds 1 --random-state 0 --set"
        " validation_fraction=0.2"
    )
    assert code == 0
    assert "about 1.0 s" in text
    assert f"--max-steps {load('m.safetensors').n_steps_} repeats this model" in text


def test_max_steps_is_named_only_where_it_repeats_the_model(narrows, monkeypatch):
    from narrows.training import telling

    line = "fit flat.npy --max-seconds 60 --max-steps 30 --random-state 0 --out"
    assert "--max-steps 30 repeats this model" in narrows(f"{line} whole.safetensors")[1]
    for code, words in ((130, "stopped early by Ctrl-C"), (0, "stopped early by a callback")):

        def ended(self, progress, code=code):
            if progress.step == 5 and code == 130:
                raise KeyboardInterrupt
            return progress.step == 5

        monkeypatch.setattr(telling._Lines, "__call__", ended)
        model = f"{code}.safetensors"
        ended_with, text, _ = narrows(f"{line} {model} --set validation_fraction=0.2")
        assert ended_with == code
        assert "repeats this model" not in text
        assert f"of 30; {words}" in text and f"of 30; {words}" in narrows(f"info {model}")[1]


@pytest.mark.parametrize("suffix", ["npy", "npz", "csv"])
def test_encode_decode_reconstruct_are_the_estimators(narrows, suffix):
    from narrows import load
    from narrows.sources.open import read_table

    ae, X = load("iris.safetensors"), read_table("iris.csv").frame()
    assert narrows(f"encode iris.safetensors iris.csv --out z.{suffix}")[0] == 0
    codes = read_table(f"z.{suffix}")
    np.testing.assert_array_equal(codes.values, ae.transform(X))
    assert narrows(f"decode iris.safetensors z.{suffix} --out x.{suffix}")[0] == 0
    assert narrows(f"reconstruct iris.safetensors iris.csv --out y.{suffix}")[0] == 0
    for name in ("x", "y"):
        rows = read_table(f"{name}.{suffix}")
        np.testing.assert_array_equal(rows.values, ae.inverse_transform(codes.values))
        if suffix == "csv":
            assert rows.row_names[3] == codes.row_names[3] == "flower 3"
            assert rows.column_names == tuple(X.columns)
    if suffix == "csv":
        assert codes.column_names == ("autoencoder0", "autoencoder1")


def test_pictures_go_to_a_folder(narrows):
    from narrows import load

    narrows("encode digits.safetensors digits.npy --out z.npy")
    code, text, _ = narrows("decode digits.safetensors z.npy --out images/")
    assert (code, text) == (0, "wrote 300 pictures to images/\n")
    assert new_files("images")[::299] == ["00000.png", "00299.png"]
    pixels = picture("images/00007.png")
    expected = load("digits.safetensors").inverse_transform(np.load("z.npy"))[7]
    np.testing.assert_array_equal(pixels, np.rint(expected * 255))
    code, _, complaint = narrows("reconstruct digits.safetensors digits.npy --out images")
    assert code == 1
    assert "--overwrite" in complaint
    Path("images/00007.png").write_text("old")
    assert narrows("reconstruct digits.safetensors digits.npy --out images --overwrite")[0] == 0
    np.testing.assert_array_equal(picture("images/00007.png"), pixels)


def test_reconstruct_draws_a_sheet(narrows):
    code, text, _ = narrows("reconstruct digits.safetensors digits.npy --out sheet.png")
    assert (code, text) == (0, "wrote sheet.png: 10 originals above, reconstructions below\n")
    height, width = picture("sheet.png").shape[:2]
    assert width > 4 * height


def test_evaluate_prints_and_writes_a_report(narrows):
    from narrows import evaluate, load
    from narrows.sources.labels import read_labels
    from narrows.sources.open import read_table

    code, text, _ = narrows(
        "evaluate iris.safetensors iris.csv --labels kinds.txt --out report.json"
    )
    assert code == 0
    y = read_labels("kinds.txt", 150)
    report = evaluate(load("iris.safetensors"), read_table("iris.csv").frame(), y)
    written, expected = json.loads(Path("report.json").read_text()), report.as_dict()
    for numbers in (written, expected):
        assert numbers["sections"].pop("costs")["encode_seconds"]["narrows"]["mean"] > 0
    assert written == expected
    for block in report.blocks()[:-1]:  # all but seconds
        assert all(line in text for line in block.lines())
    assert "accuracy" not in narrows("evaluate iris.safetensors iris.csv")[1]


def test_evaluate_learns_from_training_rows_and_writes_two_files(narrows):
    from narrows.sources.open import read_table

    rows = read_table("iris.csv").values
    np.save("train.npy", rows[::2])
    np.save("test.npy", rows[1::2])
    kinds = Path("kinds.txt").read_text().splitlines()
    Path("train.txt").write_text("\n".join(kinds[::2]))
    Path("test.txt").write_text("\n".join(kinds[1::2]))
    assert narrows("fit train.npy --out m.safetensors --max-steps 5 --random-state 0")[0] == 0
    code, text, told = narrows(
        "evaluate m.safetensors test.npy --labels test.txt --train train.npy"
        " --train-labels train.txt --seeds 2 --out card.json --out card.html"
    )
    assert code == 0
    assert "linear, 75 labels" in text and "± " in text
    assert text.endswith("wrote card.json\nwrote card.html\n")
    assert told == "narrows: fitting seed 2 of 2\n"
    sections = json.loads(Path("card.json").read_text())["sections"]
    assert len(sections["probes"]["linear_all"]["input"]["values"]) == 2
    assert "m.safetensors on test.npy" in Path("card.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("data", "train", "words", "said"),
    [
        (
            "X_train.npy",
            "X_train.npy",
            "X and X_train are the same",
            "X_train.npy and --train X_train.npy are the same",
        ),
        ("a.npy", "my_train.npy", "X_train: X has 3", "--train my_train.npy: X has 3"),
        (
            "a.npy",
            "y_train.npy",
            "y_train has 2, but X_train 3",
            "--train-labels has 2, but --train y_train.npy 3",
        ),
        ("a.npy", "b.npy", "X has 3, not X_train", "X has 3, not X_train"),
    ],
)
def test_errors_about_training_rows_name_options_and_leave_names_of_files(data, train, words, said):
    from narrows.cli.actions import evaluate
    from narrows.errors import DataError

    given = evaluate.Labelled(None, train, None)
    with pytest.raises(DataError) as caught, evaluate._in_words_of_options(data, given):
        raise DataError(words)
    assert str(caught.value) == said


def test_evaluate_takes_mnists_labels(narrows, monkeypatch):
    import narrows.sources.open as files
    from narrows.cli.actions import evaluate

    def few(source):
        table = files.read_table(source)
        return files.Table(table.values[:200], labels=table.labels[:200])

    monkeypatch.setattr(evaluate, "read_table", few)
    monkeypatch.setattr("narrows.cli.actions.fit.read_table", few)
    assert narrows("fit mnist:test --out m.safetensors --max-steps 2")[0] == 0
    assert "accuracy" in narrows("evaluate m.safetensors mnist:test")[1]
    np.save("half.npy", files.read_table("mnist:train").values[:20])
    monkeypatch.setattr(
        evaluate,
        "read_table",
        lambda data: few(data) if "mnist" in data else files.read_table(data),
    )
    line = "evaluate m.safetensors half.npy --train mnist:test"
    assert narrows(line)[0] == 0  # nobody asked for the labels that came with --train
    Path("labels.txt").write_text("0\n1\n" * 100)
    code, _, complaint = narrows(f"{line} --train-labels labels.txt")
    assert code == 1
    assert "--train-labels was given without labels of the held-out rows" in complaint
    line = "evaluate m.safetensors mnist:test --samples 50 --prior normal --out report.json"
    code, text, _ = narrows(line)
    assert code == 0
    samples = json.loads(Path("report.json").read_text())["samples"]
    assert samples["n_samples"] == 50
    assert re.search(rf"Fréchet distance +{samples['frechet']:#.4g} ", text)


def test_evaluate_says_why_samples_are_not_measured(narrows):
    code, text, complaints = narrows("evaluate iris.safetensors iris.csv --samples 50")
    assert code == 0
    assert "samples" not in text
    assert "rows of 4 values" in complaints


def test_info(narrows):
    code, text, _ = narrows("info digits.safetensors")
    assert code == 0
    for words in ("64 → 2", "8 × 8", "0 to 1", "MLP(hidden=(8,)", "300 rows", "PCA's error"):
        assert words in text


def test_recipe_and_demo_call_their_functions(narrows, monkeypatch):
    from narrows.recipes import recipe_names

    code, text, _ = narrows("recipe list")
    assert code == 0
    assert [line.split()[0] for line in text.splitlines()] == recipe_names()
    called = []
    monkeypatch.setattr("narrows.recipes.run_recipe", lambda *given, **options: called.append(
        (*given, options["live"], options["overwrite"])))  # fmt: skip
    assert narrows("recipe run map")[0] == 0
    assert narrows("recipe run map --out here --live --overwrite")[0] == 0
    assert called == [("map", Path("out/map"), False, False), ("map", Path("here"), True, True)]
    monkeypatch.setattr("narrows.recipes.demo.run_demo", lambda out, **_: out / "index.html")
    assert narrows("demo --out tour") == (0, f"Open {Path('tour/index.html')}\n", "")


# ---------------------------------------------------------------------- the bar, estimates


def test_a_terminal_gets_a_bar_with_both_errors(narrows, monkeypatch):
    from rich.console import Console

    from narrows.cli.actions import fit
    from narrows.training import telling

    shown = io.StringIO()
    monkeypatch.setattr(fit, "err", lambda: Console(file=shown, force_terminal=True, width=120))
    monkeypatch.setattr(telling, "REFRESH_SECONDS", 0.0)
    monkeypatch.setattr(telling, "_new_bar", _eager(telling._new_bar))
    assert narrows("fit flat.npy --out m.safetensors --max-steps 30")[0] == 0
    assert re.search(r"training .*%.*left .*held-out error \S+  PCA \S+", shown.getvalue())


def _eager(make):
    """Let the bar be drawn at each update instead of by its clock."""

    def made(console):
        bar = make(console)
        bar.live.auto_refresh = False
        update = bar.update
        bar.update = lambda *given, **options: update(*given, **options, refresh=True)
        return bar

    return made


def test_the_estimate_keeps_to_the_limit():
    from narrows import Autoencoder
    from narrows.training.cost import estimate_seconds
    from narrows.training.make_plan import make_plan

    def plan(n_rows, **params):
        return make_plan(Autoencoder(**params).get_params(deep=False), n_rows, 20, 0)

    assert 0 < estimate_seconds(plan(200, max_steps=50)) < 60
    assert estimate_seconds(plan(200, max_seconds=3.0), 3.0) == 3.0
    assert estimate_seconds(plan(200, max_steps=10**9), 3.0) == 3.0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("1e-3", 0.001),
        ("512,256", (512, 256)),
        ("[512, 256]", (512, 256)),
        ("-0.5,0.5", (-0.5, 0.5)),
        ("none", None),
        ("None", None),
        ("true", True),
        ("gelu", "gelu"),
        ("'gelu'", "gelu"),
        ("2*3", "2*3"),
        ("__import__('os')", "__import__('os')"),
    ],
)
def test_values_are_literals_or_words(text, value):
    from narrows.cli.parameters import parsed

    assert parsed(text) == value


if __name__ == "__main__":
    GOLDEN.write_text(help_texts(), "utf-8")
