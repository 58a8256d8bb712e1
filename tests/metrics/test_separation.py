"""P-IDS and U-IDS: what a linear classifier cannot tell apart."""

import sys

import numpy as np
import pytest

from inpaint.errors import MissingDependencyError
from inpaint.metrics import Sets
from inpaint.metrics.separation import separate

pytest.importorskip("sklearn", reason="of the extra 'evaluate'")


def draw(count, *, dimensions=8, seed=0):
    return np.random.default_rng(seed).normal(size=(2, count, dimensions))


@pytest.mark.parametrize(
    ("per_dimension", "unpaired", "paired"),
    [(1, 0.145, 0.055), (2, 0.299, 0.242), (4, 0.350, 0.277), (8, 0.402, 0.367)],
)
def test_equal_laws_look_different_when_there_are_few_images(per_dimension, unpaired, paired):
    """The figures: of the program that published the measures, on normal features of 128 dimensions or more."""
    found = [separate(*draw(128 * per_dimension, dimensions=128, seed=seed)) for seed in range(4)]
    assert np.mean([each.unpaired for each in found]) == pytest.approx(unpaired, abs=0.03)
    assert np.mean([each.paired for each in found]) == pytest.approx(paired, abs=0.05)


def test_sets_far_apart_are_told_apart_and_the_mirrored_question_gives_the_same_answer():
    painted, originals = draw(200)
    far = separate(painted + 9, originals)
    assert (far.paired, far.unpaired) == (0, 0)
    near, mirrored = separate(painted, originals), separate(originals, painted)
    assert 0.3 < near.unpaired <= 0.5
    assert mirrored.unpaired == pytest.approx(near.unpaired, abs=1e-9)
    assert mirrored.paired == pytest.approx(near.paired, abs=1e-9)


def test_pairs_that_hardly_differ_are_judged_photo_by_photo():
    """One feature shifts by little: no image can be placed, but every pair is ordered by it."""
    originals = draw(500)[0]
    found = separate(originals + 0.05 * np.eye(8)[0], originals)
    assert found.paired == 0
    assert found.unpaired == pytest.approx(0.5, abs=0.05)


def test_several_measures_fit_one_classifier():
    sets = Sets(*draw(50))
    assert sets.separation is sets.separation


def test_without_scikit_learn_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    with pytest.raises(MissingDependencyError, match=r"needs the package sklearn: pip install 'pytorch-inpaint\[eval"):
        separate(*draw(10))
