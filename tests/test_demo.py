"""The tour, with little time: every part is there, and the page is whole."""

import inspect
import re
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from few_digits import first_digits
from narrows import Autoencoder
from narrows.errors import FileExists, ParameterError
from narrows.recipes import demo
from narrows.recipes.demo import panels
from narrows.sources import mnist as mnist_files

# On a busy machine PCA alone may take the time of the smallest codes.
pytestmark = pytest.mark.filterwarnings("ignore:.*so the model (will be PCA|is the start)")


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    console = Console(record=True, width=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist_files, "_idx", first_digits(mnist_files._idx))
        page = demo.run_demo(folder, max_seconds=10, overwrite=False, console=console)
    return page, page.read_text(encoding="utf-8"), console.export_text()


def test_the_page_loads_nothing_and_speaks_both_languages(tour):
    _, text, _ = tour
    assert not re.search(r"""(src|href)=["']https?:""", text)
    for words in (
        "held-out test digits",
        "留出的测试数字",
        "TensorFlow 教程",
        "100 new digits",
        "两个数的平面，逐点解码",
        "From one held-out test digit (a)",
        "narrows recipe list",
    ):
        assert words in text


def test_the_terminal_closes_with_one_table(tour):
    page, _, printed = tour
    for words in ("held-out test digits", "narrows, 128 numbers", "TensorFlow tutorial"):
        assert words in printed
    assert "10-NN accuracy on the plane" in printed
    assert "narrows VAE, 16 numbers" in printed and "narrows map, 2 numbers" in printed
    small, big = re.findall(r"([\d.]+) with ([\d,]+)", printed)
    assert int(small[1].replace(",", "")) <= 5_000
    assert int(big[1].replace(",", "")) >= 200_000
    assert 0.9 < float(small[0]) < 1
    assert page.name in printed


def test_numbers_on_the_page_are_those_of_the_terminal(tour):
    _, text, printed = tour
    row = next(line for line in printed.splitlines() if "narrows, 128 numbers" in line)
    error = re.findall(r"0\.\d+", row)[0]
    assert error in text


def test_a_page_that_stands_is_not_overwritten(tour):
    page, text, _ = tour
    with pytest.raises(FileExists, match="overwritten"):
        demo.run_demo(page.parent, overwrite=False, console=Console())
    assert page.read_text(encoding="utf-8") == text


def test_time_must_be_above_zero(tmp_path):
    with pytest.raises(ParameterError, match="> 0"):
        demo.run_demo(tmp_path, max_seconds=0, overwrite=False, console=Console())
    assert not list(tmp_path.iterdir())


def test_the_time_stated_is_what_our_models_take_in_all():
    from narrows.cli.verbs.try_it import demo as verb
    from narrows.recipes.demo.programs import MAP_SECONDS, SIZES
    from narrows.recipes.demo.tour import GENERATOR_SECONDS

    usual = sum(SIZES.values()) + MAP_SECONDS + sum(GENERATOR_SECONDS.values())
    (option,) = (
        inspect.signature(verb, eval_str=True).parameters["max_seconds"].annotation.__metadata__
    )
    assert f"{usual:g} by default" in option.help


def test_a_model_that_had_no_time_is_drawn_by_its_start():
    model = Autoencoder(3, max_seconds=1e-6).fit(np.random.default_rng(0).normal(size=(300, 5)))
    assert model.history_ == []
    tour = SimpleNamespace(programs={"narrows-128": SimpleNamespace(model=model)})
    assert panels.training(tour).size()
