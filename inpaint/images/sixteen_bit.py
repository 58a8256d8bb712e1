"""Sixteen bits per channel, which Pillow handles for gray only.

PNG is read by OpenCV and written here; TIFF is tifffile's. A PNG encoder is a few lines (PNG
specification, sections 5, 7 and 9); OpenCV's knows neither profile nor EXIF nor gray with alpha.
"""

from __future__ import annotations

import logging
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from inpaint.errors import InputError
from inpaint.images import metadata
from inpaint.images.photo import Photo, photo_of_array

_log = logging.getLogger("inpaint.images")

Deep = NDArray[np.uint16]


def read_png(stream: BinaryIO, image: Image.Image, path: Path) -> Photo:
    """Decode a 16-bit PNG whose header Pillow has opened as `image`."""
    stream.seek(0)
    data = stream.read()
    color_type = data[25]
    # OpenCV returns damaged files half decoded; Pillow checks every chunk and the end.
    image.load()
    orientation, exif = metadata.orientation(image), metadata.exif_bytes(image)
    values = _decoded(data)
    if values is None:
        raise InputError(f"cannot read '{path}': damaged 16-bit PNG")
    values = np.atleast_3d(values)[..., _PNG_CHANNELS[color_type]]
    transparent = image.info.get("transparency")
    if color_type in (0, 2) and transparent is not None:
        # One color is declared transparent (tRNS).
        keyed = (values == np.array(transparent, np.uint16).reshape(-1)).all(axis=2, keepdims=True)
        values = np.concatenate([values, np.where(keyed, 0, 65535).astype(np.uint16)], axis=2)
    return photo_of_array(
        values, orientation=orientation, icc=image.info.get("icc_profile") or None, exif=exif, path=path
    )


# What OpenCV decodes of each color type: gray with alpha (4) comes repeated to four channels.
_PNG_CHANNELS = {0: slice(1), 2: slice(3), 4: slice(0, 4, 3), 6: slice(4)}


def tiff_header(stream: BinaryIO, path: Path) -> tuple[int, int, bool]:
    """Return (height, width) of a TIFF's first page as stored, and whether a channel has 16 bits.

    Raises InputError when it is damaged or of an unusual kind.
    """
    try:
        with tifffile.TiffFile(stream) as file:
            page: Any = file.pages[0]
            bits = page.bitspersample
            kind = page.sampleformat
            height, width = int(page.imagelength), int(page.imagewidth)
    except Exception as error:  # tifffile raises nearly anything on damaged data
        raise InputError(f"cannot read '{path}': damaged or truncated ({error})") from error
    if kind not in (1, 4) or (isinstance(bits, int) and bits not in (1, 2, 4, 8, 16)):
        raise InputError(
            f"cannot read '{path}': TIFF with {bits}-bit {_KINDS.get(kind, 'unusual')} values is not "
            "supported (8 or 16 bit unsigned are)"
        )
    return height, width, bits == 16


_KINDS = {1: "unsigned", 2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}


def read_tiff(stream: BinaryIO, size: tuple[int, int], path: Path) -> Photo:
    """Decode the first page of a TIFF with 16 bits per channel: gray, RGB or CMYK, each with or without alpha.

    size: height and width as its header says.
    """
    stream.seek(0)
    data = stream.read()
    stream.seek(0)
    with tifffile.TiffFile(stream) as file:
        page: Any = file.pages[0]
        photometric = int(page.photometric)
        orientation = int(page.tags.valueof(274, default=1))
        icc = page.tags.valueof(34675)
        exif = _tiff_exif(page)
        _check_strips(page, len(data))
        try:
            values = page.asarray()
            if int(page.planarconfig) == 2 and values.ndim == 3:
                values = np.moveaxis(values, 0, -1)
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            # LZW and the like need a package beside tifffile; OpenCV has libtiff built in.
            values = _decoded(data)
            if values is None:
                raise InputError(
                    f"cannot read '{path}': this compression of 16-bit TIFF needs the package imagecodecs"
                ) from error
    values = values.reshape(*values.shape[:2], -1)
    if values.shape[:2] != size:
        raise InputError(f"cannot read '{path}': unexpected layout {values.shape}")
    if photometric in (0, 1):
        values = values[..., :2]
        if photometric == 0:  # white is zero
            values = np.concatenate([65535 - values[..., :1], values[..., 1:]], axis=2)
    elif photometric == 2:
        values = values[..., :4]
    elif photometric == 5 and values.shape[2] >= 4:
        ink = 65535 - values[..., :4].astype(np.uint32)
        colors = (ink[..., :3] * ink[..., 3:] + 32767) // 65535
        values, icc = colors.astype(np.uint16), None
    else:
        raise InputError(f"cannot read '{path}': 16-bit TIFF of color kind {page.photometric.name} is not supported")
    return photo_of_array(values, orientation=orientation, icc=bytes(icc) if icc else None, exif=exif, path=path)


def encode_png(photo: Photo) -> bytes:
    """Return a 16-bit photo as a PNG file with its profile and EXIF."""
    values = channels_of(photo)  # (H, W, C)
    height, width, channels = values.shape
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    chunks = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0))]
    if photo.icc is not None:
        chunks.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(photo.icc)))
    if photo.exif is not None:
        chunks.append(_chunk(b"eXIf", photo.exif))
    chunks.append(_chunk(b"IDAT", zlib.compress(_filtered(values), 6)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IEND", b"")


def write_tiff(photo: Photo, path: Path, *, name: str) -> None:
    """Write a 16-bit photo as a deflated TIFF with its profile and the descriptive tags of its EXIF.

    `name` stands in the warning when EXIF holds more than those.
    """
    values = channels_of(photo)
    tags: list[Any] = []
    exif = Image.Exif()
    if photo.exif is not None:
        exif.load(photo.exif)
        if metadata.has_sub_directories(exif):
            _log.warning("%s: 16-bit TIFF keeps the descriptive EXIF only; camera settings and place are lost", name)
        tags = [(tag, 2, 0, str(exif[tag]), True) for tag in sorted(exif) if isinstance(exif[tag], str)]
    tifffile.imwrite(
        path,
        values if values.shape[2] > 1 else values[..., 0],
        photometric="minisblack" if photo.gray else "rgb",
        planarconfig="contig" if values.shape[2] > 1 else None,
        extrasamples=["unassalpha"] if photo.alpha is not None else None,
        compression="zlib",
        predictor=True,
        rowsperstrip=64,
        iccprofile=photo.icc,
        metadata=None,
        software=False,
        extratags=tags,
    )


def channels_of(photo: Photo) -> NDArray[Any]:
    """Return gray, gray and alpha, RGB or RGBA as one (H, W, C) array."""
    planes = photo.pixels[..., :1] if photo.gray else photo.pixels
    return planes if photo.alpha is None else np.concatenate([planes, photo.alpha[..., None]], axis=2)


def _decoded(data: bytes) -> NDArray[Any] | None:
    """Return what OpenCV reads, with channels in the order RGB(A); None unless these are 16 bits."""
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16:
        return None
    return values[..., [2, 1, 0, 3][: values.shape[2]]] if values.ndim == 3 and values.shape[2] in (3, 4) else values


def _check_strips(page: Any, size_bytes: int) -> None:
    """Raise ValueError when a strip or tile lies beyond the end: tifffile would fill it with zeros."""
    ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
    if not ends or max(ends) > size_bytes or min(page.databytecounts) <= 0:
        raise ValueError("pixel data lie beyond the end of the file")


def _tiff_exif(page: Any) -> bytes | None:
    exif = Image.Exif()
    values = ((tag, page.tags.valueof(tag)) for tag in metadata.DESCRIPTIVE_TAGS)
    exif.update((tag, value) for tag, value in values if isinstance(value, str))
    if not len(exif):
        return None
    exif[metadata.ORIENTATION] = 1
    return exif.tobytes().removeprefix(b"Exif\0\0")


def _filtered(values: Deep) -> bytes:
    """Rows as PNG stores them: big-endian, each byte less the one above it (filter type 2, "Up")."""
    rows = np.ascontiguousarray(values.astype(">u2")).view(np.uint8).reshape(values.shape[0], -1)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    tagged = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    tagged[:, 0] = 2
    np.subtract(rows, above, out=tagged[:, 1:])
    return tagged.tobytes()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
