"""narrows: the autoencoder for where people use PCA and UMAP.

The names below are imported when they are first used, so that ``import narrows`` is quick and
does not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from narrows.common.optimizers import Adam, AdamW
    from narrows.estimator import Autoencoder, load, register_skl2onnx
    from narrows.evaluation.scorecard import Report, evaluate
    from narrows.model.loadings import loadings_table
    from narrows.networks import MLP, Conv
    from narrows.objectives import (
        FSQ,
        IWAE,
        VAE,
        VQ,
        WAE,
        Adversarial,
        Contractive,
        Denoising,
        Neighbors,
        Reconstruction,
        Sparse,
    )

__version__ = "0.1.0"

_HOMES = {
    "WAE": "narrows.objectives",
    "VQ": "narrows.objectives",
    "FSQ": "narrows.objectives",
    "Adversarial": "narrows.objectives",
    "IWAE": "narrows.objectives",
    "Conv": "narrows.networks",
    "MLP": "narrows.networks",
    "Adam": "narrows.common.optimizers",
    "AdamW": "narrows.common.optimizers",
    "Autoencoder": "narrows.estimator",
    "Contractive": "narrows.objectives",
    "Denoising": "narrows.objectives",
    "Neighbors": "narrows.objectives",
    "Reconstruction": "narrows.objectives",
    "Sparse": "narrows.objectives",
    "VAE": "narrows.objectives",
    "Report": "narrows.evaluation.scorecard",
    "evaluate": "narrows.evaluation.scorecard",
    "load": "narrows.estimator",
    "register_skl2onnx": "narrows.estimator",
    "loadings_table": "narrows.model.loadings",
}
__all__ = [
    "FSQ",
    "IWAE",
    "MLP",
    "VAE",
    "VQ",
    "WAE",
    "Adam",
    "AdamW",
    "Adversarial",
    "Autoencoder",
    "Contractive",
    "Conv",
    "Denoising",
    "Neighbors",
    "Reconstruction",
    "Report",
    "Sparse",
    "__version__",
    "evaluate",
    "load",
    "loadings_table",
    "register_skl2onnx",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'narrows' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
