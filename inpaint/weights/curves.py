"""metrics.csv of a run folder, read: the rows for who writes on, the curves for who draws them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import RunError
from inpaint.weights.runs import RunFolder, run_labels, runs_in

KEY = "iteration"
"""The first column: the iteration that the numbers of a row belong to."""
Row = dict[str, str]
"""The cells of one row that are not empty, by column."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """One number over a training: iterations (N,), ascending, and values (N,), NaN where one was not finite."""

    iterations: Numbers
    values: Numbers


@dataclass(frozen=True)
class Run:
    """The curves of one training run by their columns in metrics.csv, and the name under which it is shown."""

    label: str
    curves: Mapping[str, Curve]


def parse_rows(content: bytes) -> tuple[list[str], list[Row]]:
    """Return the columns and the complete rows of metrics.csv.

    A last line without its end, which a kill may have left, and lines with other cells than the columns are left out.

    Returns:
        Columns and rows; ([], []) for what is no metrics.csv.
    """
    text = content.decode("utf-8", errors="replace")
    whole = text[: text.rfind("\n") + 1]
    lines = list(csv.reader(io.StringIO(whole, newline="")))
    if not lines or lines[0][:1] != [KEY]:
        return [], []
    columns = lines[0]
    return columns, [
        {name: cell for name, cell in zip(columns, line, strict=True) if cell}
        for line in lines[1:]
        if len(line) == len(columns) and line[0].isdigit()
    ]


def read_curves(path: Path) -> dict[str, Curve]:
    """Read a metrics.csv, also that of a run which goes on just now.

    Returns:
        A curve for every column that holds numbers, in the order of the columns.

    Raises:
        RunError: It cannot be read, or holds no rows.
    """
    try:
        columns, rows = parse_rows(path.read_bytes())
    except OSError as error:
        raise RunError(f"cannot read '{path}': {error.strerror or error}") from None
    if not rows:
        raise RunError(f"'{path}' holds no numbers of a training run: its first column must be '{KEY}', rows follow")
    found = {}
    for name in columns[1:]:
        points = [(int(row[KEY]), number) for row in rows if (number := _number(row.get(name, ""))) is not None]
        if points:
            iterations, values = np.array(points, dtype=np.float64).T
            found[name] = Curve(iterations, values)
    return found


def read_runs(places: Sequence[str | Path]) -> list[Run]:
    """Read the curves of training runs.

    Args:
        places: Run folders, their metrics.csv, or folders that hold run folders, such as that of a sweep.

    Returns:
        The runs in this order, those of one folder by name. Each is called by its folder's name; where two share one,
        by what was given, or by its place below that.

    Raises:
        RunError: A place holds no run with numbers.
    """
    found: dict[Path, Path] = {}
    for place in places:
        for path in _metrics_at(Path(place)):
            found.setdefault(path.parent, path)
    return [Run(label, read_curves(path)) for label, path in zip(run_labels([*found]), found.values(), strict=True)]


def smoothed(values: Numbers, weight: float) -> Numbers:
    """Return the exponential moving average of a curve, its start corrected as Adam's moments are.

    Args:
        values: (N,); those that are not finite are passed over and stay NaN.
        weight: Of the past, 0 (nothing changes) to below 1; 0.9 averages over some ten values.

    Returns:
        (N,)

    Example:
        >>> smoothed(np.array([1.0, 1.0, 4.0]), 0.5).round(3).tolist()
        [1.0, 1.0, 2.714]
    """
    out, total, weights = np.full(len(values), np.nan), 0.0, 0.0
    for index, value in enumerate(values):
        if np.isfinite(value):
            total = weight * total + (1 - weight) * value
            weights = weight * weights + (1 - weight)
            out[index] = total / weights
    return out


def _metrics_at(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if RunFolder(place).metrics.is_file():
        return [RunFolder(place).metrics]
    runs = runs_in(place) if place.is_dir() else []
    below = [RunFolder(path).metrics for path in runs if RunFolder(path).metrics.is_file()]
    if not below:
        what = "no such file or folder" if not place.exists() else "neither it nor a folder in it holds metrics.csv"
        raise RunError(f"'{place}' is no training run: {what}")
    return below


def _number(cell: str) -> float | None:
    """Return the number of a cell, NaN for one that is not finite, None for a cell that holds none."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if np.isfinite(value) else np.nan
