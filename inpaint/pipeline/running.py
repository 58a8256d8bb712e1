"""Files and folders: which photo goes with which mask to which place, and working through the list."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

from PIL import Image

from inpaint.errors import InpaintError, InputError, UsageError
from inpaint.images.formats import IMAGE_SUFFIXES, format_of_content, format_of_name, list_photos
from inpaint.images.masks import Hole, dilate_hole, fit_hole, hole_of, read_mask
from inpaint.images.photo import Photo
from inpaint.images.reading import MAX_PIXELS, read_photo
from inpaint.images.writing import write_photo
from inpaint.pipeline.photo import check_lines, fill_photo_often
from inpaint.pipeline.samples import best_of, numbered, sheet, sheet_path
from inpaint.system.environment import cores
from inpaint.system.files import atomic_write
from inpaint.system.parallel import Work, in_order
from inpaint.types import Inpainter, Progress, ProgressCallback

_log = logging.getLogger("inpaint.pipeline")

MOST_AT_ONCE = 8  # photos filled at the same time when nothing is said: each is in memory


@dataclass(frozen=True, kw_only=True)
class Job:
    """One photo to fill. `mask`, `sketch` or `edges` is a reason (text) instead of a path when none was found.

    samples: how many fills. top: how many of them are written, the best by their scores; None = all.
    """

    image: Path
    mask: Path | str
    output: Path
    sketch: Path | str | None = None
    edges: Path | str | None = None
    samples: int = 1
    top: int | None = None

    @property
    def lines(self) -> dict[str, Path | str]:
        """The lines that are given, by kind."""
        return {kind: path for kind, path in (("sketch", self.sketch), ("edges", self.edges)) if path is not None}

    @property
    def outputs(self) -> list[Path]:
        """Every file that is written: `output`, or numbered files and a contact sheet in its place."""
        if self.samples == 1:
            return [self.output]
        return [*numbered(self.output, self.top or self.samples), sheet_path(self.output)]


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """How every photo of a list is treated."""

    invert_mask: bool = False
    dilate_px: int = 0
    seed: int = 0
    quality: int = 95
    max_pixels: int = MAX_PIXELS
    skip_existing: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a job; `reason` says why it failed, in one line."""

    job: Job
    status: Literal["filled", "skipped", "failed"]
    reason: str = ""


def plan_jobs(
    image: str | os.PathLike[str],
    mask: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    sketch: str | os.PathLike[str] | None = None,
    edges: str | os.PathLike[str] | None = None,
    samples: int = 1,
    top: int | None = None,
) -> list[Job]:
    """Return what there is to do, without decoding anything.

    image: a photo, or a folder searched through all its subfolders. mask: one for all, or a folder in which each
    photo's mask has the same subfolder and stem (photos/a/b.jpg: masks/a/b.png, or LaMa's b_mask001.png; several of
    these give several results, named after the mask). sketch, edges: as mask. output: a file for one photo, written
    in the format of its name; else a folder, in which results keep the photo's subfolder, name and format. A path that
    ends in a separator, has no suffix or exists as a folder is a folder. samples, top: of each photo, see `Job`.

    Raises UsageError for combinations that cannot work, InputError when a path does not exist or holds no photo.
    """
    image, mask, target = Path(image), Path(mask), Path(output)
    into_folder = image.is_dir() or target.is_dir() or not target.suffix or os.fspath(output).endswith(("/", os.sep))
    if not image.is_dir():
        _must_exist(image)
        if into_folder:
            format_of_name(image)
        else:
            format_of_name(target)
        photos, root = [image], image.parent
    else:
        if target.suffix.lower() in IMAGE_SUFFIXES and not target.is_dir():
            raise UsageError(f"the image {image} is a folder, so the output must be a folder, not the file {target}")
        photos, root = list_photos(image, recursive=True), image
    masks = _Companions(mask, "mask")
    lines = {kind: _Companions(Path(at), kind) for kind, at in (("sketch", sketch), ("edges", edges)) if at is not None}
    if image.is_dir():
        # Results of an earlier run inside the photo folder are no photos.
        earlier = target if _is_within(target, image) and not _same_file(target, image) else None
        photos = masks.without([each for each in photos if earlier is None or not _is_within(each, earlier)])
        if not photos:
            raise InputError(f"no photo in {image}; files ending in {' '.join(IMAGE_SUFFIXES)} are searched")
    jobs = []
    for photo in photos:
        place = target / photo.relative_to(root) if into_folder else target
        drawn = {kind: companions.of(photo, root)[0] for kind, companions in lines.items()}
        found = masks.of(photo, root)
        for each in found:
            named = place if len(found) == 1 or isinstance(each, str) else place.with_stem(each.stem)
            jobs.append(Job(image=photo, mask=each, output=named, **drawn, samples=samples, top=top))
    _check_targets(jobs)
    return jobs


def run_jobs(
    jobs: Sequence[Job],
    inpainter: Inpainter,
    options: JobOptions,
    *,
    at_once: int | None = None,
    progress: ProgressCallback | None = None,
) -> Iterator[Outcome]:
    """Work through the list and yield what became of each job, in its order; a bad file is an outcome, not an error.

    at_once: photos filled at the same time, only for fills that keep one core busy (`Capabilities.thread_safe`); None: as many
    as there are cores and jobs, at most 8, for such fills, else one. Results are the same for any number; `progress`
    tells the steps of a photo only where it is alone. With one at a time the next photo is decoded while the model
    works. Every result is written whole or not at all, so the iterator may be left at any moment.

    Raises UsageError when several are wanted of a fill that cannot.
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
    load = _loader(options)
    if at_once > 1:
        yield from _side_by_side(todo, load, inpainter, options, at_once)
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="decode") as decoder:
        coming: Future[_Loaded] | None = decoder.submit(load, todo[0]) if todo else None
        for number, job in enumerate(todo):
            assert coming is not None
            current, coming = coming, None
            try:
                loaded = current.result()
                # Only now: at most two photos are in memory.
                coming = decoder.submit(load, todo[number + 1]) if number + 1 < len(todo) else None
                _finish(job, loaded, inpainter, options, progress)
            except Exception as error:
                yield _failed(job, error)
            else:
                yield Outcome(job=job, status="filled")
            if coming is None and number + 1 < len(todo):
                coming = decoder.submit(load, todo[number + 1])


class _Left(BaseException):
    """Nobody waits for this fill any more."""


def _side_by_side(
    jobs: Sequence[Job], load: Callable[[Job], _Loaded], inpainter: Inpainter, options: JobOptions, at_once: int
) -> Iterator[Outcome]:
    """Fill several photos at the same time; their outcomes come in the order of the list."""
    left = threading.Event()

    def watch(step: Progress) -> None:
        if left.is_set():
            raise _Left

    def work(job: Job) -> Outcome:
        try:
            _finish(job, load(job), inpainter, options, watch)
        except Exception as error:
            return _failed(job, error)
        return Outcome(job=job, status="filled")

    asked = ((job, Work(partial(work, job))) for job in jobs)
    with closing(in_order(asked, jobs=at_once, leaving=left.set)) as answers:
        for _, outcome in answers:
            yield outcome


def _failed(job: Job, error: Exception) -> Outcome:
    if isinstance(error, InpaintError):
        return Outcome(job=job, status="failed", reason=str(error))
    # A defect of a model on one photo must not lose a night's work on the others.
    _log.debug("%s failed", job.image, exc_info=error)
    text = " ".join(str(error).split())
    return Outcome(job=job, status="failed", reason=f"{job.image}: {type(error).__name__}: {text}")


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
    lines: dict[str, Hole]


def _loader(options: JobOptions) -> Callable[[Job], _Loaded]:
    """Return the function that reads all files of a job; a mask shared by all photos is read once."""

    @lru_cache(maxsize=1)
    def mask_of(path: Path) -> Hole:
        return read_mask(path, invert=options.invert_mask, max_pixels=options.max_pixels)

    @lru_cache(maxsize=1)
    def lines_of(path: Path, kind: str) -> Hole:
        return hole_of(read_photo(path, max_pixels=options.max_pixels), what=kind)

    def load(job: Job) -> _Loaded:
        for companion in (job.mask, *job.lines.values()):
            if isinstance(companion, str):
                raise InputError(companion)
        assert isinstance(job.mask, Path)
        photo = read_photo(job.image, max_pixels=options.max_pixels)
        size = (photo.height, photo.width)
        hole = fit_hole(mask_of(job.mask), *size, name=str(job.mask))
        lines = {
            kind: fit_hole(lines_of(path, kind), *size, name=str(path), what=kind)
            for kind, path in job.lines.items()
            if isinstance(path, Path)
        }
        return _Loaded(photo, dilate_hole(hole, options.dilate_px), lines)

    return load


def _finish(
    job: Job, loaded: _Loaded, inpainter: Inpainter, options: JobOptions, progress: ProgressCallback | None
) -> None:
    check_lines(inpainter, loaded.lines)
    samples = fill_photo_often(
        loaded.photo,
        loaded.hole,
        inpainter,
        samples=job.samples,
        sketch=loaded.lines.get("sketch"),
        edges=loaded.lines.get("edges"),
        seed=options.seed,
        progress=progress,
    )
    try:
        job.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InpaintError(f"cannot write '{job.output}': {error.strerror or error}") from error
    if job.samples == 1:
        _write(samples[0].photo, job.output, job, loaded, options)
        return
    if len(samples) < job.samples:
        samples *= job.samples  # nothing to fill: all are the photo itself
    samples = best_of(samples, job.top)
    *places, overview = job.outputs
    for sample, place in zip(samples, places, strict=True):
        _write(sample.photo, place, job, loaded, options)
    with atomic_write(overview) as temporary:
        Image.fromarray(sheet(loaded.photo, loaded.hole, samples)).save(temporary, "PNG")


def _write(filled: Photo, output: Path, job: Job, loaded: _Loaded, options: JobOptions) -> None:
    if filled is loaded.photo and _same_format(job.image, output):
        # Nothing was filled: the file itself is the most faithful copy.
        with atomic_write(output) as temporary:
            shutil.copyfile(job.image, temporary)
    else:
        write_photo(filled, output, quality=options.quality)


def _same_format(image: Path, output: Path) -> bool:
    with image.open("rb") as stream:
        return format_of_content(stream.read(16)) == format_of_name(output)


class _Companions:
    """Finds the mask (or sketch) that belongs to a photo: one file for all, or a folder searched by stem."""

    def __init__(self, path: Path, what: str) -> None:
        _must_exist(path)
        self.path = path
        self.what = what
        self.shared = not path.is_dir()
        # By (subfolder, name of the photo without suffix): folders may hold a hundred thousand files.
        self._same: dict[tuple[Path, str], list[Path]] = {}
        self._numbered: dict[tuple[Path, str], list[Path]] = {}
        for each in [] if self.shared else list_photos(path, recursive=True):
            folder = each.parent.relative_to(path)
            self._same.setdefault((folder, each.stem), []).append(each)
            if owner := self._owner(each):
                self._numbered.setdefault((folder, owner), []).append(each)

    def of(self, photo: Path, root: Path) -> list[Path] | list[str]:
        """Return the files for a photo under `root`, or one reason why there is none."""
        if self.shared:
            return [self.path]
        key = (photo.parent.relative_to(root), photo.stem)
        same = [each for each in self._same.get(key, []) if not _same_file(each, photo)]
        if same:
            # PNG first: a JPEG beside it is more likely a picture than a mask
            chosen = min(same, key=lambda each: (each.name != photo.name, each.suffix.lower() != ".png", each.name))
            if len(same) > 1:
                _log.warning("%s: several %ss have its name; %s is used", photo, self.what, chosen)
            return [chosen]
        if key in self._numbered:
            return self._numbered[key]
        return [f"{photo}: no {self.what} {photo.stem}.* or {photo.stem}_{self.what}*.* in {self.path}"]

    def without(self, files: Sequence[Path]) -> list[Path]:
        """Return the files that are not themselves a mask of another one (LaMa keeps both in one folder)."""
        if self.shared:
            return [each for each in files if not _same_file(each, self.path)]
        present = {(each.parent, each.stem) for each in files}
        return [
            each for each in files if (each.parent, self._owner(each)) not in present or not _is_within(each, self.path)
        ]

    def _owner(self, file: Path) -> str:
        """Return the stem of the photo that a name like b_mask001 belongs to, or an empty text."""
        return file.stem.rpartition(f"_{self.what}")[0]


def _must_exist(path: Path) -> None:
    if not path.exists():
        raise InputError(f"cannot read '{path}': no such file")


def _same_file(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _is_within(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _check_targets(jobs: Sequence[Job]) -> None:
    """Refuse to write over what is read, and to write two results into one file."""
    read = {os.path.realpath(path) for job in jobs for path in (job.image, job.mask, *job.lines.values())}
    written = Counter(os.path.realpath(path) for job in jobs for path in job.outputs)
    for output in (path for job in jobs for path in job.outputs):
        real = os.path.realpath(output)
        if real in read:
            raise UsageError(f"the output '{output}' would overwrite a file that is read; choose another output")
        if written[real] > 1:
            raise UsageError(f"several results would be written to '{output}'; rename one of the photos or masks")
