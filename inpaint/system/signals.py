"""How work ends when the system, or Ctrl-C, asks it to: the one home of signal handlers.

Handlers are the main thread's: anywhere else everything here does nothing, since whoever runs the thread decides.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final, TypeAlias

ENDING: Final = (signal.SIGINT, signal.SIGTERM)
"""The signals that ask a program to end."""

Handler: TypeAlias = Callable[[int, FrameType | None], None]


@contextmanager
def handlers_restored() -> Iterator[None]:
    """Leave the handlers of SIGINT and SIGTERM as they were, whatever the block installs."""
    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        yield
    finally:
        _install(before)


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does, cleaning up what is half written, with status 143."""
    with handlers_restored():
        _install({signal.SIGTERM: _end})
        yield


class StopRequest:
    """Remembers the first SIGINT or SIGTERM, so that work ends where it is whole; a second one ends it at once.

    For work that asks between its steps. `number` is the signal that came, None before; `exit_status` what the shell
    expects then. The second signal raises KeyboardInterrupt (SIGINT) or SystemExit with 143 (SIGTERM).

    Example:
        >>> with stopping_on_signals() as request:
        ...     signal.raise_signal(signal.SIGTERM)
        ...     request.number, request.exit_status
        (<Signals.SIGTERM: 15>, 143)
    """

    def __init__(self) -> None:
        self.number: signal.Signals | None = None

    @property
    def exit_status(self) -> int:
        """128 and the signal's number; 0 while none has come."""
        return 0 if self.number is None else 128 + self.number

    def listen(self) -> None:
        """Install the handlers, again where a library has put in its own; `handlers_restored` takes them out."""
        _install(dict.fromkeys(ENDING, self._note))

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            _end(number, frame)
        self.number = signal.Signals(number)


@contextmanager
def stopping_on_signals() -> Iterator[StopRequest]:
    """Yield a `StopRequest` that listens until the block ends."""
    request = StopRequest()
    with handlers_restored():
        request.listen()
        yield request


class Forwarding:
    """Runs one process at a time and hands it the signals that ask us to end, so that it can save.

    signal_number: the last of them, None before.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._restored = handlers_restored()

    def __enter__(self) -> Forwarding:
        self._restored.__enter__()
        _install(dict.fromkeys(ENDING, self._forward))
        return self

    def __exit__(self, *exception: object) -> None:
        self._restored.__exit__(None, None, None)

    def run(self, command: Sequence[str]) -> int:
        """Run a command to its end and return its exit status."""
        # A group of its own: Ctrl-C then reaches it once, through us, and not twice.
        self._process = subprocess.Popen(command, process_group=0)
        if self.signal_number is not None:
            self._process.send_signal(self.signal_number)  # it came while the process was being started
        try:
            return self._process.wait()
        finally:
            self._process = None

    def _forward(self, number: int, frame: FrameType | None) -> None:
        self.signal_number = number
        if self._process is not None:
            self._process.send_signal(number)


def _end(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def _install(handlers: dict[signal.Signals, Handler | int | None]) -> None:
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            if handler is not None:  # that of a library in C
                signal.signal(number, handler)
