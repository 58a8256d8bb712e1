"""What was measured so far, line by line as it comes: an evaluation goes on from it, and never measures twice.

Two files in the evaluation's folder: `measured.jsonl`, a line per fill, and `features.bin`, what measures of sets look
at. A line says which model it was by its weights' tensors, so a model that was trained further under its label is
another one, and the lines of the earlier one stay for when it comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InpaintError
from inpaint.system.journal import JsonLines

JOURNAL_NAME = "measured.jsonl"
LOCK_NAME = "evaluation.lock"
FEATURES_NAME = "features.bin"

Fill: TypeAlias = tuple[str, str, str]
"""(who filled: identity, device ..., image, mask); ("", image, "") for the features of an original, ("", "", label) for
those of a style."""


@dataclass
class Known:
    """What is known of one fill. values: None where the measure says nothing of it. features: places in the file."""

    values: dict[str, float | None] = field(default_factory=dict)
    features: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    seconds: float | None = None


class Journal(AbstractContextManager["Journal"]):
    """The two files, opened to read what is there and to append. A context manager; one process at a time.

    A last line that was cut off when an evaluation was killed is removed; its fill is simply done again. Raises
    InpaintError when the file is damaged elsewhere, belongs to another manifest or cannot be written.

    Args:
        folder: Of the evaluation.
        manifest_hash: Of what is evaluated there.
    """

    def __init__(self, folder: Path, manifest_hash: str) -> None:
        self._manifest_hash = manifest_hash
        self._features_path = folder / FEATURES_NAME
        self._known: dict[Fill, Known] = {}
        self._features: BinaryIO | None = None  # opened when there are some
        self._pictures: dict[Fill, str] = {}  # (label, image, mask) -> who painted the picture that is there
        self._lines = JsonLines(folder / JOURNAL_NAME, lock=folder / LOCK_NAME, take=self._read)
        self.path = self._lines.path
        if self._lines.is_new:
            self._lines.write({"manifest": manifest_hash})

    def __getitem__(self, fill: Fill) -> Known:
        """Return what is known of a fill, nothing at first."""
        return self._known.setdefault(fill, Known())

    def picture_is_of(self, label: str, fill: Fill) -> bool:
        """Return whether the picture under a label is the one of this fill, and of no earlier model."""
        return self._pictures.get((label, *fill[1:])) == fill[0]

    def add(
        self,
        fill: Fill,
        *,
        values: Mapping[str, float | None],
        seconds: float | None = None,
        features: Mapping[str, NDArray[Any]] | None = None,
        picture: str = "",
    ) -> None:
        """Note what was found, so that a kill loses at most the line being written.

        Args:
            fill: Of what.
            values: By measure; None where it says nothing.
            seconds: The fill took; the first time that is said counts.
            features: By what computed them, one row each.
            picture: The label under which its picture was written; "" where it was not.
        """
        line: dict[str, Any] = {"by": fill[0], "image": fill[1], "mask": fill[2], "values": dict(values)}
        try:
            places = {name: self._keep(row) for name, row in (features or {}).items()}
        except OSError as error:
            raise InpaintError(f"cannot write '{self._features_path}': {error.strerror or error}") from None
        line |= {"seconds": seconds} if seconds is not None else {}
        line |= {"features": places} if places else {}
        line |= {"picture": picture} if picture else {}
        self._lines.write(line)
        self._take(line)

    def features(self, fill: Fill, name: str) -> NDArray[np.float64]:
        """Return features that were noted, (D,)."""
        start, count, kind = self[fill].features[name]
        with self._features_path.open("rb") as file:
            file.seek(start)
            found = np.frombuffer(file.read(count * np.dtype(kind).itemsize), kind)
        return found.astype(np.float64)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # of a row that could not be written, which `add` has said
            if self._features is not None:
                self._features.close()
        self._lines.__exit__(*_)

    def _keep(self, row: NDArray[Any]) -> tuple[int, int, str]:
        short = row.astype(np.float32)
        kept = short if np.array_equal(short.astype(np.float64), row) else row.astype(np.float64)
        self._features = self._features or self._features_path.open("ab")
        start = self._features.tell()
        self._features.write(kept.tobytes())
        self._features.flush()  # before the line that speaks of it
        return start, kept.size, kept.dtype.str

    def _take(self, line: Mapping[str, Any]) -> None:
        fill = (line["by"], line["image"], line["mask"])
        known = self[fill]
        known.values.update(line["values"])
        known.features.update({name: tuple(place) for name, place in line.get("features", {}).items()})
        if known.seconds is None:
            known.seconds = line.get("seconds")
        if "picture" in line:
            self._pictures[line["picture"], fill[1], fill[2]] = fill[0]

    def _read(self, number: int, line: Mapping[str, Any]) -> None:
        if number > 1:
            self._take(line)
        elif line["manifest"] != self._manifest_hash:
            raise ValueError(f"of the manifest {line['manifest']}, not of {self._manifest_hash}")
