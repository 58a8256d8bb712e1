"""Files and folders: which photo goes with which mask, and what else it is filled by, to which place."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from inpaint.errors import InputError, UsageError, some
from inpaint.images.formats import IMAGE_SUFFIXES, format_of_name
from inpaint.images.listing import Companions
from inpaint.pipeline.samples import numbered, sheet_path
from inpaint.system.files import irregular, is_folder, missing
from inpaint.system.streams import STANDARD_INPUT

_log = logging.getLogger("inpaint.pipeline")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One photo to fill; masks or a plane are a reason (text) instead of paths when none was found.

    Args:
        image: The photo.
        masks: Its masks, which are united.
        output: Where the result goes.
        guidance: Files of the planes that guide the fill, by name.
        samples: How many fills.
        top: How many of them are written, the best by their scores; None = all.
    """

    image: Path
    masks: tuple[Path, ...] | str
    output: Path
    guidance: Mapping[str, Path | str] = field(default_factory=dict)
    samples: int = 1
    top: int | None = None

    @property
    def outputs(self) -> list[Path]:
        """Every file that is written: `output`, or numbered files and a contact sheet in its place."""
        if self.samples == 1:
            return [self.output]
        return [*numbered(self.output, self.top or self.samples), sheet_path(self.output)]


def plan_jobs(
    image: str | os.PathLike[str],
    mask: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    guidance: Mapping[str, str | os.PathLike[str]] | None = None,
    samples: int = 1,
    top: int | None = None,
) -> list[Job]:
    """Return what there is to do, without decoding anything; says what of the folders is left out.

    Args:
        image: A photo, or a folder searched through all its subfolders. A file that is a mask or plane of another one
            is no photo.
        mask: One for all, or a folder in which each photo's mask has the same subfolder and stem (photos/a/b.jpg:
            masks/a/b.png, or LaMa's b_mask001.png; several of these give several results, named after the mask).
            Several of either kind are united.
        output: A file for one photo, written in the format of its name; else a folder, in which results keep the
            photo's subfolder, name and format. A path that ends in a separator, has no suffix or exists as a folder is
            a folder.
        guidance: By name of the plane, as `mask`.
        samples: Of each photo, see `Job`.
        top: Of each photo, see `Job`.

    Raises:
        UsageError: Combinations that cannot work.
        InputError: A path does not exist or holds no photo.
    """
    given = [mask] if isinstance(mask, (str, os.PathLike)) else list(mask)
    for what, place in (("image", image), ("output", output), *(("mask", each) for each in given)):
        if not os.fspath(place):
            raise UsageError(f"the {what} is an empty path")
    if not given:
        raise UsageError("no mask is given")
    image, target = Path(image), Path(output)
    in_folder = is_folder(image)
    into_folder = in_folder or is_folder(target) or not target.suffix or os.fspath(output).endswith(("/", os.sep))
    _must_exist(image)
    if into_folder and (irregular(image) is not None or os.fspath(image) == STANDARD_INPUT):
        raise UsageError(
            f"the image {image} has no name for a file in {target}: name the output file, or - to pass it on"
        )
    if not in_folder:
        format_of_name(image if into_folder else target)
    elif target.suffix.lower() in IMAGE_SUFFIXES and not is_folder(target):
        raise UsageError(f"the image {image} is a folder, so the output must be a folder, not the file {target}")
    root = image if in_folder else image.parent
    masks = [_Found(Path(each), "mask", root) for each in given]
    planes = {name: _Found(Path(place), name, root) for name, place in (guidance or {}).items()}
    names = _photos(image, target, [*masks, *planes.values()]) if in_folder else [image.name]
    jobs = []
    for name in names:
        place = target / name if into_folder else target
        guiding = {plane: _first(found.of(name)) for plane, found in planes.items()}
        for united, stem in _unions([found.of(name) for found in masks]):
            named = place.with_stem(stem) if stem else place
            jobs.append(Job(image=root / name, masks=united, output=named, guidance=guiding, samples=samples, top=top))
    _check_targets(jobs)
    return jobs


def _photos(folder: Path, target: Path, beside: Sequence[_Found]) -> list[str]:
    """Return the names of the photos to fill below a folder, and say what is left out.

    Results of an earlier run inside it are no photos, nor are masks and planes that lie there.
    """
    masks = Companions(folder, "mask", beside=True)
    listing = masks.listing
    listing.warn()
    earlier = target if _is_within(target, folder) and not _same_file(target, folder) else None
    listed = [each for each in listing.names if earlier is None or not _is_within(folder / each, earlier)]
    names = [each for each in listed if not any(found.holds(each) for found in beside)]
    if others := [each for each in names if masks.is_numbered(each)]:
        _log.warning("%s: %d left out, by their names masks of photos there: %s", folder, len(others), some(others, 3))
        names = [each for each in names if not masks.is_numbered(each)]
    if not names:
        raise InputError(f"no photo in {folder}; files ending in {' '.join(IMAGE_SUFFIXES)} are searched")
    for found in beside:
        found.say_unused(names)
    return names


def _unions(found: Sequence[list[Path] | str]) -> Iterator[tuple[tuple[Path, ...] | str, str]]:
    """Yield what is united for a photo, and the stem of its result, "" for the photo's own; or why there is nothing.

    A photo with several masks of one folder has a result for each, named after the mask.
    """
    reasons = [each for each in found if isinstance(each, str)]
    if reasons:
        yield reasons[0], ""
        return
    choices = [each for each in found if isinstance(each, list)]
    for union in product(*choices):
        yield union, "+".join(each.stem for each, chosen in zip(union, choices, strict=True) if len(chosen) > 1)


def _first(found: list[Path] | str) -> Path | str:
    return found if isinstance(found, str) else found[0]


class _Found:
    """The masks (or planes) of photos below a root: one file for all, or a folder searched by name."""

    def __init__(self, path: Path, what: str, root: Path) -> None:
        _must_exist(path)
        self.path, self.what, self.root = path, what, root
        self.beside = _same_file(path, root)
        self.inside = not self.beside and is_folder(path) and _is_within(path, root)
        self.companions = Companions(path, what, beside=self.beside) if is_folder(path) else None
        if self.companions is not None and not self.beside:
            self.companions.listing.warn()

    def of(self, name: str) -> list[Path] | str:
        """Return the files for a photo, or the reason why there is none."""
        if self.companions is None:
            return [self.path]
        stem = Path(name).stem
        found = [each for each in self.companions.of(name) if not _same_file(each, self.root / name)]
        return found or f"{self.root / name}: no {self.what} {stem}.* or {stem}_{self.what}*.* in {self.path}"

    def holds(self, name: str) -> bool:
        """Return whether the file of this name below the root is one of them, and so no photo."""
        if self.companions is None:
            return _same_file(self.path, self.root / name)
        return self.companions.is_one(name) if self.beside else self.inside and _is_within(self.root / name, self.path)

    def say_unused(self, names: Sequence[str]) -> None:
        """Say in a warning which files of the folder belong to no photo."""
        unused = [] if self.companions is None or self.beside else self.companions.unused(names)
        if unused:
            _log.warning("%s: %d without a photo of its name: %s", self.path, len(unused), some(unused, 3))


def _must_exist(path: Path) -> None:
    if reason := missing(path):
        raise InputError(f"cannot read '{path}': {reason}")


def _same_file(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _is_within(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _check_targets(jobs: Sequence[Job]) -> None:
    """Refuse to write over what is read, and to write two results into one file."""
    files = [
        path
        for job in jobs
        for path in (job.image, *(() if isinstance(job.masks, str) else job.masks), *job.guidance.values())
    ]
    read = {os.path.realpath(path) for path in files}
    written = Counter(os.path.realpath(path) for job in jobs for path in job.outputs)
    for output in (path for job in jobs for path in job.outputs):
        real = os.path.realpath(output)
        if real in read:
            raise UsageError(f"the output '{output}' would overwrite a file that is read; choose another output")
        if written[real] > 1:
            raise UsageError(f"several results would be written to '{output}'; rename one of the photos or masks")
