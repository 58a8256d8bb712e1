"""From a file to a Photo. The content decides the format, the name does not; the header is checked before decoding."""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from inpaint.errors import InpaintError, InputError
from inpaint.images import bmp, boxes, jpeg, metadata, png, tiff
from inpaint.images.formats import FORMATS, Format, Part, foreign_kind, format_of_content
from inpaint.images.photo import Item, Photo, Pixels, Storage, Stored, photo_of_array, to_uint8, upright
from inpaint.images.stored import Bilevel, Inks, Palette, colors_of
from inpaint.system.extras import import_optional
from inpaint.system.files import is_folder, open_file
from inpaint.types import OneLine

MAX_PIXELS = 100_000_000
"""Most pixels that a file may claim unless the caller allows more."""

_log = logging.getLogger("inpaint.images")

# Called by class instead of through Image.open: that one warns about large images by a process-wide limit, and our
# own limit is an argument.
_PLUGINS: dict[str, Any] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}


def read_photo(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS, first_page: bool = True) -> Photo:
    """Read a file of any format of `FORMATS`, upright, at its full depth, with all that it holds.

    Other samples than RGB come translated to RGB, with alpha where a palette has transparent entries; `Photo.stored`
    keeps them as they are.

    Args:
        path: The file.
        max_pixels: Most pixels that it may claim, in all pages that are read.
        first_page: Read the first page or frame only, with a warning where there are more; else all pages.

    Raises:
        InputError: Naming the file and the reason: missing, empty, no image, damaged, of a kind that is not
            supported, more than `max_pixels`; and unless `first_page`: animated, or pages of different sizes.
        MissingDependencyError: HEIC without the package that reads it.
    """
    path = Path(path)
    with _opened(path) as stream:
        return _read(stream, path, max_pixels, first_page=first_page)


def read_rgb(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Read an image as (H, W, 3) uint8 RGB, upright: the short way for training data.

    16-bit images are scaled down, alpha is dropped. Raises InputError as `read_photo` does.
    """
    path = Path(path)
    with _opened(path) as stream:
        return _read_rgb(stream, path, max_pixels)


@dataclass(frozen=True, repr=False, eq=False)
class MaskSamples(OneLine):
    """The samples of an image as they are stored, for masks: ordinary ones of 8 bits, or numbers of any type.

    Args:
        values: (H, W) gray or entries of the palette, or (H, W, 3) RGB, uint8; or numbers (H, W).
        alpha: (H, W), or None.
        palette: (256, 4) RGBA, or None.
        lossy: Whether the format leaves values only near to what they were.
    """

    values: NDArray[Any]
    alpha: NDArray[np.uint8] | None = None
    palette: NDArray[np.uint8] | None = None
    lossy: bool = False


def read_stored(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> MaskSamples | None:
    """Read an image without converting it: the short way for masks, which may hold labels.

    Args:
        path: The file.
        max_pixels: Most pixels that it may claim.

    Returns:
        Its samples, upright; None for any other file than `MaskSamples` holds, which `read_photo` reads.

    Raises:
        InputError: As `read_photo` does.
    """
    path = Path(path)
    with _opened(path) as stream:
        format_ = _format(stream, path)
        if format_.name == "TIFF":
            return _stored_tiff(stream, path, max_pixels)
        if format_.name not in ("JPEG", "PNG", "BMP", "WebP") or (format_.name == "PNG" and _is_deep(stream)):
            return None
        image = _header(stream, format_, path, max_pixels)
        if _frames(image) > 1:
            return None
        with _decoding(path):
            stored = stored_in(image, lossy=format_.name in ("JPEG", "WebP"))
            turn = metadata.orientation(image)
        if stored is None or turn == 1:
            return stored
        alpha = None if stored.alpha is None else np.ascontiguousarray(upright(stored.alpha, turn))
        return replace(stored, values=np.ascontiguousarray(upright(stored.values, turn)), alpha=alpha)


def _stored_tiff(stream: BinaryIO, path: Path, max_pixels: int) -> MaskSamples | None:
    """Return the entries of a palette, or numbers; None for other files, and for those of several pages."""
    found = tiff.directories(stream, path, numbers=True)
    first = found.first
    _check_size(path, first.width, first.height, max_pixels)
    if not first.holds_numbers and (found.further or not first.has_palette):
        return None
    if found.further:
        _log.warning("%s: has %d pages or frames; the first is used", path, len(found.further) + 1)
    with _decoding(path):
        stream.seek(0)
        data = stream.read()
        if first.holds_numbers:
            return MaskSamples(tiff.numbers_of(first, data, path))
        return stored_in(TiffImagePlugin.TiffImageFile(io.BytesIO(first.alone(data))))


def stored_in(image: Image.Image, *, lossy: bool = False) -> MaskSamples | None:
    """Return the samples of a Pillow image as they lie; None for other kinds, which `from_pillow` takes."""
    mode = image.mode
    if mode == "P":
        return MaskSamples(np.asarray(image).copy(), palette=_rgba_palette(image), lossy=lossy)
    if mode in ("I", "F"):
        return MaskSamples(np.asarray(image))
    if mode not in ("1", "L", "LA", "RGB", "RGBA") or (mode not in ("LA", "RGBA") and "transparency" in image.info):
        return None
    alpha = np.asarray(image.getchannel("A")) if mode in ("LA", "RGBA") else None
    if mode in ("1", "L", "LA"):
        gray = image.convert("L") if mode == "1" else image.getchannel("L")
        return MaskSamples(np.asarray(gray), alpha=alpha, lossy=lossy)
    # Channel by channel: memory for all three at once would cost more than decoding a mask that is gray.
    red, green, blue = (np.asarray(image.getchannel(band)) for band in "RGB")
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return MaskSamples(red, alpha=alpha, lossy=lossy)
    return MaskSamples(np.stack([red, green, blue], axis=2), alpha=alpha, lossy=lossy)


def _rgba_palette(image: Image.Image) -> NDArray[np.uint8]:
    """Return the palette (256, 4) of an image; entries that it lacks are black."""
    image.load()  # a palette may change while decoding
    colors = np.zeros((256, 4), np.uint8)
    colors[:, 3] = 255
    given = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)[:256]
    colors[: len(given), :3] = given
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        colors[transparent, 3] = 0
    elif isinstance(transparent, bytes):
        colors[: len(transparent), 3] = np.frombuffer(transparent[:256], np.uint8)
    return colors


def decode_rgb(data: bytes, *, name: str, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Return the image in the bytes of a file as `read_rgb` does; `name` stands in its errors."""
    return _read_rgb(io.BytesIO(data), Path(name), max_pixels)


def from_pillow(image: Image.Image, path: Path | None = None, *, turn: bool = True) -> Photo:
    """Return a Pillow image of any 8-bit kind, or 16-bit gray, as a Photo.

    Args:
        image: The image; its metadata come along as far as Pillow tells of them.
        path: Only names it.
        turn: Make it upright by its EXIF orientation; else its pixels stay as they lie.

    Raises:
        InputError: A kind that is no ordinary photo (floating point, Lab, 32-bit integer).
    """
    name = "image" if path is None else str(path)
    if (frames := _frames(image)) > 1:
        _log.warning("%s: has %d pages or frames; the first is used", name, frames)
    image.load()  # before the metadata: a PNG may hold them after the pixels, and damage is found here
    orientation = metadata.orientation(image)
    exif, lost = metadata.exif_of(image, name)
    items = [*metadata.xmp_items(image.info.get("xmp")), *lost]
    if "dpi" in image.info:
        items += metadata.resolution_of(*_pair(image.info["dpi"]), "inch")
    about: dict[str, Any] = {"icc": image.info.get("icc_profile") or None, "exif": exif, "path": path}
    about |= {"orientation": orientation if turn else 1, "items": metadata.turned(items, orientation)}
    return _of_samples(image, name, about)


def _of_samples(image: Image.Image, name: str, about: dict[str, Any]) -> Photo:
    """Return a loaded Pillow image as a photo; `about` holds what `photo_of_array` is told of it."""
    mode, transparent = image.mode, image.has_transparency_data
    if mode == "CMYK":
        return _of_inks(image, about)
    values: Pixels
    if mode.startswith("I;16"):
        return photo_of_array(np.asarray(image).astype(np.uint16), **about)
    if mode in ("1", "L", "LA", "La"):
        values = np.asarray(image.convert("LA" if transparent else "L"))
    elif mode in ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"):
        values = np.asarray(image.convert("RGBA" if transparent else "RGB"))
    else:
        raise InputError(f"cannot read '{name}': images of kind {mode} are not supported (8 or 16 bit are)")
    photo = photo_of_array(values, **about)
    orientation = about.get("orientation", 1)
    if mode == "1" and not transparent:
        bits = upright(np.asarray(image), orientation)
        return replace(photo, stored=Bilevel(values=bits, pixels=photo.pixels))
    return replace(photo, stored=_palette(image, photo, orientation)) if mode == "P" else photo


def _pair(value: Any) -> tuple[Any, Any]:
    return (value[0], value[1]) if isinstance(value, (tuple, list)) and len(value) == 2 else (None, None)


def _of_inks(image: Image.Image, about: dict[str, Any]) -> Photo:
    """Return a CMYK image by its profile, whose inks are kept; by the plain formula where there is none."""
    inks, icc = np.asarray(image), about["icc"]
    colors = colors_of(inks, icc) if icc is not None and icc[16:20] == b"CMYK" else None
    if colors is not None:
        photo = photo_of_array(colors, **{**about, "icc": None})
        values = upright(inks, about.get("orientation", 1))
        return replace(photo, stored=Inks(values=values, pixels=photo.pixels, profile=icc))
    items = (*about["items"], *tiff.plain_item(icc))
    return photo_of_array(np.asarray(image.convert("RGB")), **{**about, "icc": None, "items": items})


def _palette(image: Image.Image, photo: Photo, orientation: int) -> Stored:
    """Return the indices and colors of a palette image; an index that the file gives no color is black."""
    indices = upright(np.asarray(image), orientation)
    given = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    table = np.zeros((max(len(given), int(indices.max(initial=0)) + 1), 3), np.uint8)
    table[: len(given)] = given
    opacity = None
    if photo.alpha is not None:
        opacity = np.full(256, 255, np.uint8)
        transparent = image.info.get("transparency", b"")
        if isinstance(transparent, int):
            opacity[transparent] = 0
        else:
            opacity[: len(transparent)] = list(transparent)
        opacity = opacity[: len(table)]
    return Palette(values=indices, pixels=photo.pixels, alpha=photo.alpha, table=table, opacity=opacity)


def _read(stream: BinaryIO, path: Path, max_pixels: int, *, first_page: bool) -> Photo:
    format_ = _format(stream, path)
    if format_.name == "TIFF":
        return _read_tiff(stream, path, max_pixels, first_page=first_page)
    image = _header(stream, format_, path, max_pixels)
    if not first_page and (frames := _frames(image)) > 1:
        raise InputError(
            f"cannot read '{path}': it is an animation of {frames} frames; --first-page takes the first alone"
        )
    with _decoding(path):
        stream.seek(0)
        data = stream.read()
        if format_.name == "PNG":
            png.scale_transparency(image, data)
        photo = from_pillow(image, path)
        if format_.name == "PNG" and png.depth_of(data) == 16:
            values = png.read_deep(data, image, str(path))
            about = {"icc": photo.icc, "exif": photo.exif, "path": path, "items": photo.items}
            photo = photo_of_array(values, orientation=metadata.orientation(image), **about)
        photo = _with_file(photo, format_, image, data)
        return replace(photo, items=_with_resolution(photo))


def _with_file(photo: Photo, format_: Format, image: Image.Image, data: bytes) -> Photo:
    """Return the photo with what only the bytes of its file tell."""
    lost = [item for item in photo.items if item.part in (Part.VIEW, Part.UNREAD)]
    orientation = metadata.orientation(image)
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        items = metadata.turned(jpeg.items_of(image, data), orientation)
        return replace(photo, items=(*items, *lost), storage=jpeg.storage_of(image))
    if format_.name == "PNG":
        return replace(photo, items=(*metadata.turned(png.items_of(data), orientation), *lost))
    if format_.name == "WebP":
        storage = Storage(format="WebP", lossless=boxes.webp_is_lossless(data))
        return replace(photo, items=(*photo.items, *boxes.webp_items(data)), storage=storage)
    if format_.name in ("AVIF", "HEIC"):
        return replace(photo, items=(*photo.items, *boxes.items_of(data)), storage=Storage(format=format_.name))
    icc = bmp.profile_of(data)
    return replace(photo, icc=icc, items=(*photo.items, *bmp.items_of(data)))


def _with_resolution(photo: Photo) -> tuple[Item, ...]:
    """Return what the photo holds, with the resolution that only its EXIF tells."""
    if photo.exif is None or any(item.part == Part.RESOLUTION for item in photo.items):
        return photo.items
    return (*photo.items, *metadata.resolution_in(photo.exif))


def _read_tiff(stream: BinaryIO, path: Path, max_pixels: int, *, first_page: bool) -> Photo:
    found = tiff.directories(stream, path)
    further = found.further
    if first_page and further:
        _log.warning("%s: has %d pages or frames; the first is used", path, len(further) + 1)
        further = []
    wanted = [found.first, *further]
    for each in wanted:
        _check_size(path, each.width, each.height, max_pixels)
    if len(wanted) > 1 and (total := sum(each.width * each.height for each in wanted)) > max_pixels:
        raise InputError(
            f"cannot read '{path}': its {len(wanted)} pages claim {total:,} pixels, more than the limit of "
            f"{max_pixels:,} (raise it with --max-pixels, or take --first-page)"
        )
    with _decoding(path):
        stream.seek(0)
        data = stream.read()
        first, *others = (_page(each, data, path) for each in wanted)
    if any((each.height, each.width) != (first.height, first.width) for each in others):
        sizes = ", ".join(dict.fromkeys(f"{each.width} x {each.height}" for each in (first, *others)))
        raise InputError(
            f"cannot read '{path}': its pages have different sizes ({sizes}), which no mask fits; --first-page takes "
            "the first alone"
        )
    return replace(first, pages=tuple(others), items=(*first.items, *found.lost))


def _page(directory: tiff.Directory, data: bytes, path: Path) -> Photo:
    if not directory.ordinary:
        return tiff.decode(directory, data, path)
    exif, items, icc = tiff.metadata_of(directory, data)
    # Without a name: Pillow maps a file that it knows by name into memory, where it does not turn it.
    image = TiffImagePlugin.TiffImageFile(io.BytesIO(directory.alone(data)))
    _check_size(path, image.width, image.height, directory.width * directory.height)
    image.load()
    photo = _of_samples(image, str(path), {"exif": exif, "icc": icc, "path": path, "items": items})
    return replace(photo, storage=tiff.storage_of(directory))


def _read_rgb(stream: BinaryIO, path: Path, max_pixels: int) -> NDArray[np.uint8]:
    format_ = _format(stream, path)
    if format_.name in ("JPEG", "WebP", "BMP") or (format_.name == "PNG" and not _is_deep(stream)):
        # The usual case, without all else that the file holds.
        image = _header(stream, format_, path, max_pixels)
        if image.mode == "RGB":
            with _decoding(path):
                image.load()
                orientation = metadata.orientation(image)
                return np.ascontiguousarray(upright(np.asarray(image), orientation))
        stream.seek(0)
    return to_uint8(_read(stream, path, max_pixels, first_page=True).pixels)


def _frames(image: Image.Image) -> int:
    """Return how many images the file holds; thumbnails of a JPEG do not count."""
    return 1 if image.format == "JPEG" else int(getattr(image, "n_frames", 1))  # not every kind of Pillow's has it


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open for reading; a file that cannot be opened or read is the user's to mend, in one line."""
    if is_folder(path):
        raise InputError(f"cannot read '{path}': it is a folder")
    try:
        stream = open_file(path)
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise InputError(f"cannot read '{path}': {reason}") from error
    with stream:
        yield stream


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turn what a decoder raises on damaged data into an InputError."""
    try:
        yield
    except InpaintError:
        raise
    except MemoryError as error:
        raise InputError(f"cannot read '{path}': too large for the memory of this machine") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"cannot read '{path}': its header claims more pixels than the decoder accepts") from error
    except Exception as error:  # decoders raise nearly anything on damaged data: struct.error, KeyError, zlib.error ...
        reason = re.sub(r"\s*\(you may .*\)|<_io[^>]*>", "", " ".join(str(error).split())) or type(error).__name__
        raise InputError(f"cannot read '{path}': damaged or truncated ({reason})") from error


def _format(stream: BinaryIO, path: Path) -> Format:
    with _decoding(path):
        start = stream.read(64)
        stream.seek(0)
    if not start:
        raise InputError(f"cannot read '{path}': the file is empty")
    # Some raw files begin as TIFF does.
    if (kind := foreign_kind(start)) is not None:
        raise InputError(f"cannot read '{path}': it is a {kind} file, which is not supported; save it as PNG or TIFF")
    format_ = format_of_content(start)
    if format_ is None:
        valid = ", ".join(each.name for each in FORMATS)
        raise InputError(f"cannot read '{path}': its content is not an image ({valid})")
    return format_


def _plugin(format_: Format, path: Path) -> Any:
    if format_.name != "HEIC":
        return _PLUGINS[format_.name]
    return import_optional("formats", purpose=f"reading '{path}' (HEIC)").HeifImageFile


def _header(stream: BinaryIO, format_: Format, path: Path, max_pixels: int) -> Image.Image:
    with _decoding(path):
        image: Image.Image = _plugin(format_, path)(stream)  # without a name, see `_page`
    _check_size(path, image.width, image.height, max_pixels)
    return image


def _check_size(path: Path, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise InputError(
            f"cannot read '{path}': its header claims {width} x {height} pixels, more than the limit of {max_pixels:,} "
            "(raise it with max_pixels, --max-pixels on the command line)"
        )
    if width < 1 or height < 1:
        raise InputError(f"cannot read '{path}': its header claims {width} x {height} pixels")


def _is_deep(stream: BinaryIO) -> bool:
    """Return whether a PNG has 16 bits per channel."""
    position = stream.tell()
    start = stream.read(32)
    stream.seek(position)
    return png.depth_of(start) > 8
