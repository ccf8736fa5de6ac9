"""Convolutions beside fully connected layers: colour patches of photographs, and MNIST.

Patches: scikit-learn's two photographs are cut into squares; the right third of each is held out,
and nothing of it is in a training row. Printed is the error on squares of the held-out parts that
do not overlap, as a fraction of the error of the PCA of the same training rows.

MNIST: the default networks at 32 numbers, each given the same seconds, in turn and in fresh
processes; printed is the error on the 10,000 test digits, clipped to [0, 1].

    python benchmarks/pictures.py [--out DIR] [--only patches|mnist] [--sets 16:4 16:16 32:4]
        [--sizes 8 32 64] [--networks mlp conv] [--seconds 60] [--seeds 3]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import machine

TOPIC = "pictures"
NEVER_WORSE, AIM = 1.0, 0.9
"""Fractions of PCA's error on the held-out parts: that must hold, and that is aimed at."""
TRAINED_WIDTH = 2 / 3
"""Part of each photograph, from the left, that training rows are cut from."""


def patches(side: int, stride: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return squares (N, side, side, 3) of the left parts, and of the right parts."""
    from sklearn.datasets import load_sample_images

    train, test = [], []
    for picture in load_sample_images().images:
        border = int(TRAINED_WIDTH * picture.shape[1])
        train.append(_squares(picture[:, :border], side, stride))
        test.append(_squares(picture[:, border:], side, side))
    return np.concatenate(train), np.concatenate(test)


def _squares(picture: NDArray[np.uint8], side: int, stride: int) -> NDArray[np.float32]:
    windows = np.lib.stride_tricks.sliding_window_view(picture, (side, side), axis=(0, 1))
    windows = windows[::stride, ::stride].transpose(0, 1, 3, 4, 2)
    return windows.reshape(-1, side, side, picture.shape[2]).astype(np.float32) / 255


def fit_patches(network: str, side: int, stride: int, k: int, seed: int) -> dict[str, float]:
    """Fit once at default settings, and measure on the held-out parts."""
    from narrows import Autoencoder, evaluate

    train, test = patches(side, stride)
    started = time.perf_counter()
    ae = Autoencoder(k, network=network, random_state=seed).fit(train)
    seconds = time.perf_counter() - started
    report = evaluate(ae, test)
    return {
        "n_rows": len(train),
        "error": report.error,
        "pca_error": report.pca_error,
        "ratio": report.error / report.pca_error,
        "ratio_inside": float(ae.validation_error_ / ae.pca_validation_error_),
        "best_step": ae.best_step_,
        "seconds": seconds,
    }


def fit_mnist(network: str, seconds: float, k: int, seed: int) -> dict[str, float]:
    """Fit once within a time, and measure on the test digits."""
    from narrows import Autoencoder, evaluate
    from narrows.datasets import load_mnist

    train, _ = load_mnist("train", return_X_y=True)
    test, _ = load_mnist("test", return_X_y=True)
    ae = Autoencoder(k, network=network, sample_shape=(28, 28), random_state=seed)
    started, busy, own = time.perf_counter(), machine.busy_core_seconds(), time.process_time()
    ae.set_params(max_seconds=seconds).fit(train)
    wall = time.perf_counter() - started
    by_others = machine.busy_core_seconds() - busy - (time.process_time() - own)
    others = max(0.0, by_others) / (wall * machine.count_cores())
    report = evaluate(ae, test)
    return {
        "error": report.error,
        "pca_error": report.pca_error,
        "wall": wall,
        "n_steps": ae.n_steps_,
        "others": others,
    }


def measure_patches(arguments: argparse.Namespace) -> tuple[list[dict[str, object]], list[str]]:
    """Fit every network on every set at every code size."""
    rows: list[dict[str, object]] = []
    lines = []
    for name in arguments.sets:
        side, stride = map(int, name.split(":"))
        for k in arguments.sizes:
            for network in arguments.networks:
                found = _in_a_process("patches", network, side, stride, k, 0)
                held = round(found["ratio"], 3) <= NEVER_WORSE
                rows.append({"network": network, "side": side, "stride": stride, "k": k, **found})
                verdict = "holds" if held else "FAILS"
                lines.append(
                    f"- {side} × {side} × 3 every {stride} pixels, {found['n_rows']:.0f} rows,"
                    f" k={k:<2} {network:>4}: {found['ratio']:.3f} of PCA's"
                    f" {found['pca_error']:.5f}"
                    f" ({found['ratio_inside']:.3f} on rows held out inside the fit),"
                    f" {found['seconds']:.0f} s  {verdict}{', aim' * (found['ratio'] <= AIM)}"
                )
                print(lines[-1], flush=True)
    return rows, lines


def measure_mnist(arguments: argparse.Namespace) -> tuple[list[dict[str, object]], list[str]]:
    """Give every network the same seconds, in turn, so that a slow hour hits all alike."""
    runs: dict[str, list[dict[str, float]]] = {network: [] for network in arguments.networks}
    for seed in range(arguments.seeds):
        for network in arguments.networks:
            runs[network].append(_in_a_process("mnist", network, arguments.seconds, 32, seed))
    rows: list[dict[str, object]] = []
    lines = []
    for network, found in runs.items():
        errors = [run["error"] for run in found]
        per_step = statistics.median(1e3 * run["wall"] / run["n_steps"] for run in found)
        rows.append({"network": network, "seconds": arguments.seconds, "runs": found})
        lines.append(
            f"- MNIST, k=32, {arguments.seconds:g} s, {network:>4}: error"
            f" {statistics.median(errors):.5f} (seeds {' '.join(f'{e:.5f}' for e in errors)}),"
            f" {statistics.median(run['n_steps'] for run in found):.0f} steps,"
            f" {per_step:.1f} ms each with all else"
        )
        print(lines[-1], flush=True)
    shares = [run["others"] for found in runs.values() for run in found]
    lines.append("\n" + machine.markdown_quietness(shares))
    return rows, lines


def _in_a_process(*job: object) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", ":".join(str(part) for part in job)]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    answer: dict[str, float] = json.loads(finished.stdout.splitlines()[-1])
    return answer


def _one(job: str) -> dict[str, float]:
    what, network, *numbers = job.split(":")
    if what == "patches":
        side, stride, k, seed = map(int, numbers)
        return fit_patches(network, side, stride, k, seed)
    seconds, k_text, seed_text = numbers
    return fit_mnist(network, float(seconds), int(k_text), int(seed_text))


def main() -> None:
    """Measure what is asked for, and file it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    parser.add_argument("--only", choices=["patches", "mnist"])
    parser.add_argument("--sets", nargs="*", default=["16:4", "16:16", "32:4"], help="side:stride")
    parser.add_argument("--sizes", nargs="*", type=int, default=[8, 32, 64])
    parser.add_argument("--networks", nargs="*", default=["mlp", "conv"])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--one", help="internal: a job in this process")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(_one(arguments.one)))
        return
    data: dict[str, object] = {"machine": machine.describe()}
    lines = []
    if arguments.only != "mnist":
        data["patches"], found = measure_patches(arguments)
        lines += found
    if arguments.only != "patches":
        data["mnist"], found = measure_mnist(arguments)
        lines += found
    text = "\n".join([machine.markdown_description(machine.describe()), "", *lines])
    machine.write_results(TOPIC, text, data, arguments.out)


if __name__ == "__main__":
    main()
