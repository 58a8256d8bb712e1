"""Random weights and noise that depend on a seed alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def drawing_from(seed: int, *, device: torch.device | None = None) -> Iterator[None]:
    """Let torch's global generators, a GPU's too, draw from a seed for the block; their state is put back after it.

    Example:
        >>> with drawing_from(7):
        ...     first = torch.rand(3)
        >>> with drawing_from(7):
        ...     bool((torch.rand(3) == first).all())
        True
    """
    with torch.random.fork_rng(devices=[device] if device is not None and device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
