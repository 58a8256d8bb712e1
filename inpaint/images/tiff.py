"""TIFF by its own description: which directory is the photo, what its samples are, and what else the file holds.

Eight bits of the common kinds are decoded by Pillow, all else by tifffile.
"""

from __future__ import annotations

import io
import logging
import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from inpaint.errors import InputError
from inpaint.images import exif
from inpaint.images.formats import Part
from inpaint.images.metadata import (
    ICC_TAG,
    IPTC_TAG,
    PHOTOSHOP_TAG,
    XMP_TAG,
    kept_of,
    photoshop_items,
    resolution_of,
    turned,
    xmp_items,
)
from inpaint.images.photo import (
    Item,
    Photo,
    Pixels,
    Storage,
    Stored,
    counted,
    photo_of_array,
    to_uint16,
    upright,
)
from inpaint.images.stored import Inks, Premultiplied, Wide, colors_of, divided, levels_of

_log = logging.getLogger("inpaint.images")
# What it says of damage reaches whoever listens, not the console of whoever does not: our errors are one line.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

MOST_PAGES: Final = 10_000
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_DNG_VERSION, _ORIENTATION, _COLOR_FILTERS, _LINEAR_RAW = 50706, 274, 32803, 34892
_COLORS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3}  # channels of color of each photometric interpretation that is read
_KINDS = {1: "unsigned", 2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}


@dataclass(frozen=True)
class Directory:
    """One image of a file: its description as tifffile read it, and what Pillow would need to open it alone."""

    page: Any
    height: int
    width: int

    @property
    def extras(self) -> tuple[int, ...]:
        """What each channel beyond color is: 0 unspecified, 1 premultiplied alpha, 2 alpha; as many as there are."""
        page = self.page
        count = int(page.samplesperpixel) - _COLORS.get(int(page.photometric), int(page.samplesperpixel))
        return (*(int(each) for each in page.extrasamples), *([0] * max(count, 0)))[: max(count, 0)]

    @property
    def ordinary(self) -> bool:
        """Whether Pillow decodes it as it is meant: up to 8 bits, no channels but color and alpha.

        Big-endian BigTIFF it does not recognize.
        """
        page = self.page
        return (
            page.bitspersample in (1, 2, 4, 8)
            and page.sampleformat in (1, 4)
            and int(page.photometric) in _COLORS
            and not (page.bitspersample == 8 and page.parent.is_bigtiff and page_endian(page) == ">")
            and (not self.extras or (self.extras == (2,) and int(page.photometric) in (1, 2)))
        )

    @property
    def has_palette(self) -> bool:
        """Whether its samples are entries of a palette, up to 8 bits."""
        return int(self.page.photometric) == 3 and self.ordinary

    @property
    def holds_numbers(self) -> bool:
        """Whether it is one channel of signed, long or floating-point numbers.

        Masks and maps of labels are stored so, and mean what they say: no levels of light.
        """
        page = self.page
        plain = int(page.photometric) in (0, 1) and int(page.samplesperpixel) == 1
        return plain and (page.sampleformat in (2, 3) or page.bitspersample == 32)

    def alone(self, data: bytes) -> bytes:
        """Return the file with this directory as its only one, so that whoever opens the file finds nothing else."""
        endian, big = page_endian(self.page), self.page.parent.is_bigtiff
        kind, first, counts, entry = ("Q", 8, "Q", 20) if big else ("I", 4, "H", 12)
        (count,) = struct.unpack_from(endian + counts, data, self.page.offset)
        following = self.page.offset + struct.calcsize(counts) + entry * count
        lone = bytearray(data)
        struct.pack_into(endian + kind, lone, first, self.page.offset)
        if following + struct.calcsize(kind) <= len(lone):
            struct.pack_into(endian + kind, lone, following, 0)
        return bytes(lone)


@dataclass(frozen=True)
class Directories:
    """The photo, its further pages, and by name what else the file holds."""

    first: Directory
    further: list[Directory]
    lost: list[Item]


def page_endian(page: Any) -> str:
    """Return the byte order of a page's file, as `struct` writes it."""
    return str(page.parent.byteorder)


def directories(stream: BinaryIO, path: Path, *, numbers: bool = False) -> Directories:
    """Return what a file holds, without decoding any of it.

    Args:
        stream: The file.
        path: For messages.
        numbers: Accept signed integers as well, which are no image's levels.

    Raises:
        InputError: It is damaged, a raw file, or of a kind that is not supported.
    """
    try:
        # Not closed: descriptions are read on demand, from the caller's stream.
        file = tifffile.TiffFile(stream)
        top: list[Any] = [file.pages[index] for index in range(min(len(file.pages), MOST_PAGES))]
        found = [*top, *(sub for page in top for sub in _nested(page))]
        raw = any(_DNG_VERSION in page.tags for page in top[:1])
        kinds = [_kind(page) for page in found]
        whole = [page for page in found if not _kind(page) & (_REDUCED | _MASK)]
        # A camera's raw file begins with a preview, and says so; without any whole image the largest is the photo.
        candidates = whole or found
        first = top[0] if top[0] in candidates else max(candidates, key=_size)
        _check_kind(first, path, raw=raw, numbers=numbers)
        further = [page for page in top if page is not first and page in whole]
        rest = [kind for page, kind in zip(found, kinds, strict=True) if page is not first and page not in further]
        return Directories(first=_directory(first), further=[_directory(page) for page in further], lost=_named(rest))
    except InputError:
        raise
    except Exception as error:  # tifffile raises nearly anything on damaged data
        raise InputError(f"cannot read '{path}': damaged or truncated ({' '.join(str(error).split())})") from error


def _nested(page: Any) -> list[Any]:
    return list(page.pages or ()) if page.subifds else []


def _kind(page: Any) -> int:
    kind = int(page.subfiletype)
    old = page.tags.valueof(255)  # SubfileType, before NewSubfileType: 2 = reduced
    return kind | (_REDUCED if old == 2 else 0)


def _size(page: Any) -> int:
    return int(page.imagelength) * int(page.imagewidth)


def _directory(page: Any) -> Directory:
    return Directory(page=page, height=int(page.imagelength), width=int(page.imagewidth))


def _named(kinds: list[int]) -> list[Item]:
    masks = sum(bool(kind & _MASK) for kind in kinds)
    named = [(masks, "transparency mask"), (len(kinds) - masks, "reduced image")]
    return [Item(Part.VIEW, counted(count, what)) for count, what in named if count]


def _check_kind(page: Any, path: Path, *, raw: bool, numbers: bool) -> None:
    photometric, bits, kind = int(page.photometric), page.bitspersample, page.sampleformat
    if photometric in (_COLOR_FILTERS, _LINEAR_RAW):
        what = "DNG" if raw else "a camera's raw file"
        raise InputError(
            f"cannot read '{path}': {what} with {int(page.imagewidth)} x {int(page.imagelength)} undeveloped samples; "
            "develop it to TIFF, PNG or JPEG first"
        )
    if int(page.samplesperpixel) < _COLORS.get(photometric, 1):
        raise ValueError(f"{page.samplesperpixel} channels are too few for {page.photometric.name}")
    wide = (kind == 3 and bits in (16, 32, 64)) or (kind == 1 and bits == 32)
    if numbers and kind == 2 and bits in (8, 16, 32):
        return
    if not wide and (kind not in (1, 4) or not isinstance(bits, int) or bits not in (1, 2, 4, 8, 16)):
        raise InputError(
            f"cannot read '{path}': TIFF with {bits}-bit {_KINDS.get(kind, 'unusual')} values is not "
            "supported (8, 16 and 32 bit unsigned and floating point are)"
        )


def numbers_of(directory: Directory, data: bytes, path: Path) -> NDArray[Any]:
    """Return the samples (H, W), upright, of a directory that `holds_numbers`."""
    return upright(_samples(directory, data, path)[..., 0], _turn(directory.page))


def _turn(page: Any) -> int:
    value = page.tags.valueof(_ORIENTATION, default=1)
    return value if value in range(1, 9) else 1


def decode(directory: Directory, data: bytes, path: Path) -> Photo:
    """Return the photo of a directory that is not `ordinary`, upright, with its metadata.

    Args:
        directory: Of the file.
        data: All its bytes.
        path: For messages.

    Raises:
        InputError: Its kind is not supported; ValueError and others where it is damaged.
    """
    page = directory.page
    photometric, colors = int(page.photometric), _COLORS.get(int(page.photometric), 0)
    if photometric not in (0, 1, 2, 5):
        kind = page.photometric.name if isinstance(page.photometric, tifffile.PHOTOMETRIC) else photometric
        raise InputError(f"cannot read '{path}': {page.bitspersample}-bit TIFF of color kind {kind} is not supported")
    values, extras = _samples(directory, data, path), directory.extras
    alpha_at = next((index for index, kind in enumerate(extras) if kind), None)
    values = upright(values, _turn(page))
    shown = values[..., :colors]
    if photometric == 0:  # white is zero
        top = values.dtype.type(np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1)
        shown = top - shown
    alpha = None if alpha_at is None else np.ascontiguousarray(values[..., colors + alpha_at])
    others = [index for index in range(len(extras)) if index != alpha_at]
    extra = np.ascontiguousarray(values[..., [colors + index for index in others]]) if others else None
    kept, items, icc = metadata_of(directory, data)
    about: dict[str, Any] = {"path": path, "exif": kept, "icc": icc, "items": items, "storage": storage_of(directory)}
    if values.dtype not in (np.uint8, np.uint16):
        return _wide(shown, alpha, extra, extras, alpha_at, about)
    if photometric == 5:
        photo = _of_inks(shown, icc, {**about, "icc": None})
        return replace(photo, alpha=alpha, extra=extra, stored=_shared(photo.stored, photo.pixels, alpha))
    if alpha is not None and alpha_at is not None and extras[alpha_at] == 1:
        photo = photo_of_array(np.concatenate([divided(shown, alpha), alpha[..., None]], axis=2), **about)
        stored = Premultiplied(values=np.ascontiguousarray(shown), pixels=photo.pixels, alpha=photo.alpha)
        return replace(photo, extra=extra, stored=stored)
    joined = shown if alpha is None else np.concatenate([shown, alpha[..., None]], axis=2)
    return replace(photo_of_array(joined, **about), extra=extra)


def _shared(stored: Stored | None, pixels: Pixels, alpha: Pixels | None) -> Stored | None:
    return None if stored is None else replace(stored, pixels=pixels, alpha=alpha)


def _of_inks(inks: NDArray[Any], icc: bytes | None, about: dict[str, Any]) -> Photo:
    """Return CMYK as RGB: by its profile where there is one, which keeps the inks, else by the plain formula."""
    small = inks if inks.dtype == np.uint8 else ((inks.astype(np.uint32) + 128) // 257).astype(np.uint8)
    colors = None if icc is None else colors_of(small, icc)
    if colors is not None and icc is not None:
        pixels = colors if inks.dtype == np.uint8 else colors.astype(np.uint16) * 257
        photo = photo_of_array(pixels, **about)
        return replace(photo, stored=Inks(values=np.ascontiguousarray(inks), pixels=photo.pixels, profile=icc))
    return photo_of_array(plain_colors(inks), **{**about, "items": (*about["items"], *plain_item(icc))})


def plain_item(icc: bytes | None) -> list[Item]:
    """Return what is lost when CMYK becomes RGB by the plain formula."""
    why = "without a profile" if icc is None else "with a profile that cannot be used"
    return [Item(Part.UNREAD, f"CMYK {why} (written as RGB)")]


def plain_colors(inks: NDArray[Any]) -> NDArray[Any]:
    """Return inks (H, W, 4), 0 = none, as RGB: each color is what the ink leaves, less black."""
    white = int(np.iinfo(inks.dtype).max)
    left = white - inks.astype(np.uint32)
    colors: NDArray[Any] = ((left[..., :3] * left[..., 3:] + white // 2) // white).astype(inks.dtype)
    return colors


def _wide(
    shown: NDArray[Any],
    alpha: NDArray[Any] | None,
    extra: NDArray[Any] | None,
    extras: tuple[int, ...],
    alpha_at: int | None,
    about: dict[str, Any],
) -> Photo:
    """Return samples of more than 16 bits as 16-bit levels; known ones are written again as they are."""
    linear = shown.dtype.kind == "f"
    with np.errstate(invalid="ignore", over="ignore"):
        finite = shown[np.isfinite(shown)] if linear else shown
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        white = max(high, 1.0) if linear else 4294967295.0
        levels = np.clip(np.nan_to_num(shown.astype(np.float64) / white, nan=0, posinf=1, neginf=0), 0, 1)
    if linear:
        _log.warning(
            "%s: %d-bit floating point, taken as linear light; its values go from %.4g to %.4g, %.4g is white",
            about["path"],
            shown.dtype.itemsize * 8,
            low,
            high,
            white,
        )
        levels = levels_of(levels)
    items = [*about["items"]]
    joined = [to_uint16(levels)]
    values = [shown]
    if alpha is not None and alpha_at is not None and extras[alpha_at] == 2:
        top = 1.0 if linear else white
        joined.append(to_uint16(np.nan_to_num(alpha.astype(np.float64) / top, nan=0)[..., None]))
        values.append(alpha[..., None])
    elif alpha is not None:
        items.append(Item(Part.UNREAD, "premultiplied alpha of more than 16 bits"))
    if extra is not None:
        items.append(Item(Part.UNREAD, counted(extra.shape[2], "further channel") + " of more than 16 bits"))
    photo = photo_of_array(np.concatenate(joined, axis=2), **{**about, "items": tuple(items)})
    stored = Wide(
        values=np.concatenate(values, axis=2), pixels=photo.pixels, alpha=photo.alpha, white=white, linear=linear
    )
    return replace(photo, stored=stored)


def _samples(directory: Directory, data: bytes, path: Path) -> NDArray[Any]:
    """Return the samples (H, W, C) as stored, in the machine's byte order."""
    page = directory.page
    _check_strips(page, len(data))
    try:
        with tifffile.TiffFile(io.BytesIO(directory.alone(data))) as file:
            values = file.pages[0].asarray()
        if int(page.planarconfig) == 2 and values.ndim == 3:
            values = np.moveaxis(values, 0, -1)
    except (ValueError, KeyError) as error:
        if "imagecodecs" not in str(error):
            raise
        # LZW, the predictor of floats and the like need a package beside tifffile; OpenCV has libtiff built in.
        decoded = cv2.imdecode(np.frombuffer(directory.alone(data), np.uint8), cv2.IMREAD_UNCHANGED)
        channels = 0 if decoded is None else np.atleast_3d(decoded).shape[2]
        if decoded is None or channels != page.samplesperpixel or decoded.dtype.itemsize * 8 != page.bitspersample:
            raise InputError(
                f"cannot read '{path}': {page.compression.name} compression of this kind of TIFF is not supported; "
                "save it uncompressed or with deflate"
            ) from error
        values = decoded[..., [2, 1, 0, 3][:channels]] if channels in (3, 4) else decoded
    values = values.reshape(*values.shape[:2], -1)
    if values.shape != (directory.height, directory.width, int(page.samplesperpixel)):
        raise InputError(f"cannot read '{path}': unexpected layout {values.shape}")
    native: NDArray[Any] = values.astype(values.dtype.newbyteorder("="), copy=False)
    return native


def _check_strips(page: Any, size_bytes: int) -> None:
    """Raise ValueError when a strip or tile lies beyond the end: tifffile would fill it with zeros."""
    ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
    if not ends or max(ends) > size_bytes or min(page.databytecounts) <= 0:
        raise ValueError("pixel data lie beyond the end of the file")


def storage_of(directory: Directory) -> Storage:
    """Return how it is compressed."""
    return Storage(format="TIFF", tiff=int(directory.page.compression))


def metadata_of(directory: Directory, data: bytes) -> tuple[bytes | None, tuple[Item, ...], bytes | None]:
    """Return EXIF, items and profile of a directory."""
    page = directory.page
    block = exif.read_directories(data, page.offset, order=page_endian(page), big=page.parent.is_bigtiff)
    value = page.tags.valueof
    icc = _bytes_of(value(ICC_TAG), page)
    kept, lost = kept_of(block, pages=True)
    items = [
        *resolution_of(_ratio(value(282)), _ratio(value(283)), {2: "inch", 3: "cm"}.get(value(296, default=2), "none")),
        *xmp_items(_bytes_of(value(XMP_TAG), page)),
        *photoshop_items(_bytes_of(value(PHOTOSHOP_TAG), page) or b"", _bytes_of(value(IPTC_TAG), page)),
        *lost,
    ]
    return kept, turned(items, _turn(page)), icc


def _ratio(value: Any) -> Any:
    try:
        return Fraction(*value) if isinstance(value, tuple) else value
    except (TypeError, ZeroDivisionError):
        return None


def _bytes_of(value: Any, page: Any) -> bytes | None:
    """Return a block of bytes, which some programs store as long integers."""
    if value is None:
        return None
    if isinstance(value, tuple):
        return struct.pack(f"{page_endian(page)}{len(value)}I", *(int(each) & 0xFFFFFFFF for each in value))
    return value.encode() if isinstance(value, str) else bytes(value)
