"""Are the test photos really new? Near-duplicates between training and test photos, as a list and as a sheet."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from inpaint import arguments
from inpaint.data.index import cache_path, load_index, save_index
from inpaint.data.likeness import BITS, THRESHOLD, VIEWS, Hashes, alike, view_hashes
from inpaint.data.opening import counted, open_source, report_skipped
from inpaint.data.sources import PhotoSource
from inpaint.errors import DataError, InputError
from inpaint.images.photo import photo_of_array
from inpaint.images.sheets import Rgb, contact_sheet, fit_cell
from inpaint.images.writing import write_photo
from inpaint.system.environment import cores
from inpaint.system.files import csv_text, write_text
from inpaint.system.parallel import Work, in_order
from inpaint.types import Progress, ProgressCallback

logger = logging.getLogger("inpaint.evaluation")

LIST_NAME = "duplicates.csv"
SHEET_NAME = "duplicates.png"
SHOWN = 60  # pairs on the sheet, the most similar first; the list holds all
_CELL_PX = 192
_SMALLEST_PX = 8
_MOST_JOBS = 8
_KNOWN, _NEW = 1, 2  # of training photos the views alone are hashed, of test photos also mirrored
_HASH_VERSION = 1  # of what the cache holds


@dataclass(frozen=True, kw_only=True)
class Duplicate:
    """A test photo and a training photo that look alike.

    test, train: their names. distance: bits of 256 in which the most similar of their views differ. mirrored: whether
    one is mirrored.
    """

    test: str
    train: str
    distance: int
    mirrored: bool


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What was found: pairs, the most similar first; how many photos were looked at; the sheet, None without pairs."""

    duplicates: tuple[Duplicate, ...]
    train: int
    test: int
    skipped: int
    sheet: Path | None


def audit(
    train: str, test: str, *, output: Path, most: int = THRESHOLD, progress: ProgressCallback | None = None
) -> Audit:
    """Look for test photos that are training photos, too: copied, re-compressed, resized, mirrored, slightly cropped.

    Writes duplicates.csv and, where there are any, duplicates.png into the folder `output`. The hashes of photos are
    kept in the cache by what the files hold, so that a second audit only compares.

    Args:
        train: Where the training photos are: a folder, list file, tar shards or "samples".
        test: Where the test photos are.
        output: The folder of the results, which need not exist.
        most: Most bits, of 256, in which two photos differ that count as the same.
        progress: Counts photos.

    Raises:
        DataError: There are no photos.
        InputError: An argument is of another type or out of its range.
    """
    most = arguments.integer("most", most, least=0, most=BITS)
    train_photos, test_photos = (open_source(root, min_px=_SMALLEST_PX) for root in (train, test))
    counter = _Counter(len(train_photos) + len(test_photos), progress)
    known = _look(train, train_photos, _KNOWN, counter)
    new = _look(test, test_photos, _NEW, counter)
    pairs = sorted(
        (each.distance, new.indices[each.test], known.indices[each.train], each.mirrored)
        for each in alike(known.hashes[:, 0], new.hashes[:, 0], new.hashes[:, 1], most=most)
    )
    found = tuple(
        Duplicate(test=test_photos.name(b), train=train_photos.name(a), distance=distance, mirrored=mirrored)
        for distance, b, a, mirrored in pairs
    )
    output.mkdir(parents=True, exist_ok=True)
    _write_list(output / LIST_NAME, found)
    sheet = output / SHEET_NAME
    if found:
        images = [(test_photos.read(b), train_photos.read(a)) for _, b, a, _ in pairs[:SHOWN]]
        write_photo(photo_of_array(_sheet(images, found)), sheet)
    else:
        sheet.unlink(missing_ok=True)  # of an earlier audit
    files = sum(len(source) + len(source.skipped) for source in (train_photos, test_photos))
    return Audit(
        duplicates=found,
        train=len(known.indices),
        test=len(new.indices),
        skipped=files - len(known.indices) - len(new.indices),
        sheet=sheet if found else None,
    )


@dataclass(frozen=True)
class _Seen:
    """The photos of a source that could be decoded: numbers (N,), and hashes of their views (N, 1 or 2, 81, 4)."""

    indices: list[int]
    hashes: Hashes


@dataclass
class _Counter:
    """Counts photos over both sources."""

    total: int
    progress: ProgressCallback | None
    done: int = 0

    def add(self, photos: int) -> None:
        self.done += photos
        if self.progress is not None:
            self.progress(Progress(done=self.done, total=self.total))


def _look(root: str, source: PhotoSource, kinds: int, counter: _Counter) -> _Seen:
    """Return the hashes of all photos; kinds: _KNOWN or _NEW. What cannot be decoded is named and left out."""
    report_skipped(root, source)
    path = cache_path(f"views{kinds}", Path(root))
    stored = load_index(path, version=_HASH_VERSION) or {}
    before = {value: place for place, value in enumerate(stored.get("fingerprints", np.empty(0, np.int64)).tolist())}
    places = np.array([before.get(value, -1) for value in source.fingerprints.tolist()], np.int64)
    hashes, there = np.zeros((len(source), kinds, VIEWS, 4), np.uint64), places >= 0
    if there.any():
        hashes[there] = stored["hashes"][places[there]]
    counter.add(int(there.sum()))
    missing = np.flatnonzero(~there).tolist()
    with closing(in_order(_hashing(source, missing, kinds), jobs=min(cores(), _MOST_JOBS))) as answers:
        for index, answer in answers:
            if isinstance(answer, InputError):
                logger.warning("%s", " ".join(str(answer).split()))
            else:
                hashes[index], there[index] = answer, True
            counter.add(1)
    if missing or len(before) != len(source):
        arrays = {"fingerprints": source.fingerprints[there], "hashes": hashes[there]}
        save_index(path, arrays, version=_HASH_VERSION)
    if not there.any():
        raise DataError(f"'{root}' holds no photo that can be decoded")
    return _Seen(np.flatnonzero(there).tolist(), hashes[there])


def _hashing(source: PhotoSource, indices: list[int], kinds: int) -> Iterator[tuple[int, Work[Hashes | InputError]]]:
    def hashed(index: int) -> Hashes | InputError:
        try:
            return np.stack(view_hashes(source.read(index))[:kinds])
        except InputError as error:
            return error

    return ((index, Work(partial(hashed, index))) for index in indices)


def _write_list(path: Path, found: Iterable[Duplicate]) -> None:
    lines = ([each.test, each.train, str(each.distance), str(each.mirrored).lower()] for each in found)
    write_text(path, csv_text([("test", "train", "distance", "mirrored"), *lines]))


def _sheet(images: Sequence[tuple[Rgb, Rgb]], found: Sequence[Duplicate]) -> Rgb:
    labels = [
        f"{each.test}\n{each.train}\n{each.distance} of {BITS} bits differ" + ", mirrored" * each.mirrored
        for each in found[: len(images)]
    ]
    more = f", the first {len(images)}" if len(images) < len(found) else ""
    title = f"{counted(len(found), 'pair')}{more}"
    rows = [[fit_cell(image, _CELL_PX) for image in pair] for pair in images]
    return contact_sheet(rows, columns=["test", "train"], labels=labels, title=title, cell=_CELL_PX)
