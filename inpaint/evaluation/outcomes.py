"""What an evaluation says, worked out from its record and written for people and programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inpaint.evaluation.buckets import TENTHS
from inpaint.evaluation.record import Record
from inpaint.evaluation.summary import PROTOCOL, Summary, summarize
from inpaint.evaluation.tables import markdown
from inpaint.system.files import write_text

SUMMARY_NAME = "summary.json"
SUMMARY_CSV_NAME = "summary.csv"
TABLE_NAME = "table.md"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A record, its summary, and the table of it."""

    record: Record
    summary: Summary
    table: str


def outcome(record: Record, *, against: str | None = None, edges: Sequence[float] = TENTHS, seed: int = 0) -> Outcome:
    """Work out means, intervals and differences of an evaluation.

    Args:
        record: One, or several as one (`evaluation.merging`).
        against: Compare every model with this one; None: with the best of each column.
        edges: Of the buckets of hole ratios, shares of the image.
        seed: Decides the resamples of the bootstrap.

    Raises:
        UsageError: `against` is none of the models.
    """
    summary = summarize(record, against=against, edges=edges, seed=seed)
    table = markdown(
        summary,
        measures=record.measures,
        masks=record.manifest.labels,
        models=record.models,
        title=title_of(record),
    )
    return Outcome(record=record, summary=summary, table=table)


def write_outcome(made: Outcome, folder: Path) -> list[str]:
    """Write summary.csv, summary.json and table.md, and return their names; `evaluation.page` writes the page.

    Raises:
        WriteError: One cannot be written.
    """
    record = made.record
    about = {
        "manifest": {"hash": record.manifest.hash, "hashes": dict(record.manifest.hashes)},
        "protocol": {**record.manifest.protocol, **PROTOCOL},
        "settings": dict(record.settings),
        "command": record.settings.get("command", ""),
        "failures": [vars(failure) for failure in record.failures],
        **made.summary.plain(),
    }
    write_text(folder / SUMMARY_NAME, json.dumps(about, indent=2, allow_nan=False) + "\n")
    write_text(folder / SUMMARY_CSV_NAME, made.summary.csv())
    write_text(folder / TABLE_NAME, made.table)
    return [SUMMARY_CSV_NAME, SUMMARY_NAME, TABLE_NAME]


def title_of(record: Record) -> str:
    """Return a paragraph on what was measured: photos, protocol, device, the manifest's hash, and the command."""
    manifest, settings = record.manifest, record.settings
    count = len(manifest.photos)
    shape = f"{manifest.size} x {manifest.size}" if manifest.size else "native size"
    data = f" of `{settings['data']}`" if settings.get("data") else ""
    device = f", {settings['device']}" if settings.get("device") else ""
    seed = f", seed {manifest.protocol['seed']}" if "seed" in manifest.protocol else ""
    title = f"{count} photo{'s' * (count != 1)}{data}, protocol {manifest.name}, {shape}{seed}{device}."
    title += f" Manifest `{manifest.hash}`."
    if (processes := settings.get("processes", 1)) > 1:
        title += f" {processes} fills at a time, which makes the seconds longer."
    return f"{title} Command: `{settings['command']}`" if settings.get("command") else title
