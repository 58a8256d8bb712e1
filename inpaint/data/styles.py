"""Pictures of styles, the second source of models that stylize: which belongs to a sample, and how it is cut."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter, OrderedDict
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePath
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inpaint import seeds
from inpaint.data.config import DataConfig
from inpaint.data.opening import open_source
from inpaint.data.sources import PhotoSource, open_picture
from inpaint.errors import DataError, InputError, unknown
from inpaint.images.formats import IMAGE_SUFFIXES
from inpaint.images.planes import Bytes, PlaneMaker, SampleParts, StyleSample
from inpaint.system.files import missing

log = logging.getLogger("inpaint.data")

_KEPT = 32  # reduced pictures in memory


class StylePicture(PlaneMaker):
    """A square of the picture: the plane `style`, (S, S, 3).

    Args:
        shorter_px: What the picture's shorter side is made first, up or down; null: the side of the square.
        crop: Which square is taken, in training; validation takes the middle.
    """

    purpose = seeds.STYLE
    shorter_px: int | None = Field(None, ge=8)
    crop: Literal["center", "random"] = "center"

    @property
    def needs_style(self) -> bool:
        """See `PlaneMaker`."""
        return True

    def make(
        self, image: Bytes, mask: Bytes, *, companion: Bytes | None, rng: np.random.Generator | None
    ) -> NDArray[np.float32]:
        """Say that a picture is needed."""
        raise DataError("data.styles is missing: the model learns from pictures of styles")

    def make_of(self, parts: SampleParts, rng: np.random.Generator | None) -> NDArray[np.float32]:
        """Return the square, in [0, 1]."""
        if parts.style is None:
            return self.make(parts.image, parts.mask, companion=None, rng=rng)
        style = parts.style()
        side = style.side
        picture = style.reduced(max(self.shorter_px or side, side))
        free = np.array(picture.shape[:2]) - side
        top, left = free // 2 if rng is None or self.crop == "center" else rng.integers(free + 1)
        square = picture[top : top + side, left : left + side]
        return np.divide(square, np.float32(255), dtype=np.float32)


class StyleIndex(PlaneMaker):
    """The number of the style: the plane `style_index`, (1, 1).

    Args:
        names: Of all styles that the model learns, in their order; empty where it learns one.
    """

    purpose = seeds.STYLE
    names: tuple[str, ...] = ()

    @property
    def needs_style(self) -> bool:
        """See `PlaneMaker`."""
        return True

    def make(
        self, image: Bytes, mask: Bytes, *, companion: Bytes | None, rng: np.random.Generator | None
    ) -> NDArray[np.float32]:
        """Return the number of the only style."""
        return np.zeros((1, 1), np.float32)

    def make_of(self, parts: SampleParts, rng: np.random.Generator | None) -> NDArray[np.float32]:
        """Return the number. Raises DataError for a picture that is none of the styles."""
        if parts.style is None or not self.names:
            return self.make(parts.image, parts.mask, companion=None, rng=rng)
        name = parts.style().name
        if name not in self.names:
            raise DataError(f"data.styles: {unknown('style of the model', name, self.names)}")
        return np.full((1, 1), self.names.index(name), np.float32)


class Styles:
    """The pictures of a source, by the number of the sample that they belong to: of (seed, number) alone.

    Every picture comes once before any comes again. One that cannot be decoded is replaced by the next.
    """

    def __init__(self, source: PhotoSource, side: int, *, seed: int) -> None:
        """Take over a source that holds at least one picture; side: of the crops of styles, px."""
        from inpaint.data.order import EpochOrder  # imports torch, which names of styles do not need

        self.source = source
        self.side = side
        self.names = names_of(source)
        self.order = EpochOrder(len(source), seed=seeds.integer(seed, seeds.STYLES, 0))
        self._reduced: OrderedDict[tuple[int, int], Bytes] = OrderedDict()
        self._bad = set[int]()

    @classmethod
    def of(cls, config: DataConfig, *, seed: int, validation: bool = False) -> Styles:
        """Open the source of a configuration. Raises DataError where it names none, or none can be used."""
        return cls(opened(config, validation=validation), config.style_px, seed=seed)

    def training(self, number: int) -> StyleSample:
        """Return the style of training sample `number`."""
        epoch, position = divmod(number, self.order.count)
        permutation = self.order.permutation(epoch)
        return self._sample(int(each) for each in np.roll(permutation, -position))

    def fixed(self, number: int) -> StyleSample:
        """Return the style of validation sample `number`."""
        count = len(self.source)
        return self._sample((number + step) % count for step in range(count))

    def _sample(self, candidates: Iterator[int]) -> StyleSample:
        first = -1
        for index in candidates:
            first = index if first < 0 else first
            if index in self._bad:
                continue
            try:
                self._picture(index, self.side)
            except InputError as error:
                self._bad.add(index)
                log.warning("replaced by the next style: %s: %s", self.source.name(index), error)
                continue
            return StyleSample(self.names[index], self.side, partial(self._picture, index))
        raise DataError(f"data.styles: none of the pictures can be decoded; the first was {self.source.name(first)}")

    def _picture(self, index: int, shorter_px: int) -> Bytes:
        """Return a picture with a shorter side of so many pixels; the last ones are kept."""
        key = index, shorter_px
        if key not in self._reduced:
            self._reduced[key] = _reduced(self.source.read(index), shorter_px)
            while len(self._reduced) > _KEPT:
                self._reduced.popitem(last=False)
        self._reduced.move_to_end(key)
        return self._reduced[key]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reduced": OrderedDict()}


def opened(config: DataConfig, *, validation: bool = False) -> PhotoSource:
    """Open the source of a configuration, or that of its validation, where it has one of its own.

    Raises:
        DataError: It names none, or none of the pictures can be used.
    """
    if config.styles is None:
        raise DataError("data.styles is missing: give a picture or a folder of them, as for data.root")
    own = validation and config.val_styles is not None
    key, place = ("data.val_styles", str(config.val_styles)) if own else ("data.styles", config.styles)
    try:
        return open_styles(place, min_px=config.min_px)
    except DataError as error:
        raise DataError(f"{key}: {error}") from None


def open_styles(styles: str, *, min_px: int) -> PhotoSource:
    """Open pictures of styles: one, or what `data.root` may be. Raises DataError where none can be used."""
    path = Path(styles)
    if path.suffix.lower() in IMAGE_SUFFIXES and not missing(path):
        source: PhotoSource = open_picture(path, min_px=min_px)
        if not len(source):
            raise DataError(f"'{path}': {source.skipped[0].problem}")
        return source
    return open_source(styles, min_px=min_px)


def names_of(source: PhotoSource) -> tuple[str, ...]:
    """Return the names of styles: those of their files, without folder and ending; with them where two are alike."""
    names = [PurePath(name).stem for name in source.names]
    count = Counter(names)
    return tuple(name if count[name] == 1 else whole for name, whole in zip(names, source.names, strict=True))


def hash_of(source: PhotoSource) -> str:
    """Return a hash of the pictures' names and of what tells their contents."""
    text = "\0".join(f"{name}\0{found}" for name, found in zip(source.names, source.fingerprints, strict=True))
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def _reduced(picture: Bytes, shorter_px: int) -> Bytes:
    height, width = picture.shape[:2]
    factor = shorter_px / min(height, width)
    size = max(round(width * factor), shorter_px), max(round(height * factor), shorter_px)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
