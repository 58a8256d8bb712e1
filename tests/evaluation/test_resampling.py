"""The statistics against closed forms, enumeration, SciPy, and simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from inpaint.evaluation.resampling import bootstrap_interval, holm, least_p, signed_ranks


def widened(count, level=0.95):
    """The level at which a percentile interval is as wide as Student's, from SciPy's distributions."""
    tail = stats.norm.cdf(-math.sqrt(count / (count - 1)) * stats.t.ppf((1 + level) / 2, count - 1))
    return 1 - 2 * tail


@pytest.mark.parametrize("count", [12, 40])
def test_the_interval_is_that_of_scipy_at_the_widened_level(count):
    values = np.random.default_rng(3).gamma(4, size=(count, 2))
    low, high = bootstrap_interval(values, resamples=60_000)
    for column in range(2):
        with_scipy = stats.bootstrap(
            (values[:, column],), np.mean, confidence_level=widened(count), n_resamples=60_000, rng=1, batch=2000
        ).confidence_interval
        scale = values[:, column].std() / math.sqrt(count)
        assert (low[column], high[column]) == pytest.approx(tuple(with_scipy), abs=0.08 * scale)  # both are random


def test_the_interval_of_many_normal_values_is_student_s():
    values = np.random.default_rng(0).normal(2.0, 3.0, (400, 1))
    low, high = bootstrap_interval(values, resamples=40_000)
    wanted = stats.t.interval(0.95, 399, values.mean(), stats.sem(values[:, 0]))
    assert (low[0], high[0]) == pytest.approx(wanted, abs=0.02)


def test_intervals_depend_on_the_seed_and_the_column_alone():
    values = np.random.default_rng(0).normal(size=(12, 3))
    low, high = bootstrap_interval(values)
    again, alone = bootstrap_interval(values), bootstrap_interval(values[:, 1:2])
    assert np.array_equal(low, again[0])
    assert np.array_equal(high, again[1])
    assert (low[1], high[1]) == pytest.approx((alone[0][0], alone[1][0]), rel=1e-12)
    assert not np.array_equal(low, bootstrap_interval(values, seed=1)[0])


def test_blocks_of_resamples_leave_none_out(monkeypatch):
    values = np.random.default_rng(0).normal(size=(50, 2))
    whole = bootstrap_interval(values, resamples=1003)
    monkeypatch.setattr("inpaint.evaluation.resampling._AT_ONCE", 50 * 100)
    assert np.allclose(bootstrap_interval(values, resamples=1003), whole, rtol=0, atol=0.1)


def test_equal_differences_have_an_interval_of_no_width():
    values = np.array([[0.1, 0.0]] * 7)
    low, high = bootstrap_interval(values)
    assert low.tolist() == high.tolist() == values.mean(axis=0).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("draw", ["normal", "exponential"])
@pytest.mark.parametrize("count", [10, 20, 50])
def test_the_interval_holds_the_true_mean_about_as_often_as_it_says(draw, count):
    rng = np.random.default_rng(1)
    values, mean = getattr(rng, draw)(size=(count, 2000)), {"normal": 0.0, "exponential": 1.0}[draw]
    low, high = bootstrap_interval(values, resamples=4000)
    held = np.mean((low <= mean) & (mean <= high))
    assert (0.935 if draw == "normal" else 0.90) < held < 0.965


def signed_ranks_by_hand(differences):
    """Wilcoxon's two-sided p by going through all signs: how often the rank sum is at least as far from its middle."""
    ranks = stats.rankdata(np.abs(differences))
    middle = ranks.sum() / 2
    found = abs(ranks[np.array(differences) > 0].sum() - middle)
    sums = [sum(itertools.compress(ranks, signs)) for signs in itertools.product((0, 1), repeat=len(ranks))]
    return np.mean([abs(each - middle) >= found - 1e-9 for each in sums])


@pytest.mark.parametrize(
    "differences",
    [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, -2.0, 3.5, 4.0, -5.0, 6.0, 7.0], [0.3, 0.3, -0.3, 1.0, 1.0, 2.0, 2.0, -4.0]],
)
def test_p_counts_the_signs_that_are_as_extreme_also_with_ties(differences):
    p, direction = signed_ranks(np.array(differences))
    assert p == pytest.approx(signed_ranks_by_hand(differences))
    assert direction == 1
    assert signed_ranks(-np.array(differences)) == (pytest.approx(p), -1)


def test_zeros_say_nothing_about_a_direction():
    differences = np.array([1.0, -2.0, 3.0, 4.0, 5.0, 6.0])
    assert signed_ranks(np.concatenate([differences, np.zeros(5)])) == signed_ranks(differences)
    assert signed_ranks(np.zeros(9)) == (1.0, 0)
    assert signed_ranks(np.array([1.0, -1.0]))[1] == 0


@pytest.mark.parametrize("count", [1, 5, 6, 12])
def test_the_least_p_is_that_of_a_win_on_every_photo(count):
    assert least_p(count) == pytest.approx(signed_ranks(np.arange(1.0, count + 1))[0])


def test_holm_by_hand():
    # Sorted: 0.005 x 4 = 0.02, 0.01 x 3 = 0.03, 0.03 x 2 = 0.06, 0.04 x 1 = 0.04 -> not below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.6]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []
