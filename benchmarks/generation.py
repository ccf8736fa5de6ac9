"""Samples of digits after the same seconds of training, beside pythae's VAE and its samplers.

    python benchmarks/generation.py --seconds 60 --seeds 1

Each model is trained in a process of its own, in turn, for the same seconds by the wall clock; for
narrows from the call of ``fit`` to its return, PCA and held-out measurements included. Then
10,000 samples of each prior or sampler are compared with the 10,000 test digits by
`narrows.evaluation.sample_quality`. Fitting a prior or sampler to codes comes on top for both, and
is stated.

pythae trains its VAE with its own net and with the layers of narrows, each with both of its
reconstruction losses, by Adam 0.001 and batches of 256; its samplers are NormalSampler, and the
GaussianMixtureSampler and the MAFSampler fitted to all training digits.

On a machine that others use too, ``--cpu-clock`` gives each program one thread, and seconds of its
processor time instead of the wall clock's.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

import contest
import machine
import peers
import trainers

TOPIC = "generation"
CODE, HIDDEN = 16, (512, 256)
N_SAMPLES = 10_000
MIXTURES = (10, 32)  # components of pythae's mixture: its default, and more
MAF_EPOCHS, MAF_BATCH = 50, 512
RECOMMENDED = ("narrows vae, flow", "mixture")
"""What the recipe `generate` draws from, and what is held against the peers."""

OURS: dict[str, dict[str, Any]] = {
    "narrows vae": {"objective": {"name": "vae", "likelihood": "bernoulli"}},
    "narrows vae, flow": {
        "objective": {"name": "vae", "likelihood": "bernoulli", "prior": "flow"},
    },
    "narrows reconstruction": {},
}
THEIRS = {
    f"pythae vae, {net}, {loss}": (net, loss)
    for net in ("own net", "our layers")
    for loss in ("mse", "bce")
}
PRIORS = {"own": "auto", "normal": "normal", "mixture": "mixture", "flow": "flow"}

Pictures = NDArray[np.float32]
Sampler = Callable[[int], Pictures]
Key = tuple[str, str]  # program, and prior or sampler
Table = dict[Key, dict[str, float]]


# ---------------------------------------------------------------------- one program


def train_narrows(program: str, rows: Pictures, seconds: float, seed: int) -> Any:
    from narrows import Autoencoder
    from narrows.model.parts import from_json

    arguments = dict(OURS[program])
    if "objective" in arguments:
        arguments["objective"] = from_json("objective", arguments["objective"])
    # Once beforehand, so that loading libraries is out, as it is for the peers.
    warm = {**arguments, "max_steps": 3, "random_state": seed}
    Autoencoder(CODE, **warm).fit(rows[: contest.WARM_UP_ROWS])
    return lambda: Autoencoder(CODE, **arguments, max_seconds=seconds, random_state=seed).fit(rows)


def samplers_of_narrows(ae: Any, seed: int) -> dict[str, Callable[[], Sampler]]:
    """Name the priors of a fitted model, and how each is made ready."""
    own = ae._objective.trained_prior(ae.network_)

    def ready(prior: str) -> Sampler:
        if prior != "auto" and prior not in ae.priors_:
            ae.fit_prior(prior)
        return lambda n: ae.sample(n, prior=prior, random_state=seed)

    names = PRIORS if own is not None else {key: PRIORS[key] for key in PRIORS if key != "own"}
    # "normal" of a model with a normal prior of its own is that one.
    chosen = {key: p for key, p in names.items() if own is None or p != own.name}
    return {key: lambda p=prior: ready(p) for key, prior in chosen.items()}


def pythae_vae(net: str, loss: str) -> Any:
    """Build pythae's VAE with its own net, or around the layers of narrows."""
    import torch
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    config = VAEConfig(input_dim=(784,), latent_dim=CODE, reconstruction_loss=loss)
    if net == "own net":
        return VAE(config)
    down, up = contest.Job((784, *HIDDEN, CODE), "gelu", "linear", "sigmoid", 1e-3, 1).layers()

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.stack = trainers.torch_stack([*down[:-1], (HIDDEN[-1], 2 * CODE, "linear")])

        def forward(self, x: Any) -> Any:
            mean, log_variance = torch.chunk(self.stack(x), 2, dim=1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.stack = trainers.torch_stack(up)

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.stack(z))

    return VAE(config, encoder=Encoder(), decoder=Decoder())


def train_pythae(program: str, rows: Pictures, seconds: float, seed: int) -> Any:
    os.environ["TQDM_DISABLE"] = "1"
    logging.disable(logging.INFO)
    import torch
    from pythae.data.datasets import BaseDataset
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    net, loss = THEIRS[program]

    class Clock(TrainingCallback):
        until, steps = float("inf"), 0

        def on_train_step_end(self, *_: Any, **__: Any) -> None:
            self.steps += 1
            if time.perf_counter() >= self.until:
                raise contest.EnoughError

    def trainer(model: Any, data: Pictures, folder: str, clock: Clock, epochs: int) -> Any:
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=epochs,
            learning_rate=1e-3,
            per_device_train_batch_size=256,
            seed=seed,
            no_cuda=True,
        )
        tensors = BaseDataset(torch.from_numpy(data), torch.zeros(len(data)))
        return BaseTrainer(model, tensors, training_config=config, callbacks=[clock])

    def train() -> Any:
        torch.manual_seed(seed)
        model, clock = pythae_vae(net, loss), Clock()
        with tempfile.TemporaryDirectory() as folder:
            ready = trainer(model, rows, folder, clock, epochs=100_000)
            clock.until = time.perf_counter() + seconds
            with contextlib.suppress(contest.EnoughError):
                ready.train()
        model.n_steps_ = clock.steps
        return model.eval()

    with tempfile.TemporaryDirectory() as folder:
        trainer(pythae_vae(net, loss), rows[: contest.WARM_UP_ROWS], folder, Clock(), 1).train()
    return train


def samplers_of_pythae(model: Any, rows: Pictures, seed: int) -> dict[str, Callable[[], Sampler]]:
    """Name pythae's samplers, and how each is made ready."""
    import torch
    from pythae import samplers
    from pythae.trainers import BaseTrainerConfig

    def drawing(sampler: Any) -> Sampler:
        def draw(n: int) -> Pictures:
            torch.manual_seed(seed)
            with torch.no_grad():
                drawn: Pictures = sampler.sample(n, batch_size=500).numpy()
            return drawn

        return draw

    def mixture(components: int) -> Sampler:
        config = samplers.GaussianMixtureSamplerConfig(n_components=components)
        sampler = samplers.GaussianMixtureSampler(model, config)
        sampler.fit(torch.from_numpy(rows))
        return drawing(sampler)

    def maf() -> Sampler:
        sampler = samplers.MAFSampler(model)
        with tempfile.TemporaryDirectory() as folder:
            config = BaseTrainerConfig(
                output_dir=folder,
                num_epochs=MAF_EPOCHS,
                learning_rate=1e-3,
                per_device_train_batch_size=MAF_BATCH,
                seed=seed,
                no_cuda=True,
            )
            sampler.fit(torch.from_numpy(rows), training_config=config)
        return drawing(sampler)

    ready: dict[str, Callable[[], Sampler]] = {
        "normal sampler": lambda: drawing(samplers.NormalSampler(model)),
        "MAF sampler": maf,
    }
    for components in MIXTURES:
        ready[f"GMM sampler, {components}"] = lambda c=components: mixture(c)
    return ready


def count_processor_time() -> None:
    """From here on, let all clocks of this process stand still while others are computing."""
    import torch

    torch.set_num_threads(1)
    time.perf_counter = time.process_time


def one(program: str, seconds: float, seed: int, folder: Path) -> dict[str, Any]:
    """Train one program, and measure what each of its priors gives."""
    from narrows.datasets import load_mnist
    from narrows.evaluation.sample_quality import sample_quality

    rows, _ = load_mnist("train", return_X_y=True)
    test, _ = load_mnist("test", return_X_y=True)
    ours = program in OURS
    prepare = train_narrows if ours else train_pythae
    fit = prepare(program, rows, seconds, seed)
    started, used = time.perf_counter(), time.process_time()
    model = fit()
    trained = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - used,
        "n_steps": int(model.n_steps_),
    }
    found = samplers_of_narrows(model, seed) if ours else samplers_of_pythae(model, rows, seed)
    priors = {}
    for name, ready in found.items():
        started = time.perf_counter()
        draw = ready()
        fitting = time.perf_counter() - started
        pictures = np.clip(draw(N_SAMPLES).reshape(N_SAMPLES, -1), 0, 1)
        write_sheet(pictures[:100], folder / f"{file_name(program, name)}.png")
        priors[name] = {"fit_seconds": fitting, **asdict(sample_quality(pictures, test))}
    return {"program": program, "seed": seed, **trained, "priors": priors}


def file_name(program: str, prior: str) -> str:
    """Return words of a program and a prior as they stand in a file's name."""
    return "-".join(f"{program} {prior}".replace(",", "").split())


def write_sheet(pictures: Pictures, path: Path) -> None:
    """Write 100 pictures, ten by ten, three screen pixels for each of theirs."""
    from PIL import Image

    cells = np.pad(pictures.reshape(10, 10, 28, 28), ((0, 0), (0, 0), (1, 1), (1, 1)))
    sheet = np.round(255 * cells.transpose(0, 2, 1, 3).reshape(300, 300)).astype(np.uint8)
    Image.fromarray(sheet).resize((900, 900), Image.Resampling.NEAREST).save(path)


# ---------------------------------------------------------------------- all of them


def in_a_process(job: str, folder: Path, *, cpu_clock: bool) -> dict[str, Any]:
    """Train in a process of its own; add the share of the cores that others used meanwhile."""
    started, busy = time.perf_counter(), machine.busy_core_seconds()
    own = peers.core_seconds_of_runs()
    command = [sys.executable, str(Path(__file__).resolve()), "--one", job, "--out", str(folder)]
    command += ["--cpu-clock"] if cpu_clock else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last_words = "\n".join(done.stderr.strip().splitlines()[-8:])
        raise SystemExit(f"{job} ended with {done.returncode}:\n{last_words}")
    others = machine.busy_core_seconds() - busy - (peers.core_seconds_of_runs() - own)
    available = (time.perf_counter() - started) * machine.count_cores()
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**answer, "others": max(others / available, 0.0)}


def medians(runs: list[dict[str, Any]]) -> Table:
    """Return the median over seeds of each number, by program and prior."""
    found: dict[Key, list[dict[str, float]]] = {}
    for run in runs:
        for prior, numbers in run["priors"].items():
            found.setdefault((run["program"], prior), []).append(numbers)
    return {
        key: {n: median(each[n] for each in many) for n in many[0]} for key, many in found.items()
    }


def best_of_peers(table: Table, *, normal: bool) -> Key | None:
    """Return the program and sampler of pythae with the smallest distance, of one kind."""
    peers_found = [
        key for key in table if key[0] in THEIRS and (key[1] == "normal sampler") == normal
    ]
    return min(peers_found, key=lambda key: table[key]["frechet"], default=None)


def verdicts(table: Table) -> list[str]:
    """Hold what the recipe does against pythae's normal sampler, and the best of the others."""
    lines = []
    for kind, normal in (("normal sampler", True), ("GMM or MAF sampler", False)):
        best = best_of_peers(table, normal=normal)
        if best is not None and RECOMMENDED in table:
            ours, theirs = table[RECOMMENDED]["frechet"], table[best]["frechet"]
            lines.append(
                f"- {', '.join(RECOMMENDED)}: {ours:.3g}, below pythae's best {kind},"
                f" {theirs:.3g} ({', '.join(best)}): {'holds' if ours < theirs else 'MISSED'}"
            )
    return lines


def shown(table: Table) -> list[Key]:
    """Return whose sheets stand beside a result: ours, and pythae's best of each kind."""
    keys = [RECOMMENDED, *(best_of_peers(table, normal=normal) for normal in (True, False))]
    return [key for key in keys if key is not None and key in table]


def report(runs: list[dict[str, Any]], options: argparse.Namespace) -> str:
    """Return the whole result as Markdown."""
    table = medians(runs)
    spent = {
        program: median(run["seconds"] for run in runs if run["program"] == program)
        for program, _ in table
    }
    rows = [
        [
            program,
            prior,
            f"{numbers['frechet']:.3g}",
            f"{numbers['precision']:.3f}",
            f"{numbers['recall']:.3f}",
            f"{spent[program]:.0f}",
            f"{numbers['fit_seconds']:.1f}",
        ]
        for (program, prior), numbers in sorted(table.items(), key=lambda pair: pair[1]["frechet"])
    ]
    seeds = "One seed" if options.seeds == 1 else f"Median over {options.seeds} seeds"
    floor = next(iter(table.values()))["frechet_floor"]
    header = ["program", "prior or sampler", "Fréchet distance", "precision", "recall"]
    parts = [
        f"# Samples of digits after {options.seconds:g} seconds",
        f"{N_SAMPLES:,} samples, as the decoder's means, against the 10,000 test digits in the"
        f" features of `narrows.evaluation.digit_features`; two halves of the test digits:"
        f" {floor:.3g}."
        f" Codes of {CODE} numbers. {seeds}. pythae's normal sampler"
        " draws from N(0, 1), its others are fitted to codes of all training digits; priors of"
        " narrows are its own, trained along, or fitted to 30,000 codes.",
        machine.markdown_description(machine.describe()),
        "One thread each, seconds of processor time."
        if options.cpu_clock
        else machine.markdown_quietness([run["others"] for run in runs]),
        machine.markdown_table([*header, "seconds of training", "and of fitting"], rows),
        "\n".join(verdicts(table)),
    ]
    return "\n\n".join(part for part in parts if part)


def main() -> None:
    """Run the comparison and write its results."""
    parser = argparse.ArgumentParser(description="Compare samples with pythae's.")
    parser.add_argument("--seconds", type=float, default=60.0, help="of training, each")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--programs", nargs="*", choices=[*OURS, *THEIRS], default=[*OURS, *THEIRS])
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    parser.add_argument("--cpu-clock", action="store_true", help="one thread, processor time")
    parser.add_argument("--one", help="internal: PROGRAM:SECONDS:SEED in this process")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.one:
        warnings.simplefilter("ignore")
        program, seconds, seed = options.one.split(":")
        if options.cpu_clock:
            count_processor_time()
        print(json.dumps(one(program, float(seconds), int(seed), options.out)))
        return
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seeds):
            for program in options.programs:
                job = f"{program}:{options.seconds}:{seed}"
                runs.append(in_a_process(job, Path(folder), cpu_clock=options.cpu_clock))
                for prior, numbers in runs[-1]["priors"].items():
                    print(f"{program}, {prior}: {numbers['frechet']:.3f}", flush=True)
        text = report(runs, options)
        data = {"machine": machine.describe(), "seconds": options.seconds, "runs": runs}
        topic = f"{TOPIC}-{options.seconds:g}"
        markdown, _ = machine.write_results(topic, text, data, options.out)
        for key in shown(medians(runs)):
            sheet = Path(folder) / f"{file_name(*key)}.png"
            (options.out / f"{markdown.stem}-{sheet.name}").write_bytes(sheet.read_bytes())
    print(text)


if __name__ == "__main__":
    main()
