"""The CSV of an evaluation: one line per photo, kind of mask and model, appended as the fills come."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from inpaint.errors import InpaintError
from inpaint.metrics import USUAL

FIELDS = ("image", "mask", "model", *USUAL, "seconds", "mask_hash")
Key = tuple[str, str, str]
"""(image, mask, model)."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fill: the metrics by name, the seconds it took, and which mask it was."""

    image: str
    mask: str
    model: str
    metrics: dict[str, float]
    seconds: float
    mask_hash: str

    @property
    def key(self) -> Key:
        """Return what this row is about."""
        return self.image, self.mask, self.model

    def cells(self) -> list[str]:
        """Return the line's cells; numbers are written so that reading gives back the same double."""
        numbers = [repr(self.metrics[name]) for name in USUAL]
        return [self.image, self.mask, self.model, *numbers, repr(self.seconds), self.mask_hash]

    @classmethod
    def parse(cls, cells: list[str]) -> Row:
        """Read what `cells` wrote. Raises ValueError for anything else."""
        if len(cells) != len(FIELDS):
            raise ValueError(f"{len(cells)} cells instead of {len(FIELDS)}")
        image, mask, model, *numbers, seconds, mask_hash = cells
        metrics = dict(zip(USUAL, map(float, numbers), strict=True))
        if not all(map(math.isfinite, (*metrics.values(), float(seconds)))):
            raise ValueError("a number that is not finite")
        return cls(image=image, mask=mask, model=model, metrics=metrics, seconds=float(seconds), mask_hash=mask_hash)


class Results(AbstractContextManager["Results"]):
    """The file, opened to read what is there and to append. A context manager.

    A last line that was cut off when an earlier evaluation was killed is removed; the fill is simply done again.
    Raises InpaintError when the file is damaged elsewhere or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.rows = _read(path)
            self._file = path.open("a", encoding="utf-8", errors="surrogateescape", newline="")
            if self._file.tell() == 0:
                self._write(FIELDS)
        except OSError as error:
            raise InpaintError(f"cannot write '{path}': {error.strerror or error}") from None
        self._done = {row.key for row in self.rows}

    def __contains__(self, key: Key) -> bool:
        return key in self._done

    def append(self, row: Row) -> None:
        """Write one line and hand it to the system, so that a kill loses at most the line being written."""
        try:
            self._write(row.cells())
        except OSError as error:
            raise InpaintError(f"cannot write '{self.path}': {error.strerror or error}") from None
        self.rows.append(row)
        self._done.add(row.key)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # of a line that could not be written, which `append` has said
            self._file.close()

    def _write(self, cells: Iterable[str]) -> None:
        csv.writer(self._file, lineterminator="\n").writerow(cells)  # which writes the line at once
        self._file.flush()


def _read(path: Path) -> list[Row]:
    """Return the rows of the file, and cut off a last line without its end."""
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        os.truncate(path, len(whole))
    if not whole:
        return []
    rows: dict[Key, Row] = {}
    reader = csv.reader(io.StringIO(whole.decode("utf-8", "surrogateescape"), newline=""), strict=True)
    try:
        if next(reader) != list(FIELDS):
            raise ValueError("not the headings of an evaluation")
        for cells in reader:
            row = Row.parse(cells)
            rows[row.key] = row
    except (ValueError, csv.Error) as error:
        raise InpaintError(
            f"'{path}' is damaged at line {reader.line_num} ({error}); mend or remove it to start anew"
        ) from None
    return list(rows.values())
