"""Small pictures of photos for screens, whatever the depth and size of the photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inpaint.images.photo import Photo, channels_of, to_uint8


def view_of(photo: Photo, *, longest_px: int) -> Image.Image:
    """Return a photo as a Pillow image, RGB or RGBA of 8 bits, with its profile; never enlarged.

    Args:
        photo: Of any depth.
        longest_px: Most pixels of its longer side.
    """
    values = to_uint8(channels_of(photo))
    image = Image.fromarray(values[..., 0].copy() if values.shape[2] == 1 else values)
    image = image.convert("RGB" if photo.alpha is None else "RGBA")
    if max(image.size) > longest_px:
        image.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    if photo.icc is not None and photo.icc[16:20] == b"RGB ":
        image.info["icc_profile"] = photo.icc
    return image


def write_view(photo: Photo, path: Path, *, longest_px: int) -> None:
    """Write such a picture as WebP of high quality."""
    view = view_of(photo, longest_px=longest_px)
    view.save(path, "WEBP", quality=90, method=2, icc_profile=view.info.get("icc_profile"))


def cover_of(hole: NDArray[np.bool_], *, longest_px: int) -> Image.Image:
    """Return a mask (H, W) as a picture LA that is white in the hole and transparent elsewhere, never enlarged."""
    alpha: NDArray[Any] = hole.astype(np.uint8) * np.uint8(255)
    image = Image.fromarray(alpha)
    if max(image.size) > longest_px:
        image.thumbnail((longest_px, longest_px), Image.Resampling.BOX)
    return Image.merge("LA", (Image.new("L", image.size, 255), image))
