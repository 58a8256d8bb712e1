"""Signals that come while the command line is at work in this process."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from inpaint.cli.main import run
from inpaint.system.signals import handlers_restored


def heed_interrupts() -> None:
    """A shell that starts the tests in the background has its children ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def status_of(arguments: Sequence[str]) -> object:
    """Return the exit status of the command line, however a signal ends it."""
    with handlers_restored():
        heed_interrupts()
        try:
            return run(list(arguments))
        except SystemExit as end:
            return end.code
