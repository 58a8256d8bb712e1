"""What a user looks at, made of the record alone: summary, table, page and sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inpaint.evaluation.outcomes import outcome, write_outcome
from inpaint.evaluation.page import report_of, write_page
from inpaint.evaluation.record import Failure, Record
from inpaint.evaluation.sheet import write_sheet
from inpaint.evaluation.summary import Entry, Summary


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What came out: the record, its summary, the Markdown tables, and the sheet, where there is one."""

    record: Record
    summary: Summary
    table: str
    sheet: Path | None

    @property
    def entries(self) -> Sequence[Entry]:
        """The means of the summary."""
        return self.summary.entries

    @property
    def failures(self) -> Sequence[Failure]:
        """Fills without numbers."""
        return self.record.failures

    @property
    def skipped(self) -> int:
        """How many files were no photos that can be used."""
        return int(self.record.settings["skipped_files"])


def write_outputs(folder: Path) -> Evaluation:
    """Write summary.json, summary.csv, table.md, index.html and sheet.png beside a finished evaluation's results.

    Raises:
        InpaintError: The folder holds no finished evaluation, or cannot be written.
    """
    made = outcome(Record.read(folder))
    write_outcome(made, folder)
    write_page(folder, report_of(made))
    return Evaluation(record=made.record, summary=made.summary, table=made.table, sheet=write_sheet(made.record))
