"""Curves of training runs: which are shown, and all of them drawn into one image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import inpaint.arguments as arguments
from inpaint.errors import InputError, UsageError, unknown
from inpaint.system.extras import import_optional
from inpaint.system.files import atomic_write
from inpaint.weights.curves import KEY, Curve, Numbers, Run, read_runs, smoothed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

USUAL_KEYS = ("val/*", "train/*", "lr/*", "speed/images_per_s")
"""Patterns of what is shown when nothing else is said, in this order: validation, losses, learning rates, speed."""
COLORS = ("#0072b2", "#d55e00", "#00875f", "#aa3f93", "#8a6d00", "#3d7f95", "#b3305a", "#5f6670")
"""Of runs, told apart also without red and green; from the ninth on they come again with broken lines."""
DASHES = ("-", "--", ":", "-.")
COLUMNS, PANEL_INCHES = 3, (4.4, 2.9)
UNUSUAL_KEYS = ("*/hole_ratio",)
"""And what of these only when it is asked for: it tells of the masks, not of the training."""
EXACT = ("val/*", "lr/*")
"""What is never smoothed: averages over a whole set, and what has no noise."""
LOG_RATIO = 30  # from this ratio of the largest to the smallest value on, a panel counts in powers of ten


def shown_keys(runs: Sequence[Run], patterns: Sequence[str] = ()) -> list[str]:
    """Return which columns of the runs are shown, in the order of the patterns, then of the files.

    Args:
        runs: Training runs.
        patterns: Names or shell patterns such as `val/*`; none: USUAL_KEYS, or all where the runs have none of these.

    Raises:
        UsageError: A pattern matches no column of any run.
    """
    there = list(dict.fromkeys(name for run in runs for name in run.curves))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in there):
            raise UsageError(unknown("key", pattern, there))
    usual = there if patterns else [name for name in there if not _matches(name, UNUSUAL_KEYS)]
    found = [name for pattern in patterns or USUAL_KEYS for name in usual if fnmatchcase(name, pattern)]
    return list(dict.fromkeys(found)) or there


def is_exact(key: str) -> bool:
    """Return whether a column of metrics.csv is never smoothed (`EXACT`)."""
    return _matches(key, EXACT)


def _matches(key: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)


def counts_in_powers(values: Numbers) -> bool:
    """Return whether a panel that shows these values, (N,), is clearer with a logarithmic axis."""
    finite = values[np.isfinite(values)]
    return bool(finite.size and finite.min() > 0 and finite.max() / finite.min() > LOG_RATIO)


def plot(
    places: Sequence[str | Path], output: str | Path, *, keys: Sequence[str] = (), smooth: float = 0.0
) -> list[str]:
    """Draw the curves of training runs into a PNG: a panel for each number, a line in it for each run.

    Args:
        places: Run folders, their metrics.csv, or folders of run folders (`read_runs`).
        output: The PNG.
        keys: Columns of metrics.csv or patterns of them (`shown_keys`).
        smooth: Weight of the past in a moving average, 0 to below 1; the curves themselves stay behind it, pale.
            Validation and learning rates stay as they are.

    Returns:
        The columns that are shown.

    Raises:
        RunError: A place holds no run.
        UsageError: There is none, or a key matches nothing.
        InputError: An argument is of another type or out of its range.
        MissingDependencyError: matplotlib is not installed.
    """
    smooth = arguments.number("smooth", smooth)
    if smooth >= 1:
        raise InputError(f"smooth must be a number from 0 to below 1, got {smooth:g}")
    if not places:
        raise UsageError("nothing to plot: name at least one run")
    runs = read_runs(places)
    names = shown_keys(runs, keys)
    figure = _figure(runs, names, smooth)
    with atomic_write(output) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    return names


def _figure(runs: Sequence[Run], names: Sequence[str], smooth: float) -> Figure:
    """Lay the panels out. Nothing of pyplot, which keeps figures and settings for the whole process."""
    purpose = "drawing curves"
    made: Any = import_optional("evaluate", "matplotlib.figure", purpose=purpose)
    agg: Any = import_optional("evaluate", "matplotlib.backends.backend_agg", purpose=purpose)
    columns = min(COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    size = (PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows + 0.4)
    figure: Figure = made.Figure(figsize=size, layout="constrained")
    agg.FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes, name in zip(panels, names, strict=False):
        _draw(axes, name, runs, smooth)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    lines = {line.get_label(): line for axes in panels[: len(names)] for line in axes.get_lines()}
    shown = [run.label for run in runs if run.label in lines]
    figure.legend(
        [lines[label] for label in shown], shown, loc="outside upper left", ncols=max(1, 2 * columns - 1), frameon=False
    )
    return figure


def _draw(axes: Axes, name: str, runs: Sequence[Run], smooth: float) -> None:
    smooth = 0.0 if is_exact(name) else smooth
    drawn: list[Curve] = []
    for index, run in enumerate(runs):
        curve = run.curves.get(name)
        if curve is None:
            continue
        drawn.append(curve)
        style: dict[str, Any] = {
            "color": COLORS[index % len(COLORS)],
            "linestyle": DASHES[index // len(COLORS) % len(DASHES)],
        }
        single: dict[str, Any] = {"marker": "o", "markersize": 4} if len(curve.values) == 1 else {}
        if smooth and not single:
            axes.plot(curve.iterations, curve.values, **style, linewidth=0.8, alpha=0.3, label="_")
        values = smoothed(curve.values, smooth) if smooth else curve.values
        axes.plot(curve.iterations, values, **style, **single, linewidth=1.4, label=run.label)
    if counts_in_powers(np.concatenate([curve.values for curve in drawn])):
        axes.set_yscale("log")
    axes.set_title(name, loc="left", fontsize=10)
    axes.set_xlabel(KEY, fontsize=8, color="#59616b")
    axes.tick_params(labelsize=8, color="#9aa2ac")
    axes.grid(color="#e3e6ea", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#9aa2ac")
