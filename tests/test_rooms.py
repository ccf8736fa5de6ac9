"""Imports point one way, every family has its tests, and ``import narrows`` is light."""

from __future__ import annotations

import ast
import graphlib
import importlib
import subprocess
import sys
from pathlib import Path

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
FLOOR = {room: level for level, room in enumerate(ORDER)}


def modules():
    """Every module of the package by its dotted name."""
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        yield ".".join(["narrows", *(part for part in parts if part != "__init__")]), path


NAMES = {name for name, _ in modules()}


class Imports(ast.NodeVisitor):
    """Collects what a module imports, in functions too, but not for type checkers alone."""

    def __init__(self):
        self.found = set()

    def visit_If(self, node):
        if ast.unparse(node.test).rpartition(".")[2] != "TYPE_CHECKING":
            self.generic_visit(node)
        for other in node.orelse:
            self.visit(other)

    def visit_Import(self, node):
        self.found |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node):
        assert node.level == 0, "relative imports hide where they point"
        for alias in node.names:
            module = f"{node.module}.{alias.name}"
            self.found.add(module if module in NAMES else node.module)


def imports_of(path):
    visitor = Imports()
    visitor.visit(ast.parse(path.read_text(encoding="utf-8")))
    return visitor.found


def room_of(module):
    """The file or folder of the package that a module lives in."""
    return "narrows" if module == "narrows" else module.split(".")[1]


def edges():
    for name, path in modules():
        for imported in imports_of(path):
            if imported.split(".")[0] == "narrows":
                yield name, imported


def test_every_room_has_its_place():
    assert {room_of(name) for name in NAMES} - set(FLOOR) == DOORS


def test_imports_point_down():
    wrong = [
        f"{name} imports {imported}"
        for name, imported in edges()
        if FLOOR.get(room_of(name), 99) < FLOOR.get(room_of(imported), 99)
    ]
    assert wrong == []


def test_rooms_do_not_import_each_other_in_a_circle():
    graph = {}
    for name, imported in edges():
        if room_of(name) != room_of(imported):
            graph.setdefault(room_of(name), set()).add(room_of(imported))
    graphlib.TopologicalSorter(graph).prepare()


def test_a_wrong_import_would_be_seen(tmp_path):
    module = tmp_path / "wrong.py"
    module.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from narrows.cli import run\n"
        "def late():\n    from narrows import estimator\n    import narrows.figures.theme\n"
    )
    assert imports_of(module) == {"typing", "narrows.estimator", "narrows.figures.theme"}


@pytest.mark.parametrize(
    ("room", "allowed"),
    [("datasets", {"sources"}), ("errors", set()), ("narrows", set())],
)
def test_rooms_that_know_little(room, allowed):
    known = {room_of(imported) for name, imported in edges() if room_of(name) == room}
    assert known <= allowed


@pytest.mark.parametrize(
    ("room", "unknown"),
    [("objectives", "sources"), ("networks", "objectives"), ("model", "training")],
)
def test_rooms_that_do_not_know_each_other(room, unknown):
    assert not [e for e in edges() if room_of(e[0]) == room and room_of(e[1]) == unknown]


def test_nothing_imports_the_command_line():
    importers = {room_of(name) for name, imported in edges() if room_of(imported) == "cli"}
    assert importers <= {"cli", "__main__"}


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
