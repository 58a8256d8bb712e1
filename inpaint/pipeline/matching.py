"""Files and folders: which photo goes with which mask, and what else it is filled by, to which place."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from inpaint.errors import InputError, UsageError, some
from inpaint.images.formats import IMAGE_SUFFIXES, format_of_name
from inpaint.images.hole_files import check_mask_name, check_plane_name
from inpaint.images.listing import Companions, stem_of
from inpaint.images.planes import COMPANION
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
        output: Where the result goes; None: the hole is found and nothing is filled.
        guidance: Files of the planes that guide the fill, by name.
        samples: How many fills.
        top: How many of them are written, the best by their scores; None = all.
        save_mask: Where its hole goes, as a mask; None: nowhere.
        preview: Where the photo with its hole over it goes; None: nowhere.
        save_guidance: Where the planes go that guided the fill, by name.
    """

    image: Path
    masks: tuple[Path, ...] | str
    output: Path | None
    guidance: Mapping[str, Path | str] = field(default_factory=dict)
    samples: int = 1
    top: int | None = None
    save_mask: Path | None = None
    preview: Path | None = None
    save_guidance: Mapping[str, Path] = field(default_factory=dict)

    @property
    def beside(self) -> list[Path]:
        """The files that show the hole, and what guided the fill."""
        return [path for path in (self.save_mask, self.preview, *self.save_guidance.values()) if path is not None]

    @property
    def outputs(self) -> list[Path]:
        """The files of the fills: `output`, or numbered files and a contact sheet in its place."""
        if self.output is None:
            return []
        if self.samples == 1:
            return [self.output]
        return [*numbered(self.output, self.top or self.samples), sheet_path(self.output)]


def plan_jobs(
    image: str | os.PathLike[str],
    mask: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None,
    *,
    guidance: Mapping[str, str | os.PathLike[str]] | None = None,
    samples: int = 1,
    top: int | None = None,
    save_mask: str | os.PathLike[str] | None = None,
    preview: str | os.PathLike[str] | None = None,
    save_guidance: str | os.PathLike[str] | None = None,
) -> list[Job]:
    """Return what there is to do, without decoding anything; says what of the folders is left out.

    Args:
        image: A photo, or a folder searched through all its subfolders. A file that is a mask or plane of another one
            is no photo.
        mask: One for all, or a folder in which each photo's mask has the same subfolder and stem (photos/a/b.jpg:
            masks/a/b.png, or LaMa's b_mask001.png; several of these give several results, named after the mask).
            Several of either kind are united; none, where `JobOptions.marks` says what the hole is.
        output: A file for one photo, written in the format of its name; else a folder, in which results keep the
            photo's subfolder, name and format. A path that ends in a separator, has no suffix or exists as a folder is
            a folder. None: nothing is filled.
        guidance: By name of the plane, as `mask`.
        samples: Of each photo, see `Job`.
        top: Of each photo, see `Job`.
        save_mask: A file for one photo, else a folder, in which masks have the subfolder and stem of the results and
            are PNG: it can be given as `mask`.
        preview: The same, for photos with their hole over them.
        save_guidance: A PNG file for one photo and one plane, else a folder, in which planes are called as the results
            with _NAME behind (photo_sketch.png): it can be given as `guidance`.

    Raises:
        UsageError: Combinations that cannot work.
        InputError: A path does not exist or holds no photo.
    """
    given = [mask] if isinstance(mask, (str, os.PathLike)) else list(mask)
    written = {"output": output, "save_mask": save_mask, "preview": preview, "save_guidance": save_guidance}
    places = {what: place for what, place in written.items() if place is not None}
    for what, place in (("image", image), *places.items(), *(("mask", each) for each in given)):
        if not os.fspath(place):
            raise UsageError(f"the {what} is an empty path")
    image = Path(image)
    in_folder = is_folder(image)
    _must_exist(image)
    targets = {what: _Target.of(place, what, image, in_folder=in_folder) for what, place in places.items()}
    if "save_guidance" in targets:
        _check_guided(targets["save_guidance"], list(guidance or {}))
    if "output" in targets and targets["output"].folder and not in_folder:
        format_of_name(image)
    root = image if in_folder else image.parent
    masks = [_Found(Path(each), "mask", root) for each in given]
    planes = {name: _Found(Path(place), name, root) for name, place in (guidance or {}).items()}
    earlier = [target.path for target in targets.values()]
    names = _photos(image, earlier, [*masks, *planes.values()]) if in_folder else [image.name]
    jobs = []
    for name in names:
        guiding = {plane: _first(found.of(name)) for plane, found in planes.items()}
        for united, stem in _unions([found.of(name) for found in masks]):
            named = {what: target.place(name, stem) for what, target in targets.items()}
            jobs.append(
                Job(
                    image=root / name,
                    masks=united,
                    output=named.get("output"),
                    guidance=guiding,
                    samples=samples,
                    top=top,
                    save_mask=named.get("save_mask"),
                    preview=named.get("preview"),
                    save_guidance=_of_planes(named["save_guidance"], targets["save_guidance"], planes)
                    if "save_guidance" in named
                    else {},
                )
            )
    _check_targets(jobs)
    return jobs


@dataclass(frozen=True)
class _Target:
    """Where files of one kind go. folder: whether into one, named after their photos; suffix: theirs, "" = as it is."""

    path: Path
    folder: bool
    suffix: str

    @classmethod
    def of(cls, place: str | os.PathLike[str], what: str, image: Path, *, in_folder: bool) -> _Target:
        """Return what a path means; raises UsageError for one that cannot be."""
        path = Path(place)
        folder = in_folder or is_folder(path) or not path.suffix or os.fspath(place).endswith(("/", os.sep))
        if folder and (irregular(image) is not None or os.fspath(image) == STANDARD_INPUT):
            raise UsageError(
                f"the image {image} has no name for a file in {path}: name the {what} file"
                + (", or - to pass it on" if what == "output" else "")
            )
        if not folder:
            format_of_name(path)
        elif in_folder and path.suffix.lower() in IMAGE_SUFFIXES and not is_folder(path):
            raise UsageError(f"the image {image} is a folder, so the {what} must be a folder, not the file {path}")
        if what == "save_mask" and not folder:
            check_mask_name(path)
        return cls(path, folder, "" if what == "output" else ".png")

    def place(self, name: str, stem: str) -> Path:
        """Return the file for a photo; stem: of the result, "" for the photo's own."""
        if not self.folder:
            return self.path.with_stem(stem) if stem else self.path
        path = self.path / name
        path = path.with_stem(stem) if stem else path
        return path.with_suffix(self.suffix) if self.suffix else path


def _check_guided(target: _Target, planes: Sequence[str]) -> None:
    """Raise UsageError where the planes that guide a fill cannot be written there."""
    if not planes:
        raise UsageError(f"no guidance is given that could be written to '{target.path}'")
    if not target.folder:
        check_plane_name(target.path)
        if len(planes) > 1:
            raise UsageError(f"'{target.path}' is one file for {' and '.join(planes)}: name a folder")


def _of_planes(path: Path, target: _Target, planes: Iterable[str]) -> dict[str, Path]:
    """Return the file of each plane for the photo that has this one."""
    return {name: path.with_stem(f"{path.stem}_{name}") if target.folder else path for name in planes}


def _photos(folder: Path, targets: Sequence[Path], beside: Sequence[_Found]) -> list[str]:
    """Return the names of the photos to fill below a folder, and say what is left out.

    Results of an earlier run inside it are no photos, nor are masks and planes that lie there.
    """
    masks = Companions(folder, "mask", beside=True)
    listing = masks.listing
    listing.warn()
    earlier = [each for each in targets if _is_within(each, folder) and not _same_file(each, folder)]
    listed = [each for each in listing.names if not any(_is_within(folder / each, one) for one in earlier)]
    names = [each for each in listed if not any(found.holds(each) for found in beside)]
    if others := [each for each in names if masks.is_numbered(each)]:
        _log.warning("%s: %d left out, by their names masks of photos there: %s", folder, len(others), some(others, 3))
        names = [each for each in names if not masks.is_numbered(each)]
    edges = {f"{stem_of(each)}_{COMPANION}.png" for each in names}
    if others := [each for each in names if each in edges]:
        _log.warning("%s: %d left out, by their names edges of photos there: %s", folder, len(others), some(others, 3))
        names = [each for each in names if each not in edges]
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
    every = [path for job in jobs for path in (*job.outputs, *job.beside)]
    written = Counter(map(os.path.realpath, every))
    for output in every:
        real = os.path.realpath(output)
        if real in read:
            raise UsageError(f"the output '{output}' would overwrite a file that is read; choose another output")
        if written[real] > 1:
            raise UsageError(f"several results would be written to '{output}'; rename one of the photos or masks")
