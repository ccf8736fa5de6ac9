"""The verb ``loadings``: the table of the Python call, a picture, rows or codes."""

import re

import numpy as np
import pandas as pd
import pytest

from conftest import picture, quick, write_small_data
from narrows import load, loadings_table
from narrows.sources.open import read_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("explaining")
    iris, _ = write_small_data(made)
    quick(3).fit(iris.data).save(made / "iris.safetensors")
    quick(2).fit(np.load(made / "digits.npy")).save(made / "digits.safetensors")
    return made


def test_the_table_is_that_of_python(narrows):
    line = "loadings iris.safetensors iris.csv --spots 3 --top 2 --out l.csv"
    code, text, _ = narrows(line)
    assert code == 0
    ae = load("iris.safetensors")
    expected = loadings_table(ae, ae.transform(read_table("iris.csv").frame()), spots=3, top=2)
    pd.testing.assert_frame_equal(pd.read_csv("l.csv"), expected)
    first = expected.iloc[0]
    shown = re.sub(" +", " ", text)
    assert f" flower {first.spot} 0 {first.feature} {first.loading:.4g} " in shown
    assert text.splitlines()[-1] == "wrote l.csv"

    # Codes give the same as the rows they are of.
    assert narrows("encode iris.safetensors iris.csv --out z.csv")[0] == 0
    assert narrows("loadings iris.safetensors z.csv --spots 3 --top 2 --out m.csv")[0] == 0
    pd.testing.assert_frame_equal(pd.read_csv("m.csv"), expected, rtol=1e-6)


def test_pictures_are_drawn(narrows):
    assert narrows("loadings digits.safetensors digits.npy --spots 2 --out l.png")[0] == 0
    assert picture("l.png").shape[0] > 200
    _, text, _ = narrows("loadings digits.safetensors digits.npy --top 40")
    assert "… 340 more" in text


def test_codes_as_wide_as_rows_are_taken_for_rows_and_it_says_so(narrows):
    quick(4, max_steps=2).fit(read_table("iris.csv").values).save("wide.safetensors")
    np.save("rows.npy", read_table("iris.csv").values)
    code, _, complaint = narrows("loadings wide.safetensors rows.npy --spots 2 --top 1")
    assert code == 0
    assert "rows.npy is read as rows. If it holds codes" in complaint
    assert narrows("loadings digits.safetensors digits.npy --top 1")[2] == ""


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("iris.safetensors iris.csv --spots 0", 2, "`spots` of loadings must be an integer ≥ 1"),
        ("iris.safetensors iris.csv --out l.npy", 2, "this is written as .csv, .png"),
        ("digits.safetensors iris.csv", 1, "takes rows of 64 or codes of 2"),
        ("iris.safetensors iris.csv --out l.png", 1, "not known to be a picture"),
    ],
)
def test_what_cannot_be_told(narrows, line, code, said):
    ended, _, complaint = narrows(f"loadings {line}")
    assert ended == code
    assert said in complaint
