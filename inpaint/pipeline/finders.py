"""What is looked for in a photo to be its hole: by name, in all photos of the work together, or by a blind model."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import inpaint.registry.table as registry
import inpaint.registry.zoo as zoo
from inpaint.data.headers import header_of_file
from inpaint.errors import InpaintError, InputError, UsageError
from inpaint.finding import table
from inpaint.finding.table import SENSITIVITY, threshold_of
from inpaint.images.mask_rules import Hole
from inpaint.images.photo import Photo
from inpaint.images.reading import read_photo
from inpaint.pipeline.hole_sources import HoleSource
from inpaint.pipeline.photo import check_photo, cut_of
from inpaint.registry.loadable import Loadable
from inpaint.strategies.wrapper import StrategicFill
from inpaint.types import Inpainter, shown

_log = logging.getLogger("inpaint.pipeline")

MOST_ALIKE = 32
"""Most photos that are looked at to find what they share."""


@dataclass(frozen=True)
class Found(HoleSource):
    """Something that is looked for in every photo. name: of `inpaint.finding.table`; sensitivity: 0 to 1."""

    tells: ClassVar[bool] = True
    name: str
    sensitivity: float = SENSITIVITY

    def hole_in(self, photo: Photo) -> Hole:
        """Return where it is; nothing, with a warning, where it is not."""
        return self.told(table.find(self.name, photo, sensitivity=self.sensitivity), photo)

    def told(self, hole: Hole, photo: Photo) -> Hole:
        """Return what was found, with a warning where that is nothing."""
        if not hole.any():
            _log.warning("%s: no %s found (--sensitivity %g)", photo.name, self.name, self.sensitivity)
        return hole


@dataclass(frozen=True)
class FoundInAll(Found):
    """Something that all photos of the work share, size by size; in one photo alone looking for it is refused."""

    def prepared(self, photos: Sequence[Path], *, max_pixels: int) -> HoleSource:
        """Return the source that has the other photos to look at; one photo has none."""
        return _Shared(self, tuple(photos), max_pixels) if len(photos) > 1 else self


class _Shared(HoleSource):
    """What photos share, looked for once for every size that occurs among them."""

    tells = True

    def __init__(self, what: FoundInAll, photos: tuple[Path, ...], max_pixels: int) -> None:
        self._what, self._photos, self._max_pixels = what, photos, max_pixels
        self._found: dict[tuple[int, int], Hole] = {}
        self._lock = threading.Lock()

    def hole_in(self, photo: Photo) -> Hole:
        """Return what the photos of this size share; nothing, with a warning, where that is nothing."""
        size = (photo.height, photo.width)
        with self._lock:
            if size not in self._found:
                self._found[size] = self._look(size)
        return self._what.told(self._found[size], photo)

    def _look(self, size: tuple[int, int]) -> Hole:
        alike: list[Photo] = []
        for path in self._photos:
            header = header_of_file(path)
            if {header.height, header.width} != set(size) or len(alike) == MOST_ALIKE:
                continue
            try:
                photo = read_photo(path, max_pixels=self._max_pixels)
            except InpaintError:
                continue  # its own turn says why
            if (photo.height, photo.width) == size:
                alike.append(photo)
        return table.find_in_all(self._what.name, alike, sensitivity=self._what.sensitivity)


@dataclass(frozen=True)
class FoundBy(HoleSource):
    """What a blind model finds.

    Args:
        sensitivity: 0 to 1, see `inpaint.finding.table.threshold_of`.
        identity: What tells the model from others, for journals; empty for the one that fills.
        finder: The model, or what loads it; None: the one that fills.
    """

    by_model: ClassVar[bool] = True
    tells: ClassVar[bool] = True
    sensitivity: float = SENSITIVITY
    identity: str = ""
    finder: Loadable | Inpainter | None = field(default=None, repr=False, compare=False)

    def at_work(self, inpainter: Inpainter | None, device: str) -> HoleSource:
        """Return the source with its model; raises UsageError where that is not blind."""
        finder = self.finder.load(device) if isinstance(self.finder, Loadable) else self.finder or inpainter
        if finder is None:
            raise UsageError("no model is given that finds the hole")
        return _Finding(checked_blind(finder), self.sensitivity)

    def hole_in(self, photo: Photo) -> Hole:
        """Return what the model finds; a list of photos is worked through with `at_work`, which loads it once."""
        return self.at_work(None, "auto").hole_in(photo)


class _Finding(HoleSource):
    """What a model finds that is loaded; one photo at a time."""

    by_model = True
    tells = True

    def __init__(self, finder: Inpainter, sensitivity: float) -> None:
        self._finder, self._sensitivity = finder, sensitivity
        self._lock = threading.Lock()

    def hole_in(self, photo: Photo) -> Hole:
        """Return what is found; nothing, with a warning, where that is nothing."""
        with self._lock:
            hole = find_hole(self._finder, photo, sensitivity=self._sensitivity)
        if not hole.any():
            _log.warning("%s: %s found nothing (--sensitivity %g)", photo.name, self._finder.name, self._sensitivity)
        return hole


def find_hole(finder: Inpainter, photo: Photo, *, sensitivity: float = SENSITIVITY) -> Hole:
    """Return what a blind model finds in a photo, (H, W), True = contaminated; large photos are looked at by parts.

    Args:
        finder: The model.
        photo: The photo.
        sensitivity: From 0, only what is certain, to 1.

    Raises:
        InputError: The photo is too small for the model.
        MaskError: The model is not blind.
        InpaintError: Memory does not reach.
    """
    check_photo(photo, finder.capabilities, name=finder.name)
    cut = cut_of(photo, finder.capabilities)
    soft = StrategicFill.around(finder).find_in(cut, (photo.height, photo.width))
    hole: Hole = soft > threshold_of(sensitivity)
    return hole


def found_by(model: str | os.PathLike[str] | Loadable | Inpainter, *, sensitivity: float = SENSITIVITY) -> FoundBy:
    """Return what a blind model finds, as a source; a model by its name or place is not loaded yet.

    Raises:
        UsageError: The model is not blind, or there is none of this name.
        WeightsError: Its weights cannot be read.
    """
    finder = Loadable(spec=os.fspath(model)) if isinstance(model, (str, os.PathLike)) else model
    if isinstance(finder, Loadable):
        if not zoo.is_name(finder.spec) and zoo.weights_at(finder.spec) is None:
            raise UsageError(f"no model '{finder.spec}': {_from_where()}")
        if not finder.capabilities.blind:
            raise _not_blind(finder.spec)
        return FoundBy(sensitivity, finder.identity(), finder)
    return FoundBy(sensitivity, "", checked_blind(finder))


def checked_blind(model: Inpainter) -> Inpainter:
    """Return the model; raises UsageError where it is not blind, InputError where it is no model."""
    if isinstance(model, type) or not hasattr(model, "find_mask_arrays"):
        raise InputError(f"a mask comes from a name, a path or a loaded model, got {shown(model)}")
    if not model.capabilities.blind:
        raise _not_blind(model.name)
    return model


def _not_blind(name: str) -> UsageError:
    return UsageError(f"'{name}' finds no holes itself: {_from_where()}")


def _from_where() -> str:
    """Say where a mask that is found comes from."""
    blind = [each for each in registry.models() if registry.capabilities(each).blind]
    which = f" (run or weights file, trained as {', '.join(blind)})" if blind else ""
    return f"a mask comes from a blind model{which}, or from --find {' or '.join(table.FINDERS)}"
