"""How likely rows are under a model, and how good its samples are, as sections of a scorecard."""

from __future__ import annotations

from narrows.common.seeds import seed_of
from narrows.evaluation.round_trip import Measurement
from narrows.evaluation.sample_quality import SampleQuality, as_grey_pictures, sample_quality
from narrows.evaluation.scores import Better, Kind, Measure, Section, measure
from narrows.model.density import Density
from narrows.web.words import Words, say


def likelihood(found: Density) -> Section:
    """Return what a probabilistic model says of the rows."""

    def line(key: str, name: Words, kind: Kind = "number", better: Better = "") -> Measure:
        return measure(key, name, {"narrows": getattr(found, key)}, kind, better)

    lines = (
        line("log_likelihood", say("scorecard.likelihood.log_likelihood"), better="high"),
        line("standard_error", say("scorecard.likelihood.standard_error", n=found.n_samples)),
        line("elbo", say("scorecard.likelihood.elbo"), better="high"),
        line("kl", say("scorecard.likelihood.kl")),
        line("active_units", say("scorecard.likelihood.active_units"), "count"),
    )
    about = say("scorecard.likelihood.about")
    return Section("likelihood", say("scorecard.likelihood.title"), about, lines)


def quality(measured: Measurement, n: int, prior: str) -> SampleQuality:
    """Compare n samples of a model with held-out rows, both grey pictures of 28 × 28 pixels."""
    model = measured.model
    generated = model.sample(n, prior=prior, seed=seed_of(measured.seed))
    return sample_quality(
        as_grey_pictures(generated, model.bounds),
        as_grey_pictures(measured.data.rows, model.bounds),
    )


def samples(found: SampleQuality) -> Section:
    """Return how good samples are."""
    distances = {"narrows": found.frechet, "input": found.frechet_floor}
    lines = (
        measure("frechet", say("scorecard.samples.frechet"), distances, "number", "low"),
        measure("precision", say("scorecard.samples.precision"), {"narrows": found.precision}),
        measure("recall", say("scorecard.samples.recall"), {"narrows": found.recall}),
    )
    about = say("scorecard.samples.about")
    title = say("scorecard.samples.title", n=found.n_samples)
    return Section("samples", title, about, lines)
