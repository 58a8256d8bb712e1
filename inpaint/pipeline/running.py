"""Working through a list of photos: reading, filling, writing, and what became of each."""

from __future__ import annotations

import errno
import logging
import math
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

from PIL import Image

from inpaint.data.headers import header_of_file
from inpaint.errors import InpaintError, InputError, UsageError
from inpaint.fills.parts import works_on_the_whole
from inpaint.images.formats import format_of_content, format_of_name
from inpaint.images.masks import Hole, dilate_hole, fit_to, read_mask
from inpaint.images.photo import Photo
from inpaint.images.planes import PlaneArray, plane_of
from inpaint.images.reading import MAX_PIXELS, read_photo
from inpaint.images.writing import copy_photo, write_photo
from inpaint.pipeline.matching import Job
from inpaint.pipeline.photo import check_guidance, fill_photo_often
from inpaint.pipeline.samples import best_of, sheet
from inpaint.system.environment import available_memory_bytes, cores
from inpaint.system.files import atomic_write
from inpaint.system.parallel import Budget, Work, in_order
from inpaint.types import Inpainter, Plane, Progress, ProgressCallback

_log = logging.getLogger("inpaint.pipeline")

MOST_AT_ONCE = 8  # photos filled at the same time when nothing is said
# What filling takes per pixel of the photo: measured 15 with small holes and 48 where the whole photo is worked on.
PART_BYTES, WHOLE_BYTES = 40, 64
MEMORY_SHARE = 0.5  # of what is free, for the photos that are filled at the same time


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """How every photo of a list is treated."""

    invert_mask: bool = False
    dilate_px: int = 0
    seed: int = 0
    quality: int | None = None
    first_page: bool = False
    max_pixels: int = MAX_PIXELS
    skip_existing: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a job; `reason` says why it failed, in one line."""

    job: Job
    status: Literal["filled", "skipped", "failed"]
    reason: str = ""


def run_jobs(
    jobs: Sequence[Job],
    inpainter: Inpainter,
    options: JobOptions,
    *,
    at_once: int | None = None,
    progress: ProgressCallback | None = None,
) -> Iterator[Outcome]:
    """Work through the list and yield what became of each job, in its order; a bad file is an outcome, not an error.

    With one at a time the next photo is decoded while the model works. Every result is written whole or not at all, so
    the iterator may be left at any moment.

    Args:
        jobs: What there is to do.
        inpainter: The fill.
        options: How every photo is treated.
        at_once: Photos filled at the same time, only for fills whose capabilities are thread_safe; None: as many as
            there are cores and jobs, at most 8, for such fills, else one. Photos that together would take more than
            half of the free memory wait for each other. Results are the same for any number.
        progress: Told the steps of a photo, where it is alone.

    Raises:
        UsageError: Several are wanted of a fill that cannot.
    """
    if at_once is not None and at_once > 1 and not inpainter.capabilities.thread_safe:
        raise UsageError(
            f"{inpainter.name} fills one photo at a time, with all cores or the accelerator; several at once (got "
            f"{at_once}) are for the fills without learning"
        )
    todo = []
    for job in jobs:
        if options.skip_existing and all(path.exists() for path in job.outputs):
            yield Outcome(job=job, status="skipped")
        else:
            todo.append(job)
    if at_once is None:
        at_once = min(cores(), len(todo), MOST_AT_ONCE) if inpainter.capabilities.thread_safe else 1
    check_guidance(inpainter, [name for job in jobs[:1] for name in job.guidance])
    load = _loader(options, inpainter.capabilities.guidance)
    if at_once > 1:
        yield from _side_by_side(todo, load, inpainter, options, at_once)
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="decode") as decoder:
        coming = [decoder.submit(load, job) for job in todo[:1]]
        for number, job in enumerate(todo):
            current = coming.pop()
            wait([current])
            # Only now: at most two photos are in memory.
            coming = [decoder.submit(load, following) for following in todo[number + 1 : number + 2]]
            yield _outcome(job, current.result, inpainter, options, progress)


class _Left(BaseException):
    """Nobody waits for this fill any more."""


def _side_by_side(
    jobs: Sequence[Job], load: Callable[[Job], _Loaded], inpainter: Inpainter, options: JobOptions, at_once: int
) -> Iterator[Outcome]:
    """Fill several photos at the same time; their outcomes come in the order of the list."""
    left = threading.Event()
    free_bytes = available_memory_bytes()
    memory = Budget(math.inf if free_bytes is None else MEMORY_SHARE * free_bytes)
    pixel_bytes = WHOLE_BYTES if works_on_the_whole(inpainter.capabilities) else PART_BYTES

    def watch(step: Progress | None = None) -> None:
        if left.is_set():
            raise _Left

    def outcome_of(job: Job) -> Outcome:
        header = header_of_file(job.image)  # of a file that cannot be read: no pixels
        with memory.spending(pixel_bytes * header.height * header.width):
            watch()
            return _outcome(job, partial(load, job), inpainter, options, watch)

    asked = ((job, Work(partial(outcome_of, job))) for job in jobs)
    with closing(in_order(asked, jobs=at_once, leaving=left.set)) as answers:
        for _, outcome in answers:
            yield outcome


def _outcome(
    job: Job,
    load: Callable[[], _Loaded],
    inpainter: Inpainter,
    options: JobOptions,
    progress: ProgressCallback | None,
) -> Outcome:
    """Fill one photo, write the results and return what became of it."""
    try:
        _finish(job, load(), inpainter, options, progress)
    except InpaintError as error:
        return Outcome(job=job, status="failed", reason=str(error))
    except Exception as error:
        # A defect of a model on one photo must not lose a night's work on the others.
        _log.debug("%s failed", job.image, exc_info=error)
        text = " ".join(str(error).split())
        return Outcome(job=job, status="failed", reason=f"{job.image}: {type(error).__name__}: {text}")
    return Outcome(job=job, status="filled")


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Raise InpaintError unless files can be written into `folder`, which need not exist yet. Leaves nothing behind."""
    path = Path(folder)
    existing = path
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        if not existing.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{existing} is not a folder")
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise InpaintError(f"cannot write into '{path}': {error.strerror or error}") from error


@dataclass(frozen=True)
class _Loaded:
    photo: Photo
    hole: Hole
    guidance: dict[str, PlaneArray]


def _loader(options: JobOptions, planes: Mapping[str, Plane]) -> Callable[[Job], _Loaded]:
    """Return the function that reads all files of a job; a file shared by all photos is read once."""

    @lru_cache(maxsize=1)
    def mask_of(path: Path) -> Hole:
        return read_mask(path, invert=options.invert_mask, max_pixels=options.max_pixels)

    @lru_cache(maxsize=4)
    def array_of(path: Path, name: str) -> PlaneArray:
        return plane_of(read_photo(path, max_pixels=options.max_pixels), planes[name])

    def load(job: Job) -> _Loaded:
        for companion in (job.mask, *job.guidance.values()):
            if isinstance(companion, str):
                raise InputError(companion)
        assert isinstance(job.mask, Path)
        photo = read_photo(job.image, max_pixels=options.max_pixels, first_page=options.first_page)
        size = (photo.height, photo.width)
        hole = fit_to(mask_of(job.mask), *size, name=str(job.mask))
        guidance = {
            name: fit_to(array_of(path, name), *size, name=str(path), what=name)
            for name, path in job.guidance.items()
            if isinstance(path, Path)
        }
        return _Loaded(photo, dilate_hole(hole, options.dilate_px), guidance)

    return load


def _finish(
    job: Job, loaded: _Loaded, inpainter: Inpainter, options: JobOptions, progress: ProgressCallback | None
) -> None:
    samples = fill_photo_often(
        loaded.photo,
        loaded.hole,
        inpainter,
        samples=job.samples,
        guidance=loaded.guidance,
        seed=options.seed,
        progress=progress,
    )
    try:
        job.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InpaintError(f"cannot write '{job.output}': {error.strerror or error}") from error
    if len(samples) < job.samples:
        samples *= job.samples  # nothing to fill: all are the photo itself
    samples = best_of(samples, job.top)
    for sample, output in zip(samples, job.outputs, strict=False):  # the sheet, where there is one, is the last output
        if sample.photo is loaded.photo and _same_format(job.image, output):
            copy_photo(sample.photo, output)
        else:
            write_photo(sample.photo, output, quality=options.quality)
    if job.samples > 1:
        with atomic_write(job.outputs[-1]) as temporary:
            Image.fromarray(sheet(loaded.photo, loaded.hole, samples)).save(temporary, "PNG")


def _same_format(image: Path, output: Path) -> bool:
    with image.open("rb") as stream:
        return format_of_content(stream.read(64)) == format_of_name(output)
