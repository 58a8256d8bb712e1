"""From the words of a configuration to photos, and the split into training and validation."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inpaint.data.shards import open_shards, shard_files
from inpaint.data.sources import LIST_SUFFIXES, SAMPLES, PhotoSource, Skipped, list_folder, open_files, read_list
from inpaint.errors import DataError
from inpaint.system.files import irregular, is_folder, missing

logger = logging.getLogger("inpaint.data")

NAMED = 10  # skipped files named one by one; the rest is a number
VAL_SHARE = 0.05
VAL_FEWEST, VAL_MOST = 8, 200
VAL_LARGEST_SHARE = 0.25  # of a very small set

# The bundled photos kept for validation. Fixed, because the two motorcycles are one scene and must stay together.
SAMPLES_FOR_VAL = frozenset({"chelsea.png", "rocket.jpg", "flower.jpg"})


def open_source(root: str, *, min_px: int) -> PhotoSource:
    """Open a folder, a list file (.txt, .flist), tar shards (a tar, a folder of tars, a pattern), "samples", or a
    list on standard input.

    Raises DataError when `root` does not exist, is none of these, or holds no usable photo.
    """
    check_root(root)
    path = Path(root)
    source: PhotoSource
    if root == SAMPLES or irregular(path) is not None:
        source = open_files(root, min_px=min_px)
    elif tars := shard_files(root):
        if is_folder(path) and list_folder(path)[0]:
            raise DataError(f"'{root}' holds both tar shards and photos; name one, for instance '{root}/*.tar'")
        source = open_shards(tars, min_px=min_px)
    else:
        source = open_files(root, min_px=min_px)
    if not len(source):
        raise DataError(_nothing_left(root, source.skipped))
    return source


def check_root(root: str) -> None:
    """Raise DataError when there are no photos to be had at `root`, without reading or counting any."""
    path = Path(root)
    if root == SAMPLES or is_folder(path) or shard_files(root):
        return
    if irregular(path) is not None:
        read_list(path)  # kept, to be read again
        return
    reason = missing(path)
    if reason == "no such file":
        raise DataError(f"'{root}' does not exist; valid: a folder, a list file, tar shards, or '{SAMPLES}'")
    if reason:
        raise DataError(f"'{root}' cannot be read: {reason}")
    if path.suffix.lower() not in LIST_SUFFIXES:
        raise DataError(f"'{root}' is no folder, list file ({', '.join(LIST_SUFFIXES)}) or tar")


def report_skipped(root: str, source: PhotoSource) -> None:
    """Name the files that are left out, the first ten photos one by one; what is no photo, by kind."""
    if source.left_out:
        logger.warning("%s: %s", root, source.left_out)
    if source.skipped:
        found = len(source) + len(source.skipped)
        verb = "is" if len(source.skipped) == 1 else "are"
        skipped, named = len(source.skipped), _named(source.skipped)
        logger.warning("%s: %d of %s %s skipped: %s", root, skipped, counted(found, "file"), verb, named)


def split(source: PhotoSource, *, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide photos into (training, validation): disjoint, sorted, stable.

    Validation is 5 % (at least 8, at most 200, never more than a quarter, at least one). A photo's place follows from
    its name and the seed alone, so photos that are added later move few others. A single photo is used for both.
    """
    count = len(source)
    every = np.arange(count, dtype=np.int64)
    if count == 1:
        logger.warning("there is a single photo: it is used for training and for validation")
        return every, every
    if source.kind == SAMPLES:
        chosen = np.array([Path(source.name(index)).name in SAMPLES_FOR_VAL for index in range(count)])
    else:
        wanted = min(max(round(count * VAL_SHARE), VAL_FEWEST), VAL_MOST)
        wanted = max(min(wanted, int(count * VAL_LARGEST_SHARE)), 1)
        ranks = np.array([_hash(source.name(index), seed) for index in range(count)], np.uint64)
        chosen = np.zeros(count, bool)
        chosen[np.argsort(ranks, kind="stable")[:wanted]] = True
    return every[~chosen], every[chosen]


def counted(number: int, noun: str) -> str:
    """Return "1 photo", "2 photos"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _hash(name: str, seed: int) -> int:
    text = f"{seed}:{name}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def _named(skipped: Sequence[Skipped]) -> str:
    named = "; ".join(f"{skip.name}: {skip.problem}" for skip in skipped[:NAMED])
    return named + (f"; and {len(skipped) - NAMED} more" if len(skipped) > NAMED else "")


def _nothing_left(root: str, skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return f"'{root}' holds no photos"
    return f"'{root}' holds no usable photo; {len(skipped)} found: {_named(skipped)}"
