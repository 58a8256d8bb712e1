"""Work that tells of its steps: as photos, or watched, its steps one after the other and then its answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from queue import Empty, Queue
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from inpaint.images.photo import Photo
from inpaint.types import Progress, ProgressCallback, StopFill

AnswerT = TypeVar("AnswerT")
StepCallback: TypeAlias = Callable[[Progress, Callable[[], Photo]], None]
"""Called after every step of a method that takes long, with a function that makes the photo as it is by then; raises
`inpaint.types.StopFill` to get what there is."""


def photos_told(
    callback: StepCallback | None, photo: Photo, answer: Callable[[NDArray[Any]], Photo]
) -> ProgressCallback | None:
    """Return what a method is to tell its steps, for a callback that is told of photos; None for None.

    Args:
        callback: Is told.
        photo: As it was, which steps without a preview show.
        answer: Makes a photo of a preview (H, W, 3) in [0, 1].
    """
    if callback is None:
        return None

    def tell(step: Progress) -> None:
        preview = step.preview
        callback(
            step,
            lambda: photo if preview is None else answer(np.asarray(preview[0].permute(1, 2, 0).cpu(), np.float32)),
        )

    return tell


class _Left(BaseException):
    """Nobody waits for the answer any more."""


class Watched(Generic[AnswerT]):
    """Work in a thread of its own, watched by whoever iterates over it.

    The iteration yields a step at most every `every_s` seconds, the newest there is, or None where there is no new one;
    it ends with the work. Leaving it early ends the work at its next step.

    Args:
        work: Is given the callback that it tells its steps, and returns the answer.
        stopping: When it is set, the work is asked to stop with what there is (`StopFill`).
        every_s: How often at most.

    Example:
        >>> watched = Watched(lambda tell: tell(Progress(done=1, total=2)) or "filled", every_s=0.01)
        >>> steps = [step for step in watched if step is not None]
        >>> watched.answer()
        'filled'
    """

    def __init__(
        self,
        work: Callable[[ProgressCallback], AnswerT],
        *,
        stopping: threading.Event | None = None,
        every_s: float = 0.5,
    ) -> None:
        self._work = work
        self._stopping = stopping or threading.Event()
        self._every_s = every_s
        self._left = threading.Event()
        self._steps: Queue[Progress] = Queue(maxsize=1)
        self._answer: list[AnswerT] = []
        self._error: BaseException | None = None
        self._warnings: list[str] = []

    def __iter__(self) -> Iterator[Progress | None]:
        thread = threading.Thread(target=self._run, name="fill", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(self._every_s)
                yield self._newest()
        finally:
            self._left.set()
            thread.join()

    def answer(self) -> AnswerT:
        """Return what the work returned, or raise what it raised; to be called when the iteration has ended."""
        if self._error is not None:
            raise self._error
        return self._answer[0]

    def warnings(self) -> list[str]:
        """Return what was warned of during the work, each once."""
        return list(dict.fromkeys(self._warnings))

    def _run(self) -> None:
        with warnings_of_thread(self._warnings):
            try:
                self._answer.append(self._work(self._tell))
            except BaseException as error:
                self._error = error

    def _tell(self, step: Progress) -> None:
        if self._left.is_set():
            raise _Left
        self._newest()
        self._steps.put(step)
        if self._stopping.is_set():
            raise StopFill

    def _newest(self) -> Progress | None:
        try:
            return self._steps.get_nowait()
        except Empty:
            return None


class warnings_of_thread(logging.Handler):  # noqa: N801 - used as a function, `with warnings_of_thread(found):`
    """Appends to a list what the package warns of in this thread, as long as the block lasts."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._found = found
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the warning if it is one of this thread."""
        if record.thread == self._thread:
            self._found.append(record.getMessage())

    def __enter__(self) -> warnings_of_thread:
        logging.getLogger("inpaint").addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        logging.getLogger("inpaint").removeHandler(self)
