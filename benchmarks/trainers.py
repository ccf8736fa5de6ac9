"""The programs of a contest on MNIST: narrows and its peers, trained on the same layers.

Each draws its initial values as its framework does by default. Peers are imported when they are
trained, so that the others need not be there.
"""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from contest import WARM_UP_ROWS, Array, EnoughError, Job, Reconstruct, Watch

PROGRAMS = (
    "narrows-fp32",
    "narrows-bf16",
    "narrows",
    "plain-torch",
    "pythae",
    "keras-jax",
    "keras-tensorflow",
)


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


def narrows_net(job: Job, **more: Any) -> Any:
    """Return narrows on the job's net: nothing from PCA, no held-out rows, last state kept."""
    from narrows import MLP, Autoencoder

    network = MLP(
        hidden=job.widths[1:-1],
        activation=job.activation,
        code_activation=job.code_activation,
        output_activation=job.output_activation,
    )
    return Autoencoder(
        job.widths[-1],
        network=network,
        init="random",
        optimizer="adam",
        learning_rate=job.learning_rate,
        batch_size=job.batch_size,
        max_epochs=job.epochs,
        schedule="constant",
        validation_fraction=0,
        keep="last",
        scaling=None,
        **more,
    )


def train_narrows_net(
    precision: str, job: Job, rows: Array, seed: int, watch: Watch
) -> Reconstruct:
    """Train narrows on the job's net."""
    steps_per_epoch = math.ceil(len(rows) / job.batch_size)

    def clock(progress: Any) -> None:
        if progress.step % steps_per_epoch == 0:
            watch.epoch_done(model.reconstruct)

    model = narrows_net(job, precision=precision, callbacks=(clock,), random_state=seed)
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
