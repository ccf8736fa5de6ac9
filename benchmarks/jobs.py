"""The encoder as features, and neighbours on the plane: MNIST, 10,000 test digits.

    python benchmarks/jobs.py [--out DIR]

Printed are: a classifier of at most 5,000 parameters on 32 numbers beside one of at least 200,000
on pixels and the small one on PCA's 32 numbers; the 10-NN accuracy (all training digits
vote) of the plane of the recipe `map` beside PCA's and those of both tutorial maps.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import machine
from narrows import Autoencoder
from narrows.datasets import load_mnist
from narrows.evaluation.classifiers import classify, knn_accuracy
from narrows.evaluation.views import pca_inference
from narrows.recipes import run_recipe

TOPIC = "jobs"


def main() -> None:
    """Measure both jobs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    arguments = parser.parse_args()
    X, y = load_mnist("train", return_X_y=True)
    X_test, y_test = load_mnist("test", return_X_y=True)
    found: dict[str, object] = {}
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(f"- {line}")
        print(line, flush=True)

    ae = Autoencoder(32, max_seconds=30, random_state=0).fit(X)
    pca = pca_inference(ae)
    for name, train, test, hidden, max_iter in (
        ("32 numbers of narrows", ae.transform(X), ae.transform(X_test), 112, 20),
        ("32 numbers of PCA", pca.encode(X), pca.encode(X_test), 112, 20),
        ("pixels", X, X_test, 256, 8),
    ):
        result = classify(train, y, test, y_test, hidden=hidden, max_iter=max_iter)
        found[name] = vars(result)
        tell(
            f"classifier on {name:>22}: accuracy {result.accuracy:.4f},"
            f" {result.n_parameters:,} parameters, {result.seconds:.1f} s"
        )
    for recipe in ("map", "tensorflow-map", "keras-map"):
        with tempfile.TemporaryDirectory() as folder:
            model = run_recipe(recipe, Path(folder), tell=lambda line: None).autoencoder
        pairs = {recipe: model.transform}
        if recipe == "map":
            pairs["PCA"] = pca_inference(model).encode
        for name, encode in pairs.items():
            accuracy = knn_accuracy(encode(X), y, encode(X_test), y_test)
            found[f"10-NN {name}"] = accuracy
            tell(f"10-NN accuracy of the plane, {name:>15}: {accuracy:.4f}")
    machine.write_table(TOPIC, lines, found, arguments.out)


if __name__ == "__main__":
    main()
