"""The kernel distance against torch-fidelity's function on the same features."""

import numpy as np
import pytest
import torch

from inpaint.metrics.kernel import kernel_distance


def draw(count, seed, shift=0.0):
    return np.random.default_rng(seed).normal(size=(count, 24)) + shift


def theirs(a, b, **settings):
    kid = pytest.importorskip("torch_fidelity.metric_kid", reason="of the extra 'evaluate'")
    found = kid.kid_features_to_metric(torch.from_numpy(a), torch.from_numpy(b), verbose=False, **settings)
    return found["kernel_inception_distance_mean"]


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_torch_fidelity_finds_the_same_over_the_same_subsets(shift):
    a, b = draw(300, 0), draw(300, 1, shift)
    expected = theirs(a, b, kid_subsets=7, kid_subset_size=100, rng_seed=2020)
    assert kernel_distance(a, b, subsets=7, size=100) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_fewer_images_than_a_subset_are_all_taken_once():
    a, b = draw(40, 0), draw(40, 1, 0.3)
    assert kernel_distance(a, b) == pytest.approx(theirs(a, b, kid_subset_size=40), rel=1e-9)


@pytest.mark.slow
def test_the_usual_subsets_are_torch_fidelitys():
    a, b = draw(1003, 0), draw(1003, 1, 0.2)
    assert kernel_distance(a, b) == pytest.approx(theirs(a, b), rel=1e-9)


def test_equal_laws_are_at_distance_zero_on_average_however_few_images():
    values = [kernel_distance(draw(12, 2 * seed), draw(12, 2 * seed + 1)) for seed in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 20
    assert min(values) < 0 < max(values)
