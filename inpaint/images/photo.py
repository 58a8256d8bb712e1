"""A photo in memory, with all that has to survive a fill."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InputError

BT601: Final = (0.299, 0.587, 0.114)
"""Weights of red, green and blue that Pillow and OpenCV use for gray: for files and masks."""

BT709: Final = (0.2125, 0.7154, 0.0721)
"""Weights of scikit-image, ITU-R BT.709 rounded: for edges, as EdgeConnect's program has them."""

Pixels = NDArray[Any]
"""uint8, uint16, or float32 / float64 in [0, 1]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Photo:
    """A decoded photo, upright.

    pixels: (H, W, 3) RGB, uint8 or uint16 (arrays given in memory may also be float32 or float64 in [0, 1]).
    alpha: (H, W) of the same dtype, or None. icc: the color profile as stored. exif: TIFF-structured bytes without the
    "Exif" prefix, orientation 1. gray: the file had one color channel; all three of `pixels` are equal then.
    path: the file it came from.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    gray: bool = False
    path: Path | None = None

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

    def array(self) -> NDArray[np.float32]:
        """Return the pixels as (H, W, 3) in [0, 1]."""
        return self.pixels.astype(np.float32) / np.float32(white_of(self.pixels.dtype))

    def with_fill(self, completed: NDArray[np.floating[Any]], hole: NDArray[np.bool_]) -> Photo:
        """Return this photo with the pixels of `hole` taken from `completed`, the others untouched.

        Gray photos stay gray (BT.601 luma of the fill); alpha stays as it is.

        Args:
            completed: (H, W, 3) in [0, 1], rounded to the nearest level of the photo's depth.
            hole: (H, W), True where the photo is filled.
        """
        if completed.shape != self.pixels.shape or hole.shape != self.pixels.shape[:2]:
            raise InputError(
                f"fill {completed.shape[:2]} and hole {hole.shape} must have the photo's size {self.pixels.shape[:2]}"
            )
        painted = completed[hole].astype(np.float64)  # (pixels of the hole, 3)
        if self.gray:
            red, green, blue = painted.T
            # as green plus differences, so that a gray fill keeps its value exactly
            gray = green + BT601[0] * (red - green) + BT601[2] * (blue - green)
            painted = np.repeat(gray[:, None], 3, axis=1)
        pixels = self.pixels.copy()
        pixels[hole] = _to_depth(painted, self.pixels.dtype)
        return replace(self, pixels=pixels)


def photo_of_array(
    values: Pixels,
    *,
    orientation: int = 1,
    icc: bytes | None = None,
    exif: bytes | None = None,
    path: Path | None = None,
) -> Photo:
    """Return an array as a Photo: (H, W), (H, W, 1) gray, (H, W, 2) gray and alpha, (H, W, 3) RGB, (H, W, 4) RGBA.

    `orientation` (1..8) says how the array has to be turned. Raises InputError for other shapes and dtypes.
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
    return Photo(pixels=pixels, alpha=alpha, icc=icc, exif=exif, gray=gray, path=path)


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
