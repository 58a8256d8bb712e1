"""Working through a list of photos: reading, filling, writing, and what became of each."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path

from PIL import Image

from inpaint.data.headers import header_of_file
from inpaint.errors import InpaintError, InputError, UsageError
from inpaint.images.formats import format_of_content, format_of_name
from inpaint.images.hole_files import write_mask, write_plane, write_preview
from inpaint.images.mask_rules import Hole, Label
from inpaint.images.masks import OncePerKind, Say, read_mask, warn
from inpaint.images.photo import Photo
from inpaint.images.planes import PlaneArray, plane_of
from inpaint.images.reading import MAX_PIXELS, read_photo
from inpaint.images.writing import check_length, copy_photo, write_photo
from inpaint.pipeline.hole_sources import DrawnMask
from inpaint.pipeline.holes import Marks, check_marked, hole_in, warn_without_hole
from inpaint.pipeline.journal import RunJournal
from inpaint.pipeline.matching import Job
from inpaint.pipeline.outcome import Outcome
from inpaint.pipeline.photo import check_guidance, fill_photo_often, fitted_plane
from inpaint.pipeline.samples import best_of, sheet
from inpaint.registry.table import Described
from inpaint.strategies.parts import works_on_the_whole
from inpaint.system.environment import available_memory_bytes, cores
from inpaint.system.files import atomic_write, check_target, open_file
from inpaint.system.parallel import Budget, Work, in_order
from inpaint.system.progress import StepsOfItems, Together
from inpaint.types import Inpainter, Plane, Progress, ProgressCallback

_log = logging.getLogger("inpaint.pipeline")

MOST_AT_ONCE = 8  # photos filled at the same time when nothing is said
# What filling takes per pixel of the photo: measured 15 with small holes and 48 where the whole photo is worked on.
PART_BYTES, WHOLE_BYTES = 40, 64
MEMORY_SHARE = 0.5  # of what is free, for the photos that are filled at the same time


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """How every photo of a list is treated. marks: what beside the masks says what the hole is."""

    invert_mask: bool = False
    label: Label | None = None
    dilate_px: int = 0
    opaque: bool = False
    seed: int = 0
    quality: int | None = None
    first_page: bool = False
    max_pixels: int = MAX_PIXELS
    skip_existing: bool = False
    marks: Marks = field(default_factory=Marks)


def run_jobs(
    jobs: Sequence[Job],
    inpainter: Inpainter | None,
    options: JobOptions,
    *,
    at_once: int | None = None,
    progress: StepsOfItems | None = None,
    journal: RunJournal | None = None,
    device: str = "auto",
) -> Iterator[Outcome]:
    """Work through the list and yield what became of each job, in its order; a bad file is an outcome, not an error.

    With one at a time the next photo is decoded while the model works, unless a model finds its hole. Every result is
    written whole or not at all, so the iterator may be left at any moment.

    Args:
        jobs: What there is to do.
        inpainter: The fill; None: holes are found and shown, and nothing is filled.
        options: How every photo is treated.
        at_once: Photos filled at the same time, only for fills whose capabilities are thread_safe; None: as many as
            there are cores and jobs, at most 8, for such fills, else one. Photos that together would take more than
            half of the free memory wait for each other. Results are the same for any number.
        progress: Told the steps of the photos at work.
        journal: Told what becomes of each job, and asked which are done already.
        device: Where models that find holes are loaded.

    Raises:
        UsageError: Several are wanted of a fill that cannot, nothing says what the hole is, or guidance is given and
            nothing is filled.
    """
    for job in jobs[:1]:
        check_marked(len(job.masks), options.marks, invert=options.invert_mask, label=options.label)
    guidance = [name for job in jobs[:1] for name in job.guidance]
    if inpainter is not None:
        check_at_once(inpainter, at_once)
        check_guidance(inpainter, guidance)
    elif guidance:
        raise UsageError(f"{' and '.join(guidance)}: for a fill to follow, and without an output nothing is filled")
    todo = yield from without_done(jobs, options, journal)
    if todo:
        options = replace(options, marks=options.marks.at_work(inpainter, device))
    with closing(_at_work(jobs, todo, inpainter, options, at_once=at_once, progress=progress)) as outcomes:
        for outcome in outcomes:
            if journal is not None:
                journal.add(outcome)
            yield outcome


def without_done(
    jobs: Sequence[Job], options: JobOptions, journal: RunJournal | None
) -> Generator[Outcome, None, list[Job]]:
    """Yield the outcomes of jobs whose results are left as they are, and return the jobs that are left to do."""
    if journal is not None:
        journal.begin(jobs)
    todo = []
    for job in jobs:
        existing = options.skip_existing and all(path.exists() for path in job.outputs or job.beside)
        if existing or (journal is not None and journal.is_done(job)):
            yield Outcome(job=job, status="skipped")
        else:
            todo.append(job)
    return todo


def _at_work(
    jobs: Sequence[Job],
    todo: Sequence[Job],
    inpainter: Inpainter | None,
    options: JobOptions,
    *,
    at_once: int | None,
    progress: StepsOfItems | None,
) -> Generator[Outcome]:
    if at_once is None:
        safe = inpainter is None or inpainter.capabilities.thread_safe
        at_once = min(cores(), len(todo), MOST_AT_ONCE) if safe else 1
    options = replace(options, marks=options.marks.prepared([job.image for job in jobs], max_pixels=options.max_pixels))
    planes = {} if inpainter is None else inpainter.capabilities.guidance
    load = loader_of(jobs, options, planes, say=OncePerKind() if has_several_masks(jobs) else warn)
    if at_once > 1:
        yield from _side_by_side(todo, load, inpainter, options, at_once, Together(progress or _unheard))
        return
    if options.marks.by_model:  # which takes the memory and the cores that filling wants
        yield from (outcome_of(job, partial(load, job), inpainter, options, progress) for job in todo)
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="decode") as decoder:
        coming = [decoder.submit(load, job) for job in todo[:1]]
        for number, job in enumerate(todo):
            current = coming.pop()
            wait([current])
            # Only now: at most two photos are in memory.
            coming = [decoder.submit(load, following) for following in todo[number + 1 : number + 2]]
            yield outcome_of(job, current.result, inpainter, options, progress)


def check_at_once(inpainter: Inpainter | Described, at_once: int | None) -> None:
    """Raise UsageError when several photos at once are wanted of a fill that takes one."""
    if at_once is not None and at_once > 1 and not inpainter.capabilities.thread_safe:
        raise UsageError(
            f"{inpainter.name} fills one photo at a time, with all cores or the accelerator; several at once (got "
            f"{at_once}) are for the fills without learning"
        )


class _Left(BaseException):
    """Nobody waits for this fill any more."""


def _unheard(step: Progress, items: int = 1) -> None:
    """Take no notice."""


def _side_by_side(
    jobs: Sequence[Job],
    load: Callable[[Job], _Loaded],
    inpainter: Inpainter | None,
    options: JobOptions,
    at_once: int,
    progress: Together,
) -> Iterator[Outcome]:
    """Fill several photos at the same time; their outcomes come in the order of the list."""
    left = threading.Event()
    free_bytes = available_memory_bytes()
    memory = Budget(math.inf if free_bytes is None else MEMORY_SHARE * free_bytes)
    whole = inpainter is None or works_on_the_whole(inpainter.capabilities)
    pixel_bytes = WHOLE_BYTES if whole else PART_BYTES

    def fill_one(job: Job) -> Outcome:
        tell = progress.of(_key(job))

        def watch(step: Progress | None = None) -> None:
            if left.is_set():
                raise _Left
            if step is not None:
                tell(step)

        header = header_of_file(job.image)  # of a file that cannot be read: no pixels
        with memory.spending(pixel_bytes * header.height * header.width):
            watch()
            return outcome_of(job, partial(load, job), inpainter, options, watch)

    asked = ((job, Work(partial(fill_one, job))) for job in jobs)
    with closing(in_order(asked, jobs=at_once, leaving=left.set)) as answers:
        for job, outcome in answers:
            progress.counted(_key(job))
            yield outcome


def _key(job: Job) -> Path:
    """Return a path that no other job has."""
    return job.output or job.beside[0]


def outcome_of(
    job: Job,
    load: Callable[[], _Loaded],
    inpainter: Inpainter | None,
    options: JobOptions,
    progress: ProgressCallback | None,
) -> Outcome:
    """Fill one photo, write the results and return what became of it."""
    try:
        loaded = load()
        strategy = _finish(job, loaded, inpainter, options, progress)
    except InpaintError as error:
        text = str(error)
        named = any(str(path) in text for path in (job.image, *job.outputs, *job.beside))
        reason = text if named else f"{job.image}: {text}"
        return Outcome(job=job, status="failed", reason=reason)
    except Exception as error:
        # A defect of a model on one photo must not lose a night's work on the others.
        _log.debug("%s failed", job.image, exc_info=error)
        text = " ".join(str(error).split())
        return Outcome(job=job, status="failed", reason=f"{job.image}: {type(error).__name__}: {text}")
    if not loaded.hole.any():
        return Outcome(job=job, status="without a hole")
    return Outcome(job=job, status="marked" if inpainter is None else "filled", strategy=strategy)


@dataclass(frozen=True)
class _Loaded:
    photo: Photo
    hole: Hole
    guidance: dict[str, PlaneArray]


def has_several_masks(jobs: Sequence[Job]) -> bool:
    """Return whether not all photos have the same masks, so that what there is to say of one is said of its kind."""
    return len({job.masks for job in jobs}) > 1


def loader_of(
    jobs: Sequence[Job], options: JobOptions, planes: Mapping[str, Plane], *, say: Say
) -> Callable[[Job], _Loaded]:
    """Return the function that reads all files of a job; files shared by all photos are read once.

    say: told how masks were taken.
    """
    united = max((len(job.masks) for job in jobs if not isinstance(job.masks, str)), default=1)

    @lru_cache(maxsize=united)
    def mask_of(path: Path) -> Hole:
        return read_mask(
            path,
            invert=options.invert_mask,
            label=options.label,
            dilate_px=options.dilate_px,
            max_pixels=options.max_pixels,
            say=say,
        )

    @lru_cache(maxsize=4)
    def array_of(path: Path, name: str) -> PlaneArray:
        return plane_of(read_photo(path, max_pixels=options.max_pixels), planes[name])

    def load(job: Job) -> _Loaded:
        for reason in (job.masks, *job.guidance.values()):
            if isinstance(reason, str):
                raise InputError(reason)
        photo = read_photo(job.image, max_pixels=options.max_pixels, first_page=options.first_page)
        masks = [
            DrawnMask(partial(mask_of, path), f"{job.image}: {path}") for path in job.masks if isinstance(path, Path)
        ]
        photo, hole = hole_in(
            photo,
            [*masks, *options.marks.sources],
            margins=options.marks.margins,
            dilate_px=options.dilate_px,
            max_pixels=options.max_pixels,
        )
        size = (photo.height, photo.width)
        guidance = {
            name: fitted_plane(array_of(path, name), planes[name], *size, name=f"{job.image}: {path}")
            for name, path in job.guidance.items()
            if isinstance(path, Path)
        }
        return _Loaded(photo, hole, guidance)

    return load


def _finish(
    job: Job, loaded: _Loaded, inpainter: Inpainter | None, options: JobOptions, progress: ProgressCallback | None
) -> str:
    """Fill a photo, write what was made of it, and return how it was filled."""
    for output in (*job.outputs, *job.beside):  # before the fill, which may take minutes
        check_target(output)
        check_length(output, loaded.photo.height, loaded.photo.width)
    if job.save_mask is not None:
        write_mask(loaded.hole, job.save_mask)
    if job.preview is not None:
        write_preview(loaded.photo, loaded.hole, job.preview)
    for name, path in job.save_guidance.items():
        write_plane(loaded.guidance[name], path)
    if inpainter is None or job.output is None:
        return ""
    warn_without_hole(loaded.photo, loaded.hole, job.masks, options.marks)
    samples = fill_photo_often(
        loaded.photo,
        loaded.hole,
        inpainter,
        samples=job.samples,
        guidance=loaded.guidance,
        seed=options.seed,
        opaque=options.opaque or options.marks.shows,
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
    return samples[0].strategy


def _same_format(image: Path, output: Path) -> bool:
    with open_file(image) as stream:
        return format_of_content(stream.read(64)) == format_of_name(output)
