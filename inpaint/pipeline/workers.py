"""The same list of jobs spread over workers, each of which has the model for itself: a process per device, or Ray's.

What workers say and warn of is passed on in the order of the list, so that nobody sees how many there were.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import cv2

from inpaint.images.masks import OncePerKind, Say, warn
from inpaint.pipeline.holes import check_marked
from inpaint.pipeline.journal import RunJournal
from inpaint.pipeline.matching import Job
from inpaint.pipeline.outcome import Outcome
from inpaint.pipeline.running import JobOptions, has_several_masks, loader_of, outcome_of, without_done
from inpaint.registry.loadable import Loadable
from inpaint.system.processes import scattered

_log = logging.getLogger("inpaint")


@dataclass(frozen=True)
class Remark:
    """A warning of a worker: of the log, or one on how a mask was taken, whose words are by kind.

    once: however many workers make it.
    """

    name: str
    level: int = logging.WARNING
    words: str = ""
    of_mask: Mapping[str, str] | None = None
    once: bool = False


@dataclass(frozen=True)
class Told:
    """What a worker says of the job of this number."""

    number: int
    outcome: Outcome
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class Task:
    """What every worker needs to know; pickled. options: with marks that know all photos."""

    model: Loadable
    options: JobOptions
    jobs: Sequence[Job]


class Engine(Protocol):
    """What spreads work over workers."""

    def __call__(self, task: Task, numbers: Sequence[int]) -> Generator[Told]:
        """Do the jobs of these numbers and yield what became of each, in any order, one time each."""
        ...


def run_spread(
    jobs: Sequence[Job], model: Loadable, options: JobOptions, engine: Engine, *, journal: RunJournal | None = None
) -> Iterator[Outcome]:
    """Work through the list as `run_jobs` does, with workers, and yield what became of each job, in its order.

    Args:
        jobs: What there is to do.
        model: What each worker loads.
        options: How every photo is treated.
        engine: Who the workers are.
        journal: Told what becomes of each job as soon as it is known, and asked which are done already.

    Raises:
        UsageError: Nothing says what the hole is.
        InpaintError: The model cannot be loaded, or workers die one after the other.
    """
    for job in jobs[:1]:
        check_marked(len(job.masks), options.marks, invert=options.invert_mask, label=options.label)
    todo = yield from without_done(jobs, options, journal)
    left = {id(job) for job in todo}
    numbers = [number for number, job in enumerate(jobs) if id(job) in left]
    if not numbers:
        return
    marks = options.marks.prepared([job.image for job in jobs], max_pixels=options.max_pixels)
    task = Task(model, replace(options, marks=marks), jobs)
    words = _Words(OncePerKind() if has_several_masks(jobs) else warn)
    waiting: dict[int, Told] = {}
    following = iter(numbers)
    expected = next(following)
    with closing(engine(task, numbers)) as answers:
        for told in answers:
            if journal is not None:
                journal.add(told.outcome)
            waiting[told.number] = told
            while expected in waiting:
                answer = waiting.pop(expected)
                words.pass_on(answer.remarks)
                yield answer.outcome
                expected = next(following, -1)


class Worker:
    """Does jobs with a model that it has loaded on a device; on a CPU with one thread."""

    def __init__(self, task: Task, device: str) -> None:
        if device.startswith("cpu"):
            cv2.setNumThreads(1)  # torch and NumPy are told by the environment
        self._remarks: list[Remark] = []
        self._first: list[Remark] = []  # what was said of the model, with the first job
        with _noted(self._first):
            self._inpainter = task.model.load(device)
            marks = task.options.marks.at_work(self._inpainter, device)
        self._jobs, self._options = task.jobs, replace(task.options, marks=marks)
        capabilities = self._inpainter.capabilities
        self._load = loader_of(task.jobs, self._options, capabilities.guidance, say=self._note)

    def work(self, number: int, job: Job | None = None) -> Told:
        """Do a job of the list; job: the same with other paths."""
        self._remarks.clear()
        job = self._jobs[number] if job is None else job
        with _noted(self._remarks):
            outcome = outcome_of(job, partial(self._load, job), self._inpainter, self._options, None)
        first, self._first = [replace(each, once=True) for each in self._first], []
        return Told(number, outcome, (*first, *self._remarks))

    def _note(self, name: str, remarks: Mapping[str, str]) -> None:
        self._remarks.append(Remark(name, of_mask=dict(remarks)))


@contextmanager
def _noted(remarks: list[Remark]) -> Iterator[None]:
    """Keep what is warned of in the block, which nobody else gets."""
    before = _log.handlers, _log.propagate
    _log.handlers, _log.propagate = [_Noting(remarks)], False
    try:
        yield
    finally:
        _log.handlers, _log.propagate = before


class _Noting(logging.Handler):
    """Keeps what is warned of."""

    def __init__(self, remarks: list[Remark]) -> None:
        super().__init__(logging.WARNING)
        self._remarks = remarks

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self._remarks.append(Remark(record.name, record.levelno, record.getMessage()))


class _Words:
    """Passes remarks on; those of all workers once. say: told those on masks."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._said = set[tuple[str, str]]()

    def pass_on(self, remarks: Sequence[Remark]) -> None:
        for remark in remarks:
            if remark.once or remark.of_mask is not None:
                key = remark.name, f"{remark.words}{remark.of_mask}"
                if key in self._said:
                    continue
                self._said.add(key)
            if remark.of_mask is not None:
                self._say(remark.name, remark.of_mask)
            else:
                logging.getLogger(remark.name).log(remark.level, "%s", remark.words)


# Processes of this machine --------------------------------------------------------------------------------------------


def on_devices(devices: Sequence[str]) -> Engine:
    """Return what fills with one process for each of these devices; one may be named several times.

    A process that dies costs the photo that it was at, and another one takes its place.
    """

    def engine(task: Task, numbers: Sequence[int]) -> Generator[Told]:
        places = [(task, device) for device in devices[: len(numbers)]]

        def lost(number: int, reason: str) -> Told:
            job = task.jobs[number]
            return Told(number, Outcome(job=job, status="failed", reason=f"{job.image}: {reason}"))

        return scattered(_process, numbers, places, lost=lost)

    return engine


def _process(task: Task, device: str) -> Callable[[int, Callable[[Told], None]], None]:
    worker = Worker(task, device)

    def work(number: int, say: Callable[[Told], None]) -> None:
        say(worker.work(number))

    return work
