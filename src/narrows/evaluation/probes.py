"""Accuracy of simple classifiers on codes, on PCA's codes, on rows and on a random network's codes.

Legend: N rows to learn from, M test rows, F numbers of a row.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np

from narrows.evaluation.classifiers import NEIGHBORS, knn_accuracy
from narrows.evaluation.rows import Numbers
from narrows.evaluation.scores import Measure, Section, measure
from narrows.evaluation.splitting import Split, rank_in_class
from narrows.evaluation.views import Both
from narrows.model.inference import Floats
from narrows.web.words import Words, say

FEW_LABELS, DRAWS = 100, 5
"""Labels of a probe that learns from few labels, and how often they are drawn."""
MOST_ITERATIONS = 200
"""Iterations of the logistic regression."""
Probe = Callable[[Floats, Numbers, Floats, Numbers], float]


def probes(split: Split, inputs: Mapping[str, Both], seed: int) -> Section:
    """Return the accuracy on test rows of two probes, from all labels and from 100.

    Parameters
    ----------
    split : Split
    inputs : dict of str to (ndarray (N, F), ndarray (M, F))
        By method, the numbers that probes learn from and those that they are tested on.
    seed : int
        Draws the 100 labels, evenly over classes; numbers are means over five draws.
    """
    n, notes = len(split.learn), []
    kinds: list[tuple[str, Words, Probe]] = [
        ("linear", say("scorecard.probes.linear"), linear_accuracy),
        ("knn", say("scorecard.probes.knn", k=NEIGHBORS), knn_accuracy),
    ]
    if len(np.unique(split.learn_classes)) < 2:
        kinds = []
        notes.append(say("scorecard.probes.one_label"))
    elif n < NEIGHBORS:
        kinds = kinds[:1]
        notes.append(say("scorecard.probes.few", n=n, k=NEIGHBORS))
    budgets = [("all", n, [np.arange(n)])]
    if n > FEW_LABELS:
        draws = [few_of_each(split.learn_classes, FEW_LABELS, seed + d) for d in range(DRAWS)]
        budgets.append((str(FEW_LABELS), FEW_LABELS, draws))
    elif kinds:
        notes.append(say("scorecard.probes.no_budget", n=n, few=FEW_LABELS))
    lines: list[Measure] = []
    for key, name, probe in kinds:
        for budget, count, draws in budgets:
            words = say("scorecard.probes.line", name=name, n=count)
            found = {
                method: _mean_accuracy(probe, learn, test, split, draws)
                for method, (learn, test) in inputs.items()
            }
            lines.append(measure(f"{key}_{budget}", words, found))
    about = say("scorecard.probes.about", split=split.about, few=FEW_LABELS, draws=DRAWS)
    return Section("probes", say("scorecard.probes.title"), about, tuple(lines), tuple(notes))


def nothing_to_probe(reason: Words) -> Section:
    """Return a section without numbers that says why it has none."""
    return Section("probes", say("scorecard.probes.title"), reason, (), (reason,))


def _mean_accuracy(
    probe: Probe, learn: Floats, test: Floats, split: Split, draws: list[Numbers]
) -> float:
    found = [
        probe(learn[draw], split.learn_classes[draw], test, split.test_classes) for draw in draws
    ]
    return float(np.mean(found))


def few_of_each(classes: Numbers, n: int, seed: int) -> Numbers:
    """Draw n rows, equally many of each class as far as the classes have so many.

    Parameters
    ----------
    classes : ndarray (N,)
    n : int
        At most N.
    seed : int
    """
    chance = np.random.default_rng(seed).permutation(len(classes))
    return np.lexsort((chance, rank_in_class(classes, seed)))[:n].astype(np.int64)


def linear_accuracy(X: Floats, y: Numbers, X_test: Floats, y_test: Numbers) -> float:
    """Return the accuracy of logistic regression on standardised columns.

    Parameters
    ----------
    X, X_test : ndarray (N, F) and (M, F)
    y, y_test : ndarray (N,) and (M,)
        With two classes or more to learn from.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=MOST_ITERATIONS))
    with warnings.catch_warnings():
        # More iterations would change the third digit at most.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # scikit-learn warns if 100 labels have many classes.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        probe.fit(X, y)
    return float(probe.score(X_test, y_test))
