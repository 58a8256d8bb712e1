"""What became of each photo of a folder, line by line as it comes: a run goes on from it.

The journal lies beside the results, `journal.jsonl`. A line says what was asked for by a hash over the content of the
files that are read and over all options, so that changed ones are done anew; where a photo failed it says why.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from inpaint.pipeline.matching import Job
from inpaint.pipeline.outcome import Outcome
from inpaint.system.files import irregular, remove_unfinished, sha256_of
from inpaint.system.journal import JsonLines, Line

JOURNAL_NAME = "journal.jsonl"
LOCK_NAME = "journal.lock"

# Where a result goes is what a line is found by; what is left alone is not done; a finder is asked by its identity.
_NOT_ASKED = ("output", "save_mask", "preview", "save_guidance", "skip_existing", "finder")

Stamp = tuple[int, int] | None


class RunJournal(AbstractContextManager["RunJournal"]):
    """The journal of a folder of results. A context manager; one process at a time.

    Args:
        folder: Of the results.
        asked: What else decides the results: the model with its options, how photos are treated. Plain values, paths,
            dataclasses and containers of them.
        resume: Whether what is done already is left alone.
        content: Returns what tells the content of a file; by default a hash of its bytes.

    Raises:
        InpaintError: The folder is in use, or its journal is damaged or cannot be written.
    """

    def __init__(
        self, folder: Path, *, asked: object, resume: bool = False, content: Callable[[Path], str] | None = None
    ) -> None:
        self._folder, self._asked, self._resume = folder, asked, resume
        self._content = content or _content_hash
        self._done: dict[str, str] = {}  # what was asked for of each result that is done
        self._begun: dict[Path, Stamp] = {}
        self._names: dict[Path, list[str]] = {}  # of what is written, by folder
        self._lines = JsonLines(folder / JOURNAL_NAME, lock=folder / LOCK_NAME, take=self._take)

    def begin(self, jobs: Sequence[Job]) -> None:
        """Note the state of the files that are read, and remove what a killed process left half-written."""
        self._begun = {path: _stamp(path) for job in jobs for path in read_by(job)}
        self._names = {}
        for path in (path for job in jobs for path in written_by(job)):
            self._names.setdefault(path.parent, []).append(path.name)
        self._tidy()

    def is_done(self, job: Job) -> bool:
        """Return whether an earlier run, which this one goes on with, has done the same and the results are there."""
        asked = self._done.get(self._name(job)) if self._resume else None
        return asked is not None and all(path.exists() for path in written_by(job)) and asked == self._request(job)

    def add(self, outcome: Outcome) -> None:
        """Append what became of a job. Raises WriteError when it cannot be written."""
        job = outcome.job
        line: Line = {"output": self._name(job), "image": os.fspath(job.image), "status": outcome.status}
        if outcome.reason:
            line |= {"why": outcome.reason}
        # Of files that were changed meanwhile nobody knows what was read.
        elif all(_stamp(path) == self._begun.get(path) for path in read_by(job)):
            line |= {"asked": self._request(job)}
        self._lines.write(line)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:  # workers that were ended had no time to
            self._tidy()
        self._lines.__exit__()

    def _tidy(self) -> None:
        for folder, names in self._names.items():
            remove_unfinished(folder, of=names)

    def _take(self, number: int, line: Line) -> None:
        self._done.pop(line["output"], None)
        if line["status"] != "failed" and "asked" in line:
            self._done[line["output"]] = line["asked"]

    def _name(self, job: Job) -> str:
        assert job.output is not None  # where nothing is filled there is no journal
        return Path(os.path.relpath(job.output, self._folder)).as_posix()

    def _request(self, job: Job) -> str:
        said = json.dumps([_plain(self._asked, self._content), _plain(job, self._content)], sort_keys=True)
        return hashlib.sha256(said.encode(errors="surrogateescape")).hexdigest()[:16]


def written_by(job: Job) -> list[Path]:
    """Return the files that a job writes."""
    return [*job.outputs, *job.beside]


def read_by(job: Job) -> Iterator[Path]:
    """Yield the files that a job reads."""
    yield from _paths_in([getattr(job, field.name) for field in fields(job) if field.name not in _NOT_ASKED])


def _paths_in(value: object) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, Mapping):
        yield from _paths_in(list(value.values()))
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for each in value:
            yield from _paths_in(each)


def _plain(value: object, content: Callable[[Path], str]) -> Any:
    """Return a value in what JSON knows, a file by its content."""
    if isinstance(value, Path):
        return content(value)
    if is_dataclass(value) and not isinstance(value, type):
        named = {field.name: getattr(value, field.name) for field in fields(value) if field.name not in _NOT_ASKED}
        return {type(value).__name__: _plain(named, content)}
    if isinstance(value, Mapping):
        return {str(key): _plain(each, content) for key, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [_plain(each, content) for each in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def _content_hash(path: Path) -> str:
    return _hash_of(path, _stamp(path))


@cache
def _hash_of(path: Path, stamp: Stamp) -> str:
    """Return a hash of a file's bytes, or why it cannot be read; a mask for all photos is read once."""
    try:
        return sha256_of(path)
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _stamp(path: Path) -> Stamp:
    """Return what changes when a file is written again; None of a pipe, and where it cannot be asked for."""
    if irregular(path) is not None:
        return None
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns
