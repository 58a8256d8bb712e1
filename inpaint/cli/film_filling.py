"""`inpaint infer` on a film: the verb itself fills its frames as a folder."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from inpaint.system.signals import ending_on_sigterm

Fill = Callable[..., int]
"""Fills a folder: image, masks and output in place of those that were given; returns the exit status."""


def fill_film(given: dict[str, Any], fill: Fill) -> int:
    """Take a film apart, fill its frames, put it together again, and return the exit status.

    Args:
        given: The options of the verb.
        fill: Called with image, masks and output.
    """
    from inpaint.pipeline.film import FilmWork, check_film

    others = [
        f"--{name.replace('_', '-')}" for name in ("save_mask", "preview", "save_guidance") if given[name] is not None
    ]
    check_film(given["output"], samples=given["samples"], others=others)
    work = FilmWork(Path(given["image"]), given["masks"], Path(given["output"]))
    work.check()
    with ending_on_sigterm():
        count = work.take_apart(resume=given["resume"])
        click.echo(f"{given['image']}: {count} frames, each filled by itself: what is filled may flicker", err=True)
        with _one_of_a_kind():
            status = fill(image=str(work.frames), masks=tuple(work.frame_masks), output=str(work.filled))
        if status:
            click.echo("the film is not written, since frames of it failed: --resume tries these again", err=True)
            return status
        click.echo(work.put_together(count))
    return 0


@contextmanager
def _one_of_a_kind() -> Iterator[None]:
    """Print one of the warnings that differ in numbers alone: those of frames come a thousand times."""
    seen = set[str]()

    def is_new(record: logging.LogRecord) -> bool:
        kind = re.sub(r"\d+", "", record.getMessage())
        new = kind not in seen
        seen.add(kind)
        return new

    handlers = [*logging.getLogger("inpaint").handlers]
    for handler in handlers:
        handler.addFilter(is_new)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_new)
