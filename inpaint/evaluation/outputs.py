"""What a user looks at, made of the record alone: summary, table and sheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inpaint.evaluation.record import Failure, Record
from inpaint.evaluation.sheet import write_sheet
from inpaint.evaluation.summary import PROTOCOL, Entry, markdown, summarize
from inpaint.system.files import write_text

SUMMARY_NAME = "summary.json"
SUMMARY_CSV_NAME = "summary.csv"
TABLE_NAME = "table.md"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What came out: the record, entries per mask and model, the Markdown table, and the sheet, where there is one."""

    record: Record
    entries: list[Entry]
    table: str
    sheet: Path | None

    @property
    def failures(self) -> Sequence[Failure]:
        """Fills without numbers."""
        return self.record.failures

    @property
    def skipped(self) -> int:
        """How many files were no photos that can be used."""
        return int(self.record.settings["skipped_files"])


def write_outputs(folder: Path) -> Evaluation:
    """Write summary.json, summary.csv, table.md and sheet.png beside a finished evaluation's results.

    Raises:
        InpaintError: The folder holds no finished evaluation, or cannot be written.
    """
    record = Record.read(folder)
    entries = summarize(record)
    table = markdown(entries, record.measures, title=_title(record))
    summary = {
        "manifest": {"hash": record.manifest.hash, "hashes": dict(record.manifest.hashes)},
        "protocol": {**record.manifest.protocol, **PROTOCOL},
        "settings": dict(record.settings),
        "command": record.settings["command"],
        "results": entries,
        "failures": [vars(failure) for failure in record.failures],
    }
    write_text(folder / SUMMARY_NAME, json.dumps(summary, indent=2, allow_nan=False) + "\n")
    write_text(folder / SUMMARY_CSV_NAME, _csv(entries))
    write_text(folder / TABLE_NAME, table)
    return Evaluation(record=record, entries=entries, table=table, sheet=write_sheet(record))


def _title(record: Record) -> str:
    manifest, settings = record.manifest, record.settings
    count = len(manifest.photos)
    shape = f"{manifest.size} x {manifest.size}" if manifest.size else "native size"
    data = f" of `{settings['data']}`" if settings["data"] else ""
    about = f"protocol {manifest.name}, {shape}, seed {manifest.protocol['seed']}"
    title = f"{count} photo{'s' * (count > 1)}{data}, {about}, {settings['device']}. Manifest {manifest.hash}."
    if settings["processes"] > 1:
        title += f" {settings['processes']} fills at a time, which makes the seconds longer."
    return f"{title} Command: `{settings['command']}`" if settings["command"] else title


def _csv(entries: Sequence[Entry]) -> str:
    lines: list[list[object]] = [["mask", "model", "measure", "n", "mean", "standard_error", "low", "high"]]
    for entry in entries:
        for name, found in {**entry["metrics"], "seconds": entry["seconds"]}.items():
            numbers = (found["mean"], found["standard_error"], found["low"], found["high"])
            lines.append([entry["mask"], entry["model"], name, entry["n"], *map(_cell, numbers)])
        lines += [
            [entry["mask"], entry["model"], name, found["n"], _cell(found["value"]), "", "", ""]
            for name, found in entry["sets"].items()
        ]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def _cell(value: float | None) -> str:
    return "" if value is None else repr(value)
