"""Measure how often the rule that chooses a state errs, on errors whose law is known.

No network is trained for that. Held-out errors of 24 states, the start (PCA) first, are drawn at
random: all states are equally good, or some are better by a known part.
`narrows.training.judge.choose` then decides. Beside it stands the plain rule, which chooses and
judges on the same rows: the state with the smallest mean error is kept if its mean gain exceeds two
standard errors.

Then ``validation_error_`` of many small fits is compared with their error on 20,000 fresh rows.

    OMP_NUM_THREADS=1 python benchmarks/judging.py
        [--draws 2000] [--fits 100] [--small-fits 25] [--out DIR]
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

import machine
from narrows import Autoencoder
from narrows.training.judge import choose, dealt

TOPIC = "judging"
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
N_STATES = 24
N_FOLDS = 5
SIZES = (150, 500, 2500)
MOST_LEFT, LEAST_KEPT = 5.0, 90.0
"""What is promised, in percent of the draws: PCA left without a gain, a gain of 5 % kept."""
FAR_SHARE, FAR_FACTOR = 0.02, 50.0
"""Contaminated rows, and by how much their errors are larger."""
PART_ROWS = (128, 500)
"""Rows of a part that are compared with each other, as those of maps are."""

MANY, FEW = 12_000, 400
"""Rows of small fits: the judged model is returned, or one that is trained again on all rows."""
MAX_STEPS: dict[int, int | None] = {MANY: 300, FEW: None}
"""Of such fits, by their rows; None is the default."""
FRESH_ROWS = 20_000
MOST_AWAY = 1.0
"""What is promised, in percent: distance of the mean of ``validation_error_`` from the true one."""
WITHOUT_GAIN = ("independent", "walk", "1 % worse", "folds differ")
"""Kinds of draws in which no state is better than the start."""


def _t_with_2_degrees(z: Floats) -> Floats:
    u: Floats = np.clip((1 + ndtr(z)) / 2, 0.5, 1 - 1e-14)
    return (2 * u - 1) / np.sqrt(2 * u * (1 - u))


LAWS: dict[str, Callable[[Floats], Floats]] = {
    "normal": lambda z: np.abs(1 + 0.3 * z),
    "lognormal": lambda z: np.exp(z - 0.5),
    "t, 2 degrees of freedom": _t_with_2_degrees,
    "its square": lambda z: _t_with_2_degrees(z) ** 2,
    "contaminated": lambda z: np.exp(z - 0.5),
}
"""Errors by their law, from standard normal numbers."""


def like_digits(z: Floats) -> Floats:
    """Errors with the spread of those of handwritten digits."""
    return np.exp(0.4 * z - 0.08)


class Rates(NamedTuple):
    """Percent of the draws in which the start is left, by our rule and by the plain one.

    ``reported`` tells by how many percent the mean reported error exceeds the true one.
    """

    ours: float
    plain: float
    reported: float | None = None


class Row(NamedTuple):
    """What was measured for one law of errors and one number of held-out rows."""

    law: str
    n: int
    without_gain: dict[str, Rates]
    better: Rates


def states(
    rng: np.random.Generator,
    law: Callable[[Floats], Floats],
    n: int,
    *,
    last: float = 0.7,
    walk: bool = True,
) -> Floats:
    """Return errors (S, n) of equally good states.

    The states are a random walk away from the start, as in one training, or independent of each
    other. ``last`` is the correlation of the last state with the start.
    """
    z = rng.standard_normal((N_STATES, n))
    if walk:
        steps = np.cumsum(z[1:], axis=0) / np.sqrt(np.arange(1, N_STATES))[:, None]
        r = np.linspace(0.995, last, N_STATES - 1)[:, None]
        z[1:] = r * z[0] + np.sqrt(1 - r * r) * steps
    else:
        z[1:] = last * z[0] + math.sqrt(1 - last**2) * z[1:]
    return law(z)


def with_luck_of_folds(rng: np.random.Generator, errors: Floats, parts: Ints) -> Floats:
    """Return errors in which each fold's training has luck of its own, 2 % at each state."""
    luck = np.cumsum(rng.standard_normal((N_STATES - 1, N_FOLDS)), axis=0)
    luck /= np.sqrt(np.arange(1, N_STATES))[:, None]
    changed = errors.copy()
    changed[1:] *= np.exp(0.02 * luck)[:, parts]
    return changed


def true_gains(most: float) -> Floats:
    """Return the true error (S, 1) of each state over the start's, at best 1 − ``most``."""
    return 1 - most * np.minimum(np.arange(N_STATES) / 12, 1)[:, None]


def plain_rule_leaves(errors: Floats) -> bool:
    """Choose and judge on the same rows."""
    best = int(errors.mean(axis=1).argmin())
    gain = errors[0] - errors[best]
    return best > 0 and bool(gain.mean() > 2 * gain.std(ddof=1) / math.sqrt(len(gain)))


def rates(
    drawn: Iterable[tuple[Floats, Ints]], *, truth: Floats | None = None, absolute: bool = False
) -> Rates:
    """Apply both rules to arrays of errors and their parts; ``truth`` (S,) are true errors."""
    ours, plain, reported = [], [], []
    for errors, parts in drawn:
        choice = choose(errors, parts, absolute=absolute)
        ours.append(choice.leaves_start)
        plain.append(plain_rule_leaves(errors))
        if truth is not None:  # the luck of PCA on these rows is taken out
            kept = choice.best if choice.leaves_start else 0
            error = choice.judged(errors) if kept else errors[0]
            reported.append(error.mean() / errors[0].mean() / truth[kept])
    honest = 100 * (float(np.mean(reported)) - 1) if reported else None
    return Rates(100 * float(np.mean(ours)), 100 * float(np.mean(plain)), honest)


def drawn(kind: str, name: str, n: int, draws: int) -> Iterator[tuple[Floats, Ints]]:
    """Draw errors (S, n) of a kind from the law of a name, with the fold of each row."""
    rng = np.random.default_rng(1)
    parts = np.arange(n) % N_FOLDS
    for _ in range(draws):
        errors = states(rng, LAWS[name], n, walk=kind != "independent")
        if name == "contaminated":
            errors[:, rng.random(n) < FAR_SHARE] *= FAR_FACTOR
        if kind == "1 % worse":
            errors[1:] *= 1.01
        if kind == "folds differ":
            errors = with_luck_of_folds(rng, errors, parts)
        if kind == "20 % better":
            errors *= true_gains(0.2)
        yield errors, parts


def measure_laws(draws: int) -> list[Row]:
    """Measure how often the start is left without a gain, for each law and number of rows."""
    found = []
    for name in LAWS:
        for n in SIZES:
            by_kind = {kind: rates(drawn(kind, name, n, draws)) for kind in WITHOUT_GAIN}
            better = rates(drawn("20 % better", name, n, draws), truth=true_gains(0.2)[:, 0])
            found.append(Row(name, n, by_kind, better))
            print(name, n, *(f"{by_kind[kind].ours:.1f}" for kind in WITHOUT_GAIN), flush=True)
    return found


def measure_other_cases(draws: int) -> dict[str, Rates]:
    """Measure gains that are to be kept, rows that are compared, and what the rule cannot see."""
    found = {}
    for n in SIZES:
        rng, parts = np.random.default_rng(7), dealt(n, 0)
        better = (
            (states(rng, like_digits, n, last=0.95) * true_gains(0.05), parts) for _ in range(draws)
        )
        found[f"5 % better, errors like those of digits, {n:,} rows"] = rates(better)
    for n in PART_ROWS:
        compared = np.repeat(np.arange(N_FOLDS), n)
        for name, parts in (("one part", compared), ("any part", dealt(len(compared), 0))):
            rng = np.random.default_rng(4)
            coupled = ((coupled_errors(rng, compared), parts) for _ in range(draws))
            name = f"no gain, {N_FOLDS} × {n} rows that are compared, in {name}"
            found[name] = rates(coupled, absolute=True)
    for n in SIZES:
        rng, parts = np.random.default_rng(5), dealt(n, 0)
        skewed = ((skewed_errors(rng, n), parts) for _ in range(draws))
        found[f"no gain, 10 % better on 98 % of rows, worse on 2 %, {n:,} rows"] = rates(skewed)
    return found


def coupled_errors(rng: np.random.Generator, compared: Ints) -> Floats:
    """Return losses of which rows with one number share half of the noise."""
    shared = rng.standard_normal((N_STATES, N_FOLDS))[:, compared]
    own = rng.standard_normal((N_STATES, len(compared)))
    return np.abs(1 + 0.2 * (shared + own) / math.sqrt(2))


def skewed_errors(rng: np.random.Generator, n: int) -> Floats:
    """Return errors that are 10 % better on most rows, and as much worse in all on 2 %."""
    errors = states(rng, LAWS["lognormal"], n, last=0.95)
    far = rng.random(n) < FAR_SHARE
    errors[1:, ~far] *= 0.9
    errors[1:, far] *= 1 + 0.1 * (1 - FAR_SHARE) / FAR_SHARE
    return errors


class Bias(NamedTuple):
    """By how many percent the mean of ``validation_error_`` exceeds that of the true errors.

    ``trained`` tells in how many percent of the fits PCA was left.
    """

    fits: int
    percent: float
    standard_error: float
    trained: float


def sheet(rng: np.random.Generator, n: int) -> Floats:
    """Return rows (n, 6) about a curved sheet, which a network learns better than PCA."""
    u, v = rng.uniform(-1, 1, (2, n))
    rows = np.stack([u, v, u * u, u * v, v * v, np.sin(3 * u)], axis=1)
    noisy: Floats = 10 * rows + rng.normal(0, 0.5, rows.shape)
    return noisy


def measure_fits(n_fits: dict[int, int]) -> dict[int, Bias]:
    """Compare errors that fits report with those on fresh rows, by the number of rows."""
    fresh, found = sheet(np.random.default_rng(1_000_000), FRESH_ROWS), {}
    for n, fits in n_fits.items():
        told, true, trained = [], [], []
        for seed in range(fits):
            X = sheet(np.random.default_rng(seed), n)
            ae = Autoencoder(2, max_steps=MAX_STEPS[n], n_threads=1, random_state=seed).fit(X)
            told.append(ae.validation_error_)
            true.append(ae.reconstruction_error(fresh).mean())
            trained.append(ae.best_step_ > 0)
        away = 100 * (np.array(told) - true) / np.mean(true)
        deviation = float(away.std(ddof=1)) / math.sqrt(fits)
        found[n] = Bias(fits, float(away.mean()), deviation, 100 * float(np.mean(trained)))
        print("fits of", n, "rows", found[n], flush=True)
    return found


def as_text(laws: list[Row], others: dict[str, Rates], fits: dict[int, Bias], draws: int) -> str:
    """Return the tables and the verdict as Markdown."""
    rows = []
    for row in laws:
        cells = [f"{rate.ours:.1f} ({rate.plain:.1f})" for rate in row.without_gain.values()]
        # The square of t has no mean, and so no true error.
        told = "" if row.law == "its square" else f"{row.better.reported:+.2f} %"
        rows.append([row.law, f"{row.n:,}", *cells, told])
    header = ["errors", "rows", "states independent", "walk", "walk, 1 % worse"]
    header += ["walk, folds differ by 2 %", "reported error, 20 % better"]
    worst = {kind: max(row.without_gain[kind].ours for row in laws) for kind in WITHOUT_GAIN}
    folds = worst.pop("folds differ")
    left = max(worst.values())
    kept = min(rate.ours for name, rate in others.items() if name.startswith("5 %"))
    fit_rows = [
        [
            f"{n:,}",
            f"{bias.fits}",
            f"{bias.percent:+.2f} ± {bias.standard_error:.2f} %",
            f"{bias.trained:.0f} %",
        ]
        for n, bias in fits.items()
    ]
    away = abs(fits[MANY].percent)
    other_rows = [[name, f"{r.ours:.1f}", f"{r.plain:.1f}"] for name, r in others.items()]
    return "\n\n".join(
        [
            "# How often the rule that chooses a state errs",
            f"{draws:,} draws of the held-out errors of {N_STATES} states, the start first. Percent"
            " of the draws in which the start is left; in brackets the plain rule, which chooses"
            " and judges on the same rows and asks for two standard errors. In the first table"
            " nothing was gained, but for its last column: the mean of the reported error over the"
            " true one, where the best states are truly 20 % better.",
            machine.markdown_table(header, rows),
            machine.markdown_table(["case", "narrows", "plain rule"], other_rows),
            "Fits of a curved sheet in six columns: how far the mean of `validation_error_` is from"
            f" the mean error on {FRESH_ROWS:,} fresh rows, with the standard error. Of {MANY:,}"
            f" rows the judged model is returned. Of {FEW}, models of four fifths of the rows are"
            " judged, and one of all rows is returned, which is better.",
            machine.markdown_table(["rows", "fits", "reported − true", "PCA left"], fit_rows),
            f"- nothing gained: start left in at most {left:.1f} % of the draws (promised"
            f" {MOST_LEFT:g} %): {'holds' if left <= MOST_LEFT else 'MISSED'};"
            f" in at most {folds:.1f} % where folds differ\n"
            f"- a gain of 5 %: kept in at least {kept:.1f} % of the draws (promised"
            f" {LEAST_KEPT:g} %): {'holds' if kept >= LEAST_KEPT else 'MISSED'}\n"
            f"- of {MANY:,} rows, `validation_error_` is {away:.2f} % away from the true error on"
            f" average (promised {MOST_AWAY:g} %): {'holds' if away <= MOST_AWAY else 'MISSED'}",
            machine.markdown_description(machine.describe()),
        ]
    )


def main() -> None:
    """Measure all cases, print them, and file them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000, help="arrays of errors for each case")
    parser.add_argument("--fits", type=int, default=100, help=f"fits of {MANY:,} rows")
    parser.add_argument("--small-fits", type=int, default=25, help=f"fits of {FEW} rows")
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="folder of the results")
    arguments = parser.parse_args()
    started = time.perf_counter()
    laws = measure_laws(arguments.draws)
    others = measure_other_cases(arguments.draws)
    fits = measure_fits({MANY: arguments.fits, FEW: arguments.small_fits})
    text = as_text(laws, others, fits, arguments.draws)
    print(text)
    print(f"{time.perf_counter() - started:.0f} s")
    data = {
        "machine": machine.describe(),
        "draws": arguments.draws,
        "laws": [
            {
                "law": row.law,
                "rows": row.n,
                "20 % better": row.better._asdict(),
                **{kind: rate._asdict() for kind, rate in row.without_gain.items()},
            }
            for row in laws
        ],
        "fits": {str(n): bias._asdict() for n, bias in fits.items()},
        "other_cases": {name: rate._asdict() for name, rate in others.items()},
    }
    machine.write_results(TOPIC, text, data, arguments.out)


if __name__ == "__main__":
    main()
