"""What the page shows, as plain data: whoever has an evaluation, or several, fills this in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from inpaint.evaluation.buckets import ALL
from inpaint.evaluation.differences import Difference
from inpaint.evaluation.record import MASKED, OF_HOLES, ORIGINAL, Words
from inpaint.evaluation.summary import Entry
from inpaint.metrics.base import Better, Measure
from inpaint.weights.curves import Run

__all__ = ["ALL", "MASKED", "ORIGINAL", "Column", "Entry", "Example", "Fact", "Report"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """How the numbers of one measure are shown; the fields are those of `Measure`."""

    name: str
    title: str
    better: Better
    decimals: int = 3
    scale: float = 1.0
    per: Literal["image", "set"] = "image"

    @classmethod
    def of(cls, measure: Measure) -> Column:
        """Return the column of a measure."""
        return cls(
            name=measure.name,
            title=measure.title,
            better=measure.better,
            decimals=measure.decimals,
            scale=measure.scale,
            per=measure.per,
        )


@dataclass(frozen=True, kw_only=True)
class Example:
    """One photo with one mask, as each model fills it.

    image, mask: what they are called. ratio: share of hole pixels. bucket: of this ratio. values: by model, then by
    measure. pictures: files by model, and under `MASKED` and `ORIGINAL`; those that are not kept are left out.
    """

    image: str
    mask: str
    ratio: float | None
    bucket: str | None
    values: Mapping[str, Mapping[str, float]]
    pictures: Mapping[str, Path]


@dataclass(frozen=True)
class Fact:
    """A line on what was evaluated: "size", "256 x 256". code: shown in a typewriter's letters."""

    term: str
    text: str
    code: bool = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything on the page.

    title: of the page. facts: protocol, manifest's hash, device ..., in this order. command: what repeats it. notes:
    sentences below the summary. measures, masks, models: in the order in which they are shown; those of entries and
    examples are among them. buckets: of hole sizes, from small to large, without `ALL`. main: the measure that is shown
    first; None: the first one with a better direction. runs: trainings whose curves are shown. words: what pictures and
    labels are called.
    """

    title: str
    measures: tuple[Column, ...]
    masks: tuple[str, ...]
    models: tuple[str, ...]
    entries: tuple[Entry, ...]
    buckets: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    examples: tuple[Example, ...] = ()
    runs: tuple[Run, ...] = ()
    facts: tuple[Fact, ...] = ()
    command: str = ""
    notes: tuple[str, ...] = ()
    main: str | None = None
    words: Words = OF_HOLES
