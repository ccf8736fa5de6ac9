"""Log-likelihood of binarised digits after the same seconds of training, beside pythae.

    .venv-peers/bin/python benchmarks/likelihood.py --seconds 600

Every program learns from the 60,000 training digits, whose pixels are drawn anew as 0 or 1
whenever a digit is seen, and has 40 numbers in a code and hidden layers of 512 and 512 units. Each
is trained in a process of its own, for the same seconds by the wall clock. Then the log-likelihood
of 1,000 test digits, the ones of ``RandomState(0).choice(10000, 1000, replace=False)``, binarised
once by ``RandomState(1)``, is estimated with 5,000 importance samples from the encoder. The
estimator is `narrows.evaluation.density.measure_density` for narrows, and the same sums here for
pythae.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import contest
import machine
import trainers

TOPIC = "likelihood"
CODE, HIDDEN = 40, (512, 512)
GOALS = {"narrows vae": 86.0, "narrows vae, flow": 83.5}
PIXELS = {"likelihood": "bernoulli", "binarize": True}
OURS: dict[str, dict[str, Any]] = {
    "narrows vae": {"name": "vae", **PIXELS},
    "narrows vae, flow": {"name": "vae", "prior": "flow", **PIXELS},
    "narrows iwae, flow": {"name": "iwae", "prior": "flow", **PIXELS},
}
THEIRS = ("pythae VAE", "pythae IWAE", "pythae VAMP")

Pictures = NDArray[np.float32]


def digits() -> tuple[Pictures, Pictures]:
    """Return the grey training digits, and the binarised test digits."""
    rows = contest.read_pixels(contest.DEFAULT_DATA / "train-images-idx3-ubyte.gz")
    test = contest.read_pixels(contest.DEFAULT_DATA / "t10k-images-idx3-ubyte.gz")
    chosen = test[np.random.RandomState(0).choice(10_000, 1_000, replace=False)]
    drawn = np.random.RandomState(1).random_sample(chosen.shape) < chosen
    return rows, drawn.astype(np.float32)


def run_narrows(program: str, seconds: float, n_samples: int, seed: int, **more: Any) -> Any:
    """Train ours and measure it; further arguments are those of `Autoencoder`."""
    from narrows import MLP, AdamW, Autoencoder
    from narrows.evaluation.density import measure_density
    from narrows.model.parts import from_json

    rows, test = digits()
    arguments = {
        "objective": from_json("objective", OURS[program]),
        "network": MLP(hidden=HIDDEN),
        # With pixels drawn anew, ten minutes do not overfit: no decay, and time alone is the limit.
        "optimizer": AdamW(weight_decay=0.0),
        "max_epochs": 10_000,
        "random_state": seed,
        **more,
    }
    Autoencoder(CODE, **arguments, max_steps=3).fit(rows[: contest.WARM_UP_ROWS])
    started = time.perf_counter()
    ae = Autoencoder(CODE, **arguments, max_seconds=seconds).fit(rows)
    taken = time.perf_counter() - started
    found = measure_density(ae, test, n_samples=n_samples)
    return {
        "nats": -found.log_likelihood,
        "standard_error": found.standard_error,
        "elbo": found.elbo,
        "kl": found.kl,
        "active_units": found.active_units,
        "seconds": taken,
        "epochs": ae.n_steps_ / math.ceil(len(rows) / 256),
    }


def pythae_model(program: str) -> Any:
    """Build pythae's model around layers of the same sizes."""
    from pythae.models import IWAE, VAE, VAMP, IWAEConfig, VAEConfig, VAMPConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    down, up = contest.Job((784, *HIDDEN, CODE), "gelu", "linear", "sigmoid", 1e-3, 1).layers()

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.stack = trainers.torch_stack([*down[:-1], (HIDDEN[-1], 2 * CODE, "linear")])

        def forward(self, x: Any) -> Any:
            mean, log_variance = self.stack(x).chunk(2, dim=1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.stack = trainers.torch_stack(up)

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.stack(z))

    kind, config = {
        "pythae VAE": (VAE, VAEConfig),
        "pythae IWAE": (IWAE, IWAEConfig),
        "pythae VAMP": (VAMP, VAMPConfig),
    }[program]
    settings = config(input_dim=(784,), latent_dim=CODE, reconstruction_loss="bce")
    return kind(settings, encoder=Encoder(), decoder=Decoder())


def run_pythae(program: str, seconds: float, n_samples: int, seed: int) -> Any:
    """Train pythae's model with its own trainer, Adam 0.001 and batches of 256."""
    os.environ["TQDM_DISABLE"] = "1"
    logging.disable(logging.INFO)
    import torch
    from pythae.data.datasets import BaseDataset, DatasetOutput
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    class Binarised(BaseDataset):
        def __getitem__(self, index: Any) -> Any:
            grey = self.data[index]
            drawn = (torch.rand_like(grey) < grey).float()
            return DatasetOutput(data=drawn, labels=self.labels[index])

    class Clock(TrainingCallback):
        until, steps = math.inf, 0

        def on_train_step_end(self, *_: Any, **__: Any) -> None:
            self.steps += 1
            if time.perf_counter() >= self.until:
                raise contest.EnoughError

    rows, test = digits()
    torch.manual_seed(seed)
    model, clock = pythae_model(program), Clock()
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=100_000,
            learning_rate=1e-3,
            per_device_train_batch_size=256,
            seed=seed,
            no_cuda=True,
        )
        data = Binarised(torch.from_numpy(rows), torch.zeros(len(rows)))
        trainer = BaseTrainer(model, data, training_config=config, callbacks=[clock])
        started = time.perf_counter()
        clock.until = started + seconds
        with contextlib.suppress(contest.EnoughError):
            trainer.train()
    taken = time.perf_counter() - started
    nats, error = importance_weighted(model.eval(), torch.from_numpy(test), n_samples)
    return {
        "nats": nats,
        "standard_error": error,
        "seconds": taken,
        "epochs": clock.steps / math.ceil(len(rows) / 256),
    }


def importance_weighted(model: Any, x: Any, n_samples: int) -> tuple[float, float]:
    """Return nats per digit and their standard error, by samples from the model's encoder."""
    import torch

    generator = torch.Generator().manual_seed(0)
    totals, spreads = [], []
    with torch.no_grad():
        for rows in x.split(64):
            encoded = model.encoder(rows)
            mean, log_variance = encoded.embedding, encoded.log_covariance
            sums, squares = [], []
            for first in range(0, n_samples, 100):
                size = min(100, n_samples - first)
                noise = torch.randn(size, len(rows), CODE, generator=generator)
                z = mean + torch.exp(0.5 * log_variance) * noise
                p = model.decoder(z.reshape(-1, CODE)).reconstruction.reshape(size, len(rows), -1)
                likelihood = -torch.nn.functional.binary_cross_entropy(
                    p, rows.expand_as(p), reduction="none"
                ).sum(dim=-1)
                # Both without ½ K log 2π, which cancels.
                log_q = -0.5 * (log_variance + noise.square()).sum(dim=-1)
                if hasattr(model, "pseudo_inputs"):
                    log_p = model._log_p_z(z.reshape(-1, CODE)).reshape(size, -1)
                else:
                    log_p = -0.5 * z.square().sum(dim=-1)
                weights = (likelihood + log_p - log_q).double()
                sums.append(torch.logsumexp(weights, dim=0))
                squares.append(torch.logsumexp(2 * weights, dim=0))
            total = torch.logsumexp(torch.stack(sums), dim=0)
            square = torch.logsumexp(torch.stack(squares), dim=0)
            totals.append(total - math.log(n_samples))
            spreads.append((n_samples * torch.exp(square - 2 * total) - 1) / n_samples)
    spread = torch.cat(spreads).clamp(min=0).sum().item()
    return -torch.cat(totals).mean().item(), math.sqrt(spread) / len(x)


def measured(program: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run one program in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = [sys.executable, __file__, "--program", program, "--json", str(out)]
        for name in ("seconds", "samples", "seed"):
            command += [f"--{name}", str(getattr(options, name))]
        before, started = machine.busy_core_seconds(), time.perf_counter()
        own = os.times()
        subprocess.run(command, check=True)
        wall, after = time.perf_counter() - started, os.times()
        used = after.children_user + after.children_system
        used -= own.children_user + own.children_system
        others = machine.busy_core_seconds() - before - used
        share = max(0.0, others / (wall * machine.count_cores()))
        result: dict[str, Any] = json.loads(out.read_text())
    return {"program": program, **result, "others": share}


def report(runs: list[dict[str, Any]], options: argparse.Namespace) -> str:
    """Return the Markdown of a result."""
    rows = [
        [
            run["program"],
            f"{run['nats']:.2f}",
            f"{run['standard_error']:.3f}",
            f"{GOALS[run['program']]:.1f}" if run["program"] in GOALS else "",
            f"{run['epochs']:.0f}",
            f"{run['seconds']:.0f}",
        ]
        for run in runs
    ]
    header = ["program", "−log p(x), nats", "standard error", "goal", "epochs", "seconds"]
    return "\n\n".join(
        [
            "# Log-likelihood of binarised digits",
            f"1,000 test digits binarised once, {options.samples:,} importance samples, after"
            f" {options.seconds:g} seconds of training; less is better. The standard error is that"
            " of the estimate on these digits.",
            machine.markdown_table(header, rows),
            machine.markdown_quietness([run["others"] for run in runs]),
            machine.markdown_description(machine.describe()),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=600.0, help="of training for each")
    parser.add_argument("--samples", type=int, default=5_000, help="importance samples")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--programs", nargs="*", default=[*OURS, *THEIRS])
    parser.add_argument("--program", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=machine.RESULTS)
    options = parser.parse_args()
    if options.program is not None:
        run = run_narrows if options.program in OURS else run_pythae
        result = run(options.program, options.seconds, options.samples, options.seed)
        options.json.write_text(json.dumps(result))
        return
    runs = []
    for program in options.programs:
        runs.append(measured(program, options))
        print({k: v for k, v in runs[-1].items() if k != "program"}, program, flush=True)
    text = report(runs, options)
    print(text)
    data = {"machine": machine.describe(), "runs": runs, "seconds": options.seconds}
    machine.write_results(TOPIC, text, data, options.out)


if __name__ == "__main__":
    main()
