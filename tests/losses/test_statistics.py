import numpy as np
import pytest
import torch

from inpaint.errors import ConfigError
from inpaint.losses.statistics import FeatureStatistics
from inpaint.options import validated

RNG = np.random.default_rng(0)


def test_means_and_deviations_are_compared_as_numpy_does():
    record = {
        name: RNG.random((2, 3, *size)) for name, size in {"a": (4, 5), "b": (3, 7), "c": (2, 2), "d": (1, 2)}.items()
    }
    term = FeatureStatistics(of=("a", "c"), target=("b", "d"), weight=1)
    expected = 0.0
    for ours, theirs in (("a", "b"), ("c", "d")):
        one, other = (record[name].reshape(2, 3, -1) for name in (ours, theirs))
        expected += np.mean((one.mean(axis=2) - other.mean(axis=2)) ** 2)
        deviations = (np.sqrt(each.var(axis=2, ddof=1) + 1e-5) for each in (one, other))
        expected += np.mean(np.subtract(*deviations) ** 2)
    found = term({name: torch.from_numpy(array) for name, array in record.items()})
    assert found.item() == pytest.approx(expected, rel=1e-12)
    assert term.entries == {"a", "b", "c", "d"}


def test_features_of_one_position_have_no_deviation_and_a_finite_gradient():
    x = torch.rand(1, 4, 1, 1, requires_grad=True)
    FeatureStatistics(of=("x",), target=("y",), weight=1)({"x": x, "y": torch.rand(1, 4, 2, 2)}).backward()
    assert x.grad.isfinite().all()
    assert x.grad.abs().sum() > 0


def test_entries_come_in_pairs():
    with pytest.raises(ConfigError, match="of and target must name as many entries, got 2 and 1"):
        validated(FeatureStatistics, {"of": ["a", "b"], "target": ["c"], "weight": 1})
