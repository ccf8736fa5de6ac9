"""What probes and clusters may read of a row: our code, PCA's, the row, a random network's code.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from narrows.estimator import Autoencoder
from narrows.model.inference import Inference
from narrows.model.model import Model, model_of
from narrows.networks import Autoencoding, OnAxes
from narrows.networks.base import even_shares
from narrows.networks.pca_path import pca_network
from narrows.objectives import Reconstruction

Array64 = NDArray[np.float64]
Both = tuple[Array64, Array64]
"""What is learned from, and what is tested on."""
View = Callable[[NDArray[np.generic]], Array64]


def views(model: Model, seed: int) -> dict[str, View]:
    """Return by method what turns rows (N, D) into the numbers (N, …) that probes read."""
    encoders = {
        "narrows": model.inference,
        "pca": pca_inference(model),
        "random_network": untrained(model, seed),
    }

    def view(encoder: Inference) -> View:
        return lambda rows: encoder.encode(rows).astype(np.float64)

    found = {name: view(encoder) for name, encoder in encoders.items()}
    return {**found, "input": lambda rows: scaled(model, rows)}


def pca_inference(ae: Autoencoder | Model) -> Inference:
    """Return the PCA that a model started from, ready to encode and decode as the model does."""
    model = model_of("pca_inference", ae)
    return Inference(pca_network(model.pca, model.net.scaling), Reconstruction(), model.bounds)


def scaled(model: Model, rows: NDArray[np.generic]) -> Array64:
    """Return rows (N, D) in the model's scaling, in which distances are what the model sees."""
    found: Array64 = model.net.scaling(torch.from_numpy(rows.astype(np.float64))).numpy()
    return found


def untrained(model: Model, seed: int) -> Inference:
    """Return a network of a model's architecture with random weights, ready to encode.

    It is what ``init="random"`` starts from: no linear path, the model's scaling, and, if the
    model's encoder reads principal components, those components.
    """
    ours = model.net.encoder
    widths = model.objective.widths(
        model.n_features,
        model.code_size,
        sample_shape=model.sample_shape,
        class_shares=even_shares(model.n_classes),
        ordered=model.ordered,
        axes=len(ours.bias) if isinstance(ours, OnAxes) else 0,
    )
    generator = torch.Generator().manual_seed(seed)
    encoder, decoder = model.architecture.build(widths, generator)
    model.architecture.redraw(encoder, seed)
    if isinstance(ours, OnAxes):
        encoder = OnAxes(encoder, ours.weight, ours.bias)
    extra = model.objective.build(widths, None, generator)
    net = Autoencoding(model.net.scaling, encoder, decoder, extra=extra)
    return Inference(net, model.objective, model.bounds, model.n_components)
