"""A film painted in the style of others: frames held together, sound kept, and an interrupted work that goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from inpaint.errors import WriteError
from inpaint.images.films import Rgb
from inpaint.images.photo import photo_of_array
from inpaint.pipeline.film import FilmWork, frame_path, read_frame
from inpaint.pipeline.style_sources import AskedStyle
from inpaint.pipeline.styling import part_of
from inpaint.style.film.options import FilmOptions
from inpaint.style.film.painters import frame_painter
from inpaint.style.film.run import paint_frames
from inpaint.system.files import atomic_write, write_text
from inpaint.types import ProgressCallback, Stylizer

_REQUEST = "request.json"  # what the results that are there were painted by
KEPT_FRAMES = 8  # read frames that are kept in memory


def stylize_film(
    film: str | os.PathLike[str],
    asked: AskedStyle,
    stylizer: Stylizer,
    output: str | os.PathLike[str],
    *,
    options: FilmOptions | None = None,
    size_px: int | None = None,
    seed: int = 0,
    resume: bool = True,
    request: Mapping[str, Any] | None = None,
    progress: ProgressCallback | None = None,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> str:
    """Paint a film and return in words what was written.

    Beside the output lies OUTPUT.frames for the time of the work. It stays when the work is interrupted; the next call
    with the same film, request and options goes on with it.

    Args:
        film: Of a format that OpenCV decodes.
        asked: Styles, their weights and masks; content masks are those of every frame.
        stylizer: The method.
        output: A film, or a folder for its frames.
        options: How frames are held together.
        size_px: Longer side of the frames that are painted, and of the film that is written; None: the film's.
        seed: Of every frame, so that what is drawn at random does not flicker.
        resume: Go on with an interrupted work; else begin anew.
        request: What else decides about results, in the types of JSON: the model and its options.
        progress: Told of the steps of a frame by methods that take long.
        told: Told how many frames are done, of how many.

    Raises:
        InputError: The film, a style or a flow cannot be read, or a mask does not fit.
        UsageError: The output is neither.
        WriteError: A frame or the film cannot be written.
    """
    options = options or FilmOptions()
    how = "each painted by itself" if options.independent else "each held to those before"
    work = FilmWork(Path(film), (), Path(output), how=how)
    work.check()
    count = work.take_apart(resume=resume)
    said = json.dumps(
        {"options": options.model_dump(mode="json"), "size": size_px, "seed": seed, "request": dict(request or {})},
        sort_keys=True,
        default=str,
    )
    passes = [FrameFolder(work.work / f"pass-{number}") for number in range(1, options.passes)]
    passes.append(FrameFolder(work.filled))
    marker = work.work / _REQUEST
    if not (resume and marker.exists() and marker.read_text(encoding="utf-8") == said):
        for folder in passes:
            folder.clear(count)
        write_text(marker, said)

    @lru_cache(maxsize=KEPT_FRAMES)
    def contents(number: int) -> Rgb:
        return _reduced(read_frame(work.frames, number), size_px)

    first = photo_of_array(contents(1))
    parts = [part_of(first, source, (first.height, first.width)) for source in asked.sources(first, stylizer)]
    painter = frame_painter(stylizer, options)
    paint_frames(painter, contents, count, parts, passes, options, seed=seed, progress=progress, told=told)
    return work.put_together(count)


@dataclass(frozen=True)
class FrameFolder:
    """The results of a pass as PNG files."""

    folder: Path

    def has(self, number: int) -> bool:
        """Return whether a frame's result is there."""
        return frame_path(self.folder, number).exists()

    def read(self, number: int) -> Rgb:
        """Return a result that is there."""
        return read_frame(self.folder, number)

    def write(self, number: int, image: Rgb) -> None:
        """Keep a result, whole or not at all."""
        done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
        if not done:
            raise WriteError(f"cannot encode frame {number} of {image.shape[1]} x {image.shape[0]} pixels")
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(frame_path(self.folder, number)) as temporary:
            temporary.write_bytes(data.tobytes())

    def clear(self, count: int) -> None:
        """Remove the results of so many frames."""
        for number in range(1, count + 1):
            with suppress(FileNotFoundError):
                frame_path(self.folder, number).unlink()


def _reduced(frame: Rgb, size_px: int | None) -> Rgb:
    height, width = frame.shape[:2]
    factor = 1.0 if size_px is None else min(size_px / max(height, width), 1.0)
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    if size == (width, height):
        return frame
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
