"""Draw the pictures of README: ``python docs/pictures/make.py``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from narrows import VAE, Autoencoder, figures
from narrows.datasets import load_mnist
from narrows.evaluation.views import pca_inference

HERE = Path(__file__).parent


def draw_restored() -> None:
    """Train for twenty seconds, and draw ten held-out digits with their reconstructions."""
    X, _ = load_mnist("train", return_X_y=True)
    X_test, _ = load_mnist("test", return_X_y=True)
    digits = X_test[:10]
    rows = {}
    for k, seconds in ((128, 10), (16, 10)):
        ae = Autoencoder(k, max_seconds=seconds, random_state=0).fit(X)
        rows[f"narrows {k}"] = ae.reconstruct(digits)
        rows[f"PCA {k}"] = pca_inference(ae).reconstruct(digits)
    figure = figures.reconstructions(digits, rows, sample_shape=(28, 28))
    (HERE / "restored.png").write_bytes(figures.to_png(figure))


def draw_generated() -> None:
    """Train on digits with their classes, and draw the first ten new ones of each class."""
    X, y = load_mnist("train", return_X_y=True)
    family = VAE(likelihood="bernoulli", prior="flow", conditional=True)
    ae = Autoencoder(16, objective=family, max_steps=2500, random_state=0).fit(X, y)
    new = ae.sample(100, y=np.repeat(np.arange(10), 10), random_state=0)
    names = [str(digit) for digit in range(10)]
    figure = figures.sheet(new, columns=10, row_labels=names, bounds=(0, 1), side=4.7)
    (HERE / "generated.png").write_bytes(figures.to_png(figure, palette=True))


def draw_map() -> None:
    """Train a map on the training digits, and draw the test digits on it."""
    X, _ = load_mnist("train", return_X_y=True)
    X_test, y_test = load_mnist("test", return_X_y=True)
    ae = Autoencoder(2, objective="neighbors", max_steps=2500, random_state=0).fit(X)
    figure = figures.map_of(ae.transform(X_test), y_test, pictures=X_test, bounds=(0, 1), side=5.6)
    (HERE / "map.png").write_bytes(figures.to_png(figure, palette=True))


if __name__ == "__main__":
    draw_restored()
    draw_generated()
    draw_map()
