"""Is a difference real: paired comparisons of models on the photos that both have filled."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np

from inpaint.errors import InputError, UsageError, unknown
from inpaint.evaluation.buckets import ALL
from inpaint.evaluation.resampling import RESAMPLES, Floats, bootstrap_interval, holm, least_p, signed_ranks
from inpaint.metrics.base import Measure

Verdict: TypeAlias = Literal["better", "worse", "no difference shown", "too few photos"]

ALPHA = 0.05
LEAST = 6
"""Below so many pairs no outcome can be told from chance at 5 %: 5 of 5 in one direction come about with 2/32."""

_OPPOSITE: dict[Verdict, Verdict] = {"better": "worse", "worse": "better"}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One model minus another in one measure, over the photos of one group that have a value for both.

    mask, bucket: the group. n: photos compared. left_out: photos that one of the two has no value for. mean: of the
    differences, in the measure's unit; low, high: its 95 % bootstrap interval. p: of Wilcoxon's signed-rank test;
    p_holm: corrected for all `tests` of the group. wins, losses, ties: shares of the photos on which `model` is better,
    worse, the same. What n does not allow is None.
    """

    measure: str
    mask: str
    bucket: str
    model: str
    against: str
    n: int
    left_out: int
    mean: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    tests: int
    wins: float
    ties: float
    losses: float
    verdict: Verdict

    def turned(self) -> Difference:
        """Return the same, seen from the other model."""
        return replace(
            self,
            model=self.against,
            against=self.model,
            mean=None if self.mean is None else -self.mean,
            low=None if self.high is None else -self.high,
            high=None if self.low is None else -self.low,
            wins=self.losses,
            losses=self.wins,
            verdict=_OPPOSITE.get(self.verdict, self.verdict),
        )


def differences(
    values: Floats,
    *,
    models: Sequence[str],
    measures: Sequence[Measure],
    against: str | None = None,
    mask: str = "",
    bucket: str = ALL,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[Difference]:
    """Compare models pair by pair in every measure that has a better direction.

    A difference is shown, "better" or "worse", when two things agree: Wilcoxon's test, corrected after Holm for all
    comparisons made here, has p < 0.05, and the 95 % interval of the mean difference leaves out zero on the side to
    which the ranks point. "too few photos" says that even a win on every photo could not have been shown.

    Args:
        values: (photos, models, measures); NaN where there is no value.
        models: Their labels.
        measures: What was measured.
        against: Compare with this model only; None: every pair, also where only those with the best are looked at: a
            best model that was chosen by the same numbers is no choice made beforehand.
        mask: Name of the group, passed on.
        bucket: The same.
        seed: Decides the resamples.
        resamples: How many.

    Returns:
        By measure, then by pair, each pair once: the later model minus the earlier one, or minus `against`.

    Raises:
        InputError: The array has another shape.
        UsageError: `against` is none of the models.
    """
    if values.shape[1:] != (len(models), len(measures)):
        raise InputError(
            f"values must have shape (photos, {len(models)} models, {len(measures)} measures), got {values.shape}"
        )
    if against is not None and against not in models:
        raise UsageError(unknown("model to compare with", against, models))
    pairs = [(b, a) for a, b in combinations(range(len(models)), 2)]
    if against is not None:
        pairs = [(b, models.index(against)) for b in range(len(models)) if models[b] != against]
    columns = [(q, b, a) for q in range(len(measures)) if measures[q].better != "neither" for b, a in pairs]
    paired = [_difference(values[:, b, q], values[:, a, q]) for q, b, a in columns]
    intervals = _intervals(paired, seed, resamples)
    tested = [column for column, found in enumerate(paired) if np.isfinite(found).sum() >= LEAST]
    ranked = [signed_ranks(_kept(paired[column])) for column in tested]
    corrected = dict(zip(tested, holm([p for p, _ in ranked]), strict=True))
    ranks = dict(zip(tested, ranked, strict=True))
    found = []
    for column, (q, b, a) in enumerate(columns):
        there = _kept(paired[column])
        missing = np.isfinite(values[:, b, q]) != np.isfinite(values[:, a, q])
        sign = 1 if measures[q].better == "higher" else -1
        low, high = intervals.get(column, (None, None))
        p, direction = ranks.get(column, (None, 0))
        found.append(
            Difference(
                measure=measures[q].name,
                mask=mask,
                bucket=bucket,
                model=models[b],
                against=models[a],
                n=len(there),
                left_out=int(missing.sum()),
                mean=math.fsum(there) / len(there) if len(there) else None,
                low=low,
                high=high,
                p=p,
                p_holm=corrected.get(column),
                tests=len(tested),
                wins=_share(sign * there > 0),
                ties=_share(there == 0),
                losses=_share(sign * there < 0),
                verdict=_verdict(len(there), low, high, direction, corrected.get(column), len(tested), sign),
            )
        )
    return found


def best_model(values: Floats, models: Sequence[str], measure: Measure) -> str | None:
    """Return the model with the best mean over the photos for which every model with values has one.

    Args:
        values: (photos, models), NaN where there is no value.
        models: Their labels.
        measure: Says which direction is better.

    Returns:
        Its label, the first one of equals; None without such photos or direction.
    """
    there = np.isfinite(values)
    some = there.any(axis=0)
    common = there[:, some].all(axis=1)
    if measure.better == "neither" or not common.any() or not some.any():
        return None
    means = np.where(some, values[common].mean(axis=0), np.nan)
    return models[int(np.nanargmax(means) if measure.better == "higher" else np.nanargmin(means))]


def between(found: Sequence[Difference], model: str, against: str) -> Iterator[Difference]:
    """Yield the comparisons of two models, seen from the first, whichever way round they were made."""
    for each in found:
        if (each.model, each.against) == (model, against):
            yield each
        elif (each.model, each.against) == (against, model):
            yield each.turned()


def _difference(mine: Floats, others: Floats) -> Floats:
    there = np.isfinite(mine) & np.isfinite(others)
    found: Floats = np.where(there, np.where(there, mine, 0) - np.where(there, others, 0), np.nan)
    return found


def _kept(paired: Floats) -> Floats:
    return paired[np.isfinite(paired)]


def _intervals(paired: Sequence[Floats], seed: int, resamples: int) -> dict[int, tuple[float, float]]:
    """Return the interval of every column with enough photos; those of the same photos are resampled together."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for column, found in enumerate(paired):
        if np.isfinite(found).sum() >= LEAST:
            groups[np.isfinite(found).tobytes()].append(column)
    intervals: dict[int, tuple[float, float]] = {}
    for group in groups.values():
        values = np.stack([_kept(paired[column]) for column in group], axis=1)
        low, high = bootstrap_interval(values, seed=seed, resamples=resamples)
        intervals |= dict(zip(group, zip(low.tolist(), high.tolist(), strict=True), strict=True))
    return intervals


def _share(which: object) -> float:
    flags = np.asarray(which)
    return float(flags.mean()) if len(flags) else 0.0


def _verdict(
    n: int, low: float | None, high: float | None, direction: int, p_holm: float | None, tests: int, sign: int
) -> Verdict:
    """Return what is shown; direction: of the ranks; sign: 1 where more is better, else -1."""
    if low is None or high is None or p_holm is None:
        return "too few photos"
    side = 1 if low > 0 else -1 if high < 0 else 0
    if p_holm < ALPHA and side and side == direction:
        return "better" if side == sign else "worse"
    return "too few photos" if least_p(n) * tests >= ALPHA else "no difference shown"
