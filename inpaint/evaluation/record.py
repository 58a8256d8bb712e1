"""An evaluation's folder: what it holds, read for whoever compares, draws or reports, and written by the evaluation.

manifest.json   what was evaluated: protocol, photos, masks, and their hash
settings.json   which models (by their weights' tensors), measures and device
results.csv     image, mask, model and a column per measure of images; in canonical order, the same bytes for any
                number of processes; an empty cell was not measured
timing.csv      image, mask, model, seconds
sets.csv        measure, mask, model, value, n: measures of sets
failures.csv    image, mask, model, reason: fills without numbers
pictures/       masked photos, fills and originals as PNG
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from inpaint.errors import InpaintError
from inpaint.evaluation.manifest import MASKED as MASKED
from inpaint.evaluation.manifest import ORIGINAL as ORIGINAL
from inpaint.evaluation.manifest import Manifest, text_hash
from inpaint.metrics import ImageMeasure, Measure, SetMeasure, measures
from inpaint.system.files import csv_text, write_text

SETTINGS_NAME = "settings.json"
RESULTS_NAME = "results.csv"
TIMING_NAME = "timing.csv"
SETS_NAME = "sets.csv"
FAILURES_NAME = "failures.csv"
PICTURES = "pictures"
Key: TypeAlias = tuple[str, str, str]
"""(image, mask, model)."""

STYLES = "styles"
"""What tells an evaluation of styles apart, in the description of its protocol."""


@dataclass(frozen=True)
class Words:
    """What is shown in the places of `MASKED` and `ORIGINAL`, and what one label and several stand for."""

    masked: str
    original: str
    label: str
    labels: str


CONTENT = "content"
"""The row of an evaluation of styles that shows the photos as they are."""
OF_HOLES = Words("masked", "original", "mask", "masks")
OF_STYLES = Words("style", "photo", "style", "styles")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fill: what each measure of images found, without those that have no number, and the seconds it took."""

    image: str
    mask: str
    model: str
    values: Mapping[str, float]
    seconds: float | None = None

    @property
    def key(self) -> Key:
        """What this row is about."""
        return self.image, self.mask, self.model


@dataclass(frozen=True, kw_only=True)
class SetRow:
    """What a measure of sets found over the n photos of a label that every model filled; None below its least n."""

    measure: str
    mask: str
    model: str
    value: float | None
    n: int


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A fill that gave no numbers, and why; model "" when the photo itself could not be read."""

    image: str
    mask: str
    model: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """An evaluation that is finished.

    folder: where it is. manifest: what was evaluated (`manifest.hash`, `.name`, `.size`, `.labels`, `.keys`). models:
    labels as asked. measures: of images first, then of sets. rows: photo by photo, mask by mask, model by model. sets,
    failures: see there. settings: what settings.json holds beside them: identities, device, command, data ...
    """

    folder: Path
    manifest: Manifest
    models: tuple[str, ...]
    measures: tuple[Measure, ...]
    rows: tuple[Row, ...]
    sets: tuple[SetRow, ...]
    failures: tuple[Failure, ...]
    settings: Mapping[str, Any]

    @classmethod
    def read(cls, folder: str | Path) -> Record:
        """Read a folder that `inpaint evaluate` has written.

        Raises:
            InpaintError: It is none, it is not finished, or a file of it is damaged.
        """
        folder = Path(folder)
        settings = _settings(folder)
        results = folder / RESULTS_NAME
        if not results.is_file():
            raise InpaintError(f"'{folder}' holds no finished evaluation: run its `inpaint evaluate` again to go on")
        lines = _lines(results)
        if not lines or lines[0][:3] != ["image", "mask", "model"]:
            raise InpaintError(f"'{results}' is damaged: not the headings of an evaluation")
        names = tuple(lines[0][3:])
        of_sets = [str(name) for name in settings["measures"] if name not in names]
        wanted = measures((*names, *of_sets))
        times = {
            (image, mask, model): _number(text, folder / TIMING_NAME)
            for image, mask, model, text in _body(folder / TIMING_NAME, 4)
        }
        rows = [
            Row(
                image=image,
                mask=mask,
                model=model,
                values={n: _number(text, results) for n, text in zip(names, cells, strict=True) if text},
                seconds=times.get((image, mask, model)),
            )
            for image, mask, model, *cells in _body(results, len(lines[0]))
        ]
        sets = [
            SetRow(measure=measure, mask=mask, model=model, value=_number(value, folder) if value else None, n=int(n))
            for measure, mask, model, value, n in _body(folder / SETS_NAME, 5)
        ]
        failures = [
            Failure(image=image, mask=mask, model=model, reason=reason)
            for image, mask, model, reason in _body(folder / FAILURES_NAME, 4)
        ]
        return cls(
            folder=folder,
            manifest=Manifest.read(folder),
            models=tuple(settings["models"]),
            measures=(*wanted.of_images, *wanted.of_sets),
            rows=tuple(rows),
            sets=tuple(sets),
            failures=tuple(failures),
            settings=settings,
        )

    @property
    def of_images(self) -> tuple[ImageMeasure, ...]:
        """The measures that have a column in `rows`."""
        return tuple(measure for measure in self.measures if isinstance(measure, ImageMeasure))

    @property
    def of_sets(self) -> tuple[SetMeasure, ...]:
        """The measures that have lines in `sets`."""
        return tuple(measure for measure in self.measures if isinstance(measure, SetMeasure))

    @property
    def words(self) -> Words:
        """What its pictures and labels are called."""
        return OF_STYLES if STYLES in self.manifest.protocol else OF_HOLES

    def picture(self, image: str, mask: str, model: str) -> Path | None:
        """Return where a fill is kept as PNG, None where it is not.

        model: "masked" for the photo with its hole, "original" for what fills are compared with.
        """
        path = picture_path(self.folder, image=image, mask=mask, model=model)
        return path if path.is_file() else None


def picture_path(folder: Path, *, image: str, mask: str, model: str) -> Path:
    """Return where a picture belongs; the original's is the same for every mask."""
    parts = (image, ORIGINAL) if model == ORIGINAL else (image, mask, model)
    return folder / PICTURES / f"{'+'.join(map(_file_name, parts))}.png"


def write_rows(folder: Path, rows: Iterable[Row], names: Sequence[str]) -> None:
    """Write results.csv, with a column for each of these measures, and timing.csv."""
    rows = list(rows)
    found = [[*row.key, *(repr(row.values[name]) if name in row.values else "" for name in names)] for row in rows]
    seconds = [[*row.key, repr(row.seconds)] for row in rows if row.seconds is not None]
    _write(folder / TIMING_NAME, ("image", "mask", "model", "seconds"), seconds)
    _write(folder / RESULTS_NAME, ("image", "mask", "model", *names), found)  # last: a folder that has it is finished


def write_sets(folder: Path, rows: Iterable[SetRow]) -> None:
    """Write sets.csv."""
    cells = [
        [row.measure, row.mask, row.model, "" if row.value is None else repr(row.value), str(row.n)] for row in rows
    ]
    _write(folder / SETS_NAME, ("measure", "mask", "model", "value", "n"), cells)


def write_failures(folder: Path, failures: Iterable[Failure]) -> None:
    """Write failures.csv."""
    cells = [[each.image, each.mask, each.model, each.reason] for each in failures]
    _write(folder / FAILURES_NAME, ("image", "mask", "model", "reason"), cells)


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / SETTINGS_NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError as error:
        raise InpaintError(f"'{folder}' is no evaluation: cannot read '{path}': {error.strerror or error}") from None
    except ValueError:
        raise InpaintError(f"'{path}' is no JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("models"), dict) or "measures" not in found:
        raise InpaintError(f"'{path}' is not of an evaluation, or of one by an earlier version: measure it anew")
    return found


def _write(path: Path, head: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    write_text(path, csv_text([head, *lines]))


def _lines(path: Path) -> list[list[str]]:
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")  # line breaks inside of names as they are
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InpaintError(f"cannot read '{path}': {error.strerror or error}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return list(reader)
    except csv.Error as error:
        raise InpaintError(f"'{path}' is damaged at line {reader.line_num} ({error})") from None


def _body(path: Path, width: int) -> list[list[str]]:
    """Return the lines below the headings, each with so many cells."""
    lines = _lines(path)[1:]
    for number, cells in enumerate(lines, start=2):
        if len(cells) != width:
            raise InpaintError(f"'{path}' is damaged at line {number} ({len(cells)} cells instead of {width})")
    return lines


def _number(text: str, path: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InpaintError(f"'{path}' is damaged: {text!r} is no finite number")
    return value


def _file_name(text: str) -> str:
    """Return `text` as part of a file name; where that loses something, a hash keeps two texts apart."""
    clean = re.sub(r"[^A-Za-z0-9._-]+", "_", text)[:60]
    return clean if clean == text else f"{clean}-{text_hash(text, size_bytes=3)}"
