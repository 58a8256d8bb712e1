"""Photos in tar files of webdataset's layout, read at random through an index of our own.

A sample is the run of members that share a key (the member's path up to the first dot of its last part): KEY.jpg is
the photo, KEY.edge.png its companion; other members are left alone. The index holds tar, offset and size of each,
so that any photo is one read, and the position in an epoch needs nothing but a number.
"""

from __future__ import annotations

import glob
import os
import tarfile
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inpaint.data.decoding import decode
from inpaint.data.headers import HEAD_BYTES, THREADS, Header, header_of_bytes, quiet_about_size
from inpaint.data.index import Arrays, Names, cache_path, load_index, name_columns, names_and_problems, save_index
from inpaint.data.sources import PhotoSource, Skipped, stem_and_suffix, too_small
from inpaint.errors import DataError, InputError
from inpaint.images.formats import IMAGE_SUFFIXES
from inpaint.images.planes import COMPANION

INDEX_ENDING = ".index"  # NAME.tar.index beside NAME.tar, written together with the shards
_INDEX_VERSION = 1
_OPEN_TARS = 32  # file handles kept open per process

# Columns of the table of members: where photo and companion lie, and the size that the header claims.
_OFFSET, _BYTES, _BESIDE_OFFSET, _BESIDE_BYTES, _HEIGHT, _WIDTH = range(6)


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
    places: NDArray[np.int64]  # (N, 6), the columns above
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

    A tar that several of the names mean is among them once.
    """
    first = dict[str, Path]()
    for tar in _tars_named(root):
        first.setdefault(os.path.realpath(tar), tar)
    return list(first.values())


def _tars_named(root: str) -> list[Path]:
    path = Path(root)
    if path.is_dir():
        return sorted(path.glob("*.tar"))
    if path.suffix.lower() != ".tar":
        return []
    return [path] if path.is_file() else [Path(name) for name in sorted(glob.glob(root))]  # noqa: PTH207 - Path.glob takes no absolute pattern


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
    every = np.concatenate([np.empty((0, 6), np.int64), *places])
    return ShardSource(
        kind="shards",
        names=Names.of(names),
        sizes_px=every[:, _HEIGHT : _WIDTH + 1].astype(np.int32),
        sizes_bytes=every[:, _BYTES],
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
    photos, companions = _members(tar)
    names = sorted(photos)
    handles = Handles()
    places = np.zeros((len(names), 6), np.int64)
    problems: list[str] = []
    for row, name in enumerate(names):
        offset, size = photos[name]
        beside = companions.get(_key(name)[0], (0, 0))
        header = _header_at(handles, tar, offset, size, status.st_size)
        places[row] = (offset, size, *beside, header.height, header.width)
        problems.append(header.problem)
    handles.close()
    identity = np.array([status.st_size, status.st_mtime_ns], np.int64)
    return {"identity": identity, **name_columns(names, problems), "places": places}


def _members(tar: Path) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]:
    """Return {member: (offset, bytes)} of the photos and {key: (offset, bytes)} of their companions."""
    photos: dict[str, tuple[int, int]] = {}
    companions: dict[str, tuple[int, int]] = {}
    with tarfile.open(tar, "r:") as archive:
        try:
            for member in archive:
                key, ending = _key(member.name)
                stem, suffix = stem_and_suffix(ending)
                if not member.isfile() or suffix not in IMAGE_SUFFIXES or Path(member.name).name.startswith("."):
                    continue
                if stem == f".{COMPANION}":
                    companions[key] = (member.offset_data, member.size)
                else:
                    photos[member.name] = (member.offset_data, member.size)
        except tarfile.ReadError:
            # A tar cut short: what came before the cut is good, and the member at the cut is named when it is read.
            if not photos:
                raise
    return photos, companions


def _key(member: str) -> tuple[str, str]:
    """Split a member's path as webdataset does, at the first dot of its last part; the ending in lower case."""
    folder, _, last = member.rpartition("/")
    stem, dot, ending = last.partition(".")
    return f"{folder}/{stem}" if folder else stem, (dot + ending).lower()


def _header_at(handles: Handles, tar: Path, offset: int, size: int, tar_bytes: int) -> Header:
    if offset + size > tar_bytes:
        return Header(0, 0, "the tar ends before it")
    head = handles.read(str(tar), offset, min(size, HEAD_BYTES))
    return header_of_bytes(head, lambda: handles.read(str(tar), offset, size))
