"""Small pictures inside the page: as large as a budget allows for all of them together."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from PIL import Image

from inpaint.errors import InputError
from inpaint.images.reading import read_rgb
from inpaint.system.parallel import Work, in_order
from inpaint.types import Progress, ProgressCallback

BUDGET_BYTES = 24_000_000
"""Of all pictures of a page, as text; the page opens from the disk in a second or two."""
SIDES_PX = (256, 224, 192, 160, 144, 128, 112, 96, 80, 64)
"""Longer sides to choose from. The smallest is taken also where it takes more than the budget."""
QUALITY = 78
_TRIED = 12  # pictures from which the size of all is estimated


def thumbnails(
    paths: Sequence[Path], *, budget_bytes: int = BUDGET_BYTES, progress: ProgressCallback | None = None
) -> list[str | None]:
    """Return each picture as a small WebP in base64, all of one size; None for what cannot be read.

    Args:
        paths: Files of pictures, any format that `read_rgb` reads.
        budget_bytes: How long all of them together should be at most, estimated from some.
        progress: Counts pictures.
    """
    side = _side(paths, budget_bytes)
    jobs = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found: list[str | None] = []
    work = ((path, Work(partial(_small, path, side))) for path in paths)
    with closing(in_order(work, jobs=jobs)) as answers:
        for _, answer in answers:
            found.append(answer)
            if progress is not None:
                progress(Progress(done=len(found), total=len(paths)))
    return found


def _side(paths: Sequence[Path], budget_bytes: int) -> int:
    tried = paths[:: max(1, len(paths) // _TRIED)][: _TRIED + 1]
    for side in SIDES_PX[:-1]:
        sizes = [len(text) for path in tried if (text := _small(path, side)) is not None]
        if not sizes or sum(sizes) / len(sizes) * len(paths) <= budget_bytes:
            return side
    return SIDES_PX[-1]


def _small(path: Path, side: int) -> str | None:
    try:
        image = Image.fromarray(read_rgb(path))
    except InputError:
        return None
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)  # never larger than it is
    content = io.BytesIO()
    image.save(content, "WEBP", quality=QUALITY, method=2)
    return base64.b64encode(content.getvalue()).decode("ascii")
