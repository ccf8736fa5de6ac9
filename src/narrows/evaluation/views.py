"""Ways to turn rows into numbers that are compared: our codes, PCA's, the rows, random ones.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from narrows.common.threads import torch_stream
from narrows.model.inference import Inference
from narrows.networks import Autoencoding, OnAxes
from narrows.networks.own import Own
from narrows.networks.pca_path import pca_network
from narrows.objectives import Reconstruction

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

Array64 = NDArray[np.float64]
Both = tuple[Array64, Array64]
"""What is learned from, and what is tested on."""
View = Callable[[NDArray[np.generic]], Array64]


def views(ae: Autoencoder, seed: int) -> dict[str, View]:
    """Return by method what turns rows (N, D) into the numbers (N, …) that it knows them by."""
    ours, pca, random = ae.model_.inference, pca_inference(ae), untrained(ae, seed)
    return {
        "narrows": lambda rows: ours.encode(rows).astype(np.float64),
        "pca": lambda rows: pca.encode(rows).astype(np.float64),
        "input": lambda rows: in_own_units(ae, rows),
        "random_network": lambda rows: random.encode(rows).astype(np.float64),
    }


def pca_inference(ae: Autoencoder) -> Inference:
    """Return the PCA that a model started from, ready to encode and decode as the model does."""
    net = pca_network(ae.pca_, ae.network_.scaling)
    return Inference(net, Reconstruction(), ae.bounds_)


def in_own_units(ae: Autoencoder, rows: NDArray[np.generic]) -> Array64:
    """Return rows (N, D) as the model scales them: distances in them are what it sees."""
    scaled: Array64 = ae.network_.scaling(torch.from_numpy(rows.astype(np.float64))).numpy()
    return scaled


def untrained(ae: Autoencoder, seed: int) -> Inference:
    """Return a network of a model's architecture with weights of chance, ready to encode.

    It is what ``init="random"`` starts from: without a linear path, in the model's scaling, and on
    the principal components that the model's own encoder reads, where it reads those.
    """
    model = ae.model_
    size, objective, classes = model.code_size, model.objective, model.classes
    ours = ae.network_.encoder
    widths = objective.widths(
        ae.n_features_in_,
        size,
        sample_shape=ae.sample_shape_,
        class_shares=() if classes is None else (1 / len(classes),) * len(classes),
        ordered=model.ordered,
        axes=len(ours.bias) if isinstance(ours, OnAxes) else 0,
    )
    generator = torch.Generator().manual_seed(seed)
    encoder, decoder = model.architecture.build(widths, generator)
    if isinstance(model.architecture, Own):
        _draw_again(encoder, seed)
    if isinstance(ours, OnAxes):
        encoder = OnAxes(encoder, ours.weight, ours.bias)
    extra = objective.build(widths, None, generator)
    net = Autoencoding(ae.network_.scaling, encoder, decoder, extra=extra)
    return Inference(net, objective, ae.bounds_, ae.n_components_)


def _draw_again(module: nn.Module, seed: int) -> None:
    """Draw the weights of a user's module anew, for it may come with trained ones."""
    with torch_stream(seed, torch.device("cpu")):
        for part in module.modules():
            reset: Any = getattr(part, "reset_parameters", None)
            if callable(reset):
                reset()
