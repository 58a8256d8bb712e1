"""From a Photo to a file: in the format of the name, whole or not at all, saying what the format cannot hold."""

from __future__ import annotations

import io
import logging
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from inpaint.errors import InputError, UsageError
from inpaint.images import jpeg, png
from inpaint.images.exif import PREFIX
from inpaint.images.formats import Format, Part, format_of_name
from inpaint.images.metadata import resolution_in, without_orientation
from inpaint.images.photo import Item, Photo, Pixels, channels_of, counted, to_uint8, to_uint16
from inpaint.images.stored import Bilevel, Inks, Palette
from inpaint.images.tiff_writing import LOSSLESS, write_tiff
from inpaint.system.extras import import_optional
from inpaint.system.files import atomic_write, open_file

_log = logging.getLogger("inpaint.images")

DEFAULT_QUALITY = 95
"""Of JPEG, WebP, AVIF and HEIC, where neither the caller nor the photo's own file says another."""

_SUBSAMPLED_BELOW = 90


def write_photo(photo: Photo, path: str | os.PathLike[str], *, quality: int | None = None) -> None:
    """Write in the format of the name's suffix, atomically, with all that the format can hold.

    One warning names what is lost. Known pixels of a fill stay bit-identical in PNG, TIFF, BMP and lossless WebP. The
    permissions are those of the file that is replaced, else of the photo's own.

    Args:
        photo: What is written.
        path: Where; the folder must exist.
        quality: 1..100, for JPEG, WebP, AVIF and HEIC; WebP at 100 is lossless, from 90 on JPEG keeps its colors at
            full resolution. None: as the photo's own file, if it was a JPEG, or a lossless WebP that becomes a WebP;
            else 95.

    Raises:
        UsageError: An unknown suffix or quality.
        InputError: The photo is too long for the format.
        MissingDependencyError: HEIC without the package that writes it.
        InpaintError: The file cannot be written.
    """
    path = Path(path)
    format_ = format_of_name(path)
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"quality must be from 1 to 100, got {quality}")
    check_length(path, photo.height, photo.width)
    if format_.name == "HEIC":
        import_optional("formats", purpose=f"writing '{path}' (HEIC)").register_heif_opener()
    photo = _fitted(photo, format_, path)
    mode = _permissions(photo, path)
    with atomic_write(path) as temporary:
        if format_.name == "TIFF":
            write_tiff(photo, temporary)
        elif format_.name == "PNG":
            temporary.write_bytes(_png(photo))
        else:
            name = "HEIF" if format_.name == "HEIC" else format_.name.upper()
            _stored_image(photo).save(temporary, format=name, **_options(photo, format_, quality))
        if mode is not None:
            with suppress(OSError):  # file systems without permissions
                temporary.chmod(mode)


def check_length(path: str | os.PathLike[str], height: int, width: int) -> None:
    """Raise InputError when an image of this size is too long for the format of the name: before the work on it."""
    format_ = format_of_name(path)
    if max(height, width) > format_.longest_px:
        raise InputError(
            f"cannot write '{os.fspath(path)}': {format_.name} holds at most {format_.longest_px} pixels a side, "
            f"the image has {width} x {height}"
        )


def to_pillow(photo: Photo) -> Image.Image:
    """Return the photo as a Pillow image: L, LA, RGB or RGBA of 8 bits; 16-bit gray without alpha as I;16.

    Pillow has no other 16-bit kinds: those come scaled to 8 bits.
    """
    if photo.pixels.dtype == "uint16" and photo.gray and photo.alpha is None:
        return Image.fromarray(photo.pixels[..., 0].copy())
    values = to_uint8(channels_of(photo))
    return Image.fromarray(values[..., 0].copy() if values.shape[2] == 1 else values)


def _stored_image(photo: Photo) -> Image.Image:
    """Return the photo as the Pillow image of its own kind of samples."""
    stored = photo.stored
    if isinstance(stored, Inks):
        values = np.ascontiguousarray(stored.values)
        return Image.frombuffer("CMYK", values.shape[1::-1], values.tobytes(), "raw", "CMYK", 0, 1)
    if isinstance(stored, Bilevel):
        return Image.fromarray(np.ascontiguousarray(stored.values))
    if isinstance(stored, Palette):
        image = Image.fromarray(np.ascontiguousarray(stored.values), "P")
        image.putpalette(stored.table.tobytes(), "RGB")
        return image
    return to_pillow(photo)


def _png(photo: Photo) -> bytes:
    if photo.pixels.dtype == np.uint16:
        return png.with_chunks(png.encode_deep(photo), photo)
    buffer, options = io.BytesIO(), dict[str, Any]()
    if isinstance(photo.stored, Palette) and photo.stored.opacity is not None:
        options["transparency"] = photo.stored.opacity.tobytes()
    _stored_image(photo).save(buffer, "PNG", **options)
    return png.with_chunks(buffer.getvalue(), photo)


def copy_photo(photo: Photo, path: Path) -> None:
    """Write the file that an unchanged photo came from again: the most faithful copy, with all that it holds."""
    assert photo.path is not None  # from a file
    mode = _permissions(photo, path)
    with atomic_write(path) as temporary:
        with open_file(photo.path) as source, temporary.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        if mode is not None:
            with suppress(OSError):  # file systems without permissions
                temporary.chmod(mode)


# What a format cannot hold -------------------------------------------------------------------------------------------


def _fitted(photo: Photo, format_: Format, path: Path) -> Photo:
    """Return the photo without what the format cannot hold, and warn of it."""
    every = (photo, *photo.pages)
    photo, lost = _fitted_page(photo, format_)
    if photo.pages and Part.PAGES in format_.keeps:
        pages, more = zip(*(_fitted_page(page, format_) for page in photo.pages), strict=True)
        photo = replace(photo, pages=pages)
        lost += [name for names in more for name in names]
    elif photo.pages:
        lost.append(counted(len(photo.pages), "further page"))
        photo = replace(photo, pages=())
    unread = [item.name for page in every for item in page.items if item.part == Part.UNREAD]
    views = [item.name for page in every for item in page.items if item.part == Part.VIEW]
    storage = photo.storage
    if format_.name == "TIFF" and storage and storage.format == "TIFF" and storage.tiff not in LOSSLESS:
        unread.append("lossy compression (deflated instead, so that known pixels stay as they are)")
    said = []
    if lost:
        said.append(f"{format_.name} cannot hold {' and '.join(dict.fromkeys(lost))}: lost")
    if unread:
        said.append(f"not kept: {', '.join(dict.fromkeys(unread))}")
    if views:
        said.append(f"left out, since they may show what was there: {', '.join(dict.fromkeys(views))}")
    if said:
        _log.warning("%s: %s", path, "; ".join(said))
    return photo


def _fitted_page(photo: Photo, format_: Format) -> tuple[Photo, list[str]]:
    """Return one page without what the format cannot hold, and by name what that is."""
    lost, stored = list[str](), photo.stored
    if stored is not None:
        kept = stored.of(photo) if stored.part in format_.keeps and _takes(format_, stored, photo) else None
        if kept is None and stored.part != Part.PREMULTIPLIED:
            lost.append(stored.name)
        photo = replace(photo, stored=kept)
        if isinstance(kept, Inks):
            photo = replace(photo, icc=kept.profile)
    if photo.alpha is not None and Part.ALPHA not in format_.keeps:
        lost.append("alpha")
        photo = replace(photo, alpha=None)
    photo, shallower = _of_depth(photo, format_)
    lost += shallower
    if photo.extra is not None and Part.EXTRA not in format_.keeps:
        lost.append(counted(photo.extra.shape[2], "further channel"))
        photo = replace(photo, extra=None)
    gray_profile = photo.icc is not None and photo.icc[16:20] == b"GRAY"
    if photo.icc is not None and (
        Part.ICC not in format_.keeps or (gray_profile and (Part.GRAY not in format_.keeps or not photo.gray))
    ):
        lost.append("the ICC profile")
        photo = replace(photo, icc=None)
    if photo.exif is not None and (Part.EXIF not in format_.keeps or _too_long(format_, len(photo.exif) + 6)):
        lost.append("EXIF")
        photo = replace(photo, exif=None)
    items = []
    for item in photo.items:
        if item.part in format_.keeps and _can_hold(format_, item, photo):
            items.append(item)
        elif item.part == Part.RESOLUTION and photo.exif is not None and resolution_in(photo.exif):
            continue  # EXIF tells it too
        elif item.part not in (Part.VIEW, Part.UNREAD) and item.name != png.SRGB:
            lost.append(item.name)
    return replace(photo, items=tuple(items)), lost


def _takes(format_: Format, stored: Any, photo: Photo) -> bool:
    """Return whether a format that has this kind of samples has them with this alpha, these channels and this depth."""
    if isinstance(stored, Inks):
        return format_.name == "TIFF" or (stored.values.dtype == np.uint8 and photo.alpha is None)
    if isinstance(stored, Palette):
        return format_.name == "PNG" or photo.alpha is None
    return True


def _of_depth(photo: Photo, format_: Format) -> tuple[Photo, list[str]]:
    """Return the photo at a depth that the format has: floats become 16 bit where there are such, else 8."""
    lost: list[str] = []
    dtype = photo.pixels.dtype
    if dtype == np.uint8:
        return photo, lost
    if Part.DEEP in format_.keeps:
        if dtype == np.uint16:
            return photo, lost
        return _scaled(photo, to_uint16), lost
    lost.append("16 bit (scaled to 8)" if dtype == np.uint16 else "floating point (scaled to 8 bit)")
    return _scaled(photo, to_uint8), lost


def _scaled(photo: Photo, scale: Callable[[Pixels], Pixels]) -> Photo:
    alpha = None if photo.alpha is None else scale(photo.alpha)
    extra = None if photo.extra is None else scale(photo.extra)
    return replace(photo, pixels=scale(photo.pixels), alpha=alpha, extra=extra)


def _can_hold(format_: Format, item: Item, photo: Photo) -> bool:
    """Return whether an item of a part that the format keeps fits into it, beside the photo as it will be written."""
    if item.part == Part.COLOR:
        return png.fits(item, photo)
    if item.part == Part.RESOLUTION:
        return item.value.per_inch is not None or format_.name in ("PNG", "TIFF")
    overhead = {Part.XMP: 29, Part.IPTC: 14, Part.COMMENT: 0}.get(item.part)
    return overhead is None or not _too_long(format_, len(item.value) + overhead)


def _too_long(format_: Format, length: int) -> bool:
    return format_.name == "JPEG" and length > jpeg.LONGEST_SEGMENT


# How it is written ---------------------------------------------------------------------------------------------------


def _options(photo: Photo, format_: Format, quality: int | None) -> dict[str, Any]:
    """Return what Pillow is told about a file of JPEG, WebP, AVIF, HEIC or BMP."""
    options: dict[str, Any] = {}
    if photo.icc is not None:
        options["icc_profile"] = photo.icc
    if photo.exif is not None:
        # Pillow's encoder of AVIF writes a block that tells an orientation anew, and not as it was.
        options["exif"] = PREFIX + (without_orientation(photo.exif) if format_.name == "AVIF" else photo.exif)
    for item in photo.items:
        if item.part == Part.XMP:
            options["xmp"] = item.value
        elif item.part == Part.RESOLUTION and item.value.per_inch is not None:
            options["dpi"] = tuple(float(each) for each in item.value.per_inch)
    storage = photo.storage
    if format_.name == "JPEG":
        options["extra"] = b"".join(_segments(photo))
        if quality is None and storage is not None and storage.format == "JPEG":
            return options | _equal_jpeg(storage.jpeg, photo)
        quality = quality or DEFAULT_QUALITY
        options.update(quality=quality, subsampling=0 if quality >= _SUBSAMPLED_BELOW else 2)
    elif format_.name == "WebP":
        kept = quality is None and storage is not None and storage.format == "WebP" and storage.lossless
        # exact: keeps the colors under transparent pixels, which are known pixels too
        options.update(quality=quality or DEFAULT_QUALITY, lossless=kept or quality == 100, exact=True)
    elif format_.name in ("AVIF", "HEIC"):
        options["quality"] = quality or DEFAULT_QUALITY
        if options["quality"] >= _SUBSAMPLED_BELOW:
            options["subsampling"] = "4:4:4"
    return options


def _equal_jpeg(options: dict[str, Any], photo: Photo) -> dict[str, Any]:
    """Return the options of a file like the photo's own, as far as its channels are still the same."""
    if photo.gray or isinstance(photo.stored, Inks):
        return {key: value for key, value in options.items() if key != "subsampling"}
    return {"subsampling": 0, **options}


def _segments(photo: Photo) -> list[bytes]:
    found = []
    for item in photo.items:
        if item.part == Part.IPTC:
            found.append(jpeg.segment(0xED, b"Photoshop 3.0\0" + item.value))
        elif item.part == Part.COMMENT:
            found.append(jpeg.segment(0xFE, item.value))
    return found


def _permissions(photo: Photo, path: Path) -> int | None:
    """Return the permissions of the file that is replaced, else of the photo's own file; None where there is none."""
    for each in (path, photo.path):
        with suppress(OSError):
            if each is not None:
                # Writable by its owner all the same: the next run must be able to replace it.
                return stat.S_IMODE(each.stat().st_mode) | stat.S_IWUSR
    return None
