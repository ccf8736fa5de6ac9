"""The report of a scorecard: finding, saving, comparing and writing its lines."""

import json

import numpy as np
import pytest
from rich.cells import cell_len

from conftest import digits, keys
from narrows import evaluate
from narrows.errors import ParameterError
from narrows.evaluation.report import aligned
from narrows.evaluation.scores import Measure, Score, Section, measure, merged, number_text
from narrows.evaluation.shown import on_a_plane


def test_a_report_finds_its_lines_and_names_near_misses(card):
    assert card.measure("neighbours", "continuity").scores["pca"].mean <= 1
    with pytest.raises(ParameterError, match="Did you mean 'probes'"):
        card.measure("probe", "linear_all")
    with pytest.raises(ParameterError, match="Did you mean 'linear_all'"):
        card.measure("probes", "linear_al")


def test_a_report_is_saved_as_json(card, tmp_path):
    card.save(tmp_path / "card.json")
    read = json.loads((tmp_path / "card.json").read_text("utf-8"))
    assert read == card.as_dict()
    assert read["sections"]["class_errors"]["3"]["pca"]["values"] == [
        card.measure("class_errors", "3").scores["pca"].mean
    ]
    with pytest.raises(ParameterError, match=r"\.json or \.html, got 'card\.jso'.*Did you mean"):
        card.save(tmp_path / "card.jso")


def test_equal_reports_are_equal_whatever_they_took(model, card):
    X_train, y_train, X, y = digits()
    assert evaluate(model, X, y, X_train=X_train, y_train=y_train) == card
    assert evaluate(model, X, y, X_train=X_train, y_train=y_train, random_state=1) != card


def test_many_classes_are_cut_in_the_table_and_whole_in_json(model):
    X = digits()[2]
    report = evaluate(model, X, np.arange(240) % 30)
    assert len(keys(report, "class_errors")) == 30
    (block,) = [block for block in report.blocks() if block.head[0] == "Error by class"]
    assert len(block.rows) == 20
    assert block.notes == ["10 further classes have smaller errors."]


def test_columns_are_as_wide_as_their_characters_and_not_endless():
    rows = [["class", "error"], ["猫", "1.5"], ["x" * 5000, "12.5"]]
    lines = aligned(rows, n_left=1)
    assert len({cell_len(line) for line in lines}) == 1
    assert cell_len(lines[0]) < 60 and "…" in lines[2]


def test_a_score_of_one_seed_has_no_interval():
    assert Score((0.5,)).half_width is None
    assert Score((0.5,)).text("share") == "0.5000"
    assert Score((1.0, 3.0)).text("error").startswith("2.000 ± ")
    assert Score((float("nan"), 1.0)).text("share") == "–"
    assert Score((0.1 + 0.2, 0.3)).text("error") == "0.3000 ± 0"


@pytest.mark.parametrize(
    ("value", "kind", "half", "text"),
    [
        (0.00341, "error", None, "0.003410"),
        (12345.6, "error", None, "12,346"),
        (1449.0, "error", 3.21, "1449 ± 3.2"),
        (0.5, "share", 0.01, "0.5000 ± 0.0100"),
        (0.85, "ratio", None, "0.850"),
        (1234567, "count", None, "1,234,567"),
        (7.5, "count", 1.23, "7.5 ± 1.2"),
        (1500, "bytes", None, "1.5 kB"),
        (1500, "bytes", 20, "1.5 kB ± 20 bytes"),
        (2.31, "seconds", 0.2, "2.3 ± 0.2 s"),
        (0.4991, "seconds", 0.18, "499 ± 180 ms"),
        (52e-6, "seconds", None, "52 µs"),
        (0.0, "seconds", None, "0.0 µs"),
    ],
)
def test_numbers_are_written_with_their_units(value, kind, half, text):
    assert number_text(value, kind, half) == text


def test_the_best_is_the_best_as_it_is_written():
    def best(better="high", **values):
        return measure("m", "m", values, "share", better).best()

    assert best(narrows=0.5, pca=0.4) == {"narrows"}
    assert best("low", narrows=0.5, pca=0.4) == {"pca"}
    assert best(narrows=0.5, pca=0.5000001, input=0.1) == {"narrows", "pca"}
    assert (
        best(narrows=0.5, pca=0.5000001) == best(narrows=0.5) == best("", narrows=1, pca=2) == set()
    )


def test_seeds_are_joined_line_by_line():
    def seed(*lines):
        return [
            Section(
                "s", "title", "about", tuple(measure(key, key, values) for key, values in lines)
            )
        ]

    (joined,) = merged([seed(("a", {"pca": 1})), seed(("a", {"pca": 3}), ("b", {"pca": 5}))])
    assert [line.scores["pca"].values for line in joined.measures] == [(1, 3), (5,)]
    assert isinstance(joined.measures[0], Measure)


def test_codes_on_a_plane(rng):
    codes = rng.normal(size=(50, 2))
    assert np.array_equal(on_a_plane(codes), codes)
    wide = rng.normal(size=(50, 6)) * [1, 5, 1, 1, 9, 1]
    places = on_a_plane(wide)
    values = np.linalg.eigvalsh(np.cov(wide, rowvar=False))[::-1]
    assert places.var(axis=0, ddof=1) == pytest.approx(values[:2])
    line = on_a_plane(codes[:, :1])
    assert np.array_equal(line[:, 0], codes[:, 0])
    assert np.ptp(line[:, 1]) <= np.ptp(codes[:, 0]) / 4
