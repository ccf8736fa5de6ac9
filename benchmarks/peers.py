"""Train one program on MNIST, in a process of its own, and write what it took as JSON.

    python benchmarks/peers.py keras-jax --job tutorial --seed 0 --json out.json

Two jobs, the same layers, batches of 256 and Adam for every program; each program draws its
initial values as its framework does by default:

``tutorial``
    784-256-128-256-784, sigmoid at every layer, Adam 0.01: the tutorial's first net, five epochs.
    Nothing is measured between epochs.
``quality``
    784-512-256-128 and back, GELU, linear code and output, Adam 0.001, until the error on the
    10,000 test digits reaches the lowest goal or the clock reaches the limit. narrows is given
    its own defaults and a budget in seconds instead, and is judged by the model it returns.

Imports are over before a clock starts. In ``quality`` each program first takes a few steps on a
copy, or is set back to its start after them, so that compilation is out of its time too; the
clock stands still while the error is measured. Reconstructions are clipped to [0, 1] for all.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import machine

DEFAULT_DATA = Path(__file__).resolve().parent.parent / "src" / "narrows" / "sources" / "mnist"
PROGRAMS = (
    "narrows-fp32",
    "narrows-bf16",
    "narrows",
    "plain-torch",
    "pythae",
    "keras-jax",
    "keras-tensorflow",
)
WARM_UP_ROWS = 1_000

Array = NDArray[np.float32]
Reconstruct = Callable[[Array], Array]


@dataclass(frozen=True)
class Job:
    """Layers, step and length of a training run.

    ``widths`` run from the picture to the code; the decoder mirrors them.
    """

    widths: tuple[int, ...]
    activation: str
    code_activation: str
    output_activation: str
    learning_rate: float
    epochs: int
    batch_size: int = 256

    def layers(self) -> tuple[list[tuple[int, int, str]], list[tuple[int, int, str]]]:
        """Return encoder and decoder, each a list of (inputs, outputs, activation)."""
        down = list(zip(self.widths[:-1], self.widths[1:], strict=True))
        up = [(b, a) for a, b in reversed(down)]
        return (
            [(*size, self.activation) for size in down[:-1]] + [(*down[-1], self.code_activation)],
            [(*size, self.activation) for size in up[:-1]] + [(*up[-1], self.output_activation)],
        )

    def flops_per_row(self) -> int:
        """Count the matrix products of one training step, per row.

        Forward, gradient by the weights and gradient by the inputs take two operations for each
        weight; the last is not needed for the first layer.
        """
        encoder, decoder = self.layers()
        sizes = [n_in * n_out for n_in, n_out, _ in encoder + decoder]
        return 6 * sum(sizes) - 2 * sizes[0]


JOBS = {
    "tutorial": Job((784, 256, 128), "sigmoid", "sigmoid", "sigmoid", 0.01, epochs=5),
    "quality": Job((784, 512, 256, 128), "gelu", "linear", "linear", 0.001, epochs=100_000),
}


@dataclass
class Watch:
    """A clock for one run, which stands still while the held-out error is measured.

    Attributes
    ----------
    test : array of shape (10000, 784)
        Held-out rows in [0, 1].
    goal : float or None
        Held-out error at which to stop; with None nothing is measured before the end.
    limit : float
        Seconds of training after which to stop.
    epoch_seconds : list of float
        Training time of each epoch.
    trail : list of (float, float)
        Seconds of training since the start and held-out error, after each epoch.
    wall_seconds : float
        From start to stop.
    """

    test: Array
    goal: float | None = None
    limit: float = 600.0
    epoch_seconds: list[float] = field(default_factory=list)
    trail: list[tuple[float, float]] = field(default_factory=list)
    wall_seconds: float = 0.0
    _started: float = 0.0
    _resumed: float = 0.0

    def start(self) -> None:
        """Start the clock."""
        self._started = self._resumed = time.perf_counter()

    def stop(self) -> None:
        """Note the time since the start, measurements of the error included."""
        self.wall_seconds = time.perf_counter() - self._started

    def epoch_done(self, reconstruct: Reconstruct) -> bool:
        """Note an epoch and say whether to stop."""
        self.epoch_seconds.append(time.perf_counter() - self._resumed)
        enough = False
        if self.goal is not None:
            seconds, error = sum(self.epoch_seconds), held_out_error(reconstruct, self.test)
            self.trail.append((seconds, error))
            enough = error <= self.goal or seconds >= self.limit
        self._resumed = time.perf_counter()
        return enough


class EnoughError(Exception):
    """Raised out of a trainer that offers no other way to stop."""


def read_pixels(path: Path) -> Array:
    """Read a gzipped idx file of pictures as rows in [0, 1], shape (n, 784)."""
    raw = gzip.decompress(path.read_bytes())
    pixels = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784)
    return pixels.astype(np.float32) / np.float32(255)


def held_out_error(reconstruct: Reconstruct, rows: Array) -> float:
    """Mean squared error per pixel of reconstructions clipped to [0, 1]."""
    difference = np.clip(np.asarray(reconstruct(rows)), 0, 1) - rows
    return float(np.mean(np.square(difference, dtype=np.float64)))


def torch_stack(layers: list[tuple[int, int, str]]) -> Any:
    """Build linear layers with their activations as a torch module, torch's initial values."""
    from torch import nn

    activations = {"sigmoid": nn.Sigmoid, "gelu": nn.GELU, "linear": nn.Identity}
    return nn.Sequential(
        *(m for n_in, n_out, act in layers for m in (nn.Linear(n_in, n_out), activations[act]()))
    )


def torch_reconstruct(network: Callable[[Any], Any]) -> Reconstruct:
    """Wrap a function of torch tensors as one of arrays, without gradients."""
    import torch

    def reconstruct(rows: Array) -> Array:
        with torch.no_grad():
            output: Array = network(torch.from_numpy(rows)).numpy()
        return output

    return reconstruct


def train_plain_torch(job: Job, rows: Array, seed: int, watch: Watch) -> Reconstruct:
    """Train our own plain loop: batches cut from one tensor, fused Adam, float32."""
    import torch

    torch.manual_seed(seed)
    encoder, decoder = job.layers()
    network = torch_stack(encoder + decoder)
    optimizer = torch.optim.Adam(network.parameters(), lr=job.learning_rate, fused=True)
    data = torch.from_numpy(rows)
    reconstruct = torch_reconstruct(network)
    watch.start()
    for _ in range(job.epochs):
        for index in torch.split(torch.randperm(len(data)), job.batch_size):
            x = data[index]
            loss = torch.nn.functional.mse_loss(network(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if watch.epoch_done(reconstruct):
            break
    return reconstruct


def pythae_model(job: Job) -> Any:
    """Build pythae's AE around an encoder and a decoder of the job's layers."""
    from pythae.models import AE, AEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    encoder_layers, decoder_layers = job.layers()

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.stack = torch_stack(encoder_layers)

        def forward(self, x: Any) -> Any:
            return ModelOutput(embedding=self.stack(x))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.stack = torch_stack(decoder_layers)

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.stack(z))

    config = AEConfig(input_dim=(job.widths[0],), latent_dim=job.widths[-1])
    return AE(config, encoder=Encoder(), decoder=Decoder())


def train_pythae(job: Job, rows: Array, seed: int, watch: Watch) -> Reconstruct:
    """Train with pythae's trainer on a data set in memory, without checkpoints between epochs."""
    import logging

    # Its trainer draws a progress bar and logs to the console; neither is part of the contest.
    os.environ["TQDM_DISABLE"] = "1"
    logging.disable(logging.INFO)
    import torch
    from pythae.data.datasets import BaseDataset
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    torch.manual_seed(seed)
    model = pythae_model(job)
    reconstruct = torch_reconstruct(lambda x: model.reconstruct(x))

    class Clock(TrainingCallback):
        def on_epoch_end(self, *_: Any, **__: Any) -> None:
            if watch.epoch_done(reconstruct):
                raise EnoughError

    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=job.epochs,
            learning_rate=job.learning_rate,
            per_device_train_batch_size=job.batch_size,
            seed=seed,
            no_cuda=True,
        )
        data = BaseDataset(torch.from_numpy(rows), torch.zeros(len(rows)))
        trainer = BaseTrainer(model, data, training_config=config, callbacks=[Clock()])
        watch.start()
        with contextlib.suppress(EnoughError):
            trainer.train()
    return reconstruct


def keras_model(job: Job) -> Any:
    """Build and compile the job's net in Keras, with Keras' own initial values."""
    import keras

    encoder, decoder = job.layers()
    dense = [keras.layers.Dense(n_out, activation=act) for _, n_out, act in encoder + decoder]
    model = keras.Sequential([keras.Input((job.widths[0],)), *dense])
    model.compile(optimizer=keras.optimizers.Adam(job.learning_rate), loss="mse")
    return model


def compile_keras(model: Any, job: Job, rows: Array) -> None:
    """Take two steps, of a full and of the last batch's size, and set the model back."""
    import keras

    # Otherwise the first step would make the moments, and they would not be set back.
    model.optimizer.build(model.trainable_variables)
    variables = [*model.weights, *model.optimizer.variables]
    before = [keras.ops.convert_to_numpy(v).copy() for v in variables]
    n_last = len(rows) % job.batch_size
    some = rows[: job.batch_size + n_last]
    model.fit(some, some, batch_size=job.batch_size, verbose=0)
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)


def train_keras(backend: str, job: Job, rows: Array, seed: int, watch: Watch) -> Reconstruct:
    """Train with ``model.fit`` on arrays in memory, compiled as Keras does by default."""
    os.environ["KERAS_BACKEND"] = backend
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras

    keras.utils.set_random_seed(seed)
    model = keras_model(job)

    def reconstruct(rows: Array) -> Array:
        output: Array = model.predict(rows, batch_size=1_000, verbose=0)
        return output

    class Clock(keras.callbacks.Callback):
        def on_epoch_end(self, *_: Any) -> None:
            self.model.stop_training = watch.epoch_done(reconstruct)

    if watch.goal is not None:
        compile_keras(model, job, rows)
        reconstruct(watch.test)
    watch.start()
    model.fit(
        rows,
        rows,
        batch_size=job.batch_size,
        epochs=job.epochs,
        verbose=0,
        callbacks=[Clock()],
    )
    return reconstruct


def train_narrows_net(
    precision: str, job: Job, rows: Array, seed: int, watch: Watch
) -> Reconstruct:
    """Train narrows on the tutorial's net: nothing from PCA, no held-out rows, last state kept."""
    from narrows import MLP, Autoencoder

    steps_per_epoch = math.ceil(len(rows) / job.batch_size)

    def clock(progress: Any) -> None:
        if progress.step % steps_per_epoch == 0:
            watch.epoch_done(model.reconstruct)

    model = Autoencoder(
        job.widths[-1],
        network=MLP(
            hidden=job.widths[1:-1],
            activation=job.activation,
            code_activation=job.code_activation,
            output_activation=job.output_activation,
        ),
        init="random",
        optimizer="adam",
        learning_rate=job.learning_rate,
        batch_size=job.batch_size,
        max_epochs=job.epochs,
        schedule="constant",
        validation_fraction=0,
        keep="last",
        scaling=None,
        precision=precision,
        callbacks=(clock,),
        random_state=seed,
    )
    watch.start()
    model.fit(rows)
    return lambda x: np.asarray(model.reconstruct(x))


def train_narrows_budget(budget: float, rows: Array, seed: int, watch: Watch) -> Reconstruct:
    """Fit narrows with its defaults and a budget in seconds, from call to return."""
    from narrows import Autoencoder

    model = Autoencoder(128, max_seconds=budget, random_state=seed)
    Autoencoder(128, max_steps=3, random_state=seed).fit(rows[:WARM_UP_ROWS])
    watch.start()
    model.fit(rows)
    return lambda x: np.asarray(model.reconstruct(x))


def train(
    program: str, job: Job, rows: Array, seed: int, watch: Watch, budget: float | None
) -> Reconstruct:
    """Train the named program and return its reconstruction."""
    if program.startswith("keras-"):
        return train_keras(program.removeprefix("keras-"), job, rows, seed, watch)
    if budget is not None:
        return train_narrows_budget(budget, rows, seed, watch)
    if program.startswith("narrows"):
        precision = {"narrows-fp32": "float32", "narrows-bf16": "bfloat16", "narrows": "auto"}
        return train_narrows_net(precision[program], job, rows, seed, watch)
    trainer = {"plain-torch": train_plain_torch, "pythae": train_pythae}[program]
    if watch.goal is not None:
        trainer(replace(job, epochs=1), rows[:WARM_UP_ROWS], seed, Watch(watch.test))
    return trainer(job, rows, seed, watch)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run what the command line asks for and return what it took."""
    job = JOBS[options.job]
    if options.epochs is not None:
        job = replace(job, epochs=options.epochs)
    rows = read_pixels(options.data / "train-images-idx3-ubyte.gz")
    test = read_pixels(options.data / "t10k-images-idx3-ubyte.gz")
    watch = Watch(test, options.goal, options.limit)
    reconstruct = train(options.program, job, rows, options.seed, watch, options.budget)
    watch.stop()
    return {
        "program": options.program,
        "job": options.job,
        "seed": options.seed,
        "budget": options.budget,
        "epoch_seconds": watch.epoch_seconds,
        "wall_seconds": watch.wall_seconds,
        "trail": watch.trail,
        "test_error": held_out_error(reconstruct, test),
        "gflop_per_epoch": job.flops_per_row() * len(rows) / 1e9,
    }


def run(
    program: str, job: str, seed: int, arguments: list[str], attempts: int = 1
) -> dict[str, Any]:
    """Train a program in a process of its own.

    Parameters
    ----------
    program : str
        One of ``PROGRAMS``.
    job : str
        A key of ``JOBS``.
    seed : int
        Seed of initial values and order.
    arguments : list of str
        Further options of this file's command line.
    attempts : int
        Times to try while other processes disturb the run; the least disturbed one counts.

    Returns
    -------
    dict
        What the process measured, and ``others``: the share of all cores that other processes
        used meanwhile.

    Raises
    ------
    SystemExit
        If the process fails, with its last words.
    """
    tries: list[dict[str, Any]] = []
    while len(tries) < attempts and not (tries and tries[-1]["others"] <= machine.QUIET_SHARE):
        tries.append(run_once(program, job, seed, arguments))
    return min(tries, key=lambda result: float(result["others"]))


def run_once(program: str, job: str, seed: int, arguments: list[str]) -> dict[str, Any]:
    """Train a program in a process of its own, once."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run.json"
        command = [sys.executable, str(Path(__file__).resolve()), program, "--job", job]
        command += ["--seed", str(seed), "--json", str(out), *arguments]
        start, busy, own = time.perf_counter(), machine.busy_core_seconds(), core_seconds_of_runs()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last_words = "\n".join(done.stderr.strip().splitlines()[-8:])
            raise SystemExit(
                f"{program} ended with {done.returncode} (are the peers installed?):\n{last_words}"
            )
        others = machine.busy_core_seconds() - busy - (core_seconds_of_runs() - own)
        available = (time.perf_counter() - start) * machine.count_cores()
        result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return {**result, "others": max(others / available, 0.0)}


def core_seconds_of_runs() -> float:
    """Return the core-seconds that the finished processes started from here have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Train one program and write what it took."""
    parser = argparse.ArgumentParser(description="Train one program on MNIST and time it.")
    parser.add_argument("program", choices=PROGRAMS)
    parser.add_argument("--job", choices=JOBS, default="tutorial")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="instead of the job's own number")
    parser.add_argument("--goal", type=float, help="held-out error at which to stop")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds of training at most")
    parser.add_argument("--budget", type=float, help="seconds given to narrows' defaults")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder of the idx files")
    parser.add_argument("--json", type=Path, help="where to write what it took")
    options = parser.parse_args()
    if options.budget is not None and options.program != "narrows":
        parser.error("--budget goes with the program narrows")
    text = json.dumps(measure(options))
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
