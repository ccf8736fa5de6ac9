"""Digits cleaned of Gaussian noise, beside PCA and the denoisers that people use.

    .venv-peers/bin/python benchmarks/denoising.py

Noise of deviation 0.25, 0.5 and 1.0 is added to pixels in [0, 1] and clipped nowhere. Compared is
the PSNR, 10 log10(1 / mean squared error), over all pixels of the first 1,000 test digits, what
was rebuilt being clipped to [0, 1]. Every method gets the same noisy digits:

- narrows: one model for each level, `Autoencoder(k, objective=Denoising(level=level))`, trained on
  the training digits for ``--seconds`` each, or for ``--steps`` on a machine that others use too;
- PCA of the clean training digits: projection on the number of components that is best for noisy
  training digits, and the Wiener filter of all components, which is where narrows starts;
- non-local means and wavelets of scikit-image, and BM3D, where they are installed. They are told
  the true deviation, and their settings are the best of a grid on 100 noisy training digits. They
  see digits in sheets of ten by ten, since a picture of 28 pixels gives them little to go by (BM3D
  gains 0.8 dB at 0.5 by it); the first two may do without where that is better.

BM3D: K. Dabov, A. Foi, V. Katkovnik and K. Egiazarian, "Image denoising by sparse 3-D
transform-domain collaborative filtering", IEEE TIP 16, 2007, as its authors' package has it: Y.
Mäkinen, L. Azzari and A. Foi, "Collaborative filtering of correlated noise", IEEE TIP 29, 2020.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import machine

TOPIC = "denoising"
LEVELS = (0.25, 0.5, 1.0)
N_TEST, N_TUNED, SIDE = 1_000, 100, 28
COMPONENTS = range(5, 305, 5)

Pictures = NDArray[np.float32]
Denoiser = Callable[[Pictures, float], NDArray[Any]]


def noisy(clean: Pictures, level: float, seed: int) -> Pictures:
    """Add noise to rows (N, D), the same each time."""
    noise = np.random.default_rng(seed).standard_normal(clean.shape)
    return (clean + level * noise).astype(np.float32)


def psnr(rebuilt: NDArray[Any], clean: Pictures) -> float:
    """Return decibels over all pixels of rows (N, D)."""
    error = np.mean(np.square(np.clip(rebuilt, 0, 1).reshape(clean.shape) - clean))
    return float(-10 * np.log10(error))


# ---------------------------------------------------------------------- ours and PCA


def train(X: Pictures, level: float, arguments: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """Fit one model, and say how."""
    from narrows import MLP, Autoencoder, Denoising

    budget = {"max_seconds": arguments.seconds}
    if arguments.steps:
        budget = {"max_steps": arguments.steps}
    network = MLP(hidden=tuple(arguments.hidden)) if arguments.hidden else "auto"
    began, began_cpu = time.perf_counter(), time.process_time()
    ae = Autoencoder(
        arguments.components,
        objective=Denoising(level=level),
        network=network,
        random_state=0,
        **budget,
    ).fit(X)
    return ae, {
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - began_cpu,
        "n_steps": ae.n_steps_,
        "best_step": ae.best_step_,
    }


class PCA:
    """Principal components of clean rows, to project noisy ones on or to filter them by."""

    def __init__(self, X: Pictures) -> None:
        self.mean = X.mean(axis=0, dtype=np.float64)
        centred = X - self.mean
        self.variances, self.axes = np.linalg.eigh(centred.T @ centred / (len(X) - 1))

    def projected(self, rows: Pictures, k: int) -> NDArray[np.float64]:
        """Return rows (N, D) projected on the first k components."""
        axes = self.axes[:, -k:]
        return (rows - self.mean) @ axes @ axes.T + self.mean

    def filtered(self, rows: Pictures, level: float) -> NDArray[np.float64]:
        """Return rows (N, D) with every score shrunk as noise of that level asks for."""
        kept = self.variances / (self.variances + level**2)
        return (rows - self.mean) @ self.axes * kept @ self.axes.T + self.mean


# ---------------------------------------------------------------------- peers


def in_sheets(denoise: Denoiser, rows: Pictures, level: float) -> Pictures:
    """Denoise rows (N, D) as sheets of ten by ten digits; N is a multiple of 100."""
    sheets = rows.reshape(-1, 10, 10, SIDE, SIDE).transpose(0, 1, 3, 2, 4)
    clean = [denoise(np.ascontiguousarray(s.reshape(10 * SIDE, -1)), level) for s in sheets]
    digits = np.stack(clean).reshape(-1, 10, SIDE, 10, SIDE).transpose(0, 1, 3, 2, 4)
    return digits.reshape(rows.shape)


def non_local_means(
    picture: Pictures, level: float, *, patch_size: int, patch_distance: int, h: float
) -> NDArray[Any]:
    """Denoise by scikit-image; h is in deviations of the noise."""
    from skimage.restoration import denoise_nl_means

    cleaned: NDArray[Any] = denoise_nl_means(
        picture,
        patch_size=patch_size,
        patch_distance=patch_distance,
        h=h * level,
        sigma=level,
        fast_mode=False,  # which is slower, and better by half a decibel and more
    )
    return cleaned


def wavelets(picture: Pictures, level: float, **settings: str) -> NDArray[Any]:
    """Denoise by scikit-image."""
    from skimage.restoration import denoise_wavelet

    cleaned: NDArray[Any] = denoise_wavelet(picture, sigma=level, **settings)
    return cleaned


def block_matching(picture: Pictures, level: float, *, profile: str) -> NDArray[Any]:
    """Denoise by BM3D."""
    from bm3d import bm3d

    cleaned: NDArray[Any] = bm3d(picture, level, profile=profile)
    return cleaned


PEERS: dict[str, tuple[Callable[..., NDArray[Any]], dict[str, tuple[Any, ...]]]] = {
    "non-local means (scikit-image)": (
        non_local_means,
        {"patch_size": (5, 7), "patch_distance": (6, 11), "h": (0.6, 0.8, 1.0)},
    ),
    "wavelets (scikit-image)": (
        wavelets,
        {
            "method": ("BayesShrink", "VisuShrink"),
            "wavelet": ("db1", "db2", "db4", "sym4", "coif1", "bior4.4"),
            "mode": ("soft", "hard"),
        },
    ),
    "BM3D (bm3d)": (block_matching, {"profile": ("np", "high")}),
}
"""Each with its settings to choose from."""


def tuned(name: str, X: Pictures, level: float) -> dict[str, Any]:
    """Return the settings that clean noisy training digits best."""
    denoise, grid = PEERS[name]
    clean = X[:N_TUNED]
    rows = noisy(clean, level, seed=1)
    settings = [dict(zip(grid, v, strict=True)) for v in itertools.product(*grid.values())]
    return max(settings, key=lambda s: psnr(in_sheets(partial(denoise, **s), rows, level), clean))


# ---------------------------------------------------------------------- the table


def measure(level: float, arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Return for each method its decibels at one level, and with what settings."""
    from narrows.datasets import load_mnist

    X, _ = load_mnist("train", return_X_y=True)
    clean = load_mnist("test", return_X_y=True)[0][:N_TEST]
    rows = noisy(clean, level, seed=0)
    ae, how = train(X, level, arguments)
    found: dict[str, dict[str, Any]] = {"narrows": {"psnr": psnr(ae.reconstruct(rows), clean)}}
    found["narrows"] |= how
    print(f"  {level:g} narrows: {found['narrows']['psnr']:.2f}", flush=True)
    pca = PCA(X)
    some, some_noisy = X[:5_000], noisy(X[:5_000], level, seed=1)
    k = max(COMPONENTS, key=lambda k: psnr(pca.projected(some_noisy, k), some))
    found["PCA, projection"] = {"psnr": psnr(pca.projected(rows, k), clean), "settings": f"k={k}"}
    found["PCA, Wiener filter"] = {"psnr": psnr(pca.filtered(rows, level), clean)}
    for name in PEERS:
        try:
            settings = tuned(name, X, level)
        except ImportError:
            print(f"{name} is left out: it is not installed", flush=True)
            continue
        began = time.process_time()
        decibels = psnr(in_sheets(partial(PEERS[name][0], **settings), rows, level), clean)
        said = ", ".join(f"{key}={value}" for key, value in settings.items())
        found[name] = {
            "psnr": decibels,
            "settings": said,
            "processor_seconds": time.process_time() - began,
        }
        print(f"  {level:g} {name}: {decibels:.2f} ({said})", flush=True)
    found["nothing, clipped"] = {"psnr": psnr(rows, clean)}
    return found


def report(results: dict[float, dict[str, dict[str, Any]]]) -> str:
    """Return the table, what ours are ahead by, and the settings."""
    names = list(next(iter(results.values())))
    header = ["PSNR, dB", *(f"noise {level:g}" for level in results)]
    rows = [[name, *(f"{found[name]['psnr']:.2f}" for found in results.values())] for name in names]
    ahead = []
    for level, found in results.items():
        others = {name: row["psnr"] for name, row in found.items() if name != "narrows"}
        best = max(others, key=others.__getitem__)
        ahead.append(f"{found['narrows']['psnr'] - others[best]:+.2f} dB at {level:g} ({best})")
    settings = [
        f"- {name}, {level:g}: {found[name]['settings']}"
        for level, found in results.items()
        for name in names
        if "settings" in found[name]
    ]
    ours = [
        f"- narrows, {level:g}: {row['n_steps']} steps, {row['seconds']:.0f} s by the clock,"
        f" {row['processor_seconds']:.0f} s of processor time"
        for level, row in ((level, found["narrows"]) for level, found in results.items())
    ]
    return "\n".join(
        [
            machine.markdown_table(header, rows),
            "",
            f"Ahead of the best of the others: {', '.join(ahead)}.",
            "",
            *ours,
            *settings,
        ]
    )


def main() -> None:
    """Measure every level, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--levels", type=float, nargs="*", default=LEVELS)
    parser.add_argument("--components", type=int, default=256, help="numbers in a code")
    parser.add_argument("--hidden", type=int, nargs="*", help="widths of hidden layers")
    parser.add_argument("--seconds", type=float, default=60.0, help="of training for each level")
    parser.add_argument("--steps", type=int, help="of training, instead of seconds")
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    arguments = parser.parse_args()
    # Photographs in mind, peers warn of values that noise has put outside [0, 1].
    warnings.filterwarnings("ignore", module="skimage")
    results = {level: measure(level, arguments) for level in arguments.levels}
    described = machine.describe()
    text = "\n".join([machine.markdown_description(described), "", report(results)])
    print(text)
    data = {
        "machine": described,
        "arguments": {key: value for key, value in vars(arguments).items() if key != "out"},
        "results": {f"{level:g}": found for level, found in results.items()},
    }
    machine.write_results(TOPIC, text, json.loads(json.dumps(data)), arguments.out)


if __name__ == "__main__":
    main()
