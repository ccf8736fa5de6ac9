"""The four tutorial programs once more, in plain torch, sharing no code with the package.

The recipes of narrows are held against these programs: for each recipe, five seeds give five
curves of held-out cost per epoch, and the recipe's own curve has to lie within their spread.
So everything here is written out from the tutorial and the frameworks' documentation: the idx
reader, the layers, the four ways of drawing weights, and both forms of Adam.

One command refreshes the committed curves (about five minutes on two cores)::

    python tests/reference_programs.py

Where the frameworks differ, and what is done here:

* Initial values. The two TensorFlow programs draw weights themselves, far wider than any
  framework's default: ``random_normal`` is N(0, 1); ``truncated_normal`` is N(0, 1) with every
  value beyond two standard deviations drawn again and *no* rescaling, so its deviation is 0.88;
  biases are N(0, 1) in both. PyTorch's ``nn.Linear`` draws weights and biases alike from
  U(-1/sqrt(fan_in), 1/sqrt(fan_in)). Keras' ``Dense`` draws weights from Glorot's
  U(-sqrt(6 / (fan_in + fan_out)), +...) and starts biases at zero.
* Adam's ε. TensorFlow 1 (1e-8) and Keras (1e-7) use the "epsilon hat" form of Kingma and Ba's
  section 2.1, p ← p - η √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε̂). PyTorch (1e-8) uses their
  algorithm 1, p ← p - η · (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + ε). The two agree only where √v
  is far above ε, which saturated sigmoids do not grant.
* Rows. TensorFlow's loader kept 5,000 of the 60,000 training digits for validation, and its
  program dropped the last partial batch. Here, as in the recipes, all 60,000 rows are used,
  shuffled anew each epoch, and the last batch is a partial one.
* Pixels. [0, 1] everywhere but in the Keras program, which trains on [-0.5, 0.5]; costs compare
  all the same, as only a shift lies between the two ranges.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

HERE = Path(__file__).resolve().parent
DEFAULT_DATA = HERE.parent / "src" / "narrows" / "datasets" / "mnist"
DEFAULT_OUT = HERE / "reference_costs.json"

Draw = Callable[[int, int, torch.Generator], tuple[Tensor, Tensor]]


def read_images(path: Path) -> Tensor:
    """Read a gzipped idx file of 28 x 28 pictures as float32 rows in [0, 1], shape (n, 784)."""
    raw = gzip.decompress(path.read_bytes())
    # An idx3 header: magic, count, rows, columns, four bytes each.
    pixels = np.frombuffer(raw, dtype=np.uint8, offset=16).reshape(-1, 784)
    return torch.from_numpy(pixels.astype(np.float32) / 255.0)


def normal(n_in: int, n_out: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw as the first TensorFlow program: weights and biases N(0, 1)."""
    return torch.randn(n_in, n_out, generator=rng), torch.randn(n_out, generator=rng)


def truncated(n_in: int, n_out: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw as the second: weights N(0, 1), redrawn beyond two deviations; biases N(0, 1)."""
    weight = torch.randn(n_in, n_out, generator=rng)
    outside = weight.abs() > 2
    while outside.any():
        weight[outside] = torch.randn(int(outside.sum()), generator=rng)
        outside = weight.abs() > 2
    return weight, torch.randn(n_out, generator=rng)


def torch_default(n_in: int, n_out: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw as ``nn.Linear``: weights and biases uniform within one over the root of fan-in."""
    limit = 1 / math.sqrt(n_in)
    weight = torch.empty(n_in, n_out).uniform_(-limit, limit, generator=rng)
    return weight, torch.empty(n_out).uniform_(-limit, limit, generator=rng)


def glorot(n_in: int, n_out: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw as Keras' ``Dense``: Glorot's uniform weights, biases zero."""
    limit = math.sqrt(6 / (n_in + n_out))
    return torch.empty(n_in, n_out).uniform_(-limit, limit, generator=rng), torch.zeros(n_out)


def linear(x: Tensor) -> Tensor:
    """Return x as it is: the activation of a linear layer."""
    return x


@dataclass(frozen=True)
class Program:
    """One tutorial program, as numbers.

    ``encoder`` are the widths from the picture to the code; the decoder mirrors them.
    """

    encoder: tuple[int, ...]
    activation: Callable[[Tensor], Tensor]
    code: Callable[[Tensor], Tensor]
    output: Callable[[Tensor], Tensor]
    draw: Draw
    learning_rate: float
    epsilon: float
    epsilon_hat: bool
    batch_size: int
    n_epochs: int
    lowest_pixel: float = 0.0


PROGRAMS = {
    "tensorflow-reconstruct": Program(
        encoder=(784, 256, 128),
        activation=torch.sigmoid,
        code=torch.sigmoid,
        output=torch.sigmoid,
        draw=normal,
        learning_rate=0.01,
        epsilon=1e-8,
        epsilon_hat=True,
        batch_size=256,
        n_epochs=5,
    ),
    "tensorflow-map": Program(
        encoder=(784, 128, 64, 10, 2),
        activation=torch.sigmoid,
        code=linear,
        output=torch.sigmoid,
        draw=truncated,
        learning_rate=0.01,
        epsilon=1e-8,
        epsilon_hat=True,
        batch_size=256,
        n_epochs=10,
    ),
    "torch-3d": Program(
        encoder=(784, 128, 64, 12, 3),
        activation=torch.tanh,
        code=linear,
        output=torch.sigmoid,
        draw=torch_default,
        learning_rate=0.005,
        epsilon=1e-8,
        epsilon_hat=False,
        batch_size=64,
        n_epochs=10,
    ),
    "keras-map": Program(
        encoder=(784, 128, 64, 10, 2),
        activation=torch.relu,
        code=linear,
        output=torch.tanh,
        draw=glorot,
        learning_rate=0.001,
        epsilon=1e-7,
        epsilon_hat=True,
        batch_size=256,
        n_epochs=20,
        lowest_pixel=-0.5,
    ),
}


class Adam:
    """Adam with β = (0.9, 0.999), in either of the two forms of its paper (see the top)."""

    def __init__(self, parameters: list[Tensor], program: Program) -> None:
        self.parameters = parameters
        self.rate = program.learning_rate
        self.epsilon = program.epsilon
        self.epsilon_hat = program.epsilon_hat
        self.means = [torch.zeros_like(p) for p in parameters]
        self.squares = [torch.zeros_like(p) for p in parameters]
        self.t = 0

    @torch.no_grad()
    def step(self, gradients: tuple[Tensor, ...]) -> None:
        """Move every parameter once against its gradient."""
        self.t += 1
        correct_1, correct_2 = 1 - 0.9**self.t, 1 - 0.999**self.t
        # Algorithm 1 is the epsilon-hat form with ε̂ = ε √(1 - β₂ᵗ).
        epsilon = self.epsilon if self.epsilon_hat else self.epsilon * math.sqrt(correct_2)
        rate = self.rate * math.sqrt(correct_2) / correct_1
        for p, g, m, v in zip(self.parameters, gradients, self.means, self.squares, strict=True):
            m.mul_(0.9).add_(g, alpha=0.1)
            v.mul_(0.999).addcmul_(g, g, value=0.001)
            p.addcdiv_(m, v.sqrt().add_(epsilon), value=-rate)


def draw_parameters(program: Program, rng: torch.Generator) -> list[Tensor]:
    """Draw weight and bias of each layer, encoder first, as a flat list."""
    widths = program.encoder + program.encoder[-2::-1]
    pairs = [program.draw(a, b, rng) for a, b in itertools.pairwise(widths)]
    return [tensor.requires_grad_() for pair in pairs for tensor in pair]


def reconstruct(program: Program, parameters: list[Tensor], x: Tensor) -> Tensor:
    """Encode and decode rows, shape (n, 784) both ways."""
    n_layers = len(parameters) // 2
    for i in range(n_layers):
        x = torch.addmm(parameters[2 * i + 1], x, parameters[2 * i])
        if i == n_layers - 1:
            x = program.output(x)
        elif i == n_layers // 2 - 1:
            x = program.code(x)
        else:
            x = program.activation(x)
    return x


def held_out_cost(program: Program, parameters: list[Tensor], test: Tensor) -> float:
    """Mean squared error per pixel over the test rows, in the program's own pixel range."""
    with torch.no_grad():
        difference = reconstruct(program, parameters, test) - test
    return float(difference.double().square().mean())


def run(name: str, seed: int, train: Tensor, test: Tensor) -> list[float]:
    """Train one program from one seed.

    Parameters
    ----------
    name : str
        A key of ``PROGRAMS``.
    seed : int
        Seed of the initial values and of the order of rows.
    train, test : Tensor of shape (n, 784)
        Pixels in [0, 1], float32.

    Returns
    -------
    list of float
        The held-out cost after each epoch.
    """
    program = PROGRAMS[name]
    rng = torch.Generator().manual_seed(seed)
    train, test = train + program.lowest_pixel, test + program.lowest_pixel
    parameters = draw_parameters(program, rng)
    adam = Adam(parameters, program)
    costs = []
    for epoch in range(program.n_epochs):
        for rows in torch.split(torch.randperm(len(train), generator=rng), program.batch_size):
            x = train[rows]
            cost = (reconstruct(program, parameters, x) - x).square().mean()
            adam.step(torch.autograd.grad(cost, parameters))
        costs.append(held_out_cost(program, parameters, test))
        print(f"{name} seed {seed} epoch {epoch + 1:2d} held-out cost {costs[-1]:.6f}", flush=True)
    return costs


def main() -> None:
    """Run the programs from five seeds each and write their curves."""
    parser = argparse.ArgumentParser(description="Refresh the reference curves of the recipes.")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder of the idx files")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="the JSON file to write")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0 up")
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, default=list(PROGRAMS))
    options = parser.parse_args()
    train = read_images(options.data / "train-images-idx3-ubyte.gz")
    test = read_images(options.data / "t10k-images-idx3-ubyte.gz")
    costs = {
        name: [[float(f"{c:.6g}") for c in run(name, s, train, test)] for s in range(options.seeds)]
        for name in options.programs
    }
    result = {
        "what": "mean squared error per pixel on the 10,000 test digits after each epoch, by seed",
        "date": datetime.date.today().isoformat(),
        "torch": torch.__version__,
        "costs": costs,
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
