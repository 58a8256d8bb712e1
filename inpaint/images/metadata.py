"""What describes a photo: EXIF, XMP, IPTC. Kept, but true for the photo that is written, without other views of it.

Thumbnails, previews, gain maps and makers' notes show the photo as it was: they become items of `Part.VIEW`, which
no format keeps and which are named when the photo is written.
"""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final
from xml.dom import minidom
from xml.parsers.expat import ExpatError

from PIL import Image
from PIL.ExifTags import IFD, Base

from inpaint.images.formats import Part
from inpaint.images.photo import Item

_log = logging.getLogger("inpaint.images")

ORIENTATION: Final = int(Base.Orientation)
XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG, ICC_TAG = 700, 33723, 34377, 34675
LAYERS_TAG = 37724

MAKER_NOTES = Item(Part.VIEW, "maker notes")
THUMBNAIL = Item(Part.VIEW, "a thumbnail")

# How pixels of a directory are stored, in contrast to what it says about the photo: 254 NewSubfileType to 532
# ReferenceBlackWhite (TIFF 6.0), where descriptions lie between; then blocks that are items of their own.
_STORAGE_TAGS = (
    frozenset(range(254, 270)) | {273, 274, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291, 292, 293, 297, 301}
) | frozenset({317, 320, 321, *range(322, 348), *range(512, 533)} | {XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG, ICC_TAG})
_POINTERS = frozenset({int(IFD.Exif), int(IFD.GPSInfo), int(IFD.Interop), 330})
# Sizes before turning, and positions in the old file.
_STALE_TAGS = frozenset({int(Base.ExifImageWidth), int(Base.ExifImageHeight)})
_SHOWING_TAGS = {int(IFD.MakerNote): MAKER_NOTES, LAYERS_TAG: Item(Part.VIEW, "Photoshop layers")}
# Blocks of bytes that are texts: XPTitle to XPSubject.
_BYTES_OF_TEXT = range(0x9C9B, 0x9CA0)
_LARGEST_UNKNOWN_BYTES = 1024


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation 1..8; 1 when there is none or it cannot be read."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF: the image itself may be sound
        return 1
    return value if value in range(1, 9) else 1


def exif_of(exif: Image.Exif, name: str, *, pages: bool = False) -> tuple[bytes | None, list[Item]]:
    """Return the EXIF block to keep, with orientation 1 or None when nothing is left, and what is not kept.

    Args:
        exif: As read.
        name: Of the file, for the warning about a damaged block.
        pages: The directory after the first is a page of a TIFF, not a thumbnail.
    """
    try:
        return _exif_of(exif, pages=pages)
    except Exception as error:  # Pillow raises struct.error, ValueError, KeyError ... on damaged blocks
        _log.warning("%s: its EXIF block is damaged and dropped (%s)", name, " ".join(str(error).split()))
        return None, []


def _exif_of(source: Image.Exif, *, pages: bool) -> tuple[bytes | None, list[Item]]:
    kept, lost = Image.Exif(), dict[str, Item]()
    if not pages and source.get_ifd(int(IFD.IFD1)):
        lost[THUMBNAIL.name] = THUMBNAIL

    def described(entries: Iterable[tuple[int, Any]], unwanted: frozenset[int]) -> Iterator[tuple[int, Any]]:
        for tag, value in entries:
            if tag in _SHOWING_TAGS:
                lost[_SHOWING_TAGS[tag].name] = _SHOWING_TAGS[tag]
            elif tag in unwanted:
                continue
            elif tag > 34850 and not _is_known(tag) and _is_opaque(value):
                lost[str(tag)] = Item(Part.VIEW, f"the private tag {tag}")
            else:
                yield tag, value

    every = [(tag, source[tag]) for tag in list(source)]
    kept.update(described(every, _STORAGE_TAGS | _POINTERS))
    for directory in (int(IFD.Exif), int(IFD.GPSInfo)):
        found = source.get_ifd(directory)
        entries = dict(described(found.items(), _STALE_TAGS | {int(IFD.Interop)}))
        if directory == IFD.Exif and IFD.Interop in found and (marks := source.get_ifd(int(IFD.Interop))):
            # R03 is how DCF says Adobe RGB without a profile; sizes of related files are stale.
            entries[int(IFD.Interop)] = {tag: value for tag, value in marks.items() if tag in (1, 2)}
        if entries:
            kept[directory] = entries
    if not len(kept):
        return None, list(lost.values())
    kept[ORIENTATION] = 1
    return kept.tobytes().removeprefix(b"Exif\0\0"), list(lost.values())


def _is_known(tag: int) -> bool:
    return tag in _BYTES_OF_TEXT or tag in Base._value2member_map_


def _is_opaque(value: Any) -> bool:
    """Return whether a value may be an image for all that one knows: long, and neither text nor measures."""
    whole = isinstance(value, tuple) and all(isinstance(each, int) for each in value)
    return (isinstance(value, bytes) or whole) and len(value) > _LARGEST_UNKNOWN_BYTES


# Resolution ----------------------------------------------------------------------------------------------------------

_MOST_PER_INCH = 65535  # what JPEG holds
_INCHES = {"inch": Fraction(1), "cm": Fraction(254, 100), "meter": Fraction(254, 10000)}


@dataclass(frozen=True)
class Resolution:
    """How large the photo is printed.

    Args:
        x: Pixels across, per unit.
        y: Pixels down, per unit.
        unit: inch, cm, meter, or none, where only the ratio counts.
    """

    x: Fraction
    y: Fraction
    unit: str

    @property
    def item(self) -> Item:
        """It as an item of a photo."""
        name = "the aspect ratio of its pixels" if self.unit == "none" else "the resolution"
        return Item(Part.RESOLUTION, name, self)

    @property
    def per_inch(self) -> tuple[Fraction, Fraction] | None:
        """Pixels per inch, or None where there is no unit."""
        inches = _INCHES.get(self.unit)
        return None if inches is None else (self.x * inches, self.y * inches)


def resolution_of(x: Any, y: Any, unit: str) -> list[Item]:
    """Return the resolution as an item, none where the numbers are no sizes or say nothing."""
    try:
        across, down = Fraction(x), Fraction(y)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return []
    found = Resolution(across, down, unit)
    most = max(found.per_inch or (across, down))
    if min(across, down) <= 0 or most > _MOST_PER_INCH or (unit == "none" and across == down):
        return []
    return [found.item]


# XMP -----------------------------------------------------------------------------------------------------------------

# Namespaces (and names in them, all where there is none) that hold other views of the photo, or say that some exist.
_SHOWING_XMP = {
    "http://ns.adobe.com/xap/1.0/": ({"Thumbnails"}, "a thumbnail in XMP"),
    "http://ns.adobe.com/xap/1.0/g/img/": (None, "a thumbnail in XMP"),
    "http://ns.google.com/photos/1.0/depthmap/": (None, "a depth map in XMP"),
    "http://ns.google.com/photos/1.0/image/": (None, "an image in XMP"),
    "http://ns.google.com/photos/dd/1.0/": (None, "a depth map in XMP"),
    "http://ns.google.com/photos/1.0/container/": (None, "the list of further images in XMP"),
    "http://ns.google.com/photos/1.0/container/item/": (None, "the list of further images in XMP"),
    "http://ns.google.com/photos/1.0/camera/": (
        {"MotionPhoto", "MotionPhotoVersion", "MotionPhotoPresentationTimestampUs"}
        | {"MicroVideo", "MicroVideoVersion", "MicroVideoOffset", "MicroVideoPresentationTimestampUs"},
        "a motion photo in XMP",
    ),
    "http://ns.adobe.com/hdr-gain-map/1.0/": (None, "a gain map in XMP"),
    "http://ns.apple.com/HDRGainMap/1.0/": (None, "a gain map in XMP"),
    "http://ns.apple.com/pixeldatainfo/1.0/": (None, "a gain map in XMP"),
    "http://ns.adobe.com/xmp/note/": ({"HasExtendedXMP"}, "extended XMP"),
}
_TURNED = re.compile(rb"""(tiff:Orientation\s*=\s*["']|<tiff:Orientation>\s*)[2-8]""")


def xmp_items(xmp: bytes | str | None) -> list[Item]:
    """Return XMP as it may be kept, and by name what was taken out of it; byte for byte the same where nothing was."""
    if not xmp:
        return []
    data = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
    data = _TURNED.sub(rb"\g<1>1", data)
    if not any(name.encode() in data for name in _SHOWING_XMP):
        return [Item(Part.XMP, "XMP", data)]
    try:
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
            raise ValueError("XMP has no document type")
        document = minidom.parseString(data.rstrip(b"\0 \r\n\t"))
    except (ExpatError, ValueError):
        return [Item(Part.VIEW, "XMP (damaged, with other views of the photo)")]
    taken = dict.fromkeys(_without_views(document.documentElement))
    if not taken:
        return [Item(Part.XMP, "XMP", data)]
    left = "".join(node.toxml() for node in document.childNodes).encode()
    return [Item(Part.XMP, "XMP", left), *(Item(Part.VIEW, name) for name in taken)]


def _without_views(element: Any) -> Iterator[str]:
    """Take attributes and elements out that hold other views of the photo; yield what they were."""

    def view(node: Any) -> str | None:
        names, what = _SHOWING_XMP.get(node.namespaceURI or "", (set(), ""))
        return what if names is None or node.localName in names else None

    for attribute in list((element.attributes or {}).values()):
        if attribute.prefix == "xmlns" and _SHOWING_XMP.get(attribute.value, (set(), ""))[0] is None:
            element.removeAttributeNode(attribute)  # nothing of it is left
        elif attribute.prefix != "xmlns" and (what := view(attribute)) is not None:
            element.removeAttributeNode(attribute)
            yield what
    for child in [each for each in element.childNodes if each.nodeType == each.ELEMENT_NODE]:
        if (what := view(child)) is not None:
            element.removeChild(child)
            yield what
        else:
            yield from _without_views(child)


# Photoshop's blocks, IPTC among them ---------------------------------------------------------------------------------

IPTC_BLOCK = 1028
_THUMBNAIL_BLOCKS = (1033, 1036)
# EXIF, XMP and profile a second time, which could contradict what is kept; the first may hold a thumbnail.
_REPEATED_BLOCKS = (1039, 1058, 1059, 1060)


def photoshop_items(data: bytes, iptc: bytes | None = None) -> list[Item]:
    """Return the blocks that may be kept as one item, by name what may not.

    Args:
        data: Blocks, each with its signature.
        iptc: IPTC that a TIFF holds apart; becomes a block where there is none.
    """
    blocks = list(_blocks(data))
    if iptc and not any(code == IPTC_BLOCK for code, _, _ in blocks):
        blocks.append((IPTC_BLOCK, b"\0\0", iptc))
    kept, lost = b"", dict[str, Item]()
    for code, name, content in blocks:
        if code in _THUMBNAIL_BLOCKS:
            lost["thumbnail"] = Item(Part.VIEW, "a thumbnail in a Photoshop block")
        elif 4000 <= code < 10000:
            lost["plug-ins"] = Item(Part.VIEW, "Photoshop blocks of plug-ins")
        elif code not in _REPEATED_BLOCKS:
            kept += block(code, content, name)
    named = "IPTC" if any(code == IPTC_BLOCK for code, _, _ in blocks) else "Photoshop blocks"
    return [*([Item(Part.IPTC, named, kept)] if kept else []), *lost.values()]


def iptc_of(blocks: bytes) -> bytes | None:
    """Return the IPTC record among Photoshop's blocks."""
    return next((content for code, _, content in _blocks(blocks) if code == IPTC_BLOCK), None)


def block(code: int, content: bytes, name: bytes = b"\0\0") -> bytes:
    """Return one of Photoshop's blocks; its name is a padded Pascal string."""
    return (
        b"8BIM" + struct.pack(">H", code) + name + struct.pack(">I", len(content)) + content + bytes(len(content) % 2)
    )


def _blocks(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield code, name and content of each block, until the end or damage."""
    at = 0
    while data[at : at + 4] == b"8BIM" and at + 12 <= len(data):
        (code,) = struct.unpack_from(">H", data, at + 4)
        length = (data[at + 6] + 2) // 2 * 2
        name, start = data[at + 6 : at + 6 + length], at + 6 + length + 4
        if start > len(data):
            return
        (size,) = struct.unpack_from(">I", data, start - 4)
        if start + size > len(data):
            return
        yield code, name, data[start : start + size]
        at = start + size + size % 2
