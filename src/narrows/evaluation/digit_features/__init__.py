"""A small classifier of digits whose last hidden layer says how alike two sets of pictures are."""

from narrows.evaluation.digit_features.network import (
    HEIGHT,
    N_FEATURES,
    WIDTH,
    DigitNet,
    digit_classes,
    digit_features,
    digit_net,
)

__all__ = [
    "HEIGHT",
    "N_FEATURES",
    "WIDTH",
    "DigitNet",
    "digit_classes",
    "digit_features",
    "digit_net",
]
