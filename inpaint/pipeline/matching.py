"""Files and folders: which photo goes with which mask, and what else it is filled by, to which place."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inpaint.errors import InputError, UsageError
from inpaint.images.formats import IMAGE_SUFFIXES, format_of_name, list_photos
from inpaint.pipeline.samples import numbered, sheet_path
from inpaint.system.files import irregular
from inpaint.system.streams import STANDARD_INPUT

_log = logging.getLogger("inpaint.pipeline")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One photo to fill; a mask or a plane is a reason (text) instead of a path when none was found.

    Args:
        image: The photo.
        mask: Its mask.
        output: Where the result goes.
        guidance: Files of the planes that guide the fill, by name.
        samples: How many fills.
        top: How many of them are written, the best by their scores; None = all.
    """

    image: Path
    mask: Path | str
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
    mask: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    guidance: Mapping[str, str | os.PathLike[str]] | None = None,
    samples: int = 1,
    top: int | None = None,
) -> list[Job]:
    """Return what there is to do, without decoding anything.

    Args:
        image: A photo, or a folder searched through all its subfolders.
        mask: One for all, or a folder in which each photo's mask has the same subfolder and stem (photos/a/b.jpg:
            masks/a/b.png, or LaMa's b_mask001.png; several of these give several results, named after the mask).
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
    image, mask, target = Path(image), Path(mask), Path(output)
    into_folder = image.is_dir() or target.is_dir() or not target.suffix or os.fspath(output).endswith(("/", os.sep))
    _must_exist(image)
    if into_folder and (irregular(image) is not None or os.fspath(image) == STANDARD_INPUT):
        raise UsageError(
            f"the image {image} has no name for a file in {target}: name the output file, or - to pass it on"
        )
    if not image.is_dir():
        format_of_name(image if into_folder else target)
    elif target.suffix.lower() in IMAGE_SUFFIXES and not target.is_dir():
        raise UsageError(f"the image {image} is a folder, so the output must be a folder, not the file {target}")
    masks = _Companions(mask, "mask")
    planes = {name: _Companions(Path(place), name) for name, place in (guidance or {}).items()}
    photos, root = [image], image.parent
    if image.is_dir():
        root = image
        # Results of an earlier run inside the photo folder are no photos.
        earlier = target if _is_within(target, image) and not _same_file(target, image) else None
        listed = list_photos(image, recursive=True)
        photos = masks.without([each for each in listed if earlier is None or not _is_within(each, earlier)])
        if not photos:
            raise InputError(f"no photo in {image}; files ending in {' '.join(IMAGE_SUFFIXES)} are searched")
    jobs = []
    for photo in photos:
        place = target / photo.relative_to(root) if into_folder else target
        guiding = {name: companions.of(photo, root)[0] for name, companions in planes.items()}
        found = masks.of(photo, root)
        for each in found:
            named = place if len(found) == 1 or isinstance(each, str) else place.with_stem(each.stem)
            jobs.append(Job(image=photo, mask=each, output=named, guidance=guiding, samples=samples, top=top))
    _check_targets(jobs)
    return jobs


class _Companions:
    """Finds the mask (or plane) that belongs to a photo: one file for all, or a folder searched by stem."""

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
            # PNG first: a JPEG beside it is more likely a photo than a mask
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
    read = {os.path.realpath(path) for job in jobs for path in (job.image, job.mask, *job.guidance.values())}
    written = Counter(os.path.realpath(path) for job in jobs for path in job.outputs)
    for output in (path for job in jobs for path in job.outputs):
        real = os.path.realpath(output)
        if real in read:
            raise UsageError(f"the output '{output}' would overwrite a file that is read; choose another output")
        if written[real] > 1:
            raise UsageError(f"several results would be written to '{output}'; rename one of the photos or masks")
