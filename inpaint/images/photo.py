"""A photo in memory, with all that has to survive a fill."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InputError
from inpaint.images.formats import Part
from inpaint.images.regions import Region
from inpaint.types import OneLine

BT601: Final = (0.299, 0.587, 0.114)
"""Weights of red, green and blue that Pillow and OpenCV use for gray: for files and masks."""

BT709: Final = (0.2125, 0.7154, 0.0721)
"""Weights of scikit-image, ITU-R BT.709 rounded: for edges, as EdgeConnect's program has them."""

Pixels = NDArray[Any]
"""uint8, uint16, or float32 / float64 in [0, 1]."""


@dataclass(frozen=True)
class Item:
    """Something that a file holds beside its samples.

    Args:
        part: What it is, which says which formats can hold it; `Part.VIEW` and `Part.UNREAD` where none may.
        name: As messages call it, with an article where it has one.
        value: As the format that knows it wants it.
    """

    part: Part
    name: str
    value: Any = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Stored(ABC):
    """The samples of a file as it has them, where the pixels of a `Photo` are their translation only.

    Known pixels are known by being equal to the translation, so their own samples are written again bit for bit,
    whatever was done to the photo in between.

    Args:
        values: (H, W) or (H, W, C), upright.
        pixels: (H, W, 3), what they were translated to.
        alpha: (H, W) or None, likewise.
    """

    part: ClassVar[Part]
    name: ClassVar[str]
    """For messages: what it is, and what it is written as where it cannot be kept."""

    values: NDArray[Any]
    pixels: Pixels
    alpha: Pixels | None = None

    def of(self, photo: Photo) -> Stored | None:
        """Return the samples of a photo that came from these; None where they cannot express it."""
        same = photo.pixels is self.pixels and photo.alpha is self.alpha
        if same:
            return self
        alphas = (photo.alpha is None) == (self.alpha is None)
        if not alphas or (photo.pixels.shape, photo.pixels.dtype) != (self.pixels.shape, self.pixels.dtype):
            return None
        changed = (photo.pixels != self.pixels).any(axis=2)
        if photo.alpha is not None and self.alpha is not None:
            changed |= photo.alpha != self.alpha
        alpha = None if photo.alpha is None else photo.alpha[changed]
        return self.with_samples(changed, photo.pixels[changed], alpha) if changed.any() else self

    @abstractmethod
    def with_samples(self, where: NDArray[np.bool_], pixels: Pixels, alpha: Pixels | None) -> Stored | None:
        """Return them with others at `where` (H, W), for pixels (N, 3) and alpha (N,); None where that cannot be."""

    def turned(self, orientation: int) -> Stored:
        """Return them turned upright, see `upright`."""
        alpha = None if self.alpha is None else upright(self.alpha, orientation)
        return replace(
            self, values=upright(self.values, orientation), pixels=upright(self.pixels, orientation), alpha=alpha
        )


@dataclass(frozen=True, kw_only=True)
class Storage:
    """How a file was compressed, so that its successor can be as well.

    Args:
        format: A name of `FORMATS`.
        lossless: Whether WebP is.
        jpeg: Pillow's options of an equal JPEG: tables, subsampling, progressive.
        tiff: The tag Compression.
    """

    format: str
    lossless: bool = False
    jpeg: dict[str, Any] = field(default_factory=dict)
    tiff: int = 1

    @property
    def lossy(self) -> bool:
        """Whether the format leaves values only near to what they were."""
        return self.format in ("JPEG", "AVIF", "HEIC") or (self.format == "WebP" and not self.lossless)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Photo(OneLine):
    """A decoded photo, upright.

    Args:
        pixels: (H, W, 3) RGB, uint8 or uint16 (arrays given in memory may also be float32 or float64 in [0, 1]).
        alpha: (H, W) of the same dtype, or None; not multiplied into the pixels.
        icc: The color profile as stored, of `pixels`.
        exif: TIFF-structured bytes without the "Exif" prefix, orientation 1.
        gray: The file had one color channel; all three of `pixels` are equal then.
        path: The file that it came from.
        extra: (H, W, N) of the same dtype: channels that are neither color nor alpha, such as infrared; or None.
        pages: Further pages, each a photo of the same size.
        items: What else the file holds.
        stored: Its samples, where they are not simply these.
        storage: How it was compressed; None in memory.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    gray: bool = False
    path: Path | None = None
    extra: Pixels | None = None
    pages: tuple[Photo, ...] = ()
    items: tuple[Item, ...] = ()
    stored: Stored | None = None
    storage: Storage | None = None

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or 0 in self.pixels.shape:
            raise InputError(f"pixels must have shape (H, W, 3), got {self.pixels.shape}")
        white_of(self.pixels.dtype)
        if self.alpha is not None and (self.alpha.shape, self.alpha.dtype) != (
            self.pixels.shape[:2],
            self.pixels.dtype,
        ):
            raise InputError(f"alpha must be {self.pixels.shape[:2]} {self.pixels.dtype}, as the pixels are")

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def name(self) -> str:
        """The file's path for messages, or "image" for a photo in memory."""
        return "image" if self.path is None else str(self.path)

    def array(self, region: Region | None = None) -> NDArray[np.float32]:
        """Return the pixels, or those of a region of the photo, as (H, W, 3) in [0, 1]."""
        pixels = self.pixels if region is None else self.pixels[region.slices]
        values = pixels.astype(np.float32)
        values /= np.float32(white_of(pixels.dtype))
        return values

    def with_fill(
        self, completed: NDArray[np.floating[Any]], hole: NDArray[np.bool_], *, region: Region | None = None
    ) -> Photo:
        """Return this photo with the pixels of `hole` taken from `completed`, the others untouched.

        Gray photos stay gray (BT.601 luma of the fill); alpha stays as it is. Further pages and channels would show
        what the hole hides: they become items that are named as lost, see `with_companions` for filled ones.

        Args:
            completed: (H, W, 3) in [0, 1], rounded to the nearest level of the photo's depth.
            hole: (H, W), True where the photo is filled.
            region: Of the photo, to which alone `completed` and `hole` belong; None: all of it.
        """
        part = self.pixels if region is None else self.pixels[region.slices]
        if completed.shape != part.shape or hole.shape != part.shape[:2]:
            raise InputError(
                f"fill {completed.shape[:2]} and hole {hole.shape} must have the photo's size {part.shape[:2]}"
            )
        painted = completed[hole].astype(np.float64)  # (pixels of the hole, 3)
        if self.gray:
            red, green, blue = painted.T
            # as green plus differences, so that a gray fill keeps its value exactly
            gray = green + BT601[0] * (red - green) + BT601[2] * (blue - green)
            painted = np.repeat(gray[:, None], 3, axis=1)
        pixels = self.pixels.copy()
        (pixels if region is None else pixels[region.slices])[hole] = _to_depth(painted, self.pixels.dtype)
        lost = []
        if self.pages:
            lost.append(Item(Part.VIEW, counted(len(self.pages), "further page")))
        if self.extra is not None:
            lost.append(Item(Part.VIEW, counted(self.extra.shape[2], "further channel")))
        return replace(self, pixels=pixels, pages=(), extra=None, items=(*self.items, *lost))

    def companions(self) -> list[Photo]:
        """Return what shows the same place and needs the same fill: every further channel, as gray, and every page."""
        count = 0 if self.extra is None else self.extra.shape[2]
        channels = [
            Photo(pixels=np.repeat(self.extra[..., index, None], 3, axis=2), gray=True, path=self.path)
            for index in range(count)
            if self.extra is not None
        ]
        return [*channels, *self.pages]

    def with_companions(self, filled: Photo, companions: Iterable[Photo]) -> Photo:
        """Return `filled`, which came from this photo, with these, which came from `companions`."""
        given = list(companions)
        count = 0 if self.extra is None else self.extra.shape[2]
        extra = np.stack([each.pixels[..., 0] for each in given[:count]], axis=2) if count else None
        return replace(filled, extra=extra, pages=tuple(given[count:]), items=self.items)

    def turned(self, orientation: int) -> Photo:
        """Return the photo turned upright from an EXIF orientation."""
        if orientation == 1:
            return self
        alpha = None if self.alpha is None else upright(self.alpha, orientation)
        extra = None if self.extra is None else upright(self.extra, orientation)
        stored = None if self.stored is None else self.stored.turned(orientation)
        return replace(self, pixels=upright(self.pixels, orientation), alpha=alpha, extra=extra, stored=stored)


def photo_of_array(values: Pixels, *, orientation: int = 1, **about: Any) -> Photo:
    """Return an array as a Photo: (H, W), (H, W, 1) gray, (H, W, 2) gray and alpha, (H, W, 3) RGB, (H, W, 4) RGBA.

    Args:
        values: The array.
        orientation: 1..8, how it has to be turned.
        about: Other fields of `Photo`.

    Raises:
        InputError: Another shape or dtype.
    """
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] not in (1, 2, 3, 4):
        raise InputError(f"an image array must have shape (H, W) or (H, W, 1 to 4), got {values.shape}")
    values = upright(values, orientation)
    channels = values.shape[2]
    gray = channels < 3
    pixels = np.repeat(values[..., :1], 3, axis=2) if gray else np.ascontiguousarray(values[..., :3])
    alpha = np.ascontiguousarray(values[..., -1]) if channels in (2, 4) else None
    return Photo(pixels=pixels, alpha=alpha, gray=gray, **about)


def channels_of(photo: Photo) -> NDArray[Any]:
    """Return gray, gray and alpha, RGB or RGBA as one (H, W, C) array."""
    planes = photo.pixels[..., :1] if photo.gray else photo.pixels
    return planes if photo.alpha is None else np.concatenate([planes, photo.alpha[..., None]], axis=2)


def counted(number: int, what: str) -> str:
    """Return "1 page" or "3 pages"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def upright(values: Pixels, orientation: int) -> Pixels:
    """Turn (H, W, ...) as the EXIF orientation 1..8 says (EXIF 2.3, tag 274); any other value turns nothing."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def white_of(dtype: np.dtype[Any]) -> int:
    """Return the value of white: 255, 65535 or 1. Raises InputError for any other dtype."""
    if dtype in (np.uint8, np.uint16):
        return int(np.iinfo(dtype).max)
    if dtype in (np.float32, np.float64):
        return 1
    raise InputError(f"pixels must be uint8, uint16, float32 or float64, got {dtype}")


def to_uint8(values: Pixels) -> NDArray[np.uint8]:
    """Scale values of any accepted depth to 0..255, rounded to nearest. Returns uint8 arrays as they are."""
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.uint16:
        # round(v / 257) without leaving integers
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    scaled: NDArray[np.uint8] = _to_depth(values, np.dtype(np.uint8))
    return scaled


def to_uint16(values: Pixels) -> NDArray[np.uint16]:
    """Scale floats in [0, 1] to 0..65535, rounded to nearest."""
    scaled: NDArray[np.uint16] = _to_depth(values, np.dtype(np.uint16))
    return scaled


def _to_depth(values: Pixels, dtype: np.dtype[Any]) -> Pixels:
    values = np.clip(values, 0, 1)
    if dtype.kind == "f":
        return values.astype(dtype)
    levels: Pixels = np.rint(values * white_of(dtype)).astype(dtype)
    return levels


def luma(image: NDArray[Any], weights: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return the gray image (H, W) of colors (H, W, 3), on the same scale, in float64."""
    gray: NDArray[np.float64] = image.astype(np.float64) @ np.array(weights)
    return gray
