"""What lies in a folder: the photos, the files that belong to them by name, and what is left out and why."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from inpaint.errors import InputError
from inpaint.images.formats import IMAGE_SUFFIXES
from inpaint.system.files import irregular, is_folder, missing

_log = logging.getLogger("inpaint.images")

# Kept by systems beside the user's files: thumbnails, snapshots, what was deleted. In lower case.
SYSTEM_FOLDERS = frozenset(
    {"lost+found", "@eadir", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "__macosx"}
)
_NAMED = 3  # files of a kind that are named; the rest is a number
_KINDS = 8  # kinds that are named


@dataclass(frozen=True)
class Listing:
    """The photos of a folder.

    Args:
        folder: Where they lie.
        names: Their paths below it, with forward slashes, sorted.
        left_out: The other files and the folders that were not entered, by kind: their suffix, or the reason.
    """

    folder: Path
    names: list[str]
    left_out: Mapping[str, list[str]]

    def paths(self) -> list[Path]:
        """Return the photos' paths."""
        return [self.folder / name for name in self.names]

    def left_out_line(self) -> str:
        """Say in one line what is left out, counted and named by kind; "" for nothing."""
        if not self.left_out:
            return ""
        kinds = sorted(self.left_out, key=lambda kind: (-len(self.left_out[kind]), kind))
        said = [f"{len(self.left_out[kind])} {kind} ({_some(self.left_out[kind])})" for kind in kinds[:_KINDS]]
        if len(kinds) > _KINDS:
            said.append(f"{sum(len(self.left_out[kind]) for kind in kinds[_KINDS:])} of other kinds")
        return f"left out, since they are no photos that can be read: {', '.join(said)}"

    def warn(self) -> None:
        """Say in a warning what is left out, if anything is."""
        if line := self.left_out_line():
            _log.warning("%s: %s", self.folder, line)


def find_photos(folder: str | os.PathLike[str]) -> Listing:
    """Find the photos of a folder and its subfolders, by suffix; hidden files and folders do not count.

    Links to folders are followed, each folder is visited once. What cannot be entered or read, such as locked folders,
    links that lead nowhere or back to themselves, named pipes, and folders that systems keep, is left out.

    Raises:
        InputError: `folder` is no folder, or cannot be listed itself.
    """
    root = Path(folder)
    if not is_folder(root):
        raise InputError(f"cannot read '{root}': {missing(root) or 'not a folder'}")
    names: list[str] = []
    left_out: dict[str, list[str]] = {}
    seen: set[str] = set()
    waiting = [""]
    while waiting:
        below = waiting.pop()
        place = os.fspath(root / below) if below else os.fspath(root)
        real = os.path.realpath(place)
        if real in seen:  # a link that leads back up would otherwise be walked for ever
            continue
        seen.add(real)
        try:
            with os.scandir(place) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            if not below:
                raise InputError(f"cannot read '{root}': {error.strerror}") from error
            left_out.setdefault(f"folder ({error.strerror})", []).append(below)
            continue
        folders = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            name = f"{below}/{entry.name}" if below else entry.name
            kind = _kind(entry)
            if kind == _FOLDER:
                folders.append(name)
            elif kind:
                left_out.setdefault(kind, []).append(name)
            else:
                names.append(name)
        waiting += reversed(folders)
    return Listing(root, sorted(names), left_out)


_FOLDER = "folder"


def _kind(entry: os.DirEntry[str]) -> str:
    """Return "" for a photo, _FOLDER for a folder to enter, else the kind of thing that is left out."""
    try:
        if entry.is_dir():
            return "of a system" if entry.name.lower() in SYSTEM_FOLDERS else _FOLDER
        photo = entry.name.lower().endswith(IMAGE_SUFFIXES)
        if entry.is_file():
            return "" if photo else Path(entry.name).suffix.lower() or "without suffix"
    except OSError:
        pass  # a link to itself
    if special := irregular(entry.path):
        return special.removeprefix("a ")
    return f"link ({missing(entry.path)})" if entry.is_symlink() else "no regular file"


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


class Companions:
    """The files of a folder that belong to photos by their names: masks, sketches, edges.

    The photo a/b.jpg has a/b.png there, or, in LaMa's way, any number of a/b_mask*.png.

    Args:
        folder: Where they lie.
        what: What they are, as it stands in such names.
        beside: They lie in the photos' own folder. Of files of one name the last to be a photo's is the companion then:
            a PNG rather than a JPEG.

    Raises:
        InputError: As of `find_photos`.
    """

    def __init__(self, folder: Path, what: str, *, beside: bool = False) -> None:
        self.folder = folder
        self.what = what
        self.beside = beside
        self.listing = find_photos(folder)
        # By the path without its suffix: folders may hold a hundred thousand files.
        self._same: dict[str, list[str]] = {}
        self._numbered: dict[str, list[str]] = {}
        for name in self.listing.names:
            self._same.setdefault(stem_of(name), []).append(name)
            if owner := self._owner(name):
                self._numbered.setdefault(owner, []).append(name)

    def of(self, name: str) -> list[Path]:
        """Return the files for the photo of this name below its own root; several are alternatives."""
        stem = stem_of(name)
        same, numbered = self._same.get(stem, []), self._numbered.get(stem, [])
        if self.beside:
            # With masks of LaMa's names, what has the photo's own name is another photo.
            same = [] if numbered or len(same) < 2 else [_most_likely(same, "")]
            same = [each for each in same if each != name]
        if len(same) > 1:
            chosen = _most_likely(same, name)
            _log.warning("%s: several %ss have its name; %s is used", name, self.what, self.folder / chosen)
            same = [chosen]
        return [self.folder / each for each in same or numbered]

    def is_numbered(self, name: str) -> bool:
        """Return whether a name like b_mask001.png belongs to another file of the same folder."""
        return self._owner(name) in self._same

    def is_one(self, name: str) -> bool:
        """Return whether the file of this name belongs to another one of the same folder."""
        if self.is_numbered(name):
            return True
        same = self._same.get(stem_of(name), [])
        return len(same) > 1 and stem_of(name) not in self._numbered and _most_likely(same, "") == name

    def unused(self, names: Iterable[str]) -> list[str]:
        """Return the files that belong to none of these photos."""
        stems = {stem_of(name) for name in names}
        return [each for each in self.listing.names if stem_of(each) not in stems and self._owner(each) not in stems]

    def _owner(self, name: str) -> str:
        """Return the stem of the photo that a name like b_mask001.png belongs to, or an empty text."""
        folder, slash, last = stem_of(name).rpartition("/")
        owner = last.rpartition(f"_{self.what}")[0]
        return f"{folder}{slash}{owner}" if owner else ""


def stem_of(name: str) -> str:
    """Return a path as text without the suffix of its last part."""
    folder, slash, last = name.rpartition("/")
    stem, dot, _ = last.rpartition(".")
    return f"{folder}{slash}{stem if dot and stem else last}"


def _most_likely(names: list[str], photo: str) -> str:
    """Return the file that is a mask most likely: one called exactly as the photo, a PNG, at last a JPEG."""
    lossy = (".jpg", ".jpeg", ".jfif", ".jpe")

    def order(name: str) -> tuple[bool, bool, bool, str]:
        lower = name.lower()
        return name != photo, not lower.endswith(".png"), lower.endswith(lossy), name

    return min(names, key=order)
