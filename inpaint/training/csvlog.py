"""metrics.csv: one row per iteration, one column per number, readable at any moment of the run."""

from __future__ import annotations

import errno
import os
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from inpaint.system.files import atomic_write, csv_text
from inpaint.weights.curves import KEY, Row, parse_rows


class CsvLogger(Logger):
    """Writes each number as soon as it comes; a number for the iteration of the last row joins that row.

    Rows are appended. When a new column appears the file is rewritten, whole or not at all, and earlier rows stay empty
    there. Once a resumed run has a number or a checkpoint of its own, rows after the iteration from which it goes on
    are dropped, and so is a line that a kill left unfinished; a run that starts anew empties the file. Further
    processes of a distributed run write nothing.
    """

    def __init__(self, path: str | Path, *, start_iteration: int = 0) -> None:
        super().__init__()
        self.path = Path(path)
        self._columns: list[str] = []
        self._last: Row = {}
        self._last_offset = 0  # where the last row begins, bytes
        self._start: int | None = start_iteration  # None once the file has been brought in order

    @property
    def name(self) -> str:
        """Name of this logger."""
        return "csv"

    @property
    def version(self) -> str:
        """There is one file per run."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: config.yaml holds them."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Write numbers of one iteration (`step`). Values: anything that float() takes, also tensors."""
        if step is None:
            raise ValueError("metrics.csv is keyed by iteration: log_metrics needs a step")
        self._prepare()
        row = {name: _number(value) for name, value in metrics.items()}
        if self._last.get(KEY) == str(step):
            row, offset = {**self._last, **row}, self._last_offset
        else:
            row, offset = {KEY: str(step), **row}, None
        if row.keys() <= set(self._columns):
            self._write(row, offset)
        else:
            rows = [earlier for earlier in self._read() if earlier[KEY] != str(step)]
            self._columns += [name for name in row if name not in self._columns]
            self._rewrite([*rows, row])

    @rank_zero_only
    def after_save_checkpoint(self, checkpoint_callback: object) -> None:
        """Bring the file in order: this course goes on from `start_iteration`, later rows are of another one."""
        self._prepare()

    def _prepare(self) -> None:
        if self._start is None:
            return
        start, self._start = self._start, None
        if not self.path.exists():
            return
        rows = [row for row in self._read() if int(row[KEY]) <= start] if start > 0 else []
        self._columns = [name for name in self._columns if name == KEY or any(row.get(name) for row in rows)]
        self._rewrite(rows)

    def _read(self) -> list[Row]:
        """Return the complete rows of the file and note its columns."""
        try:
            columns, rows = parse_rows(self.path.read_bytes())
        except FileNotFoundError:
            return []
        self._columns = columns or self._columns
        return rows

    def _rewrite(self, rows: list[Row]) -> None:
        if not rows:
            self.path.unlink(missing_ok=True)
            self._columns, self._last = [], {}
            return
        before = _lines([self._columns, *(self._cells(row) for row in rows[:-1])])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.path) as temporary:
            temporary.write_bytes(before + _lines([self._cells(rows[-1])]))
        self._last, self._last_offset = rows[-1], len(before)

    def _write(self, row: Row, offset: int | None) -> None:
        """Write a row at an offset, over the last row, or at the end; anew where somebody has removed the file."""
        if not self.path.exists():
            self._rewrite([row])
            return
        with self.path.open("r+b", buffering=0) as file:
            self._last, self._last_offset = row, file.seek(0, os.SEEK_END) if offset is None else file.seek(offset)
            line = _lines([self._cells(row)])
            try:
                if file.write(line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                file.truncate()
            except OSError:
                self._last = {}
                file.truncate(self._last_offset)  # no half a line: the disk may have room again for the next one
                raise

    def _cells(self, row: Row) -> list[str]:
        return [row.get(name, "") for name in self._columns]


def _number(value: Any) -> str:
    """Nine digits tell any two float32 apart."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else format(float(value), ".9g")


def _lines(rows: list[list[str]]) -> bytes:
    return csv_text(rows).encode("utf-8")
