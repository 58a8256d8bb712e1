"""Writing photos as tar shards, for data sets that do not fit one disk or consist of too many small files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from inpaint.data.headers import quiet_about_size
from inpaint.data.opening import open_source
from inpaint.data.shards import write_index
from inpaint.data.sources import FileSource
from inpaint.errors import DataError, InpaintError, InputError, UsageError
from inpaint.images.planes import COMPANION
from inpaint.system.extras import import_optional
from inpaint.system.files import atomic_write


@dataclass(frozen=True)
class Shard:
    """A shard that is complete on disk, with its index beside it; `done` photos are now written in all."""

    path: Path
    photos: int
    done: int


@dataclass(frozen=True)
class Packing:
    """Photos to be written as shards: the sources in their order, and how large a shard may become."""

    source: FileSource
    order: tuple[int, ...]
    shard_bytes: int
    shard_count: int | None

    def write(self, folder: Path) -> Iterator[Shard]:
        """Write shard-000000.tar, shard-000001.tar, ... and their indexes; yield each when it is complete.

        Files go in unchanged, byte for byte. Raises InpaintError when `folder` cannot be written.
        """
        writer = _tar_writer()
        keys: set[str] = set()
        done = 0
        for number, photos in enumerate(self._shards()):
            path = folder / f"shard-{number:06d}.tar"
            with atomic_write(path) as temporary, temporary.open("wb") as file:
                # Times are left out, so that the same photos give the same file.
                tar = writer(file, encoder=False, mtime=0.0, user="", group="", format="PAX_FORMAT")
                for photo in photos:
                    tar.write(self._sample(photo, keys))
                tar.close()
            with quiet_about_size():
                write_index(path)
            done += len(photos)
            yield Shard(path=path, photos=len(photos), done=done)

    def _shards(self) -> Iterator[list[int]]:
        """Yield the photos of each shard: it is closed when it is full by either measure."""
        shard: list[int] = []
        size_bytes = 0
        for photo in self.order:
            photo_bytes = int(self.source.sizes_bytes[photo])
            full = len(shard) == self.shard_count or size_bytes + photo_bytes > self.shard_bytes
            if shard and full:
                yield shard
                shard, size_bytes = [], 0
            shard.append(photo)
            size_bytes += photo_bytes
        yield shard

    def _sample(self, photo: int, keys: set[str]) -> dict[str, Any]:
        key = _unique_key(self.source.name(photo), keys)
        files = {Path(self.source.name(photo)).suffix: self.source.base / self.source.name(photo)}
        with contextlib.suppress(InputError):
            companion = self.source.companion_path(photo)
            files[f".{COMPANION}{companion.suffix}"] = companion
        try:
            contents = {ending[1:].lower(): file.read_bytes() for ending, file in files.items()}
        except OSError as error:
            raise DataError(f"'{error.filename}' cannot be read: {error.strerror}") from None
        return {"__key__": key, **contents}


def plan_shards(
    root: str, folder: Path, *, shard_bytes: int, shard_count: int | None, seed: int, min_px: int
) -> Packing:
    """Open the photos of a folder or a list and shuffle them, so that every shard is a fair sample of all.

    shard_bytes and shard_count limit the files and photos of one shard. Makes `folder`. Raises MissingDependencyError
    without webdataset, DataError when there is nothing to write, UsageError when `folder` holds tars already.
    """
    _tar_writer()
    source = open_source(root, min_px=min_px)
    if not isinstance(source, FileSource):
        raise UsageError(f"'{root}' is tar shards already")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InpaintError(f"cannot make the folder '{folder}': {error.strerror}") from None
    if any(folder.glob("*.tar")):
        raise UsageError(f"'{folder}' holds tar files already; choose another folder")
    order = np.random.default_rng(seed).permutation(len(source))
    return Packing(source=source, order=tuple(order.tolist()), shard_bytes=shard_bytes, shard_count=shard_count)


def _tar_writer() -> Any:
    return import_optional("shards", "webdataset.writer", purpose="writing shards").TarWriter


def _unique_key(name: str, keys: set[str]) -> str:
    """Return the webdataset key of a file: its path without dots, which would end the key, and unlike all others."""
    if Path(name).is_absolute():  # where it lies on this machine is nobody's business
        name = Path(name).name
    parts = [part for part in PurePosixPath(Path(name).as_posix()).with_suffix("").parts if part not in ("/", "..")]
    wanted = key = "/".join(parts).replace(".", "_")
    again = 1
    while key in keys:
        key = f"{wanted}_{again}"
        again += 1
    keys.add(key)
    return key
