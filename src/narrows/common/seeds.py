"""Seeds: one from what a user gives, and one made of several numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state


def seed_of(random_state: Any) -> int:
    """Draw a seed as scikit-learn would, but leave NumPy's global stream alone."""
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(2**31 - 1))


def mixed(seed: tuple[int, ...]) -> int:
    """Return one seed made of several numbers."""
    return int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> 1)
