"""The list of jobs on a cluster of Ray: a worker for every GPU or core, wherever it is.

Files travel as bytes, so that machines need no common file system; the driver alone writes results. A worker that is
lost, with its machine or alone, has its jobs done by others.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from inpaint.errors import InpaintError, UsageError
from inpaint.pipeline.finders import FoundBy
from inpaint.pipeline.matching import Job
from inpaint.pipeline.outcome import Outcome
from inpaint.pipeline.parcels import Answer, Parcel, delivered, packed, worked_off
from inpaint.pipeline.workers import Engine, Task, Told, Worker
from inpaint.registry.loadable import Loadable
from inpaint.registry.table import FILLS
from inpaint.registry.zoo import weights_at
from inpaint.system.environment import variable_set
from inpaint.system.extras import import_optional
from inpaint.system.signals import handlers_restored

IN_FLIGHT = 2  # jobs that a worker has: one at work, the next one on its way
RETRIES = 3  # of a job whose worker was lost while it was at it
LOOK_EVERY_S = 1.0  # whether the cluster has grown or shrunk
LEAVING_S = 5.0  # which workers get to tidy up
PATIENCE_S = 30.0  # without any worker, before it is said

_log = logging.getLogger("inpaint.pipeline")


def on_ray(address: str | None = None, *, device: str = "auto", workers: int | None = None) -> Engine:
    """Return what fills on a cluster.

    Args:
        address: Of the cluster, "HOST:PORT" or "ray://HOST:PORT" or "auto" for one that runs here; None: what
            RAY_ADDRESS names, else one of this machine's own, which ends with the work.
        device: "auto": a GPU for each worker where the cluster has some and the model takes them, else a core.
        workers: The most; None: one for every GPU or core.

    Raises:
        MissingDependencyError: Ray is not installed.
        UsageError: A device with a number: Ray hands them out.
    """
    ray = import_optional("ray", purpose="filling on a cluster (--ray)")
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device {device}: on a cluster auto, cpu or cuda are valid; Ray hands out the GPUs")

    def engine(task: Task, numbers: Sequence[int]) -> Generator[Told]:
        with _connected(ray, address):
            pool = _Pool(ray, task, device=device, most=workers)
            try:
                yield from pool.work(numbers)
            finally:
                pool.end()

    return engine


@contextmanager
def _connected(ray: Any, address: str | None) -> Iterator[None]:
    """Connect to a cluster, unless the program has done so, and leave it afterwards."""
    if ray.is_initialized():
        yield
        return
    place = address or os.environ.get("RAY_ADDRESS") or "local"
    with handlers_restored(), variable_set("RAY_USAGE_STATS_ENABLED", "0"):
        about: dict[str, Any] = {"include_dashboard": False} if place == "local" else {}
        try:
            ray.init(address=place, logging_level=logging.ERROR, log_to_driver=False, configure_logging=False, **about)
        except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise InpaintError(f"no cluster of Ray at {place}: {_first_line(error)}") from None
    try:
        yield
    finally:
        with handlers_restored():
            ray.shutdown()


@dataclass
class _Sent:
    """A job that a worker has. losses: workers that were lost while they were at it."""

    number: int
    losses: int = 0


@dataclass
class _Hand:
    """A worker. jobs: what it has, by reference to its answer, in their order."""

    actor: Any
    ready: bool = False
    jobs: dict[Any, _Sent] = field(default_factory=dict)


class _Pool:
    """The workers of a cluster, as many as it has room for at any time."""

    def __init__(self, ray: Any, task: Task, *, device: str, most: int | None) -> None:
        self._ray, self._jobs, self._most = ray, task.jobs, most
        trained = task.model.spec not in FILLS or FILLS[task.model.spec].on_device
        self._gpu = device == "cuda" or (device == "auto" and trained and ray.cluster_resources().get("GPU", 0) >= 1)
        # Libraries compute with one thread then, by the environment that Ray gives to workers of one core.
        self._kind = ray.remote(_Actor).options(num_cpus=1, num_gpus=int(self._gpu), max_restarts=0)
        self._task, self._weights = ray.put(task), ray.put(_weights(task))
        self._hands: list[_Hand] = []
        self._loading: dict[Any, _Hand] = {}
        self._todo: deque[_Sent] = deque()

    def work(self, numbers: Sequence[int]) -> Generator[Told]:
        """Do the jobs of these numbers and yield what became of them as they are done."""
        self._todo.extend(map(_Sent, numbers))
        idle_since, told_of_it = time.monotonic(), False
        while self._todo or any(hand.jobs for hand in self._hands):
            self._start()
            yield from self._hand_out()
            waited_for = [*self._loading, *(reference for hand in self._hands for reference in hand.jobs)]
            if not waited_for:
                time.sleep(LOOK_EVERY_S)
            done = self._ray.wait(waited_for, timeout=LOOK_EVERY_S)[0] if waited_for else []
            for reference in done:
                yield from self._take(reference)
            if any(hand.ready for hand in self._hands):
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > PATIENCE_S and not told_of_it:
                _log.warning("no worker has started for %.0f s: the cluster has no room or no machine", PATIENCE_S)
                told_of_it = True

    def end(self) -> None:
        """Give all workers back."""
        leaving = [hand.actor.leave.remote() for hand in self._hands if hand.ready]
        if leaving:
            self._ray.wait(leaving, num_returns=len(leaving), timeout=LEAVING_S)
        for hand in [*self._hands]:
            self._drop(hand)

    def _start(self) -> None:
        """Ask for as many workers as the cluster has room for, and there is work."""
        there = self._ray.cluster_resources()
        room = min(int(there.get("CPU", 0)), int(there.get("GPU", 0)) if self._gpu else 1 << 30)
        left = len(self._todo) + sum(len(hand.jobs) for hand in self._hands)
        wanted = min(room, left, self._most or room)
        while len(self._hands) < wanted:
            hand = _Hand(self._kind.remote())
            self._hands.append(hand)
            self._loading[hand.actor.load.remote(self._task, self._weights, gpu=self._gpu)] = hand

    def _hand_out(self) -> Generator[Told]:
        for hand in self._hands:
            while hand.ready and self._todo and len(hand.jobs) < IN_FLIGHT:
                sent = self._todo.popleft()
                job = self._jobs[sent.number]
                try:
                    parcel = packed(sent.number, job)
                except InpaintError as error:
                    yield _failed(sent.number, job, str(error))
                    continue
                hand.jobs[hand.actor.work.remote(parcel)] = sent

    def _take(self, reference: Any) -> Generator[Told]:
        """Take an answer, or the news that there will be none."""
        hand = self._loading.get(reference) or next((each for each in self._hands if reference in each.jobs), None)
        if hand is None:
            return  # of a worker that was found lost a moment ago
        try:
            answer = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            cause = error.cause
            raise cause if isinstance(cause, InpaintError) else InpaintError(_first_line(cause)) from None
        except self._ray.exceptions.RayError:
            yield from self._lost(hand)
            return
        if self._loading.pop(reference, None) is not None:
            hand.ready = True
        else:
            del hand.jobs[reference]
            assert isinstance(answer, Answer)
            yield delivered(answer)

    def _lost(self, hand: _Hand) -> Generator[Told]:
        """Give the jobs of a lost worker to others; the first is the one that it was at."""
        self._drop(hand)
        for place, sent in enumerate(hand.jobs.values()):
            losses = sent.losses + (place == 0)
            if losses <= RETRIES:
                self._todo.appendleft(_Sent(sent.number, losses))
            else:
                reason = f"{losses} workers were lost while they were at it; perhaps memory ran out"
                yield _failed(sent.number, self._jobs[sent.number], reason)

    def _drop(self, hand: _Hand) -> None:
        self._hands.remove(hand)
        self._loading = {reference: each for reference, each in self._loading.items() if each is not hand}
        with suppress(Exception):  # it is gone already
            self._ray.kill(hand.actor)


_Weights: TypeAlias = "tuple[str, bytes] | None"
"""Name and content of a weights file; None of a model without."""


class _Actor:
    """A worker: a process somewhere in the cluster, which has the model for itself."""

    def load(self, task: Task, weights: Sequence[_Weights], *, gpu: bool) -> None:
        """Load the model; what it raises comes to the driver as it is."""
        self._home = Path(tempfile.mkdtemp(prefix="inpaint-"))
        task = _placed(task, [self._here(number, each) for number, each in enumerate(weights)])
        self._files = self._home / "files"
        self._files.mkdir()
        self._worker = Worker(task, "cuda" if gpu else "cpu")

    def _here(self, number: int, weights: _Weights) -> str | None:
        """Return where a weights file lies now; None of a model without."""
        if weights is None:
            return None
        folder = self._home / f"weights-{number}"
        folder.mkdir()
        path = folder / weights[0]
        path.write_bytes(weights[1])
        return os.fspath(path)

    def work(self, parcel: Parcel) -> Answer:
        """Do a job."""
        return worked_off(parcel, self._worker, self._files)

    def leave(self) -> None:
        """Remove what lies on this machine; Ray ends the process at once afterwards."""
        shutil.rmtree(self._home, ignore_errors=True)


def _weights(task: Task) -> list[_Weights]:
    """Return the weights of what fills, and of each model that finds holes."""

    def of(model: Loadable) -> _Weights:
        path = None if model.spec in FILLS else weights_at(model.spec, model.weights)
        return None if path is None else (path.name, path.read_bytes())

    finders = [source.finder for source in task.options.marks.sources if isinstance(source, FoundBy)]
    return [of(model) for model in (task.model, *finders) if isinstance(model, Loadable)]


def _placed(task: Task, places: Sequence[str | None]) -> Task:
    """Return the task with the models of `_weights`, in their order, at other places; None: where they are."""
    left = iter(places)

    def at(model: Loadable) -> Loadable:
        place = next(left)
        return model if place is None else replace(model, spec=place)

    model, marks = at(task.model), task.options.marks
    sources = [
        replace(source, finder=at(source.finder))
        if isinstance(source, FoundBy) and isinstance(source.finder, Loadable)
        else source
        for source in marks.sources
    ]
    options = replace(task.options, marks=replace(marks, sources=tuple(sources)))
    return replace(task, model=model, options=options)


def _failed(number: int, job: Job, reason: str) -> Told:
    named = str(job.image) in reason
    return Told(number, Outcome(job=job, status="failed", reason=reason if named else f"{job.image}: {reason}"))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
