"""What containers tell of themselves: the chunks of WebP, the boxes of AVIF and HEIC."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from inpaint.images.formats import Part
from inpaint.images.photo import Item

# What stands in the box `meta` of a file that holds other views of its image.
_VIEWS = {
    b"tmap": "a gain map",
    b"urn:com:apple:photo:2020:aux:hdrgainmap": "a gain map",
    b":auxid:2": "a depth map",
    b"urn:com:apple:photo:2018:aux:": "a matte of what is in front",
    b"thmb": "a thumbnail",
}


# Boxes of structure and pixels; chunks likewise, and what Pillow reads.
_KNOWN_BOXES = frozenset({b"ftyp", b"meta", b"mdat", b"moov", b"free", b"skip", b"idat"})
_KNOWN_CHUNKS = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP "})


def webp_is_lossless(data: bytes) -> bool:
    """Return whether the image of a WebP file is compressed without loss."""
    return next((kind == b"VP8L" for kind in _chunks(data) if kind in (b"VP8L", b"VP8 ")), False)


def webp_items(data: bytes) -> list[Item]:
    """Return by name what a WebP file holds that nobody reads: private chunks, and what comes after its end."""
    named = [Item(Part.VIEW, f"the chunk {printable(kind)}") for kind in _chunks(data) if kind not in _KNOWN_CHUNKS]
    end = 8 + int.from_bytes(data[4:8], "little")
    return [*dict.fromkeys(named), *after_end(data, end + end % 2)]


def _chunks(data: bytes) -> Iterator[bytes]:
    at, end = 12, min(8 + int.from_bytes(data[4:8], "little"), len(data))
    while at + 8 <= end:
        yield data[at : at + 4]
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2


def after_end(data: bytes, end: int) -> list[Item]:
    """Return by name what a file holds after its end; padding is nothing."""
    rest = data[end:].strip(b"\0\r\n")
    return [Item(Part.VIEW, f"{len(rest)} bytes after the image")] if rest else []


def printable(name: bytes) -> str:
    """Return the name of a chunk or box for messages."""
    return "".join(letter if letter.isprintable() else "?" for letter in name[:79].decode("latin-1"))


def items_of(data: bytes) -> list[Item]:
    """Return by name what an AVIF or HEIC file holds that is not kept: other views, and more than 8 bits."""
    found = dict[str, Item]()
    for kind, content in _boxes(data):
        if kind == b"meta":
            for mark, name in _VIEWS.items():
                if mark in content:
                    found[name] = Item(Part.VIEW, name)
            bits = _bits(content)
            if bits > 8:
                found["bits"] = Item(Part.UNREAD, f"{bits} bit (read as 8)")
        elif kind == b"moov":
            found["frames"] = Item(Part.VIEW, "a sequence of images")
        elif kind == b"mpvd":
            found["video"] = Item(Part.VIEW, "a video")
        elif kind not in _KNOWN_BOXES:
            found[printable(kind)] = Item(Part.VIEW, f"the box {printable(kind)}")
    return list(found.values())


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, start = struct.unpack_from(">I", data, at)[0], at + 8
        if size == 1 and at + 16 <= len(data):
            size, start = struct.unpack_from(">Q", data, at + 8)[0], at + 16
        end = at + size if size else len(data)
        if end < start:
            return
        yield data[at + 4 : at + 8], data[start:end]
        at = end


def _bits(meta: bytes) -> int:
    """Return the bits per channel of the first image, from its configuration (AV1-ISOBMFF 2.3.3, ISO 14496-15)."""
    at = meta.find(b"av1C")
    if at >= 0 and at + 7 <= len(meta):
        flags = meta[at + 6]
        return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10
    at = meta.find(b"hvcC")
    return 8 + (meta[at + 4 + 17] & 7) if at >= 0 and at + 22 <= len(meta) else 8
