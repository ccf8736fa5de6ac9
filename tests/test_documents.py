"""Every command and snippet of README and of the pages on the command line runs."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.zh-CN.md")
PAGES = (*READMES, "docs/cli.md", "docs/zh/cli.md")
BENCHMARKS = ("docs/benchmarks.md", "docs/zh/benchmarks.md")
PARTS_OF_A_NOTE = ["Context", "Decision", "Consequences"]
LINES_OF_A_NOTE = 60
NOTES = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/decisions/*.md"))


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(page: str) -> list[str]:
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def shortened(text: str) -> str:
    """Train for a second where a page says 30: what is tested is that it runs."""
    text = re.sub(r"(max[_-]seconds[= ])\d+", r"\g<1>1", text)
    return re.sub(r"(max_steps=)\d+", r"\g<1>30", text)


def run_all(shown: list[str], folder: Path, *options: str) -> str:
    """Run commands or snippets in their order; return what they printed."""
    program = [sys.executable, *options, str(Path(__file__).with_name("shown_code.py"))]
    finished = subprocess.run(
        [*program, str(folder)],
        input=json.dumps([shortened(text) for text in shown]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, f"{finished.stdout}\n{finished.stderr}"
    return finished.stdout


@pytest.mark.parametrize("page", ["README.md", pytest.param("docs/cli.md", marks=pytest.mark.long)])
def test_commands_of_a_page_run_in_order(page: str, tmp_path: Path) -> None:
    lines = [line for line in commands(page) if line.startswith("narrows ")]
    run_all(lines, tmp_path, "-W", "error")


@pytest.mark.parametrize(("page", "translation"), [PAGES[:2], PAGES[2:]])
def test_both_languages_show_the_same_commands(page: str, translation: str) -> None:
    assert commands(page)
    assert commands(page) == commands(translation)


@pytest.mark.parametrize("page", READMES)
def test_make_targets_of_a_page_exist(page: str) -> None:
    lines = [line for line in commands(page) if line.startswith("make ")]
    assert {"make demo", "make test"} <= set(lines)
    for line in lines:
        dry = ["make", "--dry-run", *shlex.split(line)[1:]]
        finished = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, f"{line}\n{finished.stderr}"


def test_torch_without_cuda_takes_the_index_that_is_named() -> None:
    (line,) = [line for line in commands("README.md") if "TORCH_INDEX" in line]
    dry = ["make", "--dry-run", "--always-make", *shlex.split(line)[1:]]
    shown = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "--index-url https://download.pytorch.org/whl/cpu torch" in shown


@pytest.mark.parametrize(
    "page", ["README.md", pytest.param("docs/keras.md", marks=pytest.mark.long)]
)
def test_python_snippets_run(page: str, tmp_path: Path) -> None:
    snippets = blocks(page, "python")
    printed = run_all(snippets, tmp_path)
    for snippet, said in zip(snippets, printed.split("\n>>> ")[1:], strict=True):
        assert said.removeprefix(shortened(snippet)).strip(), f"prints nothing: {snippet}"


def test_both_languages_show_the_same_code() -> None:
    def code(page: str) -> list[str]:
        lines = "\n".join(blocks(page, "python")).splitlines()
        return [line.partition("#")[0].rstrip() for line in lines]

    assert code(READMES[0]) == code(READMES[1])
    assert code("docs/keras.md") == code("docs/zh/keras.md")


def test_both_languages_show_the_same_numbers() -> None:
    def cells(page: str) -> list[str]:
        text = (ROOT / page).read_text(encoding="utf-8")
        rows = [line for line in text.splitlines() if line.startswith("|")]
        return sorted(re.findall(r"\d[\d,.]*\d|\d", "\n".join(rows)))

    assert cells(READMES[0]) == cells(READMES[1])
    assert cells(BENCHMARKS[0]) == cells(BENCHMARKS[1])


@pytest.mark.parametrize("page", NOTES)
def test_a_decision_note_has_three_parts_on_a_page(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES_OF_A_NOTE
    if not page.endswith("README.md"):
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS_OF_A_NOTE
        assert f"]({Path(page).name})" in (ROOT / "docs/decisions/README.md").read_text("utf-8")


@pytest.mark.parametrize(
    "page", [*PAGES, *BENCHMARKS, *NOTES, "docs/tour.md", "docs/keras.md", "docs/zh/keras.md"]
)
def test_links_inside_the_repository_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"


def test_the_tour_names_files_that_exist() -> None:
    text = (ROOT / "docs/tour.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:\w+/)*\w+\.py)`", text))
    assert len(named) >= 5
    source = ROOT / "src" / "narrows"
    for name in named - {"tests/objectives/test_yours.py"}:  # what a reader is to add
        known = [source / name, ROOT / name, *source.glob(f"*/{name}")]
        assert any(path.exists() for path in known), name
