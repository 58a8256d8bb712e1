"""From a Photo to a file: in the format of the name, whole or not at all, saying what the format cannot hold."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from inpaint.errors import InputError, UsageError
from inpaint.images import metadata, sixteen_bit
from inpaint.images.formats import Format, format_of_name
from inpaint.images.photo import Photo, to_uint8, white_of
from inpaint.system.files import atomic_write

_log = logging.getLogger("inpaint.images")


def write_photo(photo: Photo, path: str | os.PathLike[str], *, quality: int = 95) -> None:
    """Write in the format of the name's suffix, atomically.

    quality: 1..100, for JPEG and WebP; WebP at 100 is lossless. From 90 on JPEG keeps its colors at full resolution.
    Alpha, 16 bit, profile and EXIF are kept where the format can hold them, and a warning names what is lost. Known
    pixels of a fill stay bit-identical in PNG, TIFF, BMP and lossless WebP. The folder must exist.
    Raises UsageError for an unknown suffix or quality, InputError when the image is too long for the format, and
    InpaintError when the file cannot be written.
    """
    path = Path(path)
    format_ = format_of_name(path)
    if not 1 <= quality <= 100:
        raise UsageError(f"quality must be from 1 to 100, got {quality}")
    if max(photo.height, photo.width) > format_.longest_px:
        raise InputError(
            f"cannot write '{path}': {format_.name} holds at most {format_.longest_px} pixels a side, "
            f"the image has {photo.width} x {photo.height}"
        )
    photo = _fitted(photo, format_, path)
    with atomic_write(path) as temporary:
        if white_of(photo.pixels.dtype) == 255:
            to_pillow(photo).save(temporary, format=format_.name.upper(), **_options(photo, format_, quality))
        elif format_.name == "PNG":
            temporary.write_bytes(sixteen_bit.encode_png(photo))
        else:
            sixteen_bit.write_tiff(photo, temporary, name=str(path))


def to_pillow(photo: Photo) -> Image.Image:
    """Return the photo as a Pillow image: L, LA, RGB or RGBA of 8 bits; 16-bit gray without alpha as I;16.

    Pillow has no other 16-bit kinds: those come scaled to 8 bits.
    """
    if photo.pixels.dtype == "uint16" and photo.gray and photo.alpha is None:
        return Image.fromarray(photo.pixels[..., 0].copy())
    values = to_uint8(sixteen_bit.channels_of(photo))
    return Image.fromarray(values[..., 0].copy() if values.shape[2] == 1 else values)


def _fitted(photo: Photo, format_: Format, path: Path) -> Photo:
    """Return the photo without what the format cannot hold, and warn of it."""
    lost = []
    if photo.alpha is not None and not format_.alpha:
        lost.append("alpha")
        photo = replace(photo, alpha=None)
    if photo.pixels.dtype != "uint8" and not (format_.deep and photo.pixels.dtype == "uint16"):
        if photo.pixels.dtype == "uint16":
            lost.append("16 bit (scaled to 8)")
        alpha = None if photo.alpha is None else to_uint8(photo.alpha)
        photo = replace(photo, pixels=to_uint8(photo.pixels), alpha=alpha)
    gray_profile = photo.icc is not None and photo.icc[16:20] == b"GRAY"
    if photo.icc is not None and (not format_.icc or (gray_profile and not format_.gray)):
        lost.append("the ICC profile")
        photo = replace(photo, icc=None)
    if photo.exif is not None and not format_.exif:
        lost.append("EXIF")
        photo = replace(photo, exif=None)
    if lost:
        _log.warning("%s: %s cannot hold %s: lost", path, format_.name, " and ".join(lost))
    return photo


def _options(photo: Photo, format_: Format, quality: int) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if photo.icc is not None:
        options["icc_profile"] = photo.icc
    if photo.exif is not None:
        options["exif"] = b"Exif\0\0" + photo.exif
    if format_.name == "JPEG":
        options.update(quality=quality, subsampling=0 if quality >= 90 else 2)
    elif format_.name == "WebP":
        # exact: keeps the colors under transparent pixels, which are known pixels too
        options.update(quality=quality, lossless=quality == 100, exact=True)
    elif format_.name == "TIFF":
        # Pillow cannot write EXIF sub-directories into a compressed TIFF (its libtiff path refuses them).
        exif = Image.Exif()
        exif.load(photo.exif or b"")
        options["compression"] = "raw" if metadata.has_sub_directories(exif) else "tiff_deflate"
    return options
