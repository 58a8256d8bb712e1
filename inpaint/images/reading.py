"""From a file to a Photo. The content decides the format, the name does not; the header is checked before decoding."""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from inpaint.errors import InputError
from inpaint.images import metadata, sixteen_bit
from inpaint.images.formats import FORMATS, Format, format_of_content
from inpaint.images.photo import Photo, Pixels, photo_of_array, to_uint8, upright

MAX_PIXELS = 100_000_000
"""Most pixels that a file may claim unless the caller allows more."""

_log = logging.getLogger("inpaint.images")

# Called by class instead of through Image.open: that one warns about large images by a process-wide limit, and our own
# limit is an argument.
_PLUGINS: dict[str, Any] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
}


def read_photo(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read a JPEG, PNG, WebP, TIFF or BMP file, upright, at its full depth.

    Palette and CMYK images come as decoded to RGB, with alpha where the palette has transparent entries. Raises
    InputError naming the file and the reason: missing, empty, not an image, damaged, more than `max_pixels`.
    """
    path = Path(path)
    with _opened(path) as stream:
        return _read(stream, path, max_pixels)


def read_rgb(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Read a photo as (H, W, 3) uint8 RGB, upright: the short way for training data.

    16-bit photos are scaled down, alpha is dropped. Raises InputError as `read_photo` does.
    """
    path = Path(path)
    with _opened(path) as stream:
        return _read_rgb(stream, path, max_pixels)


def read_gray(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8] | None:
    """Read an ordinary image of 8 bits that has neither color nor alpha: the short way for masks.

    Args:
        path: The file.
        max_pixels: Most pixels that it may claim.

    Returns:
        (H, W), upright; None for any other file, which `read_photo` reads.

    Raises:
        InputError: As `read_photo` does.
    """
    path = Path(path)
    with _opened(path) as stream:
        format_ = _format(stream, path)
        if format_.name not in ("JPEG", "PNG", "BMP") or (format_.name == "PNG" and _png_depth(stream) > 8):
            return None
        image = _header(stream, format_, path, max_pixels)
        if image.mode not in ("1", "L", "RGB") or "transparency" in image.info or _frames(image) > 1:
            return None
        with _decoding(path):
            if image.mode == "1":
                image = image.convert("L")
            # Channel by channel: memory for all three at once would cost more than decoding.
            first, *rest = image.getbands()
            values = np.asarray(image.getchannel(first))
            if not all(np.array_equal(values, np.asarray(image.getchannel(band))) for band in rest):
                return None
            return np.ascontiguousarray(upright(values, metadata.orientation(image)))


def decode_rgb(data: bytes, *, name: str, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Return the image in the bytes of a file as `read_rgb` does; `name` stands in its errors."""
    return _read_rgb(io.BytesIO(data), Path(name), max_pixels)


def from_pillow(image: Image.Image, path: Path | None = None, *, turn: bool = True) -> Photo:
    """Return a Pillow image of any 8-bit kind, or 16-bit gray, as a Photo. `path` only names it.

    turn: make it upright by its EXIF orientation; else its pixels stay as they lie.

    Raises InputError for kinds that are no ordinary photo (floating point, Lab, 32-bit integer).
    """
    name = "image" if path is None else str(path)
    if (frames := _frames(image)) > 1:
        _log.warning("%s: has %d pages or frames; the first is used", name, frames)
    image.load()  # before the metadata: a PNG may hold them after the pixels, and damage is found here
    orientation, exif = metadata.orientation(image), metadata.exif_bytes(image)
    icc = image.info.get("icc_profile") or None
    if image.mode in ("CMYK", "YCbCr"):
        # The profile has done its work after conversion; one of CMYK would make an RGB file wrong.
        image, icc = metadata.to_srgb(image, icc)
    transparent = image.has_transparency_data
    values: Pixels
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint16)
    elif image.mode in ("1", "L", "LA", "La"):
        values = np.asarray(image.convert("LA" if transparent else "L"))
    elif image.mode in ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"):
        values = np.asarray(image.convert("RGBA" if transparent else "RGB"))
    else:
        raise InputError(f"cannot read '{name}': images of kind {image.mode} are not supported (8 or 16 bit are)")
    return photo_of_array(values, orientation=orientation if turn else 1, icc=icc, exif=exif, path=path)


def _read(stream: BinaryIO, path: Path, max_pixels: int) -> Photo:
    format_ = _format(stream, path)
    if format_.name == "TIFF":
        height, width, deep = sixteen_bit.tiff_header(stream, path)
        _check_size(path, width, height, max_pixels)
        if deep:
            with _decoding(path):
                return sixteen_bit.read_tiff(stream, (height, width), path)
        stream.seek(0)
    image = _header(stream, format_, path, max_pixels)
    if format_.name == "PNG" and _png_depth(stream) == 16:
        with _decoding(path):
            return sixteen_bit.read_png(stream, image, path)
    with _decoding(path):
        return from_pillow(image, path)


def _read_rgb(stream: BinaryIO, path: Path, max_pixels: int) -> NDArray[np.uint8]:
    format_ = _format(stream, path)
    if format_.name in ("JPEG", "WebP"):  # the usual case, without profile and metadata
        image = _header(stream, format_, path, max_pixels)
        if image.mode == "RGB":
            with _decoding(path):
                orientation = metadata.orientation(image)
                return np.ascontiguousarray(upright(np.asarray(image), orientation))
        stream.seek(0)
    return to_uint8(_read(stream, path, max_pixels).pixels)


def _frames(image: Image.Image) -> int:
    """Return how many images the file holds; thumbnails of a JPEG do not count."""
    return 1 if image.format == "JPEG" else int(getattr(image, "n_frames", 1))  # not every kind of Pillow's has it


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open for reading; a file that cannot be opened or read is the user's to mend, in one line."""
    if path.is_dir():
        raise InputError(f"cannot read '{path}': it is a folder")
    try:
        stream = path.open("rb")
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
    except InputError:
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
        start = stream.read(16)
        stream.seek(0)
    if not start:
        raise InputError(f"cannot read '{path}': the file is empty")
    format_ = format_of_content(start)
    if format_ is None:
        valid = ", ".join(each.name for each in FORMATS)
        raise InputError(f"cannot read '{path}': its content is not an image ({valid})")
    return format_


def _header(stream: BinaryIO, format_: Format, path: Path, max_pixels: int) -> Image.Image:
    with _decoding(path):
        image: Image.Image = _PLUGINS[format_.name](stream, str(path))
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


def _png_depth(stream: BinaryIO) -> int:
    """Return the bit depth in the IHDR chunk, which always comes first (PNG specification, 11.2.1)."""
    position = stream.tell()
    stream.seek(24)
    depth = stream.read(1)[0]
    stream.seek(position)
    return depth
