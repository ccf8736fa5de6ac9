"""What simple classifiers read from codes, beside the rows, PCA's codes and a random network's.

Legend: N rows to learn from, M test rows, F numbers of a row.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.evaluation.classifiers import NEIGHBOURS, knn_accuracy
from narrows.evaluation.rows import Numbers
from narrows.evaluation.scores import Measure, Section, measure
from narrows.evaluation.splitting import Split, rank_in_class
from narrows.evaluation.views import Both
from narrows.web.words import Words

FEW_LABELS, DRAWS = 100, 5
"""Labels of the probes that learn from few, and how often they are drawn."""
TITLE = Words("Probes", "探针")
MOST_ITERATIONS = 200
"""Of the logistic regression."""
Floats = NDArray[np.floating[Any]]
Probe = Callable[[Floats, Numbers, Floats, Numbers], float]


def probes(split: Split, inputs: Mapping[str, Both], seed: int) -> Section:
    """Return the accuracy on test rows of two probes, from all labels and from 100.

    Parameters
    ----------
    split : Split
    inputs : dict of str to (ndarray (N, F), ndarray (M, F))
        By method, what its probes read of the rows to learn from and of the test rows.
    seed : int
        Draws the 100 labels, evenly over classes; numbers are means over five draws.
    """
    n, notes = len(split.learn), []
    kinds: list[tuple[str, Words, Probe]] = [
        ("linear", Words("linear", "线性"), linear_accuracy),
        ("knn", Words(f"{NEIGHBOURS}-NN", f"{NEIGHBOURS}-NN"), knn_accuracy),
    ]
    if len(np.unique(split.learn_classes)) < 2:
        kinds = []
        notes.append(Words("The rows to learn from have one label.", "用来学习的行只有一种标签。"))
    elif n < NEIGHBOURS:
        kinds = kinds[:1]
        notes.append(
            Words(
                f"{n} labels are too few for {NEIGHBOURS} neighbours.",
                f"{n} 个标签不够 {NEIGHBOURS} 个近邻用。",
            )
        )
    budgets = [("all", n, [np.arange(n)])]
    if n > FEW_LABELS:
        draws = [few_of_each(split.learn_classes, FEW_LABELS, seed + d) for d in range(DRAWS)]
        budgets.append((str(FEW_LABELS), FEW_LABELS, draws))
    elif kinds:
        notes.append(
            Words(
                f"There are {n} labels to learn from, so that learning from {FEW_LABELS} of them is"
                " left out.",
                f"只有 {n} 个标签可供学习，所以不再另测 {FEW_LABELS} 个标签的情形。",
            )
        )
    lines: list[Measure] = []
    for key, name, probe in kinds:
        for budget, count, draws in budgets:
            words = Words(f"{name.en}, {count:,} labels", f"{name.zh}，{count:,} 个标签")
            found = {
                method: _mean_accuracy(probe, learn, test, split, draws)
                for method, (learn, test) in inputs.items()
            }
            lines.append(measure(f"{key}_{budget}", words, found))
    about = Words(
        "Accuracy of classifiers that read codes in place of rows. Linear: logistic regression on"
        f" standardised numbers. {split.about.en} From {FEW_LABELS} labels: the mean of {DRAWS}"
        " draws. Random network: the model's architecture, never trained.",
        "分类器读取编码（而不是原始行）时的准确率。线性：对标准化的数做逻辑回归。"
        f"{split.about.zh}{FEW_LABELS} 个标签：{DRAWS} 次抽取的平均。"
        "随机网络：结构相同、未经训练。",
    )
    return Section("probes", TITLE, about, tuple(lines), tuple(notes))


def nothing_to_probe(reason: Words) -> Section:
    """Return the section without numbers, and why."""
    return Section("probes", TITLE, reason, (), (reason,))


def _mean_accuracy(
    probe: Probe, learn: Floats, test: Floats, split: Split, draws: list[Numbers]
) -> float:
    found = [
        probe(learn[draw], split.learn_classes[draw], test, split.test_classes) for draw in draws
    ]
    return float(np.mean(found))


def few_of_each(classes: Numbers, n: int, seed: int) -> Numbers:
    """Draw n rows, as many of each class as of any other as far as there are so many.

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
        # So many iterations are the plan; those that are left change the third digit at most.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Of 100 labels of many classes; that they are classes is known.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        probe.fit(X, y)
    return float(probe.score(X_test, y_test))
