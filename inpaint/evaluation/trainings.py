"""Trainings beside each other: the numbers of their curves, and the keys in which their configurations differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inpaint.evaluation.tables import ARROWS, WIDTH, table, wrapped
from inpaint.metrics import MEASURES
from inpaint.metrics.base import Better
from inpaint.options import differing, show
from inpaint.weights.curves import Numbers, Run

BARS = "▁▂▃▄▅▆▇█"
SPARK = 16
"""Characters of a curve in a table."""
PLACES = ("run", "resume", "dry_run")
"""Keys that say where and how a training was started and not what it is; a key stands for all below it."""
_CELL = 24  # most characters of a value in the table of configurations


@dataclass(frozen=True, kw_only=True)
class Course:
    """One number over a training: its best and last value, each with its iteration, and its shape in a few characters.

    best: None where the number has no better direction.
    """

    last: float
    last_at: int
    best: float | None
    best_at: int | None
    spark: str


def course(run: Run, key: str) -> Course | None:
    """Return what a curve of a run came to; None where the run has no finite number of that name."""
    curve = run.curves.get(key)
    finite = None if curve is None else np.isfinite(curve.values)
    if curve is None or finite is None or not finite.any():
        return None
    iterations, values = curve.iterations[finite], curve.values[finite]
    better = direction(key)
    place = {"higher": values.argmax(), "lower": values.argmin(), "neither": None}[better]
    return Course(
        last=float(values[-1]),
        last_at=int(iterations[-1]),
        best=None if place is None else float(values[place]),
        best_at=None if place is None else int(iterations[place]),
        spark=sparkline(values),
    )


def direction(key: str) -> Better:
    """Return which direction is better for a column of metrics.csv: a measure's own, less for a loss."""
    name = key.rpartition("/")[2]
    if name in MEASURES:
        return MEASURES[name]().better
    return "lower" if "loss" in name else "neither"


def sparkline(values: Numbers, width: int = SPARK) -> str:
    """Return values (N,), finite, as bars from the least to the largest, neighbors averaged to at most `width`.

    Example:
        >>> sparkline(np.array([0.0, 1.0, 2.0, 7.0]))
        '▁▂▃█'
    """
    means = np.array([part.mean() for part in np.array_split(values, min(width, len(values)))])
    low, high = means.min(), means.max()
    if high == low:
        return BARS[0] * len(means)
    return "".join(BARS[place] for place in np.rint((means - low) / (high - low) * (len(BARS) - 1)).astype(int))


def courses_table(runs: Sequence[Run], key: str) -> str | None:
    """Return a table of one number with a line for each run that has it; None where none has."""
    found = {run.label: made for run in runs if (made := course(run, key)) is not None}
    if not found:
        return None
    every = list(found.values())
    columns = [["run", *found]]
    if direction(key) != "neither":
        columns += [["best", *(_figure(each.best) for each in every)], ["at", *(f"{each.best_at:,}" for each in every)]]
    columns += [["last", *(_figure(each.last) for each in every)], ["at", *(f"{each.last_at:,}" for each in every)]]
    columns.append(["curve", *(f"{each.spark:<{SPARK}}" for each in every)])
    return f"{key}{ARROWS[direction(key)]}\n\n{table(columns)}"


def configurations_tables(configs: Mapping[str, Mapping[str, Any]], width: int = WIDTH) -> list[str]:
    """Return tables of the keys in which configurations differ, the runs side by side; none where there are none.

    Args:
        configs: Of each run by its label.
        width: Columns of the terminal; further runs follow in further tables.
    """
    found = {
        key: values
        for key, values in differing(*configs.values()).items()
        if not any(key == place or key.startswith(f"{place}.") for place in PLACES)
    }
    if not found:
        return []
    columns = [[label, *(_short(values[number]) for values in found.values())] for number, label in enumerate(configs)]
    return wrapped(["key", *found], columns, width)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else show(value)
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"
