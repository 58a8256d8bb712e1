"""Where indexes are kept between runs, and how they are written: whole or not at all."""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InpaintError
from inpaint.system.files import atomic_write

logger = logging.getLogger("inpaint.data")

Arrays = dict[str, NDArray[Any]]


def cache_folder() -> Path:
    """Return the folder of cached indexes: `$XDG_CACHE_HOME/inpaint`, by default `~/.cache/inpaint`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "inpaint"


def cache_path(kind: str, path: Path) -> Path:
    """Return where the index of `path` (a folder, a list, a tar) is kept; one file per absolute path."""
    digest = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]
    return cache_folder() / f"{kind}-{digest}.npz"


def load_index(path: Path, *, version: int) -> Arrays | None:
    """Return the arrays of an index, or None when there is none that this version can read."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    if "version" not in arrays or int(arrays.pop("version")) != version:
        return None
    return arrays


def save_index(path: Path, arrays: Mapping[str, NDArray[Any]], *, version: int) -> bool:
    """Write an index atomically. A folder that cannot be written costs time at the next start, nothing else: False."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            columns: dict[str, Any] = {"version": np.int64(version), **arrays}
            np.savez(file, **columns)
    except (OSError, InpaintError) as error:
        logger.info("the index %s cannot be kept: %s", path, error)
        return False
    return True
