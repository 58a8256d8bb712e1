"""TIFF as it is written: samples of every kind by tifffile, descriptions entry by entry."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from inpaint.images import exif
from inpaint.images.formats import Part
from inpaint.images.metadata import ICC_TAG, IPTC_TAG, PHOTOSHOP_TAG, XMP_TAG, iptc_of
from inpaint.images.photo import Photo, channels_of
from inpaint.images.stored import Bilevel, Inks, Palette, Premultiplied, Wide

# Values of the tag Compression: tifffile's own names, and Pillow's where libtiff does the work.
_OWN: Final = {1: None, 8: "zlib", 32946: "zlib"}
_LIBTIFF: Final = {5: "tiff_lzw", 32773: "packbits", 50000: "zstd"}
_FACSIMILE: Final = {2: "tiff_ccitt", 3: "group3", 4: "group4"}
LOSSLESS: Final = frozenset({*_OWN, *_LIBTIFF, *_FACSIMILE, 34925})
"""Compressions that are written again, or by deflate, without a change of a sample."""

_CODING: Final = (259, 266, 292, 293)  # Compression, FillOrder, T4Options, T6Options
_BYTE, _LONG, _RATIONAL, _UNDEFINED = 1, 4, 5, 7


def write_tiff(photo: Photo, path: Path) -> None:
    """Write a photo and its further pages, each compressed as the photo was where it was a TIFF, else deflated."""
    compression = 8 if photo.storage is None or photo.storage.format != "TIFF" else photo.storage.tiff
    pages = (photo, *photo.pages)
    with tifffile.TiffWriter(path, byteorder="<") as file:
        coding = [_write_samples(file, page, compression) for page in pages]
    with path.open("r+b") as stream:
        _describe(stream, [_described(page, tags) for page, tags in zip(pages, coding, strict=True)])


def _write_samples(file: tifffile.TiffWriter, photo: Photo, compression: int) -> dict[int, int]:
    """Write one page; return the tags of its compression that tifffile does not know."""
    values, kind = _samples(photo)  # (H, W, C)
    if photo.extra is not None:
        values = np.concatenate([values, photo.extra], axis=2)
        kind["extrasamples"] = [*kind.get("extrasamples", []), *["unspecified"] * photo.extra.shape[2]]
    if values.shape[2] == 1:
        values = values[..., 0]
    else:
        kind["planarconfig"] = "contig"
    about: dict[str, Any] = {**kind, "metadata": None, "software": False}
    name = _LIBTIFF.get(compression) or (_FACSIMILE.get(compression) if values.dtype == bool else None)
    if name is not None and (strips := _encoded(values, name)) is not None:
        tags, rows, encoded = strips
        about |= {"shape": values.shape, "dtype": values.dtype}
        file.write(iter(encoded), **about, compression="zlib", rowsperstrip=rows)
        return tags
    packed = _OWN.get(compression, "zlib")
    # The difference to the left neighbor makes whole numbers of many levels smaller.
    predictor = packed is not None and values.dtype.kind == "u" and "colormap" not in kind
    file.write(values, **about, compression=packed, predictor=predictor, rowsperstrip=64 if packed else None)
    return {}


def _samples(photo: Photo) -> tuple[NDArray[Any], dict[str, Any]]:
    """Return samples (H, W, C) and what tifffile has to be told of them."""
    stored, alpha = photo.stored, photo.alpha
    plane = [] if alpha is None else [alpha[..., None]]
    kind: dict[str, Any] = {"photometric": "minisblack" if photo.gray else "rgb"}
    if alpha is not None:
        kind["extrasamples"] = ["assocalpha" if isinstance(stored, Premultiplied) else "unassalpha"]
    if isinstance(stored, Bilevel):
        return stored.values[..., None], {"photometric": "minisblack"}
    if isinstance(stored, Palette):
        table = np.zeros((3, 256), np.uint16)
        table[:, : len(stored.table)] = stored.table.T.astype(np.uint16) * 257
        return stored.values[..., None], {"photometric": "palette", "colormap": table}
    if isinstance(stored, Inks):
        return np.concatenate([stored.values, *plane], axis=2), {**kind, "photometric": "separated"}
    if isinstance(stored, Premultiplied):
        return np.concatenate([stored.values, *plane], axis=2), kind
    if isinstance(stored, Wide):
        return stored.values, kind
    return channels_of(photo), kind


def _encoded(values: NDArray[Any], name: str) -> tuple[dict[int, int], int, list[bytes]] | None:
    """Return tags, rows per strip and strips compressed by libtiff, which takes bytes and so samples of any depth.

    None where libtiff was built without it.
    """
    if values.dtype == bool:
        image = Image.fromarray(values)
    else:
        little = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False))
        image = Image.fromarray(little.view(np.uint8).reshape(values.shape[0], -1))
    buffer = io.BytesIO()
    try:
        image.save(buffer, "TIFF", compression=name)
    except (OSError, KeyError):
        return None
    buffer.seek(0)
    with tifffile.TiffFile(buffer) as file:
        page: Any = file.pages[0]
        data = buffer.getvalue()
        strips = [data[at : at + size] for at, size in zip(page.dataoffsets, page.databytecounts, strict=True)]
        tags = {tag: int(page.tags.valueof(tag)) for tag in _CODING if tag in page.tags}
        return tags, int(page.rowsperstrip), strips


# Directories ---------------------------------------------------------------------------------------------------------


def _describe(stream: BinaryIO, described: list[exif.Block]) -> None:
    """Put these entries into the directory of each page, which is written anew at the end of the file."""
    pointer = 4  # where the place of the first directory stands
    for block in described:
        stream.seek(pointer)
        (place,) = struct.unpack("<I", stream.read(4))
        entries, following = _entries(stream, place)
        stream.seek(0, io.SEEK_END)
        stream.write(bytes(stream.tell() % 2))
        values, added = exif.packed(block, stream.tell())
        stream.write(values)
        new = stream.tell()
        merged = exif.table({**entries, **added}, "<", following)
        stream.write(merged)
        stream.seek(pointer)
        stream.write(struct.pack("<I", new))
        pointer = new + len(merged) - 4


def _entries(stream: BinaryIO, place: int) -> tuple[dict[int, bytes], int]:
    """Return the entries of a directory by their tag, as they are stored, and the place of the next directory."""
    stream.seek(place)
    (count,) = struct.unpack("<H", stream.read(2))
    entries = [stream.read(12) for _ in range(count)]
    (following,) = struct.unpack("<I", stream.read(4))
    return {struct.unpack_from("<H", entry)[0]: entry for entry in entries}, following


def _described(photo: Photo, coding: dict[int, int]) -> exif.Block:
    """Return what a photo holds beside the samples, and how these are compressed."""
    block = exif.Block("<", {exif.MAIN: {}})
    if photo.exif is not None:
        block = exif.in_order(exif.read_block(photo.exif), "<")
    main = block.directories[exif.MAIN]
    for tag, number in coding.items():
        main[tag] = exif.Entry(_LONG, struct.pack("<I", number)) if number > 65535 else block.short(number)
    for item in photo.items:
        if item.part == Part.RESOLUTION:
            inches = item.value.per_inch
            metric = item.value.unit == "cm"
            ratios = (item.value.x, item.value.y) if metric or inches is None else inches
            for tag, ratio in zip((282, 283), ratios, strict=True):
                main[tag] = exif.Entry(_RATIONAL, struct.pack("<II", *_fraction(ratio)))
            main[296] = block.short(3 if metric else 1 if inches is None else 2)
    for tag, data, kind in _blocks(photo):
        main[tag] = exif.Entry(kind, data)
    return block


def _fraction(ratio: Fraction) -> tuple[int, int]:
    """Return the fraction of numbers below 2 ** 32 that is nearest."""
    near = ratio.limit_denominator(2**31 // max(int(ratio), 1))
    return near.numerator, near.denominator


def _blocks(photo: Photo) -> Iterator[tuple[int, bytes, int]]:
    """Yield tag, value and type of what is a block of bytes."""
    if photo.icc is not None:
        yield ICC_TAG, photo.icc, _UNDEFINED
    for item in photo.items:
        if item.part == Part.XMP:
            yield XMP_TAG, item.value, _BYTE
        elif item.part == Part.IPTC:
            yield PHOTOSHOP_TAG, item.value, _BYTE
            if iptc := iptc_of(item.value):
                yield IPTC_TAG, iptc, _UNDEFINED
