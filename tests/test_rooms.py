"""Imports point one way, every family has its tests, and ``import narrows`` is light."""

from __future__ import annotations

import ast
import graphlib
import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import narrows

SOURCE = Path(narrows.__file__).parent
TESTS = Path(__file__).parent

ORDER = (
    "narrows",  # the package itself, which imports nothing when it is imported
    "errors",
    "common",
    "linear",
    "sources",
    "networks",
    "objectives",
    "model",
    "training",
    "estimator",
    "figures",
    "web",
    "evaluation",
    "recipes",
    "cli",
    "__main__",
)
"""Rooms from the bottom up: a room imports from itself and from those below it."""
DOORS = {"datasets"}
"""Files that only hand on names, for programs that were written for them."""
DEFINITIONS = (ast.FunctionDef, ast.ClassDef)
FLOOR = {room: level for level, room in enumerate(ORDER)}


def modules():
    """Every module of the package by its dotted name."""
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        yield ".".join(["narrows", *(part for part in parts if part != "__init__")]), path


NAMES = {name for name, _ in modules()}


def imports_of(path):
    """Every module that a file imports: in functions, and for type checkers alone, too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they point"
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                found.add(module if module in NAMES else node.module)
    return found


def room_of(module):
    """The file or folder of the package that a module lives in."""
    return "narrows" if module == "narrows" else module.split(".")[1]


def edges():
    return [
        (name, imported)
        for name, path in modules()
        for imported in sorted(imports_of(path))
        if imported.split(".")[0] == "narrows"
    ]


def upwards(pairs):
    """The imports that point to a room above; the package and its doors only hand on names."""
    return [
        f"{name} imports {imported}"
        for name, imported in pairs
        if room_of(name) not in {"narrows", *DOORS}
        and FLOOR.get(room_of(name), -1) < FLOOR.get(room_of(imported), 99)
    ]


def circle_of(pairs, part):
    """A circle between the parts of modules, as `part` names them, or None."""
    graph = {}
    for pair in pairs:
        name, imported = map(part, pair)
        if name != imported and "narrows" not in (name, imported):
            graph.setdefault(name, set()).add(imported)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return None


def itself(module):
    return module


NAMED_TUPLES = {"_replace", "_asdict", "_fields", "_make"}
"""Documented names, which begin with an underscore so that no field can have them."""


def private_names(path):
    """Where a file reads an underscored name that it does not define, but for those of torch."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = {node.name for node in ast.walk(tree) if isinstance(node, DEFINITIONS)}
    read = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    own |= {node.attr for node in read if ast.unparse(node.value) in ("self", "cls")}
    return [
        f"{path.name}:{node.lineno} {ast.unparse(node)}"
        for node in read
        if node.attr.startswith("_")
        and not node.attr.startswith("__")
        and node.attr not in own | NAMED_TUPLES
        and ast.unparse(node.value).partition(".")[0] not in ("torch", "sys")
    ]


def test_every_room_has_its_place():
    assert {room_of(name) for name in NAMES} - set(FLOOR) == DOORS


def test_imports_point_down():
    assert upwards(edges()) == []


def test_rooms_do_not_import_each_other_in_a_circle():
    assert circle_of(edges(), room_of) is None


def test_files_do_not_import_each_other_in_a_circle():
    assert circle_of(edges(), itself) is None


@pytest.mark.parametrize("path", [path for _, path in modules()], ids=lambda path: path.stem)
def test_nobody_reads_the_private_names_of_another(path):
    assert private_names(path) == []


def test_planted_faults_are_seen(tmp_path):
    module = tmp_path / "wrong.py"
    module.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from narrows.cli import run\n"
        "def late(ae):\n    from narrows import estimator\n    import narrows.figures.theme\n"
        "    return ae._codes, ae.model_, late._cache\n"
    )
    found = imports_of(module)
    assert {"narrows.cli", "narrows.estimator", "narrows.figures.theme"} <= found
    assert upwards([("narrows.model.x", name) for name in found if "narrows" in name])
    planted = [("narrows.figures.theme", "narrows.figures.maps")]
    assert circle_of([*edges(), *planted], itself)
    assert circle_of([*edges(), ("narrows.linear.pca", "narrows.model.model")], room_of)
    assert len(private_names(module)) == 2


@pytest.mark.parametrize(
    ("room", "allowed"),
    [("datasets", {"sources"}), ("errors", set()), ("narrows", {"estimator", "evaluation"})],
)
def test_rooms_that_know_little(room, allowed):
    known = {room_of(imported) for name, imported in edges() if room_of(name) == room}
    assert known - {"common", "model", "networks", "objectives"} <= allowed


@pytest.mark.parametrize(
    ("room", "unknown"),
    [("objectives", "sources"), ("networks", "objectives"), ("model", "training")],
)
def test_rooms_that_do_not_know_each_other(room, unknown):
    assert not [e for e in edges() if room_of(e[0]) == room and room_of(e[1]) == unknown]


def test_nothing_imports_the_command_line():
    importers = {room_of(name) for name, imported in edges() if room_of(imported) == "cli"}
    assert importers <= {"cli", "__main__"}


# ---------------------------------------------------------------- the way of a batch


def files_of_a_step(**params):
    """The files of the package in which code runs between a batch and its loss, in a real fit."""
    from narrows import Autoencoder

    seen, within = set(), []

    def look(frame, event, argument):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(SOURCE):
            name = path.relative_to(SOURCE).as_posix()
            if frame.f_code.co_name in ("batches", "terms", "_take"):
                within.append(frame)
            inside = within and (frame in within or frame.f_back in within or _under(frame, within))
            if inside and event == "call":
                seen.add(name)
        return

    rows = np.random.default_rng(0).normal(size=(200, 12)).astype(np.float32)
    # One network, as where rows are many.
    ae = Autoencoder(3, random_state=0, max_steps=3, validation_fraction=0.0, **params)
    before = sys.gettrace()  # of coverage, which would count nothing more
    sys.settrace(look)
    try:
        ae.fit(rows)
    finally:
        sys.settrace(before)
    return seen | {"training/loop.py"}


def _under(frame, within):
    while frame is not None:
        if frame in within:
            return True
        frame = frame.f_back
    return False


def test_a_batch_crosses_the_files_that_the_tour_names():
    told = (TESTS.parent / "docs" / "tour.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^### \d+\. `([\w/]+\.py)`", told, flags=re.M))
    assert files_of_a_step() == listed
    assert len(listed) <= 6
    assert files_of_a_step(objective="vae") != listed


# ---------------------------------------------------------------- tests of the parts


@pytest.mark.parametrize("folder", ["networks", "objectives", "objectives/priors"])
def test_every_network_family_and_prior_has_a_test_file_of_its_own(folder):
    for path in (SOURCE / folder).glob("*.py"):
        own = TESTS / folder / f"test_{path.stem}.py"
        if path.stem not in ("__init__", "base", "autoencoding"):  # what all of them share
            assert own.exists(), f"{own.relative_to(TESTS)} is missing"


# ---------------------------------------------------------------- the front door

HEAVY = {"numpy", "torch", "sklearn", "scipy", "pandas", "matplotlib", "typer", "safetensors"}


def loaded_by(code):
    program = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


@pytest.mark.parametrize("code", ["import narrows; dir(narrows)", "import narrows.__main__"])
def test_importing_narrows_loads_nothing_heavy(code):
    assert loaded_by(code) & HEAVY == set()


def test_data_sets_load_without_torch():
    assert loaded_by("from narrows.datasets import load_mnist") & {"torch", "sklearn"} == set()


def test_measuring_a_model_loads_no_matplotlib():
    code = (
        "import numpy as np; from narrows import Autoencoder, evaluate\n"
        "X = np.random.default_rng(0).normal(size=(60, 4))\n"
        "ae = Autoencoder(2, max_steps=2, random_state=0).fit(X)\n"
        "str(evaluate(ae, X, np.arange(60) % 2))"
    )
    # Asked of one process, before and after a picture: each process loads torch anew.
    code += "\nassert 'matplotlib' not in sys.modules; evaluate(ae, X).to_html()"
    assert "matplotlib" in loaded_by(code)


def test_every_public_name_is_there():
    assert set(narrows.__all__) <= set(dir(narrows))
    for name in narrows.__all__:
        assert getattr(narrows, name) is not None
    assert len(set(narrows.__all__)) == len(narrows.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'Autoencodre'"):
        narrows.Autoencodre  # noqa: B018


@pytest.mark.parametrize("name", sorted(NAMES - {"narrows.__main__"}))
def test_every_module_imports_and_says_what_it_is(name):
    assert importlib.import_module(name).__doc__
