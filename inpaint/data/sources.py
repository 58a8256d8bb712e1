"""Where photos come from: a folder, a list file, tar shards, or the bundled samples."""

from __future__ import annotations

import codecs
import importlib.util
import os
import re
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inpaint.data.decoding import decode
from inpaint.data.headers import Header, headers_of_files
from inpaint.data.index import Names, cache_path, load_index, name_columns, names_and_problems, save_index
from inpaint.errors import DataError, InputError
from inpaint.images.formats import IMAGE_SUFFIXES
from inpaint.images.listing import find_photos, stem_of
from inpaint.images.planes import COMPANION
from inpaint.system.files import irregular, is_folder, missing, open_file

SAMPLES = "samples"
LIST_SUFFIXES = (".txt", ".flist")
COMPANION_ENDING = f"_{COMPANION}"  # a file so called beside NAME.jpg belongs to it, and is no photo
_INDEX_VERSION = 2

# Color photos and three textures that lie inside scikit-image's wheel and ours: nothing is downloaded, and the set is
# the same in every installation.
_SKIMAGE_SAMPLES = (
    "astronaut.png",
    "brick.png",
    "chelsea.png",
    "coffee.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "motorcycle_right.png",
    "rocket.jpg",
)
_OUR_SAMPLES = ("china.jpg", "flower.jpg")


@dataclass(frozen=True)
class Skipped:
    """A file that is not used, and why."""

    name: str
    problem: str


@dataclass(frozen=True, kw_only=True)
class PhotoSource(ABC):
    """Photos with numbers, in an order that does not depend on the machine. Cheap to pickle, safe to fork.

    kind: folder, list, shards, samples or file. names: of each photo. sizes_px: (N, 2), height and width as
    the headers say. sizes_bytes: (N,), of each file. fingerprints: (N,), of its content, see `headers.fingerprint`.
    skipped: the photos that are left out. left_out: what else lies there, in one line. groups: (N,), the shard of each
    photo, or None when all are equally near.
    """

    kind: str
    names: Names
    sizes_px: NDArray[np.int32]
    sizes_bytes: NDArray[np.int64]
    fingerprints: NDArray[np.int64]
    skipped: Sequence[Skipped]
    left_out: str = ""
    groups: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        """Return what a user calls photo `index`: its path below the root."""
        return self.names[index]

    @abstractmethod
    def locations(self) -> Iterator[str]:
        """Yield where each photo lies on this machine, so that two sources can be compared."""

    @abstractmethod
    def part(self, index: int, start: int, size: int) -> bytes:
        """Return `size` bytes of a photo's file, from byte `start` on. Raises InputError when they cannot be read."""

    @abstractmethod
    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode photo `index`: (H, W, 3) RGB. Raises InputError when it cannot be decoded."""

    @abstractmethod
    def read_companion(self, index: int) -> NDArray[np.uint8]:
        """Decode the file that belongs to photo `index`: (H, W). Raises InputError without one."""


@dataclass(frozen=True, kw_only=True)
class FileSource(PhotoSource):
    """Photos in files of their own; `names` are paths relative to `base`, or absolute."""

    base: Path

    def locations(self) -> Iterator[str]:
        """Yield the absolute path of each photo; links are followed up to the root only, which is quick."""
        base = str(self.base.resolve())
        return (os.path.normpath(os.path.join(base, name)) for name in self.names)  # noqa: PTH118

    def part(self, index: int, start: int, size: int) -> bytes:
        """Return `size` bytes of a photo's file, from byte `start` on."""
        path = self.base / self.names[index]
        try:
            with path.open("rb") as file:
                file.seek(start)
                return file.read(size)
        except OSError as error:
            raise InputError(f"cannot read '{path}': {error.strerror}") from None

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode one photo: (H, W, 3) RGB."""
        return _read(self.base / self.names[index])

    def read_companion(self, index: int) -> NDArray[np.uint8]:
        """Decode NAME_edge.* beside the photo: (H, W)."""
        return _read(self.companion_path(index))[..., 0]

    def companion_path(self, index: int) -> Path:
        """Return NAME_edge.* beside the photo. Raises InputError when there is none."""
        photo = self.base / self.names[index]
        for suffix in dict.fromkeys((photo.suffix, *IMAGE_SUFFIXES)):
            companion = photo.with_name(f"{photo.stem}{COMPANION_ENDING}{suffix}")
            if os.path.isfile(companion):  # noqa: PTH113 - a name too long is none
                return companion
        raise InputError(f"'{photo}' has no '{photo.stem}{COMPANION_ENDING}.png' beside it")


def open_files(root: str, *, min_px: int) -> FileSource:
    """Open a folder (recursively), a list file or the bundled photos, checking every header once.

    A photo that a list names twice, in whatever spelling or by links, counts once, so that none is both trained on
    and validated on.

    Headers are remembered between runs by name, size and time of change. Files that are unreadable or whose shorter
    side is below `min_px` pixels end in `skipped`. Raises DataError when `root` does not exist or names nothing.
    """
    path, left_out = Path(root), ""
    if root == SAMPLES:
        kind, base, names = "samples", Path(), [str(file) for file in sample_files()]
    elif is_folder(path):
        kind, base = "folder", path
        names, left_out = list_folder(path)
    else:
        # A list that comes by a pipe stands nowhere: its paths are those of the current folder.
        base = Path.cwd() if irregular(path) is not None else path.parent
        kind, names = "list", _once_each(base, read_list(path))
    return _of_files(kind, base, names, left_out, cache=cache_path(kind, path), min_px=min_px)


def open_picture(path: Path, *, min_px: int) -> FileSource:
    """Open a single image file as a source of its own; it ends in `skipped` as those of `open_files`."""
    return _of_files("file", path.parent, [path.name], "", cache=None, min_px=min_px)


def _of_files(kind: str, base: Path, names: list[str], left_out: str, *, cache: Path | None, min_px: int) -> FileSource:
    stats = [_size_and_time(base / name) for name in names]
    headers = _headers(cache, base, names, stats)
    problems = [header.problem or too_small(header, min_px) for header in headers]
    usable = [index for index, problem in enumerate(problems) if not problem]
    return FileSource(
        kind=kind,
        base=base,
        names=Names.of(names[index] for index in usable),
        sizes_px=np.array([(headers[index].height, headers[index].width) for index in usable], np.int32).reshape(-1, 2),
        sizes_bytes=np.array([stats[index][0] for index in usable], np.int64),
        fingerprints=np.array([headers[index].fingerprint for index in usable], np.int64),
        skipped=tuple(Skipped(name, problem) for name, problem in zip(names, problems, strict=True) if problem),
        left_out=left_out,
    )


def sample_files() -> list[Path]:
    """Return the bundled samples, always the same in the same order: scikit-image's and the two beside this file."""
    skimage = importlib.util.find_spec("skimage")  # not imported: that takes long
    assert skimage is not None  # required by this package
    assert skimage.origin is not None
    theirs, ours = Path(skimage.origin).parent / "data", Path(__file__).parent / "samples"
    return [*(theirs / name for name in _SKIMAGE_SAMPLES), *(ours / name for name in _OUR_SAMPLES)]


def list_folder(folder: Path) -> tuple[list[str], str]:
    """Return the photos below `folder` as sorted relative paths with forward slashes, and what else lies there.

    Links to folders are followed (once each), hidden files left out, and so are NAME_edge.* files beside their NAME.*.
    """
    try:
        listing = find_photos(folder)
    except InputError as error:
        raise DataError(str(error)) from None
    companions = {stem_of(name) + COMPANION_ENDING for name in listing.names}
    return [name for name in listing.names if stem_of(name) not in companions], listing.left_out_line()


def read_list(path: Path) -> list[str]:
    """Return the paths of a list file: one a line, relative to the list's folder.

    In UTF-8, or in UTF-16 as Windows writes it; a byte order mark is no part of the first name. Blank lines are left
    out, and so are # comments, which are lines that no file is called like. A path that comes twice counts once.
    """
    try:
        with open_file(path) as file:
            data = file.read()
    except FileNotFoundError:
        raise DataError(f"'{path}' does not exist") from None
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}") from None
    lines = re.split(r"\r\n|\r|\n", _text(data, path))  # other breaks of Unicode may be part of a name
    stripped = dict.fromkeys(line.strip(" \t") for line in lines)
    return [line for line in stripped if line and not (line.startswith("#") and missing(path.parent / line))]


def stem_and_suffix(name: str) -> tuple[str, str]:
    """Split "a/b.JPG" into ("a/b", ".jpg"); faster than a Path, which counts for millions of names."""
    stem, dot, suffix = name.rpartition(".")
    return (stem, f".{suffix.lower()}") if dot else (name, "")


def too_small(header: Header, min_px: int) -> str:
    """Return why a photo of this size is not used, or nothing."""
    if min(header.height, header.width) >= min_px:
        return ""
    return f"too small: {header.width}x{header.height} pixels, shorter side below {min_px}"


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        with open_file(path) as file:
            data = file.read()
    except OSError as error:
        raise InputError(f"cannot read '{path}': {error.strerror}") from None
    return decode(data, str(path))


def _text(data: bytes, path: Path) -> str:
    """Return the text of a list file."""
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16")
        if b"\0" in data:  # in names there is none; beside ASCII every second byte is one
            return data.decode("utf-16-le" if data[1::2].count(0) >= data[::2].count(0) else "utf-16-be")
    except UnicodeDecodeError:
        raise DataError(f"'{path}' is no list of names: write it in UTF-8, one path a line") from None
    return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def _once_each(base: Path, names: list[str]) -> list[str]:
    """Return the names without those that mean a file which another one has named before, however it is spelled."""
    first = dict[object, str]()
    for name in names:
        key: object = name
        with suppress(OSError):
            status = (base / name).stat()
            key = status.st_dev, status.st_ino
        first.setdefault(key, name)
    return list(first.values())


def _size_and_time(path: Path) -> tuple[int, int]:
    """Return (bytes, time of change in ns); (-1, -1) for what is no file, so that it is looked at anew each time."""
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else (-1, -1)


def _headers(cache: Path | None, base: Path, names: list[str], stats: list[tuple[int, int]]) -> list[Header]:
    """Return a header per name, from the cached index where size and time of change still agree."""
    known = _load_headers(cache)
    files = [(name, *status) for name, status in zip(names, stats, strict=True)]
    new = [file for file in files if file[1] < 0 or file not in known]
    changed = new or len(known) != len(names)
    known.update(zip(new, headers_of_files([base / name for name, _, _ in new]), strict=True))
    headers = [known[file] for file in files]
    if changed:
        _save_headers(cache, names, stats, headers)
    return headers


def _load_headers(cache: Path | None) -> dict[tuple[str, int, int], Header]:
    stored = load_index(cache, version=_INDEX_VERSION)
    if stored is None:
        return {}
    columns = (stored[name].tolist() for name in ("stats", "sizes", "fingerprints"))
    rows = zip(*names_and_problems(stored), *columns, strict=True)
    return {
        (name, *file): Header(height, width, problem, fingerprint)
        for name, problem, file, (height, width), fingerprint in rows
    }


def _save_headers(cache: Path | None, names: list[str], stats: list[tuple[int, int]], headers: list[Header]) -> None:
    arrays = {
        **name_columns(names, (header.problem for header in headers)),
        "stats": np.array(stats, np.int64).reshape(-1, 2),
        "sizes": np.array([(header.height, header.width) for header in headers], np.int32).reshape(-1, 2),
        "fingerprints": np.array([header.fingerprint for header in headers], np.int64),
    }
    save_index(cache, arrays, version=_INDEX_VERSION)
