"""How work ends when the system, or Ctrl-C, asks it to: the one home of signal handlers.

Handlers are the main thread's: anywhere else everything here does nothing, since whoever runs the thread decides.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Final, TypeAlias

from inpaint.system.environment import variable_set

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGBREAK")
ENDING: Final = tuple(signal.Signals[name] for name in _NAMES if name in signal.Signals.__members__)
"""The signals that ask a program to end, as far as this system has them.

Ctrl-C, a scheduler's request, a terminal that is closed, a scheduler's early warning, and a limit of processor time.
"""

CHILD_ENDED: Final = tuple(signal.Signals[name] for name in ("SIGCHLD",) if name in signal.Signals.__members__)
"""The signal that tells of the end of a child process, where this system has it."""

SAME_WISH_S = 1.0
"""A Ctrl-C that comes so soon after a signal is the same wish: launchers hand on what the whole group got as well."""

Handler: TypeAlias = Callable[[int, FrameType | None], None]

_PARENT = "INPAINT_PARENT"  # the process that started this one and must not be outlived by it


@contextmanager
def handlers_restored(numbers: Iterable[signal.Signals] = ENDING) -> Iterator[None]:
    """Leave the handlers of signals as they were, whatever the block installs."""
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        _install(before)


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does, cleaning up what is half written, with status 143.

    So do the other signals that ask a program to end, with 128 plus their number.
    """
    with handlers_restored():
        _listen([number for number in ENDING if number != signal.SIGINT], _end)
        yield


class StopRequest:
    """Remembers the first signal that asks to end, so that work ends where it is whole.

    For work that asks between its steps. `number` is the signal that came, None before; `exit_status` what the shell
    expects then. Further signals change nothing, except for a user's second Ctrl-C, which raises KeyboardInterrupt: one
    that comes later than `SAME_WISH_S`.

    Args:
        clock: What tells the time, in seconds.

    Example:
        >>> with stopping_on_signals() as request:
        ...     signal.raise_signal(signal.SIGTERM)
        ...     request.number, request.exit_status
        (<Signals.SIGTERM: 15>, 143)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.number: signal.Signals | None = None
        self._clock = clock
        self._came = 0.0

    @property
    def exit_status(self) -> int:
        """128 and the signal's number; 0 while none has come."""
        return 0 if self.number is None else 128 + self.number

    def listen(self) -> None:
        """Install the handlers, again where a library has put in its own; `handlers_restored` takes them out."""
        _listen(ENDING, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number, self._came = signal.Signals(number), self._clock()
        elif number == signal.SIGINT and self._clock() - self._came >= SAME_WISH_S:
            _end(number, frame)


@contextmanager
def stopping_on_signals() -> Iterator[StopRequest]:
    """Yield a `StopRequest` that listens until the block ends."""
    request = StopRequest()
    with handlers_restored():
        request.listen()
        yield request


class Forwarding:
    """Runs one process at a time and hands it the signals that ask us to end, so that it can save.

    A process of this program that is run so does not outlive us, however we end; see `ending_with_parent`.

    signal_number: the last of them, None before.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._restored = handlers_restored()

    def __enter__(self) -> Forwarding:
        self._restored.__enter__()
        _listen(ENDING, self._forward)
        return self

    def __exit__(self, *exception: object) -> None:
        self._restored.__exit__(None, None, None)

    def run(self, command: Sequence[str]) -> int:
        """Run a command to its end and return its exit status."""
        # A group of its own: Ctrl-C then reaches it once, through us, and not twice.
        with outlived_by_none():
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


def outlived_by_none() -> AbstractContextManager[None]:
    """Let processes of this program that are started in the block end with this one; see `ending_with_parent`."""
    return variable_set(_PARENT, str(os.getpid()))


def ending_with_parent(*, every_s: float = 1.0, at_the_latest_s: float | None = None) -> None:
    """Send this process SIGTERM once the process of this program that started it is gone.

    Does nothing for other parents.

    Args:
        every_s: How often to look.
        at_the_latest_s: After so many seconds more the process ends unsaved, for one that may be waiting for what never
            comes; None = it ends when it has saved.
    """
    # Taken out of the environment: processes that this one starts have another parent.
    parent = os.environ.pop(_PARENT, "")
    if not parent.isdigit() or os.name == "nt":  # Windows keeps the number of a parent that has ended
        return

    def watch() -> None:
        while os.getppid() == int(parent):
            time.sleep(every_s)
        os.kill(os.getpid(), signal.SIGTERM)
        if at_the_latest_s is not None:
            time.sleep(at_the_latest_s)
            os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def serve_on(last_service_s: int) -> None:
    """Let a helper process outlast the signals that its whole group gets: who started it still needs it.

    It ends when it is told to, or so many seconds after a SIGTERM.
    """
    _install({number: signal.SIG_IGN for number in ENDING if number != signal.SIGTERM})

    def end_soon(number: int, frame: FrameType | None) -> None:
        signal.alarm(last_service_s)

    _install({signal.SIGTERM: end_soon})


def _end(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def _listen(numbers: Iterable[signal.Signals], handler: Handler) -> None:
    """Install one handler for several signals; a hang-up that is ignored stays so, as `nohup` wants it."""
    for number in numbers:
        if number.name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN:
            _install({number: handler})


def _install(handlers: Mapping[signal.Signals, Handler | int | None]) -> None:
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            if handler is not None:  # that of a library in C
                signal.signal(number, handler)
