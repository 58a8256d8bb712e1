"""An index of photos: names in little memory, and where the index is kept between runs."""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InpaintError
from inpaint.system.environment import cache_folder
from inpaint.system.files import atomic_write

logger = logging.getLogger("inpaint.data")

Arrays = dict[str, NDArray[Any]]


class Names:
    """An immutable sequence of strings, stored as one block of UTF-8 and the end of each name: bytes, not objects.

    Worker processes share or copy two arrays instead of touching millions of reference counts.
    """

    def __init__(self, text: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self.text = text
        self.ends = ends

    @classmethod
    def of(cls, names: Iterable[str]) -> Names:
        """Pack strings; names that are not valid Unicode (odd file names) survive through surrogate escapes."""
        encoded = [name.encode("utf-8", "surrogateescape") for name in names]
        ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self.ends):
            raise IndexError(f"name {index} of {len(self.ends)}")
        start = int(self.ends[index - 1]) if index else 0
        return self.text[start : int(self.ends[index])].tobytes().decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        return (self[index] for index in range(len(self)))

    def take(self, indices: NDArray[np.int64]) -> Names:
        """Return the names at `indices`, in that order."""
        return Names.of(self[int(index)] for index in indices)


def name_columns(names: Iterable[str], problems: Iterable[str]) -> Arrays:
    """Return the columns of an index for the photos' names and why each cannot be used ("" when it can)."""
    texts, reasons = Names.of(names), Names.of(problems)
    return {"names": texts.text, "name_ends": texts.ends, "problems": reasons.text, "problem_ends": reasons.ends}


def names_and_problems(index: Arrays) -> tuple[Names, Names]:
    """Return what `name_columns` was given."""
    return Names(index["names"], index["name_ends"]), Names(index["problems"], index["problem_ends"])


def cache_path(kind: str, path: Path) -> Path | None:
    """Return where the index of `path` (a folder, a list, a tar) is kept, one file per absolute path; None nowhere."""
    folder = cache_folder()
    digest = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]
    return None if folder is None else folder / f"{kind}-{digest}.npz"


def load_index(path: Path | None, *, version: int) -> Arrays | None:
    """Return the arrays of an index, or None when there is none that this version can read."""
    if path is None:
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    if "version" not in arrays or int(arrays.pop("version")) != version:
        return None
    return arrays


def save_index(path: Path | None, arrays: Mapping[str, NDArray[Any]], *, version: int) -> bool:
    """Write an index atomically. A folder that cannot be written costs time at the next start, nothing else: False."""
    if path is None:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            columns: dict[str, Any] = {"version": np.int64(version), **arrays}
            np.savez(file, **columns)
    except (OSError, InpaintError) as error:
        logger.info("the index %s cannot be kept: %s", path, error)
        return False
    return True
