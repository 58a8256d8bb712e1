"""PNG: its chunks, and its 16 bits per channel, which Pillow handles for gray only.

16 bits are decoded by OpenCV and encoded here (PNG specification, sections 5, 7 and 9): OpenCV's encoder knows neither
profile nor EXIF nor gray with alpha.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inpaint.errors import InputError
from inpaint.images.boxes import after_end, printable
from inpaint.images.formats import Part
from inpaint.images.metadata import Resolution, photoshop_items, resolution_of, xmp_items
from inpaint.images.photo import Item, Photo, channels_of
from inpaint.images.stored import Palette

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
SRGB: Final = "sRGB"
"""The name of items that say what every format means where it says nothing."""

_XMP_KEY = b"XML:com.adobe.xmp"
_PROFILE_KEY = b"Raw profile type "

# Read by other ways: structure, pixels, transparency, profile, EXIF.
_ELSEWHERE = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"eXIf", b"acTL", b"fcTL", b"fdAT"}
_COLOR = {b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"mDCv", b"cLLi", b"sBIT", b"bKGD"}
# How many bytes these have for each color type; of another length they belong to another kind of file.
_LENGTHS = {b"sBIT": {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}, b"bKGD": {0: 2, 2: 6, 3: 1, 4: 2, 6: 6}}
_LARGEST_PRIVATE_BYTES = 4096
_MOST_TEXT_BYTES = 8_000_000


def depth_of(start: bytes) -> int:
    """Return the bits per channel from the first bytes, 0 where these are too few: IHDR comes first (11.2.1)."""
    return start[24] if len(start) > 24 else 0


def chunks_of(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and content of each chunk, until the end or damage."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        if at + 12 + length > len(data):
            return
        yield kind, data[at + 8 : at + 8 + length]
        if kind == b"IEND":
            return
        at += 12 + length


def scale_transparency(image: Image.Image, data: bytes) -> None:
    """Bring the gray that a file of 2 or 4 bits declares transparent to the levels that Pillow gives its pixels."""
    key = image.info.get("transparency")
    if image.mode == "L" and isinstance(key, int) and depth_of(data) in (2, 4):
        image.info["transparency"] = key * 255 // (2 ** depth_of(data) - 1)


def items_of(data: bytes) -> list[Item]:
    """Return what a file holds beside its pixels, profile and EXIF."""
    found: list[Item] = []
    end = len(SIGNATURE)
    for kind, content in chunks_of(data):
        end += 12 + len(content)
        if kind in _ELSEWHERE:
            continue
        if kind in _COLOR:
            found.append(Item(Part.COLOR, kind.decode(), (kind, content)))
        elif kind == b"pHYs" and len(content) == 9:
            x, y, unit = struct.unpack(">IIB", content)
            found += resolution_of(x, y, "meter" if unit == 1 else "none")
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            found += _text_items(kind, content)
        elif kind in (b"tIME", b"sPLT"):
            found.append(Item(Part.TEXT, kind.decode(), (kind, content)))
        elif kind[3:].islower() and len(content) <= _LARGEST_PRIVATE_BYTES:  # safe to copy (specification, 14.2)
            found.append(Item(Part.TEXT, f"the chunk {printable(kind)}", (kind, content)))
        else:
            found.append(Item(Part.VIEW, f"the chunk {printable(kind)}"))
    if any(item.name == SRGB for item in found):
        # These say the same for readers that do not know sRGB.
        found = [replace(each, name=SRGB) if _is_srgb(each) else each for each in found]
    return [*found, *after_end(data, end)]


def _is_srgb(item: Item) -> bool:
    kind, content = item.value if item.part == Part.COLOR else (b"", b"")
    return kind == b"cHRM" or (kind == b"gAMA" and abs(int.from_bytes(content, "big") - 45455) < 100)


def _text_items(kind: bytes, content: bytes) -> list[Item]:
    key = content.partition(b"\0")[0]
    if key == _XMP_KEY:
        return xmp_items(_text_of(kind, content))
    if not key.startswith(_PROFILE_KEY):
        return [Item(Part.TEXT, f"the text '{printable(key)}'", (kind, content))]
    # How ImageMagick stores blocks of other formats: a name, a length, hexadecimal digits.
    profile = printable(key.removeprefix(_PROFILE_KEY))
    if profile == "exif":
        return []  # Pillow reads it, as it reads the chunk
    try:
        block = bytes.fromhex(b"".join(_text_of(kind, content).split()[2:]).decode("ascii"))
    except ValueError:
        block = b""
    if profile in ("iptc", "8bim") and block:
        return photoshop_items(block)
    return [Item(Part.VIEW, f"the text '{printable(key)}'")]


def _text_of(kind: bytes, content: bytes) -> bytes:
    _, _, rest = content.partition(b"\0")
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        packed = rest[:1] == b"\1"
        rest = rest[2:].split(b"\0", 2)[-1]
    elif packed:
        rest = rest[1:]
    if not packed:
        return rest
    try:
        return zlib.decompressobj().decompress(rest, _MOST_TEXT_BYTES)
    except zlib.error:
        return b""


def read_deep(data: bytes, image: Image.Image, name: str) -> NDArray[np.uint16]:
    """Return the (H, W, C) pixels of a 16-bit file, as stored: gray, gray and alpha, RGB or RGBA.

    Args:
        data: The file.
        image: Its header as Pillow opened it, loaded.
        name: For messages.
    """
    color_type = data[25]
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16:
        raise InputError(f"cannot read '{name}': damaged 16-bit PNG")
    deep: NDArray[Any] = np.atleast_3d(values)[..., _CHANNELS[color_type]]
    transparent = image.info.get("transparency")
    if color_type in (0, 2) and transparent is not None:
        # One color is declared transparent (tRNS).
        keyed = (deep == np.array(transparent, np.uint16).reshape(-1)).all(axis=2, keepdims=True)
        deep = np.concatenate([deep, np.where(keyed, 0, 65535).astype(np.uint16)], axis=2)
    return deep


# What OpenCV decodes of each color type, blue first: gray with alpha (4) comes repeated to four channels.
_CHANNELS: dict[int, Any] = {0: [0], 2: [2, 1, 0], 4: [0, 3], 6: [2, 1, 0, 3]}


def encode_deep(photo: Photo) -> bytes:
    """Return a 16-bit photo as a PNG file of nothing but its pixels."""
    values = channels_of(photo)  # (H, W, C)
    height, width, channels = values.shape
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0))
    return SIGNATURE + header + _chunk(b"IDAT", zlib.compress(_filtered(values), 6)) + _chunk(b"IEND", b"")


def fits(item: Item, photo: Photo) -> bool:
    """Return whether a chunk that is meant for a kind of pixels has the length that the photo's kind asks for."""
    lengths = _LENGTHS.get(item.value[0])
    if lengths is None:
        return True
    color_type = 3 if isinstance(photo.stored, Palette) else (0 if photo.gray else 2) + 4 * (photo.alpha is not None)
    return lengths[color_type] == len(item.value[1])


def with_chunks(data: bytes, photo: Photo) -> bytes:
    """Return a file with what the photo holds beside its pixels, after the header."""
    chunks = list[bytes]()
    if photo.icc is not None:
        chunks.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(photo.icc)))
    for item in photo.items:
        if item.part in (Part.COLOR, Part.TEXT):
            kind, content = item.value
            if not (kind == b"sRGB" and photo.icc is not None):  # one of both (specification, 11.3.2)
                chunks.append(_chunk(kind, content))
        elif item.part == Part.RESOLUTION:
            chunks.append(_chunk(b"pHYs", _physical(item.value)))
        elif item.part == Part.XMP:
            chunks.append(_chunk(b"iTXt", _XMP_KEY + b"\0\0\0\0\0" + item.value))
        elif item.part == Part.IPTC:
            digits = f"\niptc\n{len(item.value):8d}\n{item.value.hex()}\n".encode()
            chunks.append(_chunk(b"zTXt", _PROFILE_KEY + b"iptc\0\0" + zlib.compress(digits)))
    if photo.exif is not None:
        chunks.append(_chunk(b"eXIf", photo.exif))
    after_header = len(SIGNATURE) + 25
    # Those that must follow the palette where there is one come before the pixels.
    split = _position_of_pixels(data) if any(chunk[4:8] == b"bKGD" for chunk in chunks) else after_header
    early = [chunk for chunk in chunks if chunk[4:8] != b"bKGD"]
    late = [chunk for chunk in chunks if chunk[4:8] == b"bKGD"]
    return b"".join([data[:after_header], *early, data[after_header:split], *late, data[split:]])


def _position_of_pixels(data: bytes) -> int:
    at = len(SIGNATURE)
    for kind, content in chunks_of(data):
        if kind == b"IDAT":
            return at
        at += 12 + len(content)
    return at


def _physical(resolution: Resolution) -> bytes:
    inches = resolution.per_inch
    if inches is None:
        ratio: Iterable[Fraction] = (resolution.x, resolution.y)
        return struct.pack(">IIB", *(min(max(round(each), 1), 2**31 - 1) for each in ratio), 0)
    return struct.pack(">IIB", *(min(max(round(each * 10000 / 254), 1), 2**31 - 1) for each in inches), 1)


def _filtered(values: NDArray[np.uint16]) -> bytes:
    """Rows as PNG stores them: big-endian, each byte less the one above it (filter type 2, "Up")."""
    rows = np.ascontiguousarray(values.astype(">u2")).view(np.uint8).reshape(values.shape[0], -1)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    tagged = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    tagged[:, 0] = 2
    np.subtract(rows, above, out=tagged[:, 1:])
    return tagged.tobytes()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
