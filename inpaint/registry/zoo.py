"""The zoo of public weights: names that stand for a file somewhere, which is fetched once, verified and converted.

Each model lists its files in `zoo.py`, if there are any. What is converted lies in `weights/NAME` of the cache folder.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import inpaint.registry.table as table
from inpaint.errors import InpaintError, UsageError, WeightsError, WriteError, unknown
from inpaint.system import progress
from inpaint.system.downloads import MEGABYTE, DownloadError, download
from inpaint.system.environment import cache_folder, torch_hub_folder
from inpaint.system.files import write_text
from inpaint.system.locks import FolderLock, HeldError
from inpaint.weights import places
from inpaint.weights.public import NAME, PublicWeights, Record, record_of
from inpaint.weights.runs import RunFolder, Which

log = logging.getLogger("inpaint.registry.zoo")

LONGEST_WAIT_S = 3600.0  # for another process that fetches the same file
CONVERTED_SHARE = 1.1  # of a file's bytes, that its conversion takes at most


# Names ---------------------------------------------------------------------------------------------------------------


@cache
def public_weights() -> Mapping[str, PublicWeights]:
    """Return everything that can be fetched, by name; torch is not imported."""
    packages = {name: entry for name, entry in table.models().items() if find_spec(f"{entry.package}.zoo")}
    rows = [row for entry in packages.values() for row in entry.module("zoo").ROWS]
    return {row.name: row for row in rows if row.name not in table.names()}


def find(text: str | os.PathLike[str]) -> PublicWeights | None:
    """Return the public weights of that name; None for any other text, a path for instance."""
    name = os.fspath(text)
    # Most places are paths, for which nobody's package need be imported.
    return public_weights().get(name) if NAME.fullmatch(name) else None


def row_named(name: str) -> PublicWeights:
    """Return the public weights of that name; raises UsageError for another one."""
    found = find(name)
    if found is None:
        raise UsageError(unknown("public weights", name, public_weights()))
    return found


def loadable_names() -> list[str]:
    """Return the names that `inpaint.load` takes as they are: fills without weights, and public weights."""
    return [*table.FILLS, *public_weights()]


def is_name(text: str) -> bool:
    """Tell whether a model is given by a name or an address, not by a path."""
    return text in table.models() or text in table.FILLS or text.startswith(places.HUB_PREFIX) or find(text) is not None


# From a name or a place to a file ------------------------------------------------------------------------------------


def weights_at(place: str | os.PathLike[str], weights: Which = "last") -> Path | None:
    """Return the weights file of public weights, which are fetched for that, or of a place, see `places.weights_at`.

    Raises what that raises, and WeightsError for public weights that cannot be had.
    """
    row = find(place)
    return places.weights_at(place if row is None else _ready(row), weights)


def to_fetch(place: str | os.PathLike[str]) -> str | None:
    """Return the file that `weights_at` would fetch over the network; None where it is here.

    Raises what that raises.
    """
    row = find(place)
    if row is None:
        return places.to_fetch(place)
    return None if is_here(row) or _placed(row) is not None else row.url


def folder_of(row: PublicWeights) -> Path:
    """Return where public weights are kept; raises WeightsError for a user without a home directory."""
    base = cache_folder()
    if base is None:
        raise WeightsError(f"there is no home directory to keep {row.name} in: set INPAINT_HOME to a folder")
    return base / "weights" / row.name


def is_here(row: PublicWeights) -> bool:
    """Tell whether public weights are converted and ready."""
    if cache_folder() is None:
        return False
    folder = folder_of(row)
    record = Record.read(_record_path(folder))
    return record is not None and record.is_of(row) and RunFolder(folder).weights.is_file()


def _record_path(folder: Path) -> Path:
    return folder / "source.json"


def _ready(row: PublicWeights) -> Path:
    """Return the folder of public weights, after they were fetched and converted if they were not there."""
    folder = folder_of(row)
    if is_here(row):
        return folder
    lock = _locked(row, folder)
    try:
        if not is_here(row):  # by now, since another process may have done it
            _obtain(row, folder)
    finally:
        lock.release()
    return folder


def _locked(row: PublicWeights, folder: Path) -> FolderLock:
    """Take the folder for this process, after another one that is fetching the same."""
    lock = FolderLock(folder / "fetch.lock")
    until = time.monotonic() + LONGEST_WAIT_S
    told = False
    while True:
        try:
            lock.acquire()
            return lock
        except HeldError as held:
            if time.monotonic() > until:
                raise WeightsError(
                    f"{row.name} is {held} for very long: where that process is gone, remove {lock.path}"
                ) from None
            if not told:
                log.warning("%s is %s, which fetches it: waiting", row.name, held)
            told = True
            time.sleep(0.2)
        except OSError as error:
            raise WriteError(f"cannot write into '{folder}': {error.strerror or error}") from None


# Fetching and converting ---------------------------------------------------------------------------------------------


def _obtain(row: PublicWeights, folder: Path) -> None:
    """Have the file, from the folder itself, from torch hub's or from where it is published, and convert it."""
    placed = _placed(row)
    if placed is not None:
        record = record_of(placed, row.url)
        if wrong := _wrong(row, placed, record, folder):
            raise WeightsError(f"{placed} {wrong}; replace or remove it")
        _convert(row, placed, record, folder)
        return
    kept = _in_torch_hub(row)
    if kept is not None:
        _convert(row, *kept, folder)
        return
    file = folder / "download" / row.file
    record = _fetched(row, file, folder)
    try:
        _convert(row, file, record, folder)
    except InpaintError:
        if row.digest is None:  # the next download may be the right file
            _remove(file)
        raise
    _remove(file)


def _placed(row: PublicWeights) -> Path | None:
    """Return the file that the user has put where the conversion will be; None where there is none."""
    path = folder_of(row) / row.file
    return path if path.is_file() else None


def _in_torch_hub(row: PublicWeights) -> tuple[Path, Record] | None:
    """Return the file that another program has fetched into torch hub's folder; None unless it is the right one."""
    hub = torch_hub_folder()
    if hub is None or row.digest is None or not (hub / row.file).is_file():
        return None
    if row.size_bytes not in (None, (hub / row.file).stat().st_size):
        return None
    record = record_of(hub / row.file, row.url)
    return (hub / row.file, record) if record.is_of(row) else None


def _fetched(row: PublicWeights, file: Path, folder: Path) -> Record:
    """Download and verify the file; one that went on from an old beginning and is wrong is fetched once more."""
    begun = file.exists()
    if begun and row.digest is None:  # nobody could tell whether the beginning belongs to the file
        _remove(file)
        begun = False
    if not begun or not record_of(file, row.url).is_of(row):
        _download(row, file)
    record = record_of(file, row.url)
    wrong = _wrong(row, file, record, folder)
    if wrong and begun:
        log.warning("%s: what an earlier download left is of another file; fetching it anew", row.name)
        _remove(file)
        _download(row, file)
        record = record_of(file, row.url)
        wrong = _wrong(row, file, record, folder)
    if wrong:
        _remove(file)
        raise WeightsError(
            f"what {row.url} sends {wrong}, and was removed; if you trust it, download it yourself and convert it: "
            f"`inpaint import-weights --origin {row.publisher.origin} --input FILE --output FOLDER`"
        )
    return record


def _download(row: PublicWeights, file: Path) -> None:
    size = "" if row.size_bytes is None else f" ({row.size_bytes / MEGABYTE:.0f} MB)"
    log.warning("fetching %s%s for %s from %s", row.file, size, row.name, urlsplit(row.url).hostname)
    try:
        file.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot write into '{file.parent}': {error.strerror or error}") from None
    try:
        with progress.bar(f"MB of {row.file}") as bar:
            download(
                row.url,
                file,
                most_bytes=row.most_bytes,
                size_bytes=row.size_bytes,
                beside_bytes=int((row.size_bytes or 0) * CONVERTED_SHARE),
                report=lambda done, total: bar.show(done / MEGABYTE, None if total is None else total / MEGABYTE),
            )
    except DownloadError as error:
        raise WeightsError(
            f"cannot fetch {row.file} for {row.name}: {error}; fetch {row.described()} elsewhere and put it at "
            f"{folder_of(row) / row.file}"
        ) from None
    finally:
        if not file.exists():
            _remove(file)  # and the folder for it


def _wrong(row: PublicWeights, file: Path, record: Record, folder: Path) -> str:
    """Return how a file differs from the one of the row, or from the first that was fetched; "" where it does not."""
    first = Record.read(_record_path(folder)) if row.digest is None else None
    if row.digest is not None and not row.digest.fits(record.hashes):
        expected, found = str(row.digest), record.hashes[row.digest.kind][: len(row.digest.value)]
    elif first is not None and first.url == row.url and first.sha256 != record.sha256:
        expected, found = f"SHA-256 of the first download: {first.sha256}", record.sha256
    else:
        return ""
    pretended = places.pretended(file)
    return f"is not the file of {row.name} ({expected}; it has {found}){f': {pretended}' if pretended else ''}"


def _convert(row: PublicWeights, file: Path, record: Record, folder: Path) -> None:
    """Convert a verified file into the folder, with a note of its license; say what may be done with the results."""
    from inpaint.registry.conversion import import_weights

    run = RunFolder(folder)
    for old in (run.weights, run.config_yaml):  # of another file that the name has stood for
        _remove(old)
    try:
        record.write(_record_path(folder))  # before the weights, which are used as soon as they are there
        write_text(folder / "LICENSE.txt", row.note(record))
        done = import_weights(row.publisher.origin, [str(file)], folder, switches=row.switches)
    except OSError as error:
        raise WriteError(f"cannot write into '{folder}': {error.strerror or error}") from None
    if done.model != row.model:
        _remove(run.weights)
        raise WeightsError(f"{file} holds weights of {done.model}, not of {row.model}")
    replace(record, notes=done.notes).write(_record_path(folder))
    log.warning("%s: license of the weights: %s; results: %s", row.name, row.publisher.weights_license, row.use)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
    if path.parent.name == "download":
        with suppress(OSError):
            path.parent.rmdir()
