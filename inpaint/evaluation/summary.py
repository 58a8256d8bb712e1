"""From a record to an answer: means with their intervals, and which differences are shown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # type: ignore[import-untyped]

from inpaint.evaluation.buckets import ALL, TENTHS, bucket, labels
from inpaint.evaluation.differences import Difference, best_model, between, differences
from inpaint.evaluation.record import Record, Row
from inpaint.evaluation.resampling import LEVEL, RESAMPLES, Floats
from inpaint.metrics import PSNR_CAP_DB, ImageMeasure
from inpaint.metrics.pixel import HoleRatio
from inpaint.system.files import csv_text

Mark: TypeAlias = Literal["best", "open", ""]
"""Of a mean: the best one, not shown to differ from the best, or neither."""

Flags: TypeAlias = NDArray[np.bool_]

RATIO = HoleRatio.name
SECONDS = "seconds"
PROTOCOL = {
    "compared": "the completed image rounded to 8 bit against the original in 8 bit, RGB, range [0, 1]",
    "hole": "names with _hole: over hole pixels; the others over the whole image",
    "psnr": f"per image, at most {PSNR_CAP_DB:g} dB",
    "ssim": "Gaussian window 11 x 11, sigma 1.5, mean of channels; borders mirrored for the hole, valid region else",
    "mean": "over photos that every model has filled; interval: Student t, 95 %",
    "differences": "over photos that both models have filled; interval of the mean: bias-corrected accelerated "
    f"bootstrap, {RESAMPLES:,} resamples, widened for small samples, {100 * LEVEL:g} %; p: Wilcoxon's signed ranks, "
    "two-sided, corrected after Holm for all measures and pairs of one kind of mask and bucket",
    "seconds": "wall clock per photo, one at a time, from the image in memory to the answer; warm-up excluded",
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One mean: of a model in a measure over the n photos of a kind of mask and a bucket of hole ratios.

    bucket: `ALL` for any hole. measure: its name, or "seconds". n: photos for which every model with values has one, or
    those that a measure of sets has seen. mean, low, high: in the measure's unit, the latter the 95 % interval; None
    where n does not allow one, and for measures of sets. filled: photos for which this model has a value; None for
    measures of sets.
    """

    mask: str
    bucket: str
    model: str
    measure: str
    n: int
    mean: float | None
    low: float | None = None
    high: float | None = None
    mark: Mark = ""
    filled: int | None = None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What an evaluation says.

    entries: by mask, bucket, measure and model. differences: every pair of models where `against` is None, else every
    model with that one. buckets: those of hole ratios that hold photos, from small to large, without `ALL`.
    """

    entries: tuple[Entry, ...]
    differences: tuple[Difference, ...]
    buckets: tuple[str, ...]
    against: str | None = None

    def column(self, mask: str, measure: str, bucket: str = ALL) -> dict[str, Entry]:
        """Return the entries of one column by model."""
        return {
            each.model: each
            for each in self.entries
            if (each.mask, each.measure, each.bucket) == (mask, measure, bucket)
        }

    def compared(self, mask: str, measure: str, bucket: str = ALL) -> list[Difference]:
        """Return how each model of a column differs from `against`, or from the best of the column."""
        column = self.column(mask, measure, bucket)
        reference = self.against or next((name for name, entry in column.items() if entry.mark == "best"), None)
        made = [each for each in self.differences if (each.mask, each.measure, each.bucket) == (mask, measure, bucket)]
        others = [model for model in column if model != reference]
        return [found for model in others if reference for found in between(made, model, reference)]

    def plain(self) -> dict[str, Any]:
        """Return entries and differences as JSON knows them."""
        return {
            "entries": [asdict(each) for each in self.entries],
            "differences": [asdict(each) for each in self.differences],
            "against": self.against,
        }

    def csv(self) -> str:
        """Return the entries as CSV; numbers are written so that reading gives back the same double."""
        lines = [["mask", "bucket", "model", "measure", "n", "filled", "mean", "low", "high", "mark"]]
        for each in self.entries:
            numbers = (each.n, each.filled, each.mean, each.low, each.high)
            cells = ["" if value is None else repr(value) for value in numbers]
            lines.append([each.mask, each.bucket, each.model, each.measure, *cells, each.mark])
        return csv_text(lines)


def summarize(record: Record, *, against: str | None = None, edges: Sequence[float] = TENTHS, seed: int = 0) -> Summary:
    """Return means, intervals and differences for every kind of mask and bucket of hole ratios.

    Means are over the photos that every model has filled, so that a model which refuses hard photos is not rewarded. A
    model that filled none at all has no means and does not count there. Buckets need the measure `hole_ratio`.

    Args:
        record: The evaluation.
        against: Compare every model with this one; None: every pair.
        edges: Of the buckets, shares of the image.
        seed: Decides the resamples of the bootstrap.

    Raises:
        UsageError: `against` is none of the models.
    """
    entries, found, used = list[Entry](), list[Difference](), set[str]()
    for mask in record.manifest.labels:
        rows = [row for row in record.rows if row.mask == mask]
        groups = _grouped(rows, edges)
        used |= groups.keys() - {ALL}
        if len(groups) == 2:  # one bucket holds all photos: the same numbers again
            groups = {ALL: groups[ALL]}
        for name, images in groups.items():
            values = _values([row for row in rows if row.image in images], record.models, record.of_images, images)
            compare = partial(
                differences,
                values[:, :, :-1],
                models=record.models,
                measures=record.of_images,
                mask=mask,
                bucket=name,
                seed=seed,
            )
            compared = compare(against=against)
            # Marks look at the best of a column, whoever is compared with.
            pairs = compared if against is None else compare()
            found += compared
            entries += _entries(values, record.models, record.of_images, pairs, mask=mask, bucket=name)
        entries += [
            Entry(mask=mask, bucket=ALL, model=row.model, measure=row.measure, n=row.n, mean=row.value)
            for row in record.sets
            if row.mask == mask
        ]
    order = [name for name in labels(edges) if name in used]
    return Summary(entries=tuple(entries), differences=tuple(found), buckets=tuple(order), against=against)


def estimate(values: Floats) -> tuple[float | None, float | None, float | None]:
    """Return the mean of (N,) and the ends of its 95 % interval after Student; None where N does not allow one."""
    n = len(values)
    if n == 0:
        return None, None, None
    mean = math.fsum(values) / n
    if n == 1:
        return mean, None, None
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return mean, mean - half, mean + half


def _grouped(rows: Sequence[Row], edges: Sequence[float]) -> dict[str, dict[str, int]]:
    """Return the photos of `ALL` and of every bucket that holds some, each photo with its place in the group."""
    ratios = {row.image: row.values[RATIO] for row in rows if RATIO in row.values}
    groups: dict[str, dict[str, int]] = {ALL: {}, **{name: {} for name in labels(edges)}}
    for image in dict.fromkeys(row.image for row in rows):
        inside = bucket(ratios[image], edges) if image in ratios else None
        for name in (ALL, *([inside] if inside else [])):
            groups[name][image] = len(groups[name])
    return {name: images for name, images in groups.items() if images or name == ALL}


def _values(
    rows: Sequence[Row], models: Sequence[str], measures: Sequence[ImageMeasure], images: Mapping[str, int]
) -> Floats:
    """Return (photos, models, measures and the seconds), NaN where nothing was measured."""
    values: Floats = np.full((len(images), len(models), len(measures) + 1), np.nan)
    place = {model: number for number, model in enumerate(models)}
    for row in rows:
        numbers = [row.values.get(measure.name, math.nan) for measure in measures]
        values[images[row.image], place[row.model]] = [*numbers, math.nan if row.seconds is None else row.seconds]
    return values


def _entries(
    values: Floats,
    models: Sequence[str],
    measures: Sequence[ImageMeasure],
    pairs: Sequence[Difference],
    *,
    mask: str,
    bucket: str,
) -> Iterator[Entry]:
    for column, name in enumerate([*(measure.name for measure in measures), SECONDS]):
        there: Flags = np.isfinite(values[:, :, column])
        some: Flags = np.asarray(there.any(axis=0))
        common: Flags = np.asarray(there[:, some].all(axis=1)) & some.any()
        best = best_model(values[:, :, column], models, measures[column]) if column < len(measures) else None
        for number, model in enumerate(models):
            counted = values[common, number, column] if some[number] else values[:0, number, column]
            mean, low, high = estimate(counted)
            entry = Entry(
                mask=mask,
                bucket=bucket,
                model=model,
                measure=name,
                n=len(counted),
                filled=int(there[:, number].sum()),
                mean=mean,
                low=low,
                high=high,
            )
            yield replace(entry, mark=_mark(model, best, name, pairs) if some[number] else "")


def _mark(model: str, best: str | None, measure: str, pairs: Sequence[Difference]) -> Mark:
    if model == best:
        return "best"
    made = (each for each in pairs if each.measure == measure)
    shown = [each.verdict for each in between(list(made), model, best or "")]
    return "open" if shown and shown[0] not in ("better", "worse") else ""
