"""How likely rows are under a model, and how good its samples are, as sections of a scorecard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from narrows.evaluation.rows import MeasuredRows
from narrows.evaluation.sample_quality import SampleQuality, as_grey_pictures, sample_quality
from narrows.evaluation.scores import Better, Kind, Section, measure
from narrows.model.density import Density
from narrows.web.words import Words

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder


def likelihood(found: Density) -> Section:
    """Return what a probabilistic model says of the rows."""
    n = f"{found.n_samples:,}"
    many = f"{n} importance sample{'' if found.n_samples == 1 else 's'}"
    error = Words(f"its error, {many}", f"其标准误（{n} 个重要性样本）")
    named: list[tuple[str, Words, float, Kind, Better]] = [
        ("log_likelihood", Words("log-likelihood", "对数似然"), found.log_likelihood,
         "number", "high"),
        ("standard_error", error, found.standard_error,
         "number", ""),
        ("elbo", Words("its bound (ELBO)", "下界 (ELBO)"), found.elbo, "number", "high"),
        ("kl", Words("KL to the prior", "与先验的 KL"), found.kl, "number", ""),
        ("active_units", Words("active units", "有效编码数"), found.active_units, "count", ""),
    ]  # fmt: skip
    lines = [
        measure(key, name, {"narrows": value}, kind, better)
        for key, name, value, kind, better in named
    ]
    about = Words(
        "Estimated by importance sampling; its error is the standard error of that estimate."
        " Active units: numbers of the code that vary.",
        "由重要性采样估计；标准误是估计本身的误差。有效编码数：编码中有变化的数的个数。",
    )
    return Section(
        "likelihood", Words("Likelihood, nats per row", "似然（每行奈特数）"), about, tuple(lines)
    )


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
        measure("frechet", Words("Fréchet distance", "Fréchet 距离"), distances, "number", "low"),
        measure("precision", Words("precision", "精确率"), {"narrows": found.precision}),
        measure("recall", Words("recall", "召回率"), {"narrows": found.recall}),
    ]
    about = Words(
        "Samples beside the held-out rows, in the features of a classifier of digits. Of raw"
        " input: the distance between two halves of the rows, as a floor. Precision: part of the"
        " samples that lie among real pictures; recall: part of those that lie among samples.",
        "样本与留出行在数字分类器特征空间中的比较。原始输入一栏是留出行两半之间的距离，作为下限参照。"
        "精确率：落在真实图片之中的样本比例；召回率：落在样本之中的真实图片比例。",
    )
    title = Words(f"{found.n_samples:,} samples", f"{found.n_samples:,} 个样本")
    return Section("samples", title, about, tuple(lines))
