"""From rows to a verdict: means with their 95 % intervals, as JSON and as a Markdown table."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped]

from inpaint.evaluation.results import Row
from inpaint.metrics import PSNR_CAP_DB, USUAL

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


class Entry(TypedDict):
    """One model on one kind of mask. n: photos in the means; filled: those this model has filled."""

    mask: str
    model: str
    n: int
    filled: int
    metrics: dict[str, Estimate]
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


def summarize(rows: Sequence[Row], *, masks: Sequence[str], models: Sequence[str]) -> list[Entry]:
    """Return an entry per kind of mask and model, in the order asked for.

    Means are over the photos that every model has filled with that kind of mask, so that a model which refuses
    hard photos is not rewarded. A model that filled none at all has no means and does not count there.
    """
    found: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        found[row.mask, row.model][row.image] = row
    entries: list[Entry] = []
    for mask in masks:
        filled = [set(found[mask, model]) for model in models if found[mask, model]]
        common = sorted(set.intersection(*filled)) if filled else []
        for model in models:
            mine = found[mask, model]
            counted = [mine[image] for image in common] if mine else []
            entries.append(
                {
                    "mask": mask,
                    "model": model,
                    "n": len(counted),
                    "filled": len(mine),
                    "metrics": {name: estimate([row.metrics[name] for row in counted]) for name in USUAL},
                    "seconds": estimate([row.seconds for row in counted]),
                }
            )
    return entries


_COLUMNS = (  # heading, metric, factor, decimals, whether more is better
    ("L1 % ↓", "l1_hole", 100.0, 2, False),
    ("PSNR dB ↑", "psnr_hole", 1.0, 2, True),
    ("SSIM ↑", "ssim_hole", 1.0, 3, True),
)


def markdown(entries: Sequence[Entry], *, title: str) -> str:
    """Return a table: models in rows, columns grouped by kind of mask, the best of each column in bold.

    title: one line on what was measured, printed above.
    """
    masks = list(dict.fromkeys(entry["mask"] for entry in entries))
    models = list(dict.fromkeys(entry["model"] for entry in entries))
    at = {(entry["mask"], entry["model"]): entry for entry in entries}
    columns = [["model", "---", *models]]
    for mask in masks:
        measured = [at[mask, model] for model in models]
        for heading, metric, factor, decimals, more_is_better in _COLUMNS:
            cells = _cells([entry["metrics"][metric] for entry in measured], factor, decimals, more_is_better)
            columns.append([f"{mask}: {heading}", "---:", *cells])
        columns.append([f"{mask}: s/photo", "---:", *(_seconds(entry["seconds"]["mean"]) for entry in measured)])
    lines = zip(*columns, strict=True)
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    notes = "\n".join(f"- {note}" for note in _notes(entries, masks))
    return f"{title}\n\n{table}\n\n{notes}\n"


def _cells(estimates: Sequence[Estimate], factor: float, decimals: int, more_is_better: bool) -> list[str]:
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
    best = (max if more_is_better else min)(values) if len(values) > 1 else None
    return [f"**{text}**" if value is not None and value == best else text for text, value in texts]


def _seconds(mean: float | None) -> str:
    return "–" if mean is None else f"{mean:.3g}" if mean >= 0.001 else f"{mean:.1g}"


def _notes(entries: Sequence[Entry], masks: Sequence[str]) -> list[str]:
    notes = [f"L1, PSNR and SSIM in the hole, {PROTOCOL['compared']}. ± is half the 95 % interval of the mean."]
    for mask in masks:
        column = [entry for entry in entries if entry["mask"] == mask and entry["n"]]
        if not column:
            notes.append(f"{mask}: nothing was filled.")
            continue
        ratio: Any = column[0]["metrics"]["hole_ratio"]["mean"]
        notes.append(f"{mask}: {column[0]['n']} photos, hole {100 * ratio:.1f} % on average.")
        if any(entry["filled"] != entry["n"] for entry in column):
            filled = ", ".join(f"{entry['model']} {entry['filled']}" for entry in column)
            notes.append(f"{mask}: means are over what every model filled; filled were: {filled}.")
    return notes
