"""The Frechet distance against torch-fidelity's formula on the same features, and closed forms."""

import numpy as np
import pytest
import torch

from inpaint.metrics.frechet import frechet_distance


def draw(count, dimensions, seed):
    random = np.random.default_rng(seed)
    return random.normal(size=(count, dimensions)) @ random.normal(size=(dimensions, dimensions)) + random.normal()


@pytest.mark.parametrize(("count", "other"), [(200, 200), (60, 31), (10, 10), (2, 40)])
def test_torch_fidelity_finds_the_same_also_with_fewer_images_than_features(count, other):
    fid = pytest.importorskip("torch_fidelity.metric_fid", reason="of the extra 'evaluate'")
    a, b = draw(count, 24, 0), draw(other, 24, 1)
    statistics = [fid.fid_features_to_statistics(torch.from_numpy(each)) for each in (a, b)]
    expected = fid.fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"]
    assert frechet_distance(a, b) == pytest.approx(
        expected, rel=1e-5
    )  # roots of rounding errors, where rank is missing
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)


def test_a_shift_costs_its_square_and_a_scaling_that_of_the_deviation():
    a = draw(300, 5, 2)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + 3) == pytest.approx(5 * 9, rel=1e-9)
    centered = a - a.mean(axis=0)
    assert frechet_distance(centered, 3 * centered) == pytest.approx(4 * np.trace(np.cov(a.T)), rel=1e-9)


def test_few_images_give_a_larger_distance_between_equal_laws():
    """Why counts are said: what is 0 for infinitely many images."""
    distances = [
        np.mean([frechet_distance(*np.random.default_rng(seed).normal(size=(2, n, 16))) for seed in range(5)])
        for n in (20, 80, 320)
    ]
    assert distances[0] > 2 * distances[1] > 4 * distances[2] > 0
