"""Directories of EXIF and TIFF as they are stored: every entry is copied byte for byte, whatever it means.

An entry that is read as a value and written as that value again comes out changed: texts that are not ASCII, types,
fractions that can be reduced.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

PREFIX: Final = b"Exif\0\0"
MAIN, CAMERA, PLACE, INTEROPERABILITY = 0, 0x8769, 0x8825, 0xA005
"""Directories, by the tag that points at them."""

POINTERS: Final = {CAMERA: MAIN, PLACE: MAIN, INTEROPERABILITY: CAMERA}
"""Where the tag that points at a directory stands."""

# Bytes per value of each type (TIFF 6.0, section 2), and of one number in it. Offsets of other directories (13) and the
# types of BigTIFF are not among them: they mean places in the file that they are in.
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_NUMBERS: Final = {5: 4, 10: 4}
_SHORT, _LONG = 3, 4


@dataclass(frozen=True)
class Entry:
    """The value of a tag. kind: its type; data: as stored, in the byte order of its block."""

    kind: int
    data: bytes

    @property
    def count(self) -> int:
        """How many values it has."""
        return len(self.data) // _SIZES[self.kind]

    def swapped(self) -> Entry:
        """Return it in the other byte order."""
        width = _NUMBERS.get(self.kind, _SIZES[self.kind])
        turned = b"".join(self.data[at : at + width][::-1] for at in range(0, len(self.data), width))
        return replace(self, data=turned)


Directory: TypeAlias = dict[int, Entry]
"""Entries by their tags, without pointers to other directories."""


@dataclass(frozen=True)
class Block:
    """What a block of EXIF or a page of a TIFF says.

    Args:
        order: Its byte order, as `struct` writes it.
        directories: By the tags that point at them; `MAIN` is always there.
        more: Whether another image follows: the thumbnail, in EXIF.
        unread: Tags whose values cannot be taken along, because they are damaged or mean places in the file.
    """

    order: str
    directories: dict[int, Directory]
    more: bool = False
    unread: tuple[int, ...] = ()

    def number(self, tag: int) -> int | None:
        """Return the first value of an entry of the main directory that holds whole numbers."""
        entry = self.directories[MAIN].get(tag)
        if entry is None or entry.kind not in (_SHORT, _LONG) or not entry.data:
            return None
        value: int = struct.unpack_from(self.order + ("H" if entry.kind == _SHORT else "I"), entry.data)[0]
        return value

    def short(self, value: int) -> Entry:
        """Return an entry of one small number."""
        return Entry(_SHORT, struct.pack(self.order + "H", value))

    def ratio(self, tag: int) -> tuple[int, int] | None:
        """Return the first fraction of an entry of the main directory, numerator and denominator."""
        entry = self.directories[MAIN].get(tag)
        if entry is None or entry.kind not in _NUMBERS or not entry.data:
            return None
        first, second = struct.unpack_from(self.order + ("2I" if entry.kind == 5 else "2i"), entry.data)
        return int(first), int(second)


def read_block(data: bytes) -> Block:
    """Return what a block of EXIF says.

    Raises:
        ValueError: It has no directory.
    """
    data = data.removeprefix(PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        raise ValueError("it does not begin as EXIF does")
    return read_directories(data, struct.unpack_from(order + "I", data, 4)[0], order=order)


def read_directories(data: bytes, first: int, *, order: str, big: bool = False) -> Block:
    """Return what the directory at `first` says, and the directories that belong to it.

    Args:
        data: What places are counted in: a block of EXIF, or a whole TIFF.
        first: Where the main directory lies.
        order: The byte order, as `struct` writes it.
        big: Whether it is a BigTIFF.

    Raises:
        ValueError: There is no directory.
    """
    unread: list[int] = []
    pointers: dict[int, int] = {}
    left = len(data)  # values that overlap could ask for more than there is, many times over

    def directory(at: int, number: int) -> tuple[Directory, bool]:
        kind, width, counts, length = ("Q", 8, "Q", 20) if big else ("I", 4, "H", 12)
        nonlocal left
        (count,) = struct.unpack_from(order + counts, data, at)
        at += struct.calcsize(counts)
        found: Directory = {}
        for place in range(at, min(at + length * count, len(data) - length + 1), length):
            tag, type_, values = struct.unpack_from(order + "HH" + kind, data, place)
            value_at = place + length - width
            if POINTERS.get(tag) == number:
                (pointers[tag],) = struct.unpack_from(order + kind, data, value_at)
                continue
            size = values * _SIZES.get(type_, 0)
            start = value_at if size <= width else struct.unpack_from(order + kind, data, value_at)[0]
            if type_ in _SIZES and start + size <= len(data) and size <= left:
                left -= size
                found[tag] = Entry(type_, data[start : start + size])
            else:
                unread.append(tag)
        end = at + length * count
        more = end + width <= len(data) and any(data[end : end + width])
        return found, more

    try:
        main, more = directory(first, MAIN)
    except struct.error as error:
        raise ValueError("its first directory lies beyond its end") from error
    directories = {MAIN: main}
    for tag in POINTERS:  # a directory comes after the one that points at it
        if tag in pointers:
            try:
                directories[tag] = directory(pointers[tag], tag)[0]
            except struct.error:
                unread.append(tag)
    return Block(order, directories, more, tuple(unread))


def in_order(block: Block, order: str) -> Block:
    """Return a block in a byte order. What no type tells of, such as text in UTF-16, stays as it is."""
    if block.order == order:
        return block
    turned = {
        number: {tag: entry.swapped() for tag, entry in directory.items()}
        for number, directory in block.directories.items()
    }
    return replace(block, order=order, directories=turned)


def write_block(block: Block) -> bytes:
    """Return a block as bytes, without the prefix of EXIF."""
    order = block.order
    beyond = 8 + 2 + 12 * _length(block.directories, MAIN) + 4
    values, entries = packed(block, beyond)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(order + "I", 8) + table(entries, order) + values


def _length(directories: Mapping[int, Directory], number: int) -> int:
    return len(directories[number]) + sum(tag in directories for tag, where in POINTERS.items() if where == number)


def packed(block: Block, at: int) -> tuple[bytes, dict[int, bytes]]:
    """Return what the entries of the main directory point at, to be placed at `at`, and the entries, 12 bytes each."""
    order, values = block.order, bytearray()

    def place(data: bytes) -> int:
        where = at + len(values)
        values.extend(data + bytes(len(data) % 2))
        return where

    def entries_of(number: int) -> dict[int, bytes]:
        found = {}
        for tag, entry in block.directories[number].items():
            inline = entry.data if len(entry.data) <= 4 else struct.pack(order + "I", place(entry.data))
            found[tag] = struct.pack(order + "HHI", tag, entry.kind, entry.count) + inline.ljust(4, b"\0")
        for tag, where in POINTERS.items():
            if where == number and tag in block.directories:
                found[tag] = struct.pack(order + "HHII", tag, _LONG, 1, place(table(entries_of(tag), order)))
        return found

    entries = entries_of(MAIN)
    return bytes(values), entries


def table(entries: Mapping[int, bytes], order: str, following: int = 0) -> bytes:
    """Return a directory of entries of 12 bytes, in the order of their tags, and the place of the one that follows."""
    rows = b"".join(entry for _, entry in sorted(entries.items()))
    return struct.pack(order + "H", len(entries)) + rows + struct.pack(order + "I", following)
