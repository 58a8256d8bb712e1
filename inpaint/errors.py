"""Errors that a user can act on. The command line prints them as one line and exits with `exit_status`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import partial

OUT_OF_TIME = 75  # exit status of work that its time limit has ended, saved: "try again later", as schedulers know it


class InpaintError(Exception):
    """Base of all errors of this package. The message names the offending value and what would be valid."""

    exit_status = 1


class UsageError(InpaintError, ValueError):
    """The request itself is wrong: an option, a key, a name, a combination."""

    exit_status = 2


class ConfigError(UsageError):
    """A configuration key is unknown or its value is not valid."""


class InputError(InpaintError, ValueError):
    """An image, a mask or guidance that cannot be used: unreadable, of the wrong shape, too small, too large."""


class MaskError(InputError):
    """The mask does not fit the image, or leaves nothing to do or nothing to work from."""


class NotAMaskError(MaskError):
    """What was given as a mask shows a photo."""


class DataError(InpaintError):
    """A data set that cannot be used: nothing found, nothing readable."""


class WeightsError(InpaintError):
    """Weights that cannot be used: missing, damaged, of another architecture, or containing code."""


class RunError(InpaintError):
    """A training run that cannot start or go on: folder taken, nothing to resume, loss not finite."""


class DivergedError(RunError):
    """A loss or a weight that is not finite. What was saved is from before.

    iteration: in which it was found, or after which.
    """

    def __init__(self, message: str, *, iteration: int) -> None:
        super().__init__(message)
        self.iteration = iteration

    def __reduce__(self) -> tuple[object, ...]:
        return partial(DivergedError, iteration=self.iteration), self.args


class LostRunError(RunError):
    """A run folder that another process has taken over, so that nothing may be written into it any more."""


class WriteError(InpaintError):
    """A file that cannot be written: disk full, no permission, no such folder. The old file is intact."""


class MissingDependencyError(InpaintError):
    """An optional package is needed and not installed. The message names the extra to install."""


def unknown(what: str, value: str, valid: Iterable[str]) -> str:
    """Return "unknown WHAT 'VALUE' (did you mean 'X'?); valid: A, B, C"."""
    names = sorted(valid)
    close = get_close_matches(value, names, n=1)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    return f"unknown {what} '{value}'{hint}; valid: {', '.join(names)}"


def some(names: Sequence[str], most: int = 12) -> str:
    """Return the first names and how many more there are."""
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
