"""A job with the content of its files, for workers on machines that do not see them, and what comes back."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from inpaint.errors import InpaintError, InputError
from inpaint.pipeline.journal import read_by, written_by
from inpaint.pipeline.matching import Job
from inpaint.pipeline.outcome import Outcome
from inpaint.pipeline.workers import Remark, Told, Worker
from inpaint.system.files import atomic_write, check_target, open_file


@dataclass(frozen=True)
class Content:
    """A file: its bytes and permissions, None where it has none that count."""

    data: bytes = field(repr=False)
    mode: int | None


@dataclass(frozen=True)
class Parcel:
    """A job of a list and the files that it reads."""

    number: int
    job: Job
    files: Mapping[Path, Content]


@dataclass(frozen=True)
class Answer:
    """What a worker says, and the files that it wrote, in the order of `written_by`; empty where it failed."""

    told: Told
    files: tuple[Content, ...]


def packed(number: int, job: Job) -> Parcel:
    """Return the parcel of a job. Raises InputError for a file that cannot be read, InpaintError for a bad target."""
    for path in written_by(job):
        check_target(path)
    files = {}
    for path in read_by(job):
        try:
            with open_file(path) as stream:
                files[path] = Content(stream.read(), _mode(path))
        except OSError as error:
            raise InputError(f"cannot read '{path}': {error.strerror or error}") from None
    return Parcel(number, job, files)


def worked_off(parcel: Parcel, worker: Worker, folder: Path) -> Answer:
    """Do the job of a parcel with copies of its files below a folder, which is empty again afterwards."""
    # By their content, so that a mask for all photos has one name and is decoded once.
    there = {
        path: folder / hashlib.sha256(content.data).hexdigest()[:16] / path.name
        for path, content in parcel.files.items()
    }
    outputs = _apart(parcel.job, folder / "written")
    try:
        for path, content in parcel.files.items():
            there[path].parent.mkdir(exist_ok=True)
            there[path].write_bytes(content.data)
            if content.mode is not None:
                there[path].chmod(content.mode | stat.S_IRUSR | stat.S_IWUSR)
        for path in outputs.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        moved = _moved(parcel.job, {**there, **outputs})
        told = worker.work(parcel.number, moved)
        written = written_by(moved)
        done = told.outcome.status != "failed"
        files = [Content(path.read_bytes(), _mode(path)) for path in written] if done else []
    finally:
        for each in folder.iterdir():
            shutil.rmtree(each, ignore_errors=True)
    return Answer(_in_words_of(told, parcel.job, {**there, **outputs}), tuple(files))


def _apart(job: Job, folder: Path) -> dict[Path, Path]:
    """Return where a worker writes each file that a job writes; files of one name have folders of their own."""
    written = [*written_by(job), *([] if job.output is None else [job.output])]  # several samples have names after it
    parents = list(dict.fromkeys(path.parent for path in written))
    return {path: folder / str(parents.index(path.parent)) / path.name for path in written}


def delivered(answer: Answer) -> Told:
    """Write the files that came back, and return what became of the job."""
    told, job = answer.told, answer.told.outcome.job
    try:
        for path, content in zip(written_by(job), answer.files, strict=False):  # none where it failed
            _write(path, content)
    except InpaintError as error:
        return replace(told, outcome=Outcome(job=job, status="failed", reason=str(error)))
    return told


def _write(path: Path, content: Content) -> None:
    mode = _mode(path)  # of the file that is replaced
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InpaintError(f"cannot write '{path}': {error.strerror or error}") from error
    with atomic_write(path) as temporary:
        temporary.write_bytes(content.data)
        if (chosen := content.mode if mode is None else mode | stat.S_IWUSR) is not None:
            with suppress(OSError):  # file systems without permissions
                temporary.chmod(chosen)


def _mode(path: Path) -> int | None:
    with suppress(OSError):
        return stat.S_IMODE(path.stat().st_mode)
    return None


def _moved(job: Job, there: Mapping[Path, Path]) -> Job:
    return replace(job, **{each.name: _with_paths(getattr(job, each.name), there) for each in fields(job)})


def _with_paths(value: Any, there: Mapping[Path, Path]) -> Any:
    if isinstance(value, Path):
        return there[value]
    if isinstance(value, Mapping):
        return {key: _with_paths(each, there) for key, each in value.items()}
    return tuple(_with_paths(each, there) for each in value) if isinstance(value, tuple) else value


def _in_words_of(told: Told, job: Job, there: Mapping[Path, Path]) -> Told:
    """Return what a worker says with the names that its files have where they come from."""

    def named(text: str) -> str:
        for original, copy in there.items():
            text = text.replace(os.fspath(copy), os.fspath(original))
        return text

    return Told(
        told.number,
        replace(told.outcome, job=job, reason=named(told.outcome.reason)),
        tuple(_renamed(remark, named) for remark in told.remarks),
    )


def _renamed(remark: Remark, named: Callable[[str], str]) -> Remark:
    of_mask = None if remark.of_mask is None else {kind: named(words) for kind, words in remark.of_mask.items()}
    return replace(remark, name=named(remark.name), words=named(remark.words), of_mask=of_mask)
