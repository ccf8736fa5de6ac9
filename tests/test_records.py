"""What a model remembers of its fit: why it ended, which rows it never saw, how it began."""

import numpy as np
import pytest

from conftest import curved, noise, quick
from narrows import Autoencoder, load
from narrows.errors import DataError
from narrows.sources.split import held_out_rows


def test_why_training_ended():
    X = curved()
    assert quick().fit(X).stopped_because_ == "steps"
    assert (
        quick(callbacks=(lambda progress: progress.step >= 5,)).fit(X).stopped_because_
        == "callback"
    )
    assert quick(patience=1, max_steps=400).fit(noise(200)).stopped_because_ == "patience"

    def interrupt(progress):
        if progress.step == 5:
            raise KeyboardInterrupt

    ae = quick(callbacks=(interrupt,))
    with pytest.raises(KeyboardInterrupt):
        ae.fit(X)
    assert ae.stopped_because_ == "interrupted"
    assert not ae.model_.record.repeatable


@pytest.mark.filterwarnings("ignore:The loss was no longer finite")
def test_a_training_that_diverges_says_so():
    ae = quick(learning_rate=1e30, optimizer="adam").fit(curved())
    assert ae.stopped_because_ == "diverged"


def test_rows_that_the_model_never_saw_are_recorded(tmp_path):
    X = curved(400)
    few = quick().fit(X)  # repeated on all rows, or the PCA of all rows
    assert few.model_.record.saw_all
    assert few.model_.record.unseen is None
    kept = quick(keep="last", random_state=7).fit(X)
    seed = kept.model_.prior_seed
    np.testing.assert_array_equal(kept.model_.record.unseen, held_out_rows(400, 80, seed))
    kept.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.model_.record.unseen, kept.model_.record.unseen)
    assert again.stopped_because_ == kept.stopped_because_


@pytest.mark.parametrize(
    ("first", "found"),
    [(noise(2, 50), 1), (np.zeros((40, 50)), 0), (np.repeat(np.eye(50), 2, 0)[:4], 1)],
)
def test_first_rows_that_cannot_carry_a_code_are_refused(first, found):
    ae = Autoencoder(3, random_state=0)
    with pytest.raises(DataError, match=f"vary in {found} directions.*3 numbers"):
        ae.partial_fit(first)
    assert not hasattr(ae, "model_")
    good = noise(50, 50)
    assert np.isfinite(ae.partial_fit(good).transform(good)).all()


def test_trust_of_few_rows_is_judged_by_rows_left_out():
    """Each row by a summary of others, so that new rows are as strange as those of training."""
    X = curved(900, seed=1)
    ae = quick().fit(X)
    new = curved(2000, seed=2)
    trust = ae.trust(ae.transform(new), new)
    for level in (0.1, 0.25, 0.5):
        assert (trust <= level).mean() == pytest.approx(level, abs=0.07)
