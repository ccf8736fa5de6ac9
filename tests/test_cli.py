"""The command line: verbs, exit codes, one line for each failure, nothing half-written.

`python tests/test_cli.py` writes tests/golden/help.txt anew.
"""

import errno
import inspect
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from conftest import outcome, picture, write_small_data

GOLDEN = Path(__file__).parent / "golden" / "help.txt"
VERBS = ["", "demo", "recipe", "recipe list", "recipe run", "fit", "size", "map", "encode"]
VERBS += [
    "decode",
    "reconstruct",
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


def help_texts():
    process = python(_PRINT_HELP.format(verbs=VERBS))
    text, complaints = process.communicate()
    assert (process.returncode, complaints) == (0, "")
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Small data of each kind, and a model of it."""
    made = tmp_path_factory.mktemp("cli")
    _, digits = write_small_data(made)
    np.save(made / "flat.npy", digits.data[:100])
    np.save(made / "three.npy", digits.data[:100, :3])
    (made / "nan.csv").write_text("a,b\n" + "1,2\n" * 6 + "3,\n")
    quick = ["--max-steps", "20", "--random-state", "0", "--set", "network__hidden=8,"]
    for data, model in (("iris.csv", "iris"), ("digits.npy", "digits"), ("three.npy", "three")):
        arguments = ["fit", str(made / data), "--out", str(made / f"{model}.safetensors"), *quick]
        assert outcome(arguments) == 0
    return made


def new_files(path="."):
    return sorted(entry.name for entry in Path(path).iterdir() if not entry.is_symlink())


# ---------------------------------------------------------------------- help


def test_help_is_the_golden_text_and_light():
    assert help_texts() == GOLDEN.read_text("utf-8"), "run `python tests/test_cli.py`"


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
    from narrows.cli import progress

    line = "fit flat.npy --max-seconds 60 --max-steps 30 --random-state 0 --out"
    assert "--max-steps 30 repeats this model" in narrows(f"{line} whole.safetensors")[1]
    for code, words in ((130, "stopped early by Ctrl-C"), (0, "stopped early by a callback")):

        def ended(self, progress, code=code):
            if progress.step == 5 and code == 130:
                raise KeyboardInterrupt
            return progress.step == 5

        monkeypatch.setattr(progress._Lines, "__call__", ended)
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


# ---------------------------------------------------------------------- failures

WRONG_USAGE = {
    "fitt": "Did you mean 'fit'?",
    "recipe lst": "Did you mean 'list'?",
    "fit iris.csv --out m.safetensors --n-component 3": "Did you mean '--n-components'?",
    "fit iris.csv": "Missing option '--out'",
    "fit": "Missing argument 'DATA'",
    "fit iris.csv more --out m.safetensors": "more",
    "fit iris.csv --out m.safetensor": "Did you mean '.safetensors'?",
    "fit iris.csv --out m.safetensors --n-components ten": "> 0 and < 1, got 'ten'",
    "fit iris.csv --out m.safetensors --n-components 5": "n_features = 4",
    "fit iris.csv --out m.safetensors --init pcaa": "Did you mean 'pca'?",
    "fit iris.csv --out m.safetensors --objective reconstructoin": "Did you mean 'reconstruction'?",
    "fit iris.csv --out m.safetensors --max-seconds 0": "> 0",
    "fit iris.csv --out m.safetensors --set n_componets=3": "Did you mean 'n_components'?",
    "fit iris.csv --out m.safetensors --set callbacks=3": "no parameter 'callbacks'",
    "fit iris.csv --out m.safetensors --set hidden=3,": "Did you mean 'network__hidden'?",
    "fit iris.csv --out m.safetensors --set network__hiden=3,": "Did you mean 'hidden'?",
    "fit iris.csv --out m.safetensors --set netwrk__hidden=3,": "Did you mean 'network'?",
    "fit iris.csv --out m.safetensors --set network__hidden=0,": "integers ≥ 1",
    "fit iris.csv --out m.safetensors --set patience": "has no value",
    "fit iris.csv --out m.safetensors --init pca --set init=random": "given twice",
    "fit mnist --out m.safetensors": "mnist:train",
    "fit mnist:tets --out m.safetensors": "Did you mean 'mnist:test'?",
    "encode iris.safetensors iris.csv --out z.npyy": "Did you mean '.npy'?",
    "decode digits.safetensors flat.npy --out z.gif": "folder/",
    "evaluate iris.safetensors iris.csv --out r.jsn": "Did you mean '.json'?",
    "evaluate iris.safetensors iris.csv --samples -1": "`samples` of evaluate must be",
    "evaluate iris.safetensors iris.csv --prior flo": "Did you mean 'flow'?",
    "evaluate iris.safetensors iris.csv --seeds 3": "--train DATA",
    "evaluate iris.safetensors iris.csv --seeds 0": "`seeds` of evaluate must be",
    "evaluate iris.safetensors iris.csv --train-labels kinds.txt": "--train DATA",
    "recipe run torch3d": "Did you mean 'torch-3d'?",
}
FAILURES = {
    "fit missing.csv --out m.safetensors": "no such file",
    "fit nan.csv --out m.safetensors": "nan in row 6, column 1 ('b')",
    "fit iris.csv --out no/m.safetensors": "no such folder; make it first",
    "fit iris.csv --out iris.csv/m.safetensors": "this is a file, not a folder",
    "fit iris.csv --out iris.safetensors": "replace it with --overwrite",
    "encode iris.safetensors iris.csv --out digits.npy": "replace it with --overwrite",
    "encode iris.safetensor iris.csv --out z.npy": "Did you mean 'iris.safetensors'?",
    "encode . iris.csv --out z.npy": "is a folder",
    "encode iris.csv iris.csv --out z.npy": "not a model that narrows wrote",
    "encode digits.safetensors iris.csv --out z.npy": "4 features, but Autoencoder is expecting 64",
    "decode iris.safetensors flat.npy --out x.npy": "64 columns, but a code of this model has 2",
    "encode digits.safetensors iris.csv --out y.npy": "narrows: iris.csv: X has 4 features",
    "decode three.safetensors three.npy --out x/": "--set sample_shape=HEIGHT,WIDTH",
    "reconstruct iris.safetensors iris.csv --out x/": "shape (4,), which is not known to be a pic",
    "decode digits.safetensors flat.npy --out iris.csv/": "is a file; name another folder",
    "reconstruct three.safetensors three.npy --out x.png": "--set sample_shape=HEIGHT,WIDTH",
    "evaluate iris.safetensors iris.csv --labels flat.npy": "shape (100, 64)",
    "evaluate iris.safetensors iris.csv --labels kind.txt": "Did you mean 'kinds.txt'?",
    "evaluate iris.safetensors iris.csv --train iris.csv": "and --train iris.csv are the same rows",
    "evaluate three.safetensors three.npy --train flat.npy": "--train flat.npy: X has 64 features",
    "info missing.safetensors": "no such file",
}  # fmt: skip


@pytest.mark.parametrize("line", [*WRONG_USAGE, *FAILURES])
def test_each_failure_is_one_line(narrows, line):
    code, _, complaint = narrows(line)
    assert code == (2 if line in WRONG_USAGE else 1)
    assert re.fullmatch(r"narrows: .*\n", complaint), complaint
    assert "Traceback" not in complaint
    assert {**WRONG_USAGE, **FAILURES}[line] in complaint
    assert new_files() == []


_UNTRAINED = """
import sys
from narrows.cli import run
for line in {lines!r}:
    try:
        run(line.split())
    except SystemExit as end:
        print(end.code)
heavy = {{"torch", "sklearn", "pandas", "matplotlib", "scipy"}} & set(sys.modules)
sys.exit(f"imported for {{line}}: {{heavy}}" if heavy else 0)
"""
BAD_PATHS = [
    "fit gone.npy --out m.safetensors",
    "fit mnist:tset --out m.safetensors",
    "fit digits.npy --out m.npy",
    "fit digits.npy --out digits.safetensors",
    "fit digits.npy --out gone/m.safetensors",
    "fit digits.npy --labels gone.txt --out m.safetensors",
    "fit digits.npy --align-to gone.safetensors --out m.safetensors",
    "size gone.npy",
    "size digits.npy --out c.txt",
    "size digits.npy --model digits.safetensors",
    "map gone.npy --out m.html",
    "map digits.npy --out m.txt",
    "map digits.npy --out m.html --labels gone.txt",
    "map digits.npy --out m.html --save m.txt",
    "map digits.npy --out m.html --model gone.safetensors",
    "encode gone.safetensors digits.npy --out z.npy",
    "encode digits.safetensors gone.npy --out z.npy",
    "encode digits.safetensors digits.npy --out digits.npy",
    "decode digits.safetensors gone.npy --out x/",
    "decode digits.safetensors digits.npy --out digits.npy/",
    "reconstruct digits.safetensors gone.npy --out x.png",
    "reconstruct digits.safetensors digits.npy --out x.gif",
    "sample gone.safetensors --out x.npy",
    "sample digits.safetensors --out x.gif",
    "interpolate digits.safetensors gone.npy --out x.npy",
    "traverse digits.safetensors gone.npy --out x.npy",
    "evaluate digits.safetensors gone.npy",
    "evaluate digits.safetensors digits.npy --train gone.npy",
    "evaluate digits.safetensors digits.npy --train digits.npy --train-labels gone.txt",
    "evaluate digits.safetensors digits.npy --out card.json --out card.txt",
    "loadings digits.safetensors gone.npy",
    "loadings digits.safetensors digits.npy --out x.npy",
    "info gone.safetensors",
    "recipe run gone",
    "recipe run map --out kept",
    "demo --out kept",
]


def test_paths_are_checked_before_anything_heavy_is_imported(narrows):
    Path("kept").mkdir()
    for name in ("index.html", "map.safetensors"):
        Path("kept", name).write_text("kept")
    process = python(_UNTRAINED.format(lines=BAD_PATHS))
    codes, complaints = process.communicate()
    assert process.returncode == 0, complaints
    assert set(codes.split()) <= {"1", "2"}
    assert len(codes.split()) == len(complaints.splitlines()) == len(BAD_PATHS), complaints
    assert {line.split()[0] for line in BAD_PATHS} == {verb.split()[0] for verb in VERBS if verb}
    assert new_files() == ["kept"]


def test_no_command_prints_help_and_is_wrong_usage(narrows):
    code, text, complaint = narrows("")
    assert (code, complaint) == (2, "narrows: No command was given. See narrows --help.\n")
    assert "reconstruct" in text


def test_overwrite_overwrites(narrows):
    Path("z.npy").write_text("old")
    assert narrows("encode iris.safetensors iris.csv --out z.npy")[0] == 1
    assert Path("z.npy").read_text() == "old"
    assert narrows("encode iris.safetensors iris.csv --out z.npy --overwrite")[0] == 0
    assert np.load("z.npy").shape == (150, 2)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder that nobody can write to")
def test_an_unwritable_folder_is_found_before_training(narrows):
    code, text, complaint = narrows("fit iris.csv --out /proc/m.safetensors")
    assert (code, text) == (1, "")
    assert complaint.startswith("narrows: /proc: cannot be written: ")


def test_warnings_are_one_line(narrows):
    code, _, complaint = narrows("fit flat.npy --out m.safetensors --max-steps 2 --set verbose=0")
    assert code == 0
    assert "warning" not in complaint
    rows = np.load("three.npy") * [1, 1e6, 1]
    np.save("dominant.npy", rows)
    code, _, complaint = narrows("fit dominant.npy --out d.safetensors --max-steps 2")
    assert code == 0
    (line,) = [line for line in complaint.splitlines() if "warning" in line]
    assert line.startswith("narrows: warning: Column 1 carries ")


def test_no_memory_is_a_failure_in_one_line(narrows):
    code, _, complaint = narrows(
        "fit flat.npy --out m.safetensors --max-steps 2 --set network__hidden=16_000_000,16_000_000"
    )
    assert code == 1
    assert complaint.startswith("narrows: Not enough memory (")
    assert complaint.count("\n") == 1
    assert new_files() == []


def test_a_bug_shows_its_traceback(narrows, monkeypatch):
    from narrows import Autoencoder

    def broken(self, X, y=None, *, align_to=None):
        raise ValueError("a bug of ours")

    monkeypatch.setattr(Autoencoder, "fit", broken)
    from narrows.cli import run

    with pytest.raises(ValueError, match="a bug of ours"):
        run(["fit", "flat.npy", "--out", "m.safetensors"])


_SMALL_DISK = """
import resource
from narrows.cli import run
from narrows.cli.actions.fit import fit_to_file  # libraries are loaded before the limit
resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
run({arguments!r})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize(
    "line",
    [
        "encode digits.safetensors digits.npy --out new",
        "fit flat.npy --max-steps 2 --set validation_fraction=0.2 --out new.safetensors",
    ],
)
def test_a_full_disk_leaves_the_old_file(narrows, line):
    if not line.endswith(".safetensors"):
        line += ".npy"
    target = Path(line.split()[-1])
    target.write_text("old")
    process = python(_SMALL_DISK.format(arguments=[*line.split(), "--overwrite"]))
    _, complaints = process.communicate()
    assert process.returncode == 1
    lines = complaints.splitlines()
    if target.suffix == ".safetensors":  # no other folder has more space
        assert lines.pop().endswith("in a temporary folder either, and is lost.")
    assert lines[-1].startswith(f"narrows: {target}: cannot be written: ")
    assert "Traceback" not in complaints
    assert target.read_text() == "old"
    assert new_files() == [target.name]


@pytest.fixture(name="full")
def full_disk(tmp_path_factory, monkeypatch):
    """Let no model be written to the working directory; return the temporary directory."""
    from narrows import Autoencoder

    here, elsewhere, save = Path.cwd(), tmp_path_factory.mktemp("elsewhere"), Autoencoder.save

    def failing(self, path):
        if Path(path).resolve().parent == Path.cwd() and Path.cwd() != here:
            raise OSError(errno.ENOSPC, "cannot be written: no space left on device", str(path))
        save(self, path)

    monkeypatch.setattr(Autoencoder, "save", failing)
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    return elsewhere


FULL = "cannot be written: no space left on device; free some disk space, or write to another disk."


@pytest.mark.parametrize(
    "line",
    [
        "fit flat.npy --max-steps 2 --out m.safetensors",
        "size flat.npy --set max_steps=2 --n-components 2 --model m.safetensors",
        "map flat.npy --set max_steps=2 --out map.npy --save m.safetensors",
    ],
)
def test_a_model_that_cannot_be_saved_is_kept_elsewhere(full, narrows, line):
    from narrows import load

    code, _, complaints = narrows(line)
    assert code == 1
    failure, kept = complaints.splitlines()[-2:]
    assert failure == f"narrows: m.safetensors: {FULL}"
    found = re.fullmatch(r"narrows: The trained model is saved in (.*) instead\.", kept)
    assert Path(found[1]).is_relative_to(full) and Path(found[1]).name == "m.safetensors"
    assert load(found[1]).n_components_ == 2


@pytest.mark.parametrize(
    "line",
    ["size flat.npy --n-components 2 --out c.csv", "map flat.npy --out c.npy"],
)
def test_a_result_that_cannot_be_written_keeps_the_model(full, narrows, monkeypatch, line):
    from narrows import load
    from narrows.cli.actions import map as map_verb
    from narrows.cli.actions import size

    def failing(path, table):
        raise OSError(errno.ENOSPC, "cannot be written: no space left on device", str(path))

    for module in (map_verb, size):
        monkeypatch.setattr(module, "write_table", failing)
    code, _, complaints = narrows(f"{line} --set max_steps=2")
    assert code == 1
    failure, kept = complaints.splitlines()[-2:]
    assert failure == f"narrows: {line.split()[-1]}: {FULL}"
    (model,) = full.glob("*/c.safetensors")
    assert kept == f"narrows: The trained model is saved in {model} instead."
    assert load(model).n_components_ == 2


def test_at_a_terminal_another_path_is_asked_for(full, narrows, monkeypatch):
    from narrows import load
    from narrows.cli import model_files

    terminal = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr(model_files, "sys", SimpleNamespace(stdin=terminal, stderr=terminal))
    answers = ["n.npy", "gone/n.safetensors", "n.safetensors", str(full / "n.safetensors")]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join([*answers, ""])))
    code, text, complaints = narrows("fit flat.npy --max-steps 2 --out m.safetensors")
    assert code == 0
    for words in (f"m.safetensors: {FULL}", "path n.npy ends in '.npy'", "gone: there is no such"):
        assert words in complaints
    assert complaints.count("Another path for the model") == 4
    assert f"narrows evaluate {answers[-1]} DATA" in text
    assert load(answers[-1]).n_components_ == 2
    # No answer: a temporary folder, as without a terminal.
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    assert narrows("fit flat.npy --max-steps 2 --out m.safetensors")[0] == 1
    assert len(list(full.glob("*/m.safetensors"))) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_nobody_reads_the_output(narrows):
    reading, writing = os.pipe()
    os.close(reading)
    code = "from narrows.cli import run; run(['info', 'iris.safetensors'])"
    process = python(code, stdout=writing)
    os.close(writing)
    _, complaints = process.communicate()
    assert (process.returncode, complaints) == (0, "")


# ---------------------------------------------------------------------- Ctrl-C

_ENDLESS = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may have it ignored
from narrows.cli import run
endless = ["--max-steps", "100000000", "--set", "validation_fraction=0.2"]
run(["fit", "digits.npy", "--out", "m.safetensors", *endless])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_in_fit_saves_the_best_state(narrows):
    from narrows import load

    process = python(_ENDLESS)
    assert "training 0 %" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    text, complaints = process.communicate()
    assert process.returncode == 130
    assert complaints.splitlines() == [
        "narrows: Interrupted; the best state so far is saved in m.safetensors."
    ]
    assert "PCA's error" in text
    assert load("m.safetensors").transform(np.load("digits.npy")).shape == (300, 2)
    assert new_files() == ["m.safetensors"]


def test_ctrl_c_before_there_is_a_state(narrows, monkeypatch):
    from narrows import Autoencoder

    def interrupted(self, X, y=None, *, align_to=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(Autoencoder, "fit", interrupted)
    code, _, complaint = narrows("fit flat.npy --out m.safetensors")
    assert (code, new_files()) == (130, [])
    assert complaint == (
        "narrows: Interrupted before there was a state to save; nothing was written.\n"
    )


def test_ctrl_c_elsewhere(narrows, monkeypatch):
    from narrows.cli.actions import use

    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(use, "load", interrupted)
    assert narrows("info iris.safetensors") == (130, "", "narrows: Interrupted.\n")


# ---------------------------------------------------------------------- the bar, estimates


def test_a_terminal_gets_a_bar_with_both_errors(narrows, monkeypatch):
    from rich.console import Console

    from narrows.cli import progress
    from narrows.cli.actions import fit

    shown = io.StringIO()
    monkeypatch.setattr(fit, "err", lambda: Console(file=shown, force_terminal=True, width=120))
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.0)
    monkeypatch.setattr(progress, "_new_bar", _eager(progress._new_bar))
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
    from narrows.training.plan import make_plan

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
