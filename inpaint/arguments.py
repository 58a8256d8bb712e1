"""What public functions are given: each value in the plain type that is documented, or one line that names it.

Scalars of NumPy and torch are taken for the numbers that they hold; true is no 1, and text is no number.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from inpaint.errors import InputError
from inpaint.types import shown


def integer(name: str, value: object, *, least: int = 0, most: int | None = None) -> int:
    """Return a whole number as a plain integer.

    Args:
        name: Of the argument.
        value: What was given.
        least: The smallest that is valid.
        most: The largest; None: any.

    Raises:
        InputError: It is no integer, or out of this range.

    Example:
        >>> import numpy as np
        >>> integer("seed", np.uint8(3))
        3
    """
    try:
        number = least - 1 if _is_truth(value) else operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):  # ValueError: a tensor of several
        number = least - 1
    if number < least or (most is not None and number > most):
        valid = f"an integer of at least {least}" if most is None else f"an integer from {least} to {_power(most)}"
        raise InputError(f"{name} must be {valid}, got {shown(value)}")
    return number


def number(name: str, value: object, *, least: float = 0.0) -> float:
    """Return a finite number as a plain float; raises InputError for anything else, and for one below `least`."""
    try:
        found = math.nan if _is_truth(value) or isinstance(value, str | bytes) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found) or found < least:
        raise InputError(f"{name} must be a number of at least {least:g}, got {shown(value)}")
    return found


def truth(name: str, value: object) -> bool:
    """Return True or False, those of NumPy as well; raises InputError for anything else."""
    if not _is_truth(value):
        raise InputError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def text(name: str, value: object) -> str:
    """Return a text; raises InputError for anything else."""
    if not isinstance(value, str):
        raise InputError(f"{name} must be text, got {shown(value)}")
    return value


def path(name: str, value: object) -> str:
    """Return a path as text; raises InputError for what is none, and for an empty one."""
    found = os.fsdecode(value) if isinstance(value, str | os.PathLike) else ""
    if not found or "\0" in found:
        raise InputError(f"{name} must be a path, got {shown(value)}")
    return found


def texts(name: str, value: object) -> list[str]:
    """Return several texts in a list, one alone as well; raises InputError for anything else."""
    alone = isinstance(value, str | bytes | Mapping) or is_scalar(value)
    return [text(name, each) for each in (value if isinstance(value, Iterable) and not alone else [value])]


def mapping(name: str, value: object) -> Mapping[Any, Any]:
    """Return a mapping; raises InputError for anything else."""
    if not isinstance(value, Mapping):
        raise InputError(f"{name} must be a mapping by name, got {shown(value)}")
    return value


def function(name: str, value: Callable[..., Any] | None) -> None:
    """Raise InputError unless what is to be called, if anything is, can be called."""
    if value is not None and not callable(value):
        raise InputError(f"{name} must be a function, got {shown(value)}")


def is_scalar(value: Any) -> bool:
    """Return whether this is a single number of NumPy or torch."""
    return hasattr(value, "ndim") and hasattr(value, "dtype") and value.ndim == 0


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or (is_scalar(value) and str(value.dtype).removeprefix("torch.") == "bool")


def _power(number: int) -> str:
    """Return a number in digits, one below a power of two by that."""
    bits = number.bit_length()
    return f"2**{bits} - 1" if bits > 32 and number == 2**bits - 1 else str(number)
