"""How likely rows are under a model, and how good its samples are, as sections of a scorecard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from narrows.evaluation.rows import MeasuredRows
from narrows.evaluation.sample_quality import SampleQuality, as_grey_pictures, sample_quality
from narrows.evaluation.scores import Better, Kind, Section, measure
from narrows.model.density import Density
from narrows.web.words import Words, say

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder


def likelihood(found: Density) -> Section:
    """Return what a probabilistic model says of the rows."""
    error = say("scorecard.likelihood.standard_error", n=found.n_samples)
    named: list[tuple[str, Words, float, Kind, Better]] = [
        ("log_likelihood", say("scorecard.likelihood.log_likelihood"), found.log_likelihood,
         "number", "high"),
        ("standard_error", error, found.standard_error,
         "number", ""),
        ("elbo", say("scorecard.likelihood.elbo"), found.elbo, "number", "high"),
        ("kl", say("scorecard.likelihood.kl"), found.kl, "number", ""),
        ("active_units", say("scorecard.likelihood.active_units"), found.active_units, "count", ""),
    ]  # fmt: skip
    lines = [
        measure(key, name, {"narrows": value}, kind, better)
        for key, name, value, kind, better in named
    ]
    about = say("scorecard.likelihood.about")
    return Section("likelihood", say("scorecard.likelihood.title"), about, tuple(lines))


def quality(ae: Autoencoder, data: MeasuredRows, n: int, prior: str, seed: Any) -> SampleQuality:
    """Compare n samples of a model with held-out rows, both grey pictures of 28 × 28 pixels."""
    generated = ae.sample(n, prior=prior, random_state=seed).reshape(n, -1)
    return sample_quality(
        as_grey_pictures(generated, ae.bounds_), as_grey_pictures(data.rows, ae.bounds_)
    )


def samples(found: SampleQuality) -> Section:
    """Return how good samples are."""
    distances = {"narrows": found.frechet, "input": found.frechet_floor}
    lines = [
        measure("frechet", say("scorecard.samples.frechet"), distances, "number", "low"),
        measure("precision", say("scorecard.samples.precision"), {"narrows": found.precision}),
        measure("recall", say("scorecard.samples.recall"), {"narrows": found.recall}),
    ]
    about = say("scorecard.samples.about")
    title = say("scorecard.samples.title", n=found.n_samples)
    return Section("samples", title, about, tuple(lines))
