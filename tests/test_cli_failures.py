"""Failures of the command line: exit codes, one line each, nothing lost or half-written."""

import errno
import io
import os
import re
import signal
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from conftest import new_files, python, write_small_models
from test_cli import VERBS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("cli")
    write_small_models(made)
    return made


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
    "export gone.safetensors --out x",
    "export digits.safetensors --out x.onnx",
    "export digits.safetensors --to keras --out x",
    "export digits.safetensors --data gone.npy --out x",
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


@pytest.mark.parametrize(
    "verb", ["fit rows.npy --out m.safetensors", "map rows.npy --out m.npy", "size rows.npy"]
)
def test_what_a_warning_says_to_type_is_taken(narrows, verb):
    np.save("rows.npy", np.load("three.npy") * [1, 1e6, 1])
    code, _, complaint = narrows(f"{verb} --set max_steps=2")
    assert code == 0
    (line,) = [line for line in complaint.splitlines() if "carries" in line]
    assert line.startswith("narrows: warning: Column 1 carries ")
    (to_type,) = re.findall(r"on the command line: ([^)]*)\)", line)
    code, _, complaint = narrows(f"{verb} --set max_steps=2 {to_type} --overwrite")
    assert code == 0
    assert "carries" not in complaint


def test_no_memory_is_a_failure_in_one_line(narrows):
    code, _, complaint = narrows(
        "fit flat.npy --out m.safetensors --max-steps 2"
        " --set network__hidden=1,16_000_000,16_000_000"
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
