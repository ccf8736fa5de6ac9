"""Write ``version-1.safetensors`` and what it must give, once and for ever.

Run it again only before version 1 is published::

    python tests/data/make_version_1.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from narrows import MLP, AdamW, Autoencoder

HERE = Path(__file__).parent


def main() -> None:
    rng = np.random.default_rng(1)
    u, v = rng.uniform(-1, 1, (2, 200))
    X = np.stack([u, v, u * u, u * v, v * v], axis=1) + rng.normal(0, 0.02, (200, 5))
    names = ["width", "height", "площадь", "面积", "tilt"]
    ae = Autoencoder(
        2,
        network=MLP(hidden=(8, 4), activation="tanh"),
        optimizer=AdamW(weight_decay=0.01),
        bounds=(-0.8, 0.9),
        validation_fraction=0.2,
        keep="last",
        max_steps=200,
        batch_size=100,
        precision="float32",
        random_state=0,
    ).fit(pd.DataFrame(X, columns=names))
    ae.save(HERE / "version-1.safetensors")
    rows = pd.DataFrame(X[:9], columns=names)
    np.savez(
        HERE / "version-1.npz",
        X=X[:9],
        Z=ae.transform(rows),
        X_hat=ae.reconstruct(rows),
        validation_error=ae.validation_error_,
    )


if __name__ == "__main__":
    main()
