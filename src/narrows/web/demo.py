"""The demo's page, from plain numbers, names and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from narrows.web.page import Fact, Panel, Picture, render
from narrows.web.words import Label, Words


@dataclass(frozen=True)
class Result:
    """One program's row in the table of results.

    Parameters
    ----------
    program : Words or str
        Its name.
    n_components : int
        Code size.
    error, pca_error : float
        Held-out mean squared error per pixel, of the program and of PCA at the same code size.
    seconds : float
        Training time.
    ours : bool
        Whether the row is set in bold.
    """

    program: Label
    n_components: int
    error: float
    pca_error: float
    seconds: float
    ours: bool = False


@dataclass(frozen=True)
class Classifier:
    """A classifier trained with labels: on codes or on pixels.

    Parameters
    ----------
    name : Words or str
        What it reads.
    n_inputs, n_parameters : int
        Numbers it reads per sample, and its weights and biases.
    accuracy : float
        Fraction of held-out samples that it names correctly.
    seconds : float
        Training time.
    ours : bool
        Whether the row is set in bold.
    """

    name: Label
    n_inputs: int
    n_parameters: int
    accuracy: float
    seconds: float
    ours: bool = False


@dataclass(frozen=True)
class Scree:
    """Error against code size: the picture, and its numbers as a table.

    Parameters
    ----------
    picture : Picture
        The curves.
    sizes : sequence of int
        Code sizes.
    curves : mapping of str to sequence of float
        Held-out mean squared error per pixel at each size, by method.
    """

    picture: Picture
    sizes: Sequence[int]
    curves: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Timing:
    """How long a part took, in seconds."""

    part: Label
    seconds: float


@dataclass(frozen=True)
class Command:
    """A line for the terminal, and what it does."""

    line: str
    purpose: Words


@dataclass(frozen=True)
class DemoContent:
    """Everything that the demo page shows.

    Parameters
    ----------
    n_train, n_test : int
        Digits trained on, and held-out test digits.
    results : sequence of Result
        The numbers at a glance.
    restored : sequence of Panel
        Job 1: test digits, then their reconstructions, program by program.
    planes : sequence of Panel
        Job 2: the plane of each program, without a legend; `note` holds its 10-NN accuracy.
    classes : sequence of (str, str)
        Legend of the planes: name and colour (#rrggbb) of each class.
    classifiers : sequence of Classifier
        Job 3.
    generated : sequence of Panel
        Job 4: new digits, and the plane decoded.
    scree : Scree
        PCA beside narrows at every code size.
    timings : sequence of Timing
        How long each part of the demo took.
    commands : sequence of Command
        What to run next.
    facts : sequence of Fact
        The machine and the versions.
    training : Picture or None
        Held-out error as training went on.
    ways : Picture or None
        Interpolations between test digits.
    """

    n_train: int
    n_test: int
    results: Sequence[Result]
    restored: Sequence[Panel]
    planes: Sequence[Panel]
    classes: Sequence[tuple[str, str]]
    classifiers: Sequence[Classifier]
    generated: Sequence[Panel]
    scree: Scree
    timings: Sequence[Timing]
    commands: Sequence[Command]
    facts: Sequence[Fact]
    training: Picture | None = None
    ways: Picture | None = None


def demo_page(content: DemoContent) -> str:
    """Build the demo's page.

    Parameters
    ----------
    content : DemoContent
        The numbers and pictures.

    Returns
    -------
    str
        One HTML file that needs nothing else. `#lang=zh&theme=dark` at the end of its address
        chooses language and theme.

    Raises
    ------
    DataError
        If a picture is not a PNG file, or its two themes differ in size.
    """
    return render("demo.html", content=content)
