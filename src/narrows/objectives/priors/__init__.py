"""Distributions over codes, to draw new ones from: one file each."""

from narrows.objectives.priors.base import FittedPrior, Prior
from narrows.objectives.priors.flow import Flow
from narrows.objectives.priors.mixture import Mixture
from narrows.objectives.priors.normal import ClassNormals, Normal

PRIORS: dict[str, type[FittedPrior]] = {prior.name: prior for prior in (Normal, Mixture, Flow)}
"""Kinds of prior that can be fitted to codes, by name."""

__all__ = ["PRIORS", "ClassNormals", "FittedPrior", "Flow", "Mixture", "Normal", "Prior"]
