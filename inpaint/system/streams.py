"""Standard input, output and error as they may be connected: to pipes, code pages, full disks, or to nobody.

Work must not end because nobody reads what it prints, and a name that a code page lacks must not either. What cannot be
printed is dropped; a caller asks afterwards whether that matters (`Outlet.error`).
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO

STANDARD_INPUT = "/dev/stdin"
"""What `-` means where something is read; `files.open_file` keeps what arrives, so that it can be opened again."""
STANDARD_OUTPUT = "/dev/stdout"
"""What says the same as `-` where something is written."""

# What a code page may lack of the characters that our own lines and tables have.
_SUBSTITUTES = {"↑": "^", "↓": "v", "→": "->", "–": "-", "—": "-", "…": "...", "±": "+-", "×": "x"}
_HANDLER = "inpaint.printable"


def printable(error: UnicodeError) -> tuple[bytes, int]:
    """Replace one character that an encoding lacks: the handler of encoding errors of `tolerant_streams`.

    Args:
        error: What the encoder raised.

    Returns:
        The substitute, and where encoding goes on. Bytes of a file name that are no text come out as they are, other
        characters as an escape sequence, so that two names stay apart.

    Raises:
        UnicodeError: The error is not one of encoding.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    if "\udc80" <= character <= "\udcff":
        return bytes([ord(character) - 0xDC00]), error.start + 1
    text = _SUBSTITUTES.get(character, character)
    return text.encode("ascii", "backslashreplace"), error.start + 1


codecs.register_error(_HANDLER, printable)


class Outlet(io.RawIOBase):
    """A raw stream that takes everything: after a failure, and when it is closed, the rest is dropped.

    error: what the first failed write raised, None while all went well.
    """

    def __init__(self, raw: IO[bytes] | io.RawIOBase) -> None:
        super().__init__()
        self._raw = raw
        self.error: OSError | None = None

    @property
    def lost(self) -> str | None:
        """Why the output is not whole, None where it is, or where the reader has gone away and wants no more."""
        if self.error is None or self.error.errno == errno.EPIPE:
            return None
        return self.error.strerror or str(self.error)

    def check(self) -> None:
        """Raise what the first failed write raised."""
        if self.error is not None:
            raise self.error

    def writable(self) -> bool:
        """Return True, as buffers ask."""
        return True

    def fileno(self) -> int:
        """Return the descriptor below."""
        return self._raw.fileno()

    def isatty(self) -> bool:
        """Return whether a terminal is below."""
        return self._raw.isatty()

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        """Write what can be written and say that all was."""
        while self.error is None and not self.closed:
            try:
                written = self._raw.write(data)
                if written is not None:
                    return written
                select.select([], [self._raw], [])  # a pipe that its other end has set not to block
            except OSError as error:
                self.error = error
            except ValueError as error:  # what is below was closed, and with it whoever read
                self.error = BrokenPipeError(errno.EPIPE, str(error))
        return len(data)


@contextmanager
def tolerant_streams() -> Iterator[Outlet]:
    """Let the block print whatever happens to standard output and error; yields the outlet of standard output.

    Characters that the encoding lacks are substituted (`printable`). A stream that was closed before the start leads
    nowhere.
    """
    _occupy_descriptors()
    before = sys.stdout, sys.stderr
    outlets = []
    for stream in before:
        if stream is not None:
            stream.flush()
        outlets.append(_outlet(stream))
    sys.stdout, sys.stderr = (
        stream if outlet is None else _text(stream, outlet) for stream, outlet in zip(before, outlets, strict=True)
    )
    ours = sys.stdout, sys.stderr
    try:
        yield outlets[0] or Outlet(io.BytesIO())
    finally:
        for stream in ours:
            stream.flush()
        sys.stdout, sys.stderr = before


@contextmanager
def standard_output(suffix: str) -> Iterator[Path]:
    """Yield a path whose file goes to standard output when the block ends well: what `-` means for a written file.

    Args:
        suffix: Of the path, with the dot.
    """
    with tempfile.TemporaryDirectory(prefix="inpaint-") as folder:
        path = Path(folder) / f"standard-output{suffix}"
        yield path
        if path.exists():  # work that was stopped in time has written nothing
            sys.stdout.flush()
            with path.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()


def _outlet(stream: TextIO | None) -> Outlet | None:
    """Return an outlet to what is below a text stream; None for one that is no file (a notebook's, a test's)."""
    if stream is None:
        return Outlet(io.BytesIO())
    if not isinstance(stream, io.TextIOWrapper):
        return None
    below = stream.buffer
    return Outlet(below.raw if isinstance(below, io.BufferedWriter) else below)


def _text(stream: TextIO | None, outlet: Outlet) -> io.TextIOWrapper:
    encoding = "utf-8" if stream is None else stream.encoding
    buffer = io.BufferedWriter(outlet)  # type: ignore[type-var]
    return io.TextIOWrapper(buffer, encoding=encoding, errors=_HANDLER, line_buffering=True)


def _occupy_descriptors() -> None:
    """Connect closed standard streams to nowhere, so that no file of ours gets their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free: this one
