"""What stands at the end: the machine, what to run next, and the table on the terminal."""

from __future__ import annotations

import platform

from rich.table import Table

from narrows import __version__
from narrows.common.processor import has_bfloat16_products
from narrows.estimator import Autoencoder
from narrows.evaluation.scorecard import ClassifierResult
from narrows.recipes.demo.programs import Tour
from narrows.web.demo import Command, Fact, Words


def commands() -> list[Command]:
    """Return what to run next, line by line."""
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
            "narrows recipe run generate-conditional --out out/digits",
            Words("learn to write each digit on demand", "学会按要求写出每个数字"),
        ),
        Command(
            "narrows evaluate digits.safetensors mnist:test",
            Words(
                "measure the model on digits it never saw, beside PCA",
                "在没见过的数字上与 PCA 一起评测",
            ),
        ),
    ]


def facts(model: Autoencoder) -> list[Fact]:
    """Return what there is to know of the machine, and of how a model was trained on it."""
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


def closing_table(
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
    for program in tour.maps:
        tour.console.print(
            f"{program.name.en}: trained in {program.seconds:.1f} s to keep neighbours together,"
            f" error {program.error:.4f}"
        )
    for program in tour.generators.values():
        tour.console.print(
            f"{program.name.en}: trained in {program.seconds:.1f} s to draw new digits"
        )
    pca, tutorial, ours = accuracies
    tour.console.print(
        f"10-NN accuracy on the plane: PCA {pca:.3f}, tutorial {tutorial:.3f}, narrows {ours:.3f}"
    )
    tour.console.print(
        f"classifier on 32 numbers: {small.accuracy:.4f} with {small.n_parameters:,} parameters in"
        f" {small.seconds:.1f} s; on pixels: {big.accuracy:.4f} with {big.n_parameters:,} in"
        f" {big.seconds:.1f} s"
    )
