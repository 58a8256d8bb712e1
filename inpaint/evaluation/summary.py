"""From rows to a verdict: means with their 95 % intervals, as JSON and as a Markdown table."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped]

from inpaint.evaluation.record import Record, Row, SetRow
from inpaint.metrics import PSNR_CAP_DB, USUAL, ImageMeasure, Measure, SetMeasure

PROTOCOL = {
    "compared": "the completed image rounded to 8 bit against the original in 8 bit, RGB, range [0, 1]",
    "hole": "l1_hole, psnr_hole, ssim_hole: over hole pixels; l1, psnr, ssim: over the whole image",
    "psnr": f"per image, at most {PSNR_CAP_DB:g} dB",
    "ssim": "Gaussian window 11 x 11, sigma 1.5, mean of channels; borders mirrored for the hole, valid region else",
    "mean": "over photos that every model has filled; interval: Student t, 95 %",
    "seconds": "wall clock per photo, one at a time, from the image in memory to the answer; warm-up excluded",
}


class Estimate(TypedDict):
    """A mean over n values, its standard error and 95 % interval; None where n does not allow one."""

    mean: float | None
    standard_error: float | None
    low: float | None
    high: float | None


class Value(TypedDict):
    """What a measure of sets found over n photos; None where they are too few for it."""

    value: float | None
    n: int


class Entry(TypedDict):
    """One model on one kind of mask. n: photos in the means; filled: those this model has filled."""

    mask: str
    model: str
    n: int
    filled: int
    metrics: dict[str, Estimate]
    sets: dict[str, Value]
    seconds: Estimate


def estimate(values: Sequence[float]) -> Estimate:
    """Return mean, standard error and the 95 % interval of the mean after Student."""
    n = len(values)
    mean = math.fsum(values) / n if n else None
    if mean is None or n == 1:
        return {"mean": mean, "standard_error": None, "low": None, "high": None}
    error = float(np.std(values, ddof=1)) / math.sqrt(n)
    half = float(stdtrit(n - 1, 0.975)) * error
    return {"mean": mean, "standard_error": error, "low": mean - half, "high": mean + half}


def summarize(record: Record) -> list[Entry]:
    """Return an entry per kind of mask and model, in the order asked for.

    Means are over the photos that every model has filled with that kind of mask, so that a model which refuses
    hard photos is not rewarded, and for each measure over those of which it says something. A model that filled none at
    all has no means and does not count there.
    """
    found: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
    for row in record.rows:
        found[row.mask, row.model][row.image] = row
    sets: dict[tuple[str, str], list[SetRow]] = defaultdict(list)
    for each in record.sets:
        sets[each.mask, each.model].append(each)
    names = [measure.name for measure in record.of_images]
    entries: list[Entry] = []
    for mask in record.manifest.labels:
        filled = [set(found[mask, model]) for model in record.models if found[mask, model]]
        common = sorted(set.intersection(*filled)) if filled else []
        for model in record.models:
            mine = found[mask, model]
            counted = [mine[image] for image in common] if mine else []
            values = {name: [row.values[name] for row in counted if name in row.values] for name in names}
            entries.append(
                {
                    "mask": mask,
                    "model": model,
                    "n": len(counted),
                    "filled": len(mine),
                    "metrics": {name: estimate(values[name]) for name in names},
                    "sets": {each.measure: {"value": each.value, "n": each.n} for each in sets[mask, model]},
                    "seconds": estimate([row.seconds for row in counted if row.seconds is not None]),
                }
            )
    return entries


_LEFT_OUT = frozenset(USUAL) - {"l1_hole", "psnr_hole", "ssim_hole"}  # in the files, not in the table


def markdown(entries: Sequence[Entry], measures: Sequence[Measure], *, title: str) -> str:
    """Return a table: models in rows, columns grouped by kind of mask, the best of each column in bold.

    Args:
        entries: See `summarize`.
        measures: Those of the record. Of the usual ones, those of the whole image are left out.
        title: One line on what was measured, printed above.
    """
    masks = list(dict.fromkeys(entry["mask"] for entry in entries))
    models = list(dict.fromkeys(entry["model"] for entry in entries))
    at = {(entry["mask"], entry["model"]): entry for entry in entries}
    columns = [["model", "---", *models]]
    for mask in masks:
        measured = [at[mask, model] for model in models]
        for measure in measures:
            if measure.name not in _LEFT_OUT:
                columns.append([f"{mask}: {_heading(measure)}", "---:", *_cells(_found(measured, measure), measure)])
        columns.append([f"{mask}: s/photo", "---:", *(_seconds(entry["seconds"]["mean"]) for entry in measured)])
    lines = zip(*columns, strict=True)
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    notes = "\n".join(f"- {note}" for note in _notes(entries, masks, measures))
    return f"{title}\n\n{table}\n\n{notes}\n"


def _heading(measure: Measure) -> str:
    arrow = {"higher": " ↑", "lower": " ↓", "neither": ""}[measure.better]
    title = measure.title if measure.name in USUAL else f"{measure.title} ({measure.name})"
    return f"{title}{arrow}"


def _found(entries: Sequence[Entry], measure: Measure) -> list[Estimate]:
    if isinstance(measure, ImageMeasure):
        return [entry["metrics"][measure.name] for entry in entries]
    values = [entry["sets"][measure.name]["value"] if measure.name in entry["sets"] else None for entry in entries]
    return [{"mean": value, "standard_error": None, "low": None, "high": None} for value in values]


def _cells(estimates: Sequence[Estimate], measure: Measure) -> list[str]:
    factor, decimals = measure.scale, measure.decimals
    texts: list[tuple[str, float | None]] = []
    for found in estimates:
        if found["mean"] is None:
            texts.append(("–", None))
            continue
        shown = f"{found['mean'] * factor:.{decimals}f}"
        interval = "" if found["high"] is None else f" ± {(found['high'] - found['mean']) * factor:.{decimals}f}"
        texts.append((shown + interval, float(shown)))
    values = [value for _, value in texts if value is not None]
    # What is shown as equal is equally good.
    better = {"higher": max, "lower": min, "neither": None}[measure.better]
    best = better(values) if better and len(values) > 1 else None
    return [f"**{text}**" if value is not None and value == best else text for text, value in texts]


def _seconds(mean: float | None) -> str:
    return "–" if mean is None else f"{mean:.3g}" if mean >= 0.001 else f"{mean:.1g}"


def _notes(entries: Sequence[Entry], masks: Sequence[str], measures: Sequence[Measure]) -> list[str]:
    notes = [f"L1, PSNR and SSIM in the hole, {PROTOCOL['compared']}. ± is half the 95 % interval of the mean."]
    for measure in measures:
        if isinstance(measure, SetMeasure):
            counts = sorted({entry["sets"][measure.name]["n"] for entry in entries if measure.name in entry["sets"]})
            said = (measure.refusal(n) or measure.caution(n) or f"{measure.name} of {n} photos" for n in counts if n)
            notes += [f"{text}." for text in said]
    for mask in masks:
        column = [entry for entry in entries if entry["mask"] == mask and entry["n"]]
        if not column:
            notes.append(f"{mask}: nothing was filled.")
            continue
        ratio = column[0]["metrics"].get("hole_ratio", estimate([]))["mean"]
        holes = "" if ratio is None else f", hole {100 * ratio:.1f} % on average"
        notes.append(f"{mask}: {column[0]['n']} photos{holes}.")
        if any(entry["filled"] != entry["n"] for entry in column):
            filled = ", ".join(f"{entry['model']} {entry['filled']}" for entry in column)
            notes.append(f"{mask}: means are over what every model filled; filled were: {filled}.")
    return notes
