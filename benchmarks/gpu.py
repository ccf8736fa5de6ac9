"""The same work on a GPU: its limits, images per second, every recipe, the 10-minute likelihood.

    python benchmarks/gpu.py                    where there is none, the result says so
    python benchmarks/gpu.py --device cpu       the same code, small: a test of this script

Four parts. The limits: matrix products and copies, measured there. Images per second of the
tutorial's first net (784-256-128-256-784, sigmoid, Adam) with the data on the device, beside what
each limit alone would allow, and beside a plain loop of torch. Every recipe. The likelihood of
binarised digits after ten minutes, as ``benchmarks/likelihood.py`` measures it.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import contest
import likelihood
import machine
import trainers

TOPIC = "gpu"
JOB = contest.JOBS["tutorial"]
BATCHES = (256, 1024, 4096, 16384)
EPOCHS = 6  # the first is not counted: libraries load, memory is claimed
LIKELIHOOD_SECONDS, LIKELIHOOD_SAMPLES, AIM_NATS = 600.0, 5_000, 80.0
WIDER = (1024, 1024)  # hidden layers, for what a GPU has time for in ten minutes
LIKELIHOODS: list[tuple[str, tuple[int, ...]]] = [
    ("narrows vae, flow", likelihood.HIDDEN),
    ("narrows vae, flow", WIDER),
    ("narrows iwae, flow", WIDER),
]
SMALL = {"size": 256, "mib": 16, "rows": 2_000, "batches": (256,), "epochs": 2, "steps": 100}

Rows = NDArray[np.float32]


def wait(device: torch.device) -> None:
    """Let a device finish what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def best_seconds(work: Callable[[], object], device: torch.device, repeats: int = 20) -> float:
    """Time something once warm, the device waited for; the best counts, as a limit."""
    seconds = []
    for _ in range(repeats + 3):
        wait(device)
        started = time.perf_counter()
        work()
        wait(device)
        seconds.append(time.perf_counter() - started)
    return min(seconds[3:])


# ---------------------------------------------------------------------- limits


def limits(device: torch.device, size: int, mib: int) -> dict[str, float]:
    """Measure matrix products in GFLOP/s and copies in GB/s, a byte read and written counting 1.

    Parameters
    ----------
    size : int
        Rows and columns of the factors.
    mib : int
        Of what is copied.
    """
    found = {}
    for precision in ("float32", "bfloat16"):
        a, b = (
            torch.randn(size, size, device=device).to(getattr(torch, precision)) for _ in range(2)
        )
        found[f"{precision} GFLOP/s"] = 2e-9 * size**3 / best_seconds(lambda: a @ b, device)  # noqa: B023
    source = torch.zeros(mib << 20, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    gigabytes = 1e-9 * source.numel()
    found["copy on the device, GB/s"] = gigabytes / best_seconds(
        lambda: target.copy_(source), device
    )
    from_host = torch.zeros(mib << 20, dtype=torch.uint8, pin_memory=device.type == "cuda")
    found["copy to the device, GB/s"] = gigabytes / best_seconds(
        lambda: target.copy_(from_host, non_blocking=True), device
    )
    return found


# ---------------------------------------------------------------------- images per second


def images_per_second(
    rows: Rows, device: torch.device, precision: str, batch: int, epochs: int
) -> float:
    """Train the tutorial's net with narrows; the median over epochs after the first."""
    steps_per_epoch = math.ceil(len(rows) / batch)
    ticks: list[float] = []

    def clock(progress: Any) -> None:
        if progress.step % steps_per_epoch == 0:
            wait(device)
            ticks.append(time.perf_counter())

    job = replace(JOB, batch_size=batch, epochs=epochs)
    given = {"precision": precision, "device": str(device), "callbacks": (clock,)}
    trainers.narrows_net(job, random_state=0, **given).fit(rows)
    return float(len(rows) / np.median(np.diff(ticks)))


def plain_images_per_second(rows: Rows, device: torch.device, batch: int, epochs: int) -> float:
    """Train the same net by a plain loop, float32, batches cut from a tensor on the device."""
    torch.manual_seed(0)
    encoder, decoder = JOB.layers()
    network = trainers.torch_stack(encoder + decoder).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=JOB.learning_rate, fused=True)
    data, seconds = torch.from_numpy(rows).to(device), []
    for _ in range(epochs):
        wait(device)
        started = time.perf_counter()
        for index in torch.split(torch.randperm(len(data), device=device), batch):
            x = data[index]
            loss = torch.nn.functional.mse_loss(network(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        wait(device)
        seconds.append(time.perf_counter() - started)
    return len(rows) / median(seconds[1:])


def allowed(found: dict[str, float], precision: str) -> dict[str, float]:
    """Return the images per second that each limit alone would allow."""
    n_bytes = JOB.widths[0] * getattr(torch, precision).itemsize
    return {
        "matrix": 1e9 * found[f"{precision} GFLOP/s"] / JOB.flops_per_row(),
        "copy": 1e9 * found["copy on the device, GB/s"] / n_bytes,
    }


def speeds(rows: Rows, device: torch.device, found: dict[str, float], small: bool) -> list[Any]:
    """Measure each precision and batch size."""
    batches, epochs = (SMALL["batches"], SMALL["epochs"]) if small else (BATCHES, EPOCHS)
    return [
        {
            "precision": precision,
            "batch": batch,
            "narrows": images_per_second(rows, device, precision, batch, epochs),
            "plain": plain_images_per_second(rows, device, batch, epochs),
            "allowed": allowed(found, precision),
        }
        for precision in ("float32", "bfloat16")
        for batch in batches
    ]


# ---------------------------------------------------------------------- recipes and likelihood


def run_recipes(device: torch.device, small: bool) -> list[dict[str, Any]]:
    """Run every recipe on the device; all end on the test digits."""
    from narrows.recipes import recipe_names, run_recipe

    changes: dict[str, Any] = {"device": str(device)}
    if small:
        changes |= {"max_steps": SMALL["steps"], "max_epochs": "auto", "max_seconds": None}
    results = []
    for name in recipe_names():
        with tempfile.TemporaryDirectory() as folder:
            done = run_recipe(name, Path(folder), tell=lambda _: None, **changes)
        results.append(
            {
                "recipe": name,
                "seconds": done.seconds,
                "steps": done.autoencoder.n_steps_,
                "error": done.error,
                "pca_error": done.pca_error,
            }
        )
        print(f"{name}: {done.error:.5f} in {done.seconds:.1f} s", flush=True)
    return results


def run_likelihoods(device: torch.device, small: bool) -> list[dict[str, Any]]:
    """Train for ten minutes on the device, and estimate the likelihood of binarised digits."""
    from narrows import MLP

    # Otherwise a run ends after 200 epochs, which a GPU passes in a fraction of the time.
    more: dict[str, Any] = {"device": str(device), "max_epochs": 1_000_000}
    seconds, samples = (3.0, 10) if small else (LIKELIHOOD_SECONDS, LIKELIHOOD_SAMPLES)
    results = []
    for program, hidden in LIKELIHOODS[: 1 if small else None]:
        found = likelihood.run_narrows(
            program, seconds, samples, seed=0, network=MLP(hidden=hidden), **more
        )
        results.append({"program": program, "hidden": hidden, "samples": samples, **found})
        print(f"{program}, {hidden}: {found['nats']:.2f} nats", flush=True)
    return results


# ---------------------------------------------------------------------- the result


def describe_device(device: torch.device) -> str:
    """Name the device, its memory and its generation."""
    if device.type != "cuda":
        return "The CPU, small: a test of the script, **not run on a GPU**."
    properties = torch.cuda.get_device_properties(device)
    return (
        f"Device: {properties.name}, {properties.total_memory / 2**30:.0f} GiB, compute capability"
        f" {properties.major}.{properties.minor}, CUDA {torch.version.cuda}."
    )


def report(data: dict[str, Any], device: torch.device) -> str:
    """Return the whole result as Markdown."""
    measured = [[name, f"{value:,.0f}"] for name, value in data["limits"].items()]
    header = ["precision", "batch", "narrows", "plain torch, float32", "matrix limit", "copy limit"]
    speed = [
        [
            run["precision"],
            f"{run['batch']:,}",
            f"{run['narrows']:,.0f} ({run['narrows'] / min(run['allowed'].values()):.0%})",
            f"{run['plain']:,.0f}",
            *(f"{run['allowed'][name]:,.0f}" for name in ("matrix", "copy")),
        ]
        for run in data["speed"]
    ]
    recipes = [
        [
            run["recipe"],
            f"{run['seconds']:.1f}",
            f"{run['steps']:,}",
            f"{run['error']:.5f}",
            f"{run['pca_error']:.5f}",
        ]
        for run in data["recipes"]
    ]
    nats = [
        [
            f"{run['program']}, {'-'.join(map(str, run['hidden']))}",
            f"{run['nats']:.2f} ± {run['standard_error']:.2f}",
            f"{run['samples']:,}",
            f"{run['seconds']:.0f}",
            f"{run['epochs']:,.0f}",
        ]
        for run in data["likelihood"]
    ]
    return "\n\n".join(
        [
            "# On a GPU",
            describe_device(device),
            machine.markdown_description(machine.describe()),
            "## Limits\n\n" + machine.markdown_table(["limit", "measured"], measured),
            "## Images per second, the tutorial's net, data on the device\n\n"
            "In brackets: of the lower limit. Median over epochs after the first.\n\n"
            + machine.markdown_table(header, speed),
            "## Recipes\n\n"
            + machine.markdown_table(
                ["recipe", "seconds", "steps", "test error", "PCA's error"], recipes
            ),
            f"## Likelihood of binarised digits, aim {AIM_NATS:g} nats\n\n"
            + machine.markdown_table(
                ["program", "−log p(x), nats", "samples", "seconds", "epochs"], nats
            ),
        ]
    )


def main() -> None:
    """Measure, or say that there is nothing to measure on."""
    parser = argparse.ArgumentParser(description="Measure narrows on a GPU.")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, or cpu for a small test")
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    options = parser.parse_args()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        text = (
            "# On a GPU\n\n**Not run on a GPU**: torch sees none here."
            " `python benchmarks/gpu.py` measures limits, images per second, recipes and the"
            " likelihood where there is one.\n\n" + machine.markdown_description(machine.describe())
        )
        machine.write_results(TOPIC, text, {"machine": machine.describe()}, options.out)
        print(text)
        return
    small = device.type != "cuda"
    rows = contest.read_pixels(contest.DEFAULT_DATA / "train-images-idx3-ubyte.gz")
    if small:
        rows = rows[: SMALL["rows"]]
    size, mib = (SMALL["size"], SMALL["mib"]) if small else (8192, 1024)
    found = limits(device, size, mib)
    data = {
        "machine": machine.describe(),
        "device": describe_device(device),
        "limits": found,
        "speed": speeds(rows, device, found, small),
        "recipes": run_recipes(device, small),
        "likelihood": run_likelihoods(device, small),
    }
    text = report(data, device)
    print(text)
    machine.write_results(TOPIC, text, data, options.out)


if __name__ == "__main__":
    main()
