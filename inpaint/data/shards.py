"""Photos in tar files of webdataset's layout, read at random through an index of our own.

A sample is the run of members that share a key (the member's path up to the first dot of its last part): KEY.jpg is
the photo, KEY.edge.png its companion; other members are left alone. The index holds tar, offset and size of each,
so that any photo is one read, and the position in an epoch needs nothing but a number.
"""

from __future__ import annotations

import glob
import os
import posixpath
import stat
import tarfile
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from inpaint.data.decoding import decode
from inpaint.data.headers import THREADS, Header, header_of_part, quiet_about_size
from inpaint.data.index import Arrays, Names, cache_path, load_index, name_columns, names_and_problems, save_index
from inpaint.data.sources import PhotoSource, Skipped, stem_and_suffix, too_small
from inpaint.errors import DataError, InputError
from inpaint.images.formats import IMAGE_SUFFIXES
from inpaint.images.planes import COMPANION
from inpaint.system.extras import import_optional
from inpaint.system.files import irregular, is_folder, missing

INDEX_ENDING = ".index"  # NAME.tar.index beside NAME.tar, written together with the shards
_INDEX_VERSION = 3
_OPEN_TARS = 32  # file handles kept open per process

Span: TypeAlias = tuple[int, int]
"""Offset and bytes in a tar."""

# Columns of the table of members: where photo and companion lie, the size that the header claims, and the content.
_OFFSET, _BYTES, _BESIDE_OFFSET, _BESIDE_BYTES, _HEIGHT, _WIDTH, _FINGERPRINT = COLUMNS = range(7)


@dataclass
class Handles:
    """Open tar files of this process, the least recently used closed first. Pickles as empty."""

    open: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def read(self, path: str, offset: int, size: int) -> bytes:
        """Read `size` bytes at `offset`; the position of a handle is never used, so forked processes may share it."""
        handle = self.open.pop(path, None)
        if handle is None:
            handle = os.open(path, os.O_RDONLY)
        self.open[path] = handle
        while len(self.open) > _OPEN_TARS:
            os.close(self.open.popitem(last=False)[1])
        return os.pread(handle, size, offset)

    def close(self) -> None:
        """Close every handle."""
        while self.open:
            os.close(self.open.popitem()[1])

    def __getstate__(self) -> dict[str, object]:
        return {"open": OrderedDict()}

    def __del__(self) -> None:
        self.close()


@dataclass(frozen=True, kw_only=True)
class ShardSource(PhotoSource):
    """Photos inside tar files. `groups` is the tar of each, so that a pass can stay near one place.

    labels: what the tars are called, no two alike.
    """

    tars: tuple[Path, ...]
    labels: tuple[str, ...]
    groups: NDArray[np.int32]
    places: NDArray[np.int64]  # (N, 7), the columns above
    handles: Handles = field(default_factory=Handles, repr=False, compare=False)

    def name(self, index: int) -> str:
        """Return TAR/MEMBER."""
        return f"{self.labels[int(self.groups[index])]}/{self.names[index]}"

    def locations(self) -> Iterator[str]:
        """Yield the tar's absolute path and the member of each photo."""
        tars = [str(tar.resolve()) for tar in self.tars]
        return (f"{tars[group]}/{name}" for group, name in zip(self.groups.tolist(), self.names, strict=True))

    def part(self, index: int, start: int, size: int) -> bytes:
        """Return `size` bytes of a photo's file, from byte `start` on."""
        try:
            # Several threads may ask at once, among which open handles cannot be shared: one could close another's.
            with self.tars[int(self.groups[index])].open("rb") as file:
                file.seek(int(self.places[index, _OFFSET]) + start)
                return file.read(size)
        except OSError as error:
            raise InputError(f"'{self.name(index)}' cannot be read: {error.strerror}") from None

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode one photo: (H, W, 3) RGB."""
        return decode(self._member(index, _OFFSET), self.name(index))

    def read_companion(self, index: int) -> NDArray[np.uint8]:
        """Decode KEY.edge.* of the same sample: (H, W)."""
        if not self.places[index, _BESIDE_BYTES]:
            raise InputError(f"'{self.name(index)}' has no member KEY.{COMPANION}.png")
        return decode(self._member(index, _BESIDE_OFFSET), f"companion of {self.name(index)}")[..., 0]

    def _member(self, index: int, column: int) -> bytes:
        offset, size = (int(value) for value in self.places[index, column : column + 2])
        try:
            data = self.handles.read(str(self.tars[int(self.groups[index])]), offset, size)
        except OSError as error:
            raise InputError(f"'{self.name(index)}' cannot be read: {error.strerror}") from None
        if len(data) < size:
            raise InputError(f"'{self.name(index)}' cannot be read: the tar ends before it")
        return data


def shard_files(root: str) -> list[Path]:
    """Return the tars that `root` names (a tar, a folder of tars, a pattern such as `data/train-*.tar`), sorted.

    A pattern with braces, `data/train-{000000..000041}.tar`, and several with "::" between them, are read as webdataset
    reads them: every tar must be there. A tar that several of the names mean is among them once. Raises DataError for
    one that is not there, and MissingDependencyError without the package that expands them.
    """
    first = dict[object, Path]()
    for tar in _tars_named(root):
        key: object = tar
        with suppress(OSError):
            status = tar.stat()
            key = status.st_dev, status.st_ino
        first.setdefault(key, tar)
    return list(first.values())


def _tars_named(root: str) -> list[Path]:
    path = Path(root)
    if is_folder(path):
        return sorted(path.glob("*.tar"))
    if missing(path) and ("{" in root or "::" in root):
        return _expanded(root)
    if path.suffix.lower() != ".tar":
        return []
    if not missing(path):
        return [path]
    return [Path(name) for name in sorted(glob.glob(root))]  # noqa: PTH207 - Path.glob takes no absolute pattern


def _expanded(root: str) -> list[Path]:
    braces = import_optional("shards", "braceexpand", purpose=f"the pattern '{root}'")
    try:
        tars = [Path(name) for part in root.split("::") for name in braces.braceexpand(part)]
    except braces.UnbalancedBracesError:
        raise DataError(f"'{root}' has a brace without its other half") from None
    if any(tar.suffix.lower() != ".tar" for tar in tars):
        return []
    absent = [str(tar) for tar in tars if not tar.exists()]
    if absent:
        raise DataError(f"'{root}': {len(absent)} of {len(tars)} tars are not there, the first is {absent[0]}")
    return tars


def open_shards(tars: Sequence[Path], *, min_px: int) -> ShardSource:
    """Open tar shards; each tar is indexed once and again when its size or time of change differs.

    A tar that cannot be read, and photos whose header is bad or whose shorter side is below `min_px` pixels, end in
    `skipped`.
    """
    with quiet_about_size(), ThreadPoolExecutor(THREADS) as pool:
        indexes = list(pool.map(index_of, tars))
    skipped: list[Skipped] = []
    names: list[str] = []
    groups: list[int] = []
    places: list[NDArray[np.int64]] = []
    for number, (tar, index) in enumerate(zip(tars, indexes, strict=True)):
        if isinstance(index, str):
            skipped.append(Skipped(tar.name, index))
            continue
        keep: list[int] = []
        for row, (member, problem) in enumerate(zip(*names_and_problems(index), strict=True)):
            height, width = index["places"][row, _HEIGHT : _WIDTH + 1].tolist()
            if why := problem or too_small(Header(height, width), min_px):
                skipped.append(Skipped(f"{tar.name}/{member}", why))
            else:
                keep.append(row)
                names.append(member)
                groups.append(number)
        places.append(index["places"][keep])
    every = np.concatenate([np.empty((0, len(COLUMNS)), np.int64), *places])
    return ShardSource(
        kind="shards",
        names=Names.of(names),
        sizes_px=every[:, _HEIGHT : _WIDTH + 1].astype(np.int32),
        sizes_bytes=every[:, _BYTES],
        fingerprints=every[:, _FINGERPRINT],
        tars=tuple(tars),
        labels=_labels(tars),
        groups=np.array(groups, np.int32),
        places=every,
        skipped=tuple(skipped),
    )


def _labels(tars: Sequence[Path]) -> tuple[str, ...]:
    """Return a tar's name; where several have one name, as many folders before it as tell them apart."""
    labels = [tar.name for tar in tars]
    for depth in range(2, max((len(tar.absolute().parts) for tar in tars), default=0) + 1):
        times = Counter(labels)
        labels = [
            "/".join(tar.absolute().parts[-depth:]) if times[label] > 1 else label
            for tar, label in zip(tars, labels, strict=True)
        ]
    return tuple(labels)


def index_of(tar: Path) -> Arrays | str:
    """Return the index of one tar: the one beside it, the cached one, or a new one. A string says why there is none."""
    try:
        status = tar.stat()
    except OSError as error:
        return error.strerror or "cannot be read"
    if not stat.S_ISREG(status.st_mode):
        return f"it is {irregular(tar) or 'a folder'}, not a file"
    identity = [status.st_size, status.st_mtime_ns]
    beside, cached = tar.with_name(tar.name + INDEX_ENDING), cache_path("tar", tar)
    for path in (beside, cached):
        stored = load_index(path, version=_INDEX_VERSION)
        if stored is not None and stored["identity"].tolist() == identity:
            return stored
    try:
        built = build_index(tar)
    except (tarfile.TarError, OSError, EOFError) as error:
        return f"not a readable tar ({' '.join(str(error).split())})"
    save_index(cached, built, version=_INDEX_VERSION)
    return built


def write_index(tar: Path) -> None:
    """Index a tar and keep the index beside it."""
    if not save_index(tar.with_name(tar.name + INDEX_ENDING), build_index(tar), version=_INDEX_VERSION):
        raise DataError(f"the index of '{tar}' cannot be written beside it")


def build_index(tar: Path) -> Arrays:
    """Walk a tar's headers and the photos' headers. Raises tarfile.TarError or OSError for what is no tar."""
    status = tar.stat()
    photos, companions, problems = _members(tar)
    names = sorted([*photos, *problems])
    handles = Handles()
    places = np.zeros((len(names), len(COLUMNS)), np.int64)
    reasons: list[str] = []
    for row, name in enumerate(names):
        if name in problems:
            reasons.append(problems[name])
            continue
        offset, size = photos[name]
        beside = companions.get(_key(name)[0], (0, 0))
        header = _header_at(handles, tar, offset, size, status.st_size)
        places[row] = (offset, size, *beside, header.height, header.width, header.fingerprint)
        reasons.append(header.problem)
    handles.close()
    identity = np.array([status.st_size, status.st_mtime_ns], np.int64)
    return {"identity": identity, **name_columns(names, reasons), "places": places}


def _members(tar: Path) -> tuple[dict[str, Span], dict[str, Span], dict[str, str]]:
    """Return the photos by member, their companions by key, and why other members called like photos are none."""
    files: dict[str, Span] = {}
    links: dict[str, str] = {}
    problems: dict[str, str] = {}
    with tarfile.open(tar, "r:") as archive:
        try:
            for member in archive:
                if member.islnk():
                    links[member.name] = member.linkname
                elif member.issym():
                    links[member.name] = f"{posixpath.dirname(member.name)}/{member.linkname}"
                elif member.isfile() and not member.issparse():
                    files[member.name] = (member.offset_data, member.size)
                elif not member.isdir():
                    problems[member.name] = "stored with holes" if member.isfile() else "not a file"
        except tarfile.ReadError:
            # A tar cut short: what came before the cut is good, and the member at the cut is named when it is read.
            if not files:
                raise
    for name, found in _followed(files, links).items():
        if found is None:
            problems[name] = f"a link to '{links[name].lstrip('/')}', which the tar does not hold"
        else:
            files[name] = found
    photos = {name: span for name, span in files.items() if _is_photo(name)}
    companions = {key: span for name, span in files.items() if (key := _companion_of(name)) is not None}
    return photos, companions, {name: why for name, why in problems.items() if _is_photo(name)}


def _followed(files: Mapping[str, Span], links: Mapping[str, str]) -> dict[str, Span | None]:
    """Return where the content of every link lies, hard or symbolic; None for one that leads to no member."""
    ends = {_plain(name): span for name, span in files.items()}
    steps = {_plain(name): _plain(target) for name, target in links.items()}
    found: dict[str, Span | None] = {}
    for name in links:
        place = _plain(name)
        for _ in steps:  # a link may lead to a link, but not further than there are any
            if place in ends or place not in steps:
                break
            place = steps[place]
        found[name] = ends.get(place)
    return found


def _plain(name: str) -> str:
    return posixpath.normpath(name.lstrip("/"))


def _is_photo(member: str) -> bool:
    stem, suffix = stem_and_suffix(_key(member)[1])
    return suffix in IMAGE_SUFFIXES and stem != f".{COMPANION}" and not posixpath.basename(member).startswith(".")


def _companion_of(member: str) -> str | None:
    """Return the key of the photo that a member is the companion of, None for other members."""
    key, ending = _key(member)
    stem, suffix = stem_and_suffix(ending)
    hidden = posixpath.basename(member).startswith(".")
    return key if stem == f".{COMPANION}" and suffix in IMAGE_SUFFIXES and not hidden else None


def _key(member: str) -> tuple[str, str]:
    """Split a member's path as webdataset does, at the first dot of its last part; the ending in lower case."""
    folder, _, last = member.rpartition("/")
    stem, dot, ending = last.partition(".")
    return f"{folder}/{stem}" if folder else stem, (dot + ending).lower()


def _header_at(handles: Handles, tar: Path, offset: int, size: int, tar_bytes: int) -> Header:
    if offset + size > tar_bytes:
        return Header(0, 0, "the tar ends before it")
    return header_of_part(lambda start, count: handles.read(str(tar), offset + start, min(count, size - start)), size)
