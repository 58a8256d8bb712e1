"""How certain a mean is, and whether paired values differ: the statistics, on plain arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit  # type: ignore[import-untyped]

Floats = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 10_000
_AT_ONCE = 4_000_000  # numbers of one block of resamples


def bootstrap_interval(
    values: Floats, *, seed: int = 0, resamples: int = RESAMPLES, level: float = LEVEL
) -> tuple[Floats, Floats]:
    """Return bootstrap intervals of the means of several columns, resampling whole rows.

    Bias-corrected and accelerated (Efron 1987), at levels widened for small samples (Hesterberg 2015, "What teachers
    should know about the bootstrap", section 4.3), without which intervals of ten values miss the mean twice as often
    as they say. Every column sees the same resamples.

    Args:
        values: (N, K), N >= 2, finite: a row per photo.
        seed: Decides the resamples.
        resamples: How many.
        level: How often the interval should hold the true mean.

    Returns:
        Lower and upper ends, (K,) each. Of a column with one value only, that value.
    """
    count = len(values)
    means = values.mean(axis=0)
    centered = values - means
    resampled = np.concatenate([counts @ centered for counts in _resample_counts(count, resamples, seed)]) / count
    resampled.sort(axis=0)
    rounding = 1e-12 * np.abs(centered).max(axis=0)
    below = ((resampled < -rounding).mean(axis=0) + (resampled <= rounding).mean(axis=0)) / 2  # halves of equal ones
    bias = ndtri(np.clip(below, 1 / resamples, 1 - 1 / resamples))
    squares = np.square(centered).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        # The jackknife of a mean in closed form.
        acceleration = np.where(squares > 0, (centered**3).sum(axis=0) / (6 * squares**1.5), 0)
    tail = float(ndtr(-math.sqrt(count / (count - 1)) * stdtrit(count - 1, (1 + level) / 2)))
    ends = []
    for quantile in (tail, 1 - tail):
        z = bias + ndtri(quantile)
        share = ndtr(bias + z / (1 - acceleration * z))
        ends.append(means + _quantiles(resampled, share))
    constant = np.ptp(values, axis=0) == 0
    return np.where(constant, means, ends[0]), np.where(constant, means, ends[1])


def signed_ranks(differences: Floats) -> tuple[float, int]:
    """Return the two-sided p of Wilcoxon's signed-rank test, and the direction of the ranks: 1, -1, or 0.

    Differences of zero say nothing about a direction and are left out (Wilcoxon 1945); where none is left p is 1. The
    p is exact for up to 50 differences without ties among them; else it is that of the normal distribution, but for
    very few.

    Args:
        differences: (N,), finite.
    """
    from scipy.stats import rankdata, wilcoxon  # type: ignore[import-untyped]  # takes half a second

    moved = differences[differences != 0]
    if not len(moved):
        return 1.0, 0
    return float(wilcoxon(moved).pvalue), int(np.sign(np.sum(np.sign(moved) * rankdata(np.abs(moved)))))


def least_p(count: int) -> float:
    """Return the least two-sided p that signed ranks of so many pairs can have: all in one direction."""
    return min(1.0, math.ldexp(1.0, 1 - count))


def holm(p: Sequence[float]) -> list[float]:
    """Return the p of several tests, corrected so that all of them together err at the level of one (Holm 1979).

    The smallest is multiplied by the number of tests, the next by one less, and so on; none ends below one before it.
    """
    corrected, highest = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - rank) * p[place]))
        corrected[place] = highest
    return corrected


def _resample_counts(count: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield how often each of `count` rows is drawn in each resample, in blocks (R, N)."""
    rng = np.random.default_rng([seed, count])
    block = max(1, _AT_ONCE // count)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = rng.integers(0, count, size=(rows, count)) + np.arange(rows)[:, None] * count
        yield np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)


def _quantiles(sorted_values: Floats, shares: Floats) -> Floats:
    """Return of each sorted column (R, K) its own quantile (K,), between neighbors in proportion."""
    place = shares * (len(sorted_values) - 1)
    lower = np.floor(place).astype(np.intp)
    upper, columns = np.minimum(lower + 1, len(sorted_values) - 1), np.arange(sorted_values.shape[1])
    low, high = sorted_values[lower, columns], sorted_values[upper, columns]
    quantiles: Floats = low + (high - low) * (place - lower)
    return quantiles
