"""The tour: both jobs of the tutorial on real digits, beside PCA, on one page."""

from __future__ import annotations

import platform
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from narrows import __version__, figures
from narrows.datasets import load_mnist
from narrows.errors import FileExists, NarrowsWarning
from narrows.estimator import Autoencoder
from narrows.evaluation import ClassifierResult, classify, evaluate, knn_accuracy, pca_inference
from narrows.fields import check, nothing, real
from narrows.model_file import replacing
from narrows.page import (
    Classifier,
    Command,
    DemoContent,
    Fact,
    Panel,
    Picture,
    Result,
    Scree,
    Timing,
    Words,
    demo_page,
)
from narrows.pca import fit_pca
from narrows.planning import has_bfloat16_products
from narrows.recipes import read_recipe
from narrows.running import Progress
from narrows.sources import ArraySource
from narrows.sources.files import check_folder

Pixels = NDArray[np.float32]
Labels = NDArray[np.uint8]
SIZES = {2: 45.0, 3: 12.0, 10: 12.0, 32: 25.0, 128: 20.0}
"""Seconds of training for each code size."""
TUTORIAL = ("tensorflow-reconstruct", "tensorflow-map")
SHOWN = 10


@dataclass
class Program:
    """A trained program and its held-out numbers."""

    name: Words
    model: Autoencoder
    seconds: float
    error: float
    pca_error: float
    ours: bool


@dataclass
class Tour:
    """What the demo gathers on its way."""

    console: Console
    pca_seconds: float = 0.0
    programs: dict[str, Program] = field(default_factory=dict)
    timings: list[Timing] = field(default_factory=list)

    @contextmanager
    def timed(self, en: str, zh: str) -> Iterator[None]:
        """Note how long a part took."""
        started = time.perf_counter()
        yield
        self.timings.append(Timing(Words(en, zh), time.perf_counter() - started))


def run_demo(
    out: Path, *, max_seconds: float | None = None, overwrite: bool, console: Console
) -> Path:
    """Train on MNIST, write ``index.html`` to a folder, and print a closing table.

    Parameters
    ----------
    out : Path
        Folder; made if it does not exist.
    max_seconds : float, optional
        Seconds for training our models in all; each gets its share of them.
    overwrite : bool
        Whether a page of an earlier run may be replaced.
    console : rich.console.Console

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ParameterError
        If ``max_seconds`` is not above zero.
    FileExists
        Where the page stands and ``overwrite`` is false; nothing is trained then.
    """
    usual = sum(SIZES.values())
    check("demo", {"max_seconds": max_seconds}, {"max_seconds": nothing() | real(0, low_open=True)})
    share = 1.0 if max_seconds is None else max_seconds / usual
    page = out / "index.html"
    if page.exists() and not overwrite:
        raise FileExists(
            f"{page} would be overwritten; choose another folder, or pass --overwrite."
        )
    out.mkdir(parents=True, exist_ok=True)
    check_folder(out)
    tour = Tour(console)
    with tour.timed("reading MNIST", "读取 MNIST"):
        X, y = load_mnist("train", return_X_y=True)
        X_test, y_test = load_mnist("test", return_X_y=True)
    with tour.timed("PCA alone", "单独的 PCA"):
        fit_pca(ArraySource(X).blocks, max(SIZES), 0)
    tour.pca_seconds = tour.timings[-1].seconds
    for size, seconds in SIZES.items():
        _train(tour, f"narrows-{size}", X, X_test, n_components=size, max_seconds=share * seconds)
    for name in TUTORIAL:
        _train(tour, name, X, X_test, **read_recipe(name).autoencoder)
    with tour.timed("the two classifiers", "两个分类器"):
        encoder = tour.programs["narrows-32"].model
        console.print("classifiers on 32 numbers and on pixels …")
        small, big = _classifiers(encoder, X, y, X_test, y_test)
    with tour.timed("neighbours on the planes", "平面上的近邻"):
        planes = _planes(tour, X, y, X_test, y_test)
    started = time.perf_counter()
    content = DemoContent(
        n_train=len(X),
        n_test=len(X_test),
        results=_results(tour),
        restored=_restored(tour, X_test[:SHOWN]),
        planes=[panel for panel, _ in planes],
        classes=[(str(digit), figures.PALETTE[digit]) for digit in range(10)],
        classifiers=[
            _classifier(Words("narrows code", "narrows 编码"), small, ours=True),
            _classifier(Words("pixels", "像素"), big, ours=False),
        ],
        scree=_scree(tour),
        timings=[
            *tour.timings,
            Timing(Words("drawing this page", "绘制本页"), time.perf_counter() - started),
        ],
        commands=_commands(),
        facts=_facts(tour.programs["narrows-128"].model),
        training=_training(tour),
    )
    with replacing(page) as temporary:
        temporary.write_text(demo_page(content), encoding="utf-8")
    _closing_table(tour, [accuracy for _, accuracy in planes], small, big)
    console.print(f"wrote {page}", soft_wrap=True)
    return page


def _train(tour: Tour, name: str, X: Pixels, X_test: Pixels, **arguments: Any) -> None:
    """Train one program behind a progress bar, and measure it on the test digits."""
    ours = name.startswith("narrows")
    size = arguments["n_components"]
    if ours:
        title = Words(f"narrows, {size} numbers", f"narrows，{size} 个数")
    else:
        recipe = read_recipe(name)
        title = Words(recipe.title, recipe.title_zh)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[error]}"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=tour.console) as bars:
        task = bars.add_task(title.en, total=None, error="")

        def show(progress: Progress) -> None:
            error = progress.validation_error
            words = f"held out {error:.4f}" if np.isfinite(error) else ""
            bars.update(task, total=progress.n_steps, completed=progress.step, error=words)

        model = Autoencoder(**{"random_state": 0, **arguments}, callbacks=(show,))
        started = time.perf_counter()
        with warnings.catch_warnings():
            # That a run was shortened says it cannot be repeated, which nobody asks of a demo.
            warnings.filterwarnings("ignore", "Training is slower", NarrowsWarning)
            model.fit(X)
        seconds = time.perf_counter() - started
        report = evaluate(model, X_test)
        bars.update(task, error=f"test {report.error:.4f}, PCA {report.pca_error:.4f}")
    tour.programs[name] = Program(title, model, seconds, report.error, report.pca_error, ours)
    tour.timings.append(Timing(title, seconds))


def _classifiers(
    encoder: Autoencoder, X: Pixels, y: Labels, X_test: Pixels, y_test: Labels
) -> tuple[ClassifierResult, ClassifierResult]:
    """Train a small classifier on 32 numbers, and a big one on pixels."""
    codes, test_codes = encoder.transform(X), encoder.transform(X_test)
    small = classify(codes, y, test_codes, y_test, hidden=112, max_iter=20)
    return small, classify(X, y, X_test, y_test, hidden=256, max_iter=8)


def _planes(
    tour: Tour, X: Pixels, y: Labels, X_test: Pixels, y_test: Labels
) -> list[tuple[Panel, float]]:
    """Draw the test digits on three planes, each with the accuracy of its neighbours."""
    ours, tutorial = tour.programs["narrows-2"], tour.programs["tensorflow-map"]
    encoders: list[tuple[Words, Callable[[Pixels], NDArray[Any]]]] = [
        (Words("narrows", "narrows"), ours.model.transform),
        (Words("PCA", "PCA"), pca_inference(ours.model).encode),
        (Words("TensorFlow tutorial", "TensorFlow 教程"), tutorial.model.transform),
    ]
    found = []
    for name, encode in encoders:
        codes = encode(X_test)
        accuracy = knn_accuracy(encode(X), y, codes, y_test)
        picture = _picture(
            partial(figures.plane, codes, y_test, legend=False, side=2.9),
            Words(
                f"Plane of the 10,000 test digits by {name.en}, one colour per digit",
                f"{name.zh} 的平面：10,000 个测试数字，每个数字一种颜色",
            ),
            palette=True,
        )
        note = Words(f"10-NN accuracy {accuracy:.3f}", f"10-NN 准确率 {accuracy:.3f}")
        found.append((Panel(name, picture, note), accuracy))
    return found


def _picture(draw: Callable[..., Figure], alt: Words, *, palette: bool = False) -> Picture:
    light, dark = (
        figures.to_png(draw(theme=theme), 200, palette=palette) for theme in figures.THEMES
    )
    return Picture(light, dark, alt)


def _results(tour: Tour) -> list[Result]:
    """List the programs by falling code size, PCA after ours of the same size."""
    results = []
    for program in tour.programs.values():
        size = program.model.n_components_
        if size not in (2, 32, 128):
            continue
        results.append(
            Result(
                program.name, size, program.error, program.pca_error, program.seconds, program.ours
            )
        )
        if program.ours:
            pca_error, seconds = program.pca_error, tour.pca_seconds
            results.append(Result("PCA", size, pca_error, pca_error, seconds))
    return sorted(results, key=lambda result: -result.n_components)


def _restored(tour: Tour, digits: Pixels) -> list[Panel]:
    """Draw ten test digits, and what each program brings back through 128 numbers."""
    ours, tutorial = tour.programs["narrows-128"], tour.programs["tensorflow-reconstruct"]
    rows = [
        (Words("held-out test digits", "留出的测试数字"), digits, None),
        (Words("narrows", "narrows"), ours.model.reconstruct(digits), ours.error),
        (Words("PCA", "PCA"), pca_inference(ours.model).reconstruct(digits), ours.pca_error),
        (
            Words("TensorFlow tutorial", "TensorFlow 教程"),
            tutorial.model.reconstruct(digits),
            tutorial.error,
        ),
    ]
    panels = []
    for name, images, error in rows:
        picture = _picture(
            partial(figures.strip, images, bounds=(0, 1)),
            Words(f"Ten digits: {name.en}", f"十个数字：{name.zh}"),
        )
        note: Words | str = ""
        if error is not None:
            note = Words(f"128 numbers, error {error:.4f}", f"128 个数，误差 {error:.4f}")
        panels.append(Panel(name, picture, note))
    return panels


def _classifier(name: Words, result: ClassifierResult, *, ours: bool) -> Classifier:
    return Classifier(
        name, result.n_inputs, result.n_parameters, result.accuracy, result.seconds, ours
    )


def _scree(tour: Tour) -> Scree:
    programs = [tour.programs[f"narrows-{size}"] for size in SIZES]
    curves = {
        "PCA": [program.pca_error for program in programs],
        "narrows": [program.error for program in programs],
    }
    picture = _picture(
        partial(figures.scree, list(SIZES), curves),
        Words(
            "Held-out error against code size, PCA and narrows",
            "留出误差与编码长度的关系：PCA 与 narrows",
        ),
    )
    return Scree(picture, list(SIZES), curves)


def _training(tour: Tour) -> Picture:
    """Draw the held-out error of the 128 numbers over the epochs, with PCA's line."""
    model = tour.programs["narrows-128"].model
    measured = [row for row in model.history_ if np.isfinite(row["validation_error"])]
    curve = ([row["epoch"] for row in measured], [row["validation_error"] for row in measured])
    return _picture(
        partial(figures.training, {"narrows": curve}, pca_error=model.pca_validation_error_),
        Words("Held-out error over the epochs", "各轮的留出误差"),
    )


def _commands() -> list[Command]:
    return [
        Command(
            "narrows recipe list",
            Words("the tutorial’s four programs and ours, by name", "教程的四个程序和我们的程序"),
        ),
        Command(
            "narrows recipe run torch-3d --out out/torch-3d",
            Words(
                "the PyTorch tutorial: three numbers, watched while it trains",
                "PyTorch 教程：三个数，边训练边看",
            ),
        ),
        Command(
            "narrows fit mnist:train --n-components 32 --max-seconds 30 --out digits.safetensors",
            Words("train 32 numbers and keep the model in one file", "训练 32 个数，存成一个文件"),
        ),
        Command(
            "narrows encode digits.safetensors mnist:test --out codes.npy",
            Words("turn the test digits into codes", "把测试数字变成编码"),
        ),
        Command(
            "narrows evaluate digits.safetensors mnist:test",
            Words(
                "measure the model on digits it never saw, beside PCA",
                "在没见过的数字上与 PCA 一起评测",
            ),
        ),
    ]


def _facts(model: Autoencoder) -> list[Fact]:
    import torch

    bfloat16 = Words("bfloat16 in hardware", "硬件支持 bfloat16")
    plain = Words("no bfloat16 in hardware", "硬件不支持 bfloat16")
    return [
        Fact(
            Words("processor", "处理器"), f"{platform.machine()}, {torch.get_num_threads()} threads"
        ),
        Fact(Words("matrix products", "矩阵乘法"), bfloat16 if has_bfloat16_products() else plain),
        Fact(Words("precision of training", "训练精度"), model.precision_),
        Fact(
            Words("versions", "版本"),
            f"narrows {__version__}, torch {torch.__version__.partition('+')[0]},"
            f" Python {platform.python_version()}",
        ),
    ]


def _closing_table(
    tour: Tour, accuracies: list[float], small: ClassifierResult, big: ClassifierResult
) -> None:
    """Print the numbers of the page as one table."""
    table = Table(title="10,000 held-out test digits")
    for heading in ("program", "numbers", "error", "PCA's error", "seconds"):
        table.add_column(heading, justify="left" if heading == "program" else "right")
    for program in tour.programs.values():
        table.add_row(
            program.name.en,
            str(program.model.n_components_),
            f"{program.error:.4f}",
            f"{program.pca_error:.4f}",
            f"{program.seconds:.1f}",
        )
    tour.console.print(table)
    ours, pca, tutorial = accuracies
    tour.console.print(
        f"10-NN accuracy on the plane: narrows {ours:.3f}, PCA {pca:.3f}, tutorial {tutorial:.3f}"
    )
    tour.console.print(
        f"classifier on 32 numbers: {small.accuracy:.4f} with {small.n_parameters:,} parameters in"
        f" {small.seconds:.1f} s; on pixels: {big.accuracy:.4f} with {big.n_parameters:,} in"
        f" {big.seconds:.1f} s"
    )
