"""Distributions over codes, to draw new ones from: one file each."""

from narrows.priors.base import Prior
from narrows.priors.flow import Flow
from narrows.priors.mixture import Mixture
from narrows.priors.normal import ClassNormals, Normal

PRIORS: dict[str, type[Normal] | type[Mixture] | type[Flow]] = {
    prior.name: prior for prior in (Normal, Mixture, Flow)
}
"""Kinds of prior that can be fitted to codes, by name."""

__all__ = ["PRIORS", "ClassNormals", "Flow", "Mixture", "Normal", "Prior"]
