"""What describes a photo: EXIF, XMP, IPTC. Kept, but true for the photo that is written, without other views of it.

Thumbnails, previews, gain maps and makers' notes show the photo as it was: they become items of `Part.VIEW`, which
no format keeps and which are named when the photo is written.
"""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final
from xml.dom import minidom
from xml.parsers.expat import ExpatError

from PIL import Image
from PIL.ExifTags import IFD, Base

from inpaint.images import exif
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
    frozenset(range(254, 267)) | {273, 274, 277, 278, 279, 280, 281, 284, 288, 289, 292, 293, 297}
) | frozenset({317, 320, 321, *range(322, 342), *range(343, 348), *range(512, 533)})
_BLOCK_TAGS = frozenset({XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG, ICC_TAG, 330})
# Sizes before turning, sizes of other files.
_STALE_TAGS = {
    exif.CAMERA: frozenset({int(Base.ExifImageWidth), int(Base.ExifImageHeight)}),
    exif.INTEROPERABILITY: frozenset(range(0x1000, 0x1100)),
}
_SHOWING_TAGS = {int(IFD.MakerNote): MAKER_NOTES, LAYERS_TAG: Item(Part.VIEW, "Photoshop layers")}
# Blocks of bytes that are texts: XPTitle to XPSubject.
_BYTES_OF_TEXT = range(0x9C9B, 0x9CA0)
_MOST_UNKNOWN_VALUES = 1024
_TEXTS_AND_MEASURES = (2, 5, 10, 11, 12)
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation 1..8; 1 when there is none or it cannot be read."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF: the image itself may be sound
        return 1
    return value if value in range(1, 9) else 1


def exif_in(image: Image.Image) -> bytes | None:
    """Return the EXIF block that came with a Pillow image, as it is stored; None where there is none."""
    block = image.info.get("exif")
    if isinstance(block, bytes) and block.removeprefix(exif.PREFIX):
        return block
    found = image.getexif()  # of a TIFF in memory, of a PNG that holds it as text
    return found.tobytes() if len(found) else None


def exif_of(image: Image.Image, name: str) -> tuple[bytes | None, list[Item]]:
    """Return the EXIF block to keep, with orientation 1 or None when nothing is left, and what is not kept.

    Args:
        image: As opened.
        name: Of the file, for the warning about a damaged block.
    """
    try:
        block = exif_in(image)
        return (None, []) if block is None else kept_of(exif.read_block(block))
    except Exception as error:  # ours are ValueErrors; Pillow raises nearly anything on damaged blocks
        _log.warning("%s: its EXIF block is damaged and dropped (%s)", name, " ".join(str(error).split()))
        return None, []


def kept_of(block: exif.Block, *, pages: bool = False) -> tuple[bytes | None, list[Item]]:
    """Return what of a block may be kept, as `exif_of` does.

    Args:
        block: As read.
        pages: What follows its first directory is a page of a TIFF, not a thumbnail.
    """
    lost = dict[str, Item]()
    if block.more and not pages:
        lost[THUMBNAIL.name] = THUMBNAIL
    for tag in block.unread:
        if tag not in _STORAGE_TAGS | _BLOCK_TAGS:
            lost[str(tag)] = Item(Part.UNREAD, f"the tag {tag}, which is damaged or means a place in the file")
    directories = dict[int, exif.Directory]()
    for number, directory in block.directories.items():
        kept = directories[number] = {}
        unwanted = _STALE_TAGS.get(number, _STORAGE_TAGS | _BLOCK_TAGS if number == exif.MAIN else frozenset())
        for tag, entry in directory.items():
            if tag in _SHOWING_TAGS:
                lost[_SHOWING_TAGS[tag].name] = _SHOWING_TAGS[tag]
            elif tag > 34850 and tag not in unwanted and _may_be_an_image(tag, entry):
                lost[str(tag)] = Item(Part.VIEW, f"the private tag {tag}")
            elif tag not in unwanted:
                kept[tag] = entry
    if not any(directories.values()):
        return None, list(lost.values())
    main = directories[exif.MAIN]
    if _lies_across(block.number(ORIENTATION)):
        x, y = main.pop(_X_RESOLUTION, None), main.pop(_Y_RESOLUTION, None)
        main.update({tag: each for tag, each in ((_X_RESOLUTION, y), (_Y_RESOLUTION, x)) if each is not None})
    main[ORIENTATION] = block.short(1)
    return exif.write_block(replace(block, directories=directories)), list(lost.values())


def without_orientation(block: bytes) -> bytes:
    """Return an EXIF block for a format whose encoder would write one anew that has an orientation."""
    read = exif.read_block(block)
    read.directories[exif.MAIN].pop(ORIENTATION, None)
    return exif.write_block(read)


def _may_be_an_image(tag: int, entry: exif.Entry) -> bool:
    """Return whether a value of an unknown tag is long, and neither text nor measures."""
    known = tag in _BYTES_OF_TEXT or tag in Base._value2member_map_
    return not known and entry.kind not in _TEXTS_AND_MEASURES and entry.count > _MOST_UNKNOWN_VALUES


def _lies_across(orientation_: int | None) -> bool:
    return orientation_ in (5, 6, 7, 8)


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


def resolution_in(block: bytes) -> list[Item]:
    """Return the resolution that an EXIF block, as `exif_of` returns it, tells."""
    read = exif.read_block(block)
    unit = {1: "none", 3: "cm"}.get(read.number(_RESOLUTION_UNIT) or 2, "inch")
    x, y = (Fraction(*each) if each and each[1] else None for each in map(read.ratio, (_X_RESOLUTION, _Y_RESOLUTION)))
    return resolution_of(x, y, unit)


def turned(items: Iterable[Item], orientation_: int) -> tuple[Item, ...]:
    """Return what describes a photo that lies by an EXIF orientation as it describes the upright one."""
    if not _lies_across(orientation_):
        return tuple(items)
    return tuple(
        replace(item.value, x=item.value.y, y=item.value.x).item if item.part == Part.RESOLUTION else item
        for item in items
    )


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
