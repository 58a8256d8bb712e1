"""What a JPEG file holds beside its first image, by its segments and by what comes after its end."""

from __future__ import annotations

import re
import struct
from typing import Any, Final

from PIL import Image, JpegImagePlugin

from inpaint.images.formats import Part
from inpaint.images.metadata import THUMBNAIL, photoshop_items, resolution_of, xmp_items
from inpaint.images.photo import Item, Storage, counted

LONGEST_SEGMENT: Final = 65533
_XMP, _EXTENDED = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_GAIN_MAP_MARKS = (b"urn:iso:std:iso:ts:21496:-1", b"http://ns.adobe.com/hdr-gain-map/1.0/", b"HDRGainMap")
# Structure and encoder settings, which the new file has of its own.
_OWN = ("APP14", "APP12")


def items_of(image: JpegImagePlugin.JpegImageFile, data: bytes) -> list[Item]:
    """Return what an opened file holds; `data` are all its bytes."""
    found: list[Item] = []
    photoshop, extended, named = b"", False, dict[str, Item]()
    for kind, content in image.applist:
        content = bytes(content)
        if kind == "COM":
            found.append(Item(Part.COMMENT, "a comment", content))
        elif kind == "APP0" and content.startswith(b"JFIF\0"):
            found += _of_jfif(content)
        elif kind == "APP0" and content.startswith(b"JFXX"):
            named[THUMBNAIL.name] = THUMBNAIL
        elif kind == "APP1" and content.startswith(_XMP):
            found += xmp_items(content[len(_XMP) :])
        elif kind == "APP1" and content.startswith(_EXTENDED):
            extended = True
        elif kind == "APP13" and content.startswith(b"Photoshop 3.0\0"):
            photoshop += content[14:]
        elif kind in _OWN or content.startswith((b"Exif\0", b"ICC_PROFILE\0", b"MPF\0", _GAIN_MAP_MARKS[0])):
            continue
        else:
            named[kind] = Item(Part.VIEW, f"application data {kind} ({_label(content)})")
    if photoshop:
        found += photoshop_items(photoshop)
    if extended:
        named["extended"] = Item(Part.VIEW, "extended XMP")
    return [*found, *named.values(), *_further(image, data)]


def storage_of(image: JpegImagePlugin.JpegImageFile) -> Storage:
    """Return how to write a file of the same quality."""
    sampling = JpegImagePlugin.get_sampling(image)
    options: dict[str, Any] = {"qtables": dict(image.quantization)}
    if image.layers == 3:
        # Kinds that the encoder does not know come at full resolution.
        options["subsampling"] = max(sampling, 0)
        if image.info.get("adobe_transform") == 0:  # red, green and blue as they are
            options |= {"subsampling": 0, "keep_rgb": True}
    if image.info.get("progressive"):
        options["progressive"] = True
    return Storage(format="JPEG", jpeg=options)


def segment(marker: int, content: bytes) -> bytes:
    """Return a segment of a file."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _of_jfif(content: bytes) -> list[Item]:
    if len(content) < 14:
        return []
    unit, x, y, width, height = struct.unpack_from(">BHHBB", content, 7)
    found = resolution_of(x, y, {1: "inch", 2: "cm"}.get(unit, "none"))
    return [*found, *([THUMBNAIL] if width and height else [])]


def _label(content: bytes) -> str:
    text = re.match(rb"[\x20-\x7e]{2,24}", content)
    return text[0].decode().strip() if text else "unknown"


_AFTER_DATA = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def _end(data: bytes) -> int:
    """Return where the first image ends; the length of the data where that cannot be told."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return len(data)
        marker = data[at + 1]
        if marker == 0xD9:
            return at + 2
        if marker == 0xFF:
            at += 1
            continue
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xDA:
            found = _AFTER_DATA.search(data, at)
            if found is None:
                return len(data)
            at = found.start()
    return at + 2 if data[at : at + 2] == b"\xff\xd9" else len(data)


def _further(image: Image.Image, data: bytes) -> list[Item]:
    """Return what comes after the first image."""
    rest = data[_end(data) :].strip(b"\0\r\n")
    if not rest:
        return []
    images = rest.count(b"\xff\xd8\xff")
    if any(mark in data for mark in _GAIN_MAP_MARKS) and images:
        images -= 1
        found = [Item(Part.VIEW, "a gain map")]
    else:
        found = []
    if images:
        found.append(Item(Part.VIEW, counted(images, "further image")))
    if rest[4:8] == b"ftyp" or b"ftypmp4" in rest or b"ftypisom" in rest:
        found.append(Item(Part.VIEW, "a video"))
    return found or [Item(Part.VIEW, f"{len(rest)} bytes after the image")]
