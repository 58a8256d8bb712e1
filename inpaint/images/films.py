"""Frames of a film: how many there are, some of them in turn, and statistics over many without holding the film."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InputError
from inpaint.system.files import missing

Rgb = NDArray[np.uint8]
"""One frame, (H, W, 3)."""
FILM_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".mts")
"""Names of films, in lower case."""
MEMORY_BYTES = 256 * 1024**2
"""What the frames that are looked at together may take."""


def is_film(place: str | os.PathLike[str]) -> bool:
    """Return whether a path has the name of a film."""
    return os.fspath(place).lower().endswith(FILM_SUFFIXES)


@dataclass(frozen=True)
class Film:
    """A film that OpenCV can read.

    path: its file. count: its frames. height, width: in pixels.
    """

    path: Path
    count: int
    height: int
    width: int

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Film:
        """Open a film and count its frames, which takes one pass: what files say of their own length is often wrong.

        Raises:
            InputError: There is no such file, or OpenCV reads no frame of it.
        """
        with _opened(path) as capture:
            read, first = capture.read()
            if not read:
                raise InputError(f"'{path}' is no film that can be read: no frame can be decoded")
            count = 1
            while capture.grab():
                count += 1
        return cls(Path(path), count, first.shape[0], first.shape[1])

    def evenly(self, wanted: int) -> list[int]:
        """Return the numbers of so many frames at even distances, all frames where there are not as many.

        Example:
            >>> Film(Path("a.avi"), 100, 32, 40).evenly(4)
            [12, 37, 62, 87]
        """
        wanted = min(wanted, self.count)
        return [(2 * k + 1) * self.count // (2 * wanted) for k in range(wanted)]

    def frames(self, numbers: Sequence[int]) -> Iterator[Rgb]:
        """Yield frames by number, in rising order, each (H, W, 3) RGB.

        The film is decoded from its start: seeking gives other frames in some formats.

        Raises:
            InputError: The file has changed and lacks one of them, or a frame is of another size.
        """
        wanted = sorted(set(numbers))
        with _opened(self.path) as capture:
            at = -1
            for number in wanted:
                while at < number:
                    if not capture.grab():
                        raise InputError(f"'{self.path}' ends before frame {number}; it had {self.count}")
                    at += 1
                read, frame = capture.retrieve()
                if not read or frame.shape != (self.height, self.width, 3):
                    raise InputError(f"frame {number} of '{self.path}' cannot be decoded at the film's size")
                yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)

    def strips(self, numbers: Sequence[int], *, most_bytes: int = MEMORY_BYTES) -> Iterator[tuple[slice, Rgb]]:
        """Yield rows of the picture with what they are in each of the frames: (rows, (N, h, W, 3)).

        Args:
            numbers: Of the frames.
            most_bytes: What the strip of all frames may take. A film too large for that is read once for each strip.
        """
        wanted = sorted(set(numbers))
        rows_bytes = len(wanted) * self.width * 3
        height = max(1, min(self.height, most_bytes // rows_bytes))
        for top in range(0, self.height, height):
            rows = slice(top, min(top + height, self.height))
            strip = np.empty((len(wanted), rows.stop - top, self.width, 3), np.uint8)
            for place, frame in enumerate(self.frames(wanted)):
                strip[place] = frame[rows]
            yield rows, strip


class FilmReader:
    """Frames of a film by number; asked for in rising order they are decoded once. The last two are kept.

    Args:
        film: The film.
    """

    def __init__(self, film: Film) -> None:
        self.film = film
        self._coming: Iterator[tuple[int, Rgb]] = iter(())
        self._kept: dict[int, Rgb] = {}

    def read(self, number: int) -> Rgb:
        """Return a frame, (H, W, 3) RGB. Raises InputError as `Film.frames`."""
        if number not in self._kept:
            if not self._kept or number < max(self._kept):
                numbers = range(number, self.film.count)
                self._coming = zip(numbers, self.film.frames(numbers), strict=True)
            for at, frame in self._coming:
                self._kept = {each: self._kept[each] for each in (at - 1,) if each in self._kept} | {at: frame}
                if at == number:
                    break
        return self._kept[number]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_coming": iter(()), "_kept": {}}


def frames_per_s(path: str | os.PathLike[str]) -> float:
    """Return the speed of a film as its file says it, 25 where it says none."""
    with _opened(path) as capture:
        found = float(capture.get(cv2.CAP_PROP_FPS))
    return found if 0 < found < 1000 else 25.0


def median(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the median over the first axis, the mean of the middle two of an even number, halves upwards."""
    upper = len(frames) // 2
    lower = (len(frames) - 1) // 2
    middle = np.partition(frames, [lower, upper], axis=0)[[lower, upper]].astype(np.uint16)
    found: NDArray[np.uint8] = ((middle[0] + middle[1] + 1) // 2).astype(np.uint8)
    return found


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[cv2.VideoCapture]:
    if reason := missing(path):
        raise InputError(f"cannot read '{path}': {reason}")
    with quiet_opencv():
        try:
            capture = cv2.VideoCapture(os.fspath(path))
            try:
                if not capture.isOpened():
                    raise InputError(
                        f"'{path}' is no film that can be read: valid are what OpenCV decodes, AVI or MP4 say"
                    )
                yield capture
            finally:
                capture.release()
        except cv2.error as error:
            raise InputError(f"'{path}' is no film that can be read: {error.err}") from None


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep what OpenCV and its FFmpeg print of films, which is for programmers, from standard error in the block."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read when FFmpeg is first used
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
