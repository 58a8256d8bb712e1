"""A file of JSON lines that grows while work goes on, so that a kill loses at most the line being written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from inpaint.errors import InpaintError, WriteError
from inpaint.system.locks import FolderLock, HeldError

Line: TypeAlias = dict[str, Any]


class JsonLines(AbstractContextManager["JsonLines"]):
    """The lines that are there, handed out when the file is opened, and a place to append. A context manager.

    The folder is locked: one process at a time. A last line that was cut off when a process was killed is removed. The
    file is made with the first line.

    Args:
        path: The file; its folder is made.
        lock: The lock file, beside it.
        take: Gets the number, from 1, and the content of each line that is there. What it raises for a line that makes
            no sense to it (ValueError, KeyError, TypeError, AttributeError) is told as damage.

    is_new: whether there was no line.

    Raises:
        InpaintError: The folder is in use, the file is damaged or cannot be written.
    """

    def __init__(self, path: Path, *, lock: Path, take: Callable[[int, Line], None]) -> None:
        self.path = path
        self.is_new = True
        self._lock = FolderLock(lock)
        self._file: BinaryIO | None = None
        try:
            with _writing(path):
                self._lock.acquire()
                for number, line in _lines(path):
                    self.is_new = False
                    try:
                        take(number, line)
                    except (ValueError, KeyError, TypeError, AttributeError) as error:
                        raise _damaged(path, number, error) from None
        except HeldError as error:
            raise InpaintError(f"'{path.parent}' is {error}") from None
        except InpaintError:
            self._lock.release()
            raise

    def write(self, line: Mapping[str, Any]) -> None:
        """Append a line. Raises WriteError when it cannot be written."""
        with _writing(self.path):
            self._file = self._file or self.path.open("ab")
            self._file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
            self._file.flush()

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # of a line that could not be written, which `write` has said
            if self._file is not None:
                self._file.close()
        self._lock.release()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(f"cannot write '{path}': {error.strerror or error}") from None


def _lines(path: Path) -> Iterator[tuple[int, Line]]:
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        os.truncate(path, len(whole))
    for number, text in enumerate(whole.splitlines(), start=1):
        try:
            yield number, json.loads(text)
        except ValueError as error:
            raise _damaged(path, number, error) from None


def _damaged(path: Path, number: int, error: Exception) -> InpaintError:
    return InpaintError(f"'{path}' is damaged at line {number} ({error}); mend or remove it to start anew")
