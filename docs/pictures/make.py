"""Draw the picture of README: ``python docs/pictures/make.py``."""

from __future__ import annotations

from pathlib import Path

from narrows import Autoencoder, figures
from narrows.datasets import load_mnist
from narrows.evaluation import pca_inference


def main() -> None:
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
    (Path(__file__).parent / "restored.png").write_bytes(figures.to_png(figure))


if __name__ == "__main__":
    main()
