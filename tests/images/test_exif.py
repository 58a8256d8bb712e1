"""EXIF and the descriptions of TIFF stay as they are stored, entry by entry."""

import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

import inpaint
from holding import ICC, XMP, jpeg, levels, opened, page
from inpaint.images import exif
from inpaint.images.reading import read_photo
from inpaint.images.writing import write_photo

TITLE, ARTIST, X, Y, UNIT, TURN = 270, 315, 282, 283, 296, 274
# (type, values) of each tag: what a reader that interprets would write otherwise.
MAIN = {
    TITLE: ("2s", "ein Bild von Jörg Müller".encode() + b"\0"),
    0x8298: ("2s", b"photographer\0editor\0"),
    0x4746: ("3H", (5,)),
    0x9C9B: ("1s", "Titel ä".encode("utf-16-le") + b"\0\0"),
    0xC4A5: ("7s", b"PrintIM\0" + bytes(9)),
}
CAMERA = {
    0x829A: ("5I", (10, 2500)),
    0x8832: ("4I", (400,)),
    0x9000: ("7s", b"0232"),
    0x9101: ("7s", b"\1\2\3\0"),
    0x9204: ("10i", (-2, 6)),
    0x9205: ("5I", (0, 0)),
    0x9286: ("7s", b"UNICODE\0" + "Grüße".encode("utf-16-le")),
    0xA430: ("2s", "Jörg".encode() + b"\0"),
}
PLACE = {0: ("1s", b"\2\3\0\0"), 1: ("2s", b"N\0"), 2: ("5I", (48, 1, 8, 1, 4212, 100))}
WIDTHS = {"s": 1, "H": 2, "I": 4, "i": 4}


def entry(kind, values, order):
    type_, letter = int(kind[:-1]), kind[-1]
    data = values if letter == "s" else struct.pack(f"{order}{len(values)}{letter}", *values)
    return exif.Entry(type_, data)


def block(order, main=MAIN, **directories):
    """Return a block of EXIF, laid out by hand: directories first, then what is longer than four bytes."""
    found = {0: dict(main), **{{"camera": 0x8769, "place": 0x8825}[name]: each for name, each in directories.items()}}
    places, at = {}, 8
    for number, entries in found.items():
        places[number] = at
        at += 2 + 12 * (len(entries) + (len(found) - 1 if number == 0 else 0)) + 4
    tables, values = b"", b""
    for number, entries in found.items():
        rows = {}
        for tag, (kind, each) in entries.items():
            made = entry(kind, each, order)
            inline = made.data
            if len(inline) > 4:
                inline = struct.pack(order + "I", at + len(values))
                values += made.data + bytes(len(made.data) % 2)
            rows[tag] = struct.pack(order + "HHI", tag, made.kind, made.count) + inline.ljust(4, b"\0")
        if number == 0:
            for pointer in places.keys() - {0}:
                rows[pointer] = struct.pack(order + "HHII", pointer, 4, 1, places[pointer])
        tables += struct.pack(order + "H", len(rows)) + b"".join(row for _, row in sorted(rows.items())) + bytes(4)
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8) + tables + values


def told(data):
    """Return type, count and bytes, the least significant first, of every entry, by the specification."""
    order, found = {b"II": "<", b"MM": ">"}[data[:2]], {}
    size = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 10: 8}

    def walk(at, name):
        for place in range(at + 2, at + 2 + 12 * struct.unpack_from(order + "H", data, at)[0], 12):
            tag, type_, count, there = struct.unpack_from(order + "HHII", data, place)
            if tag in (0x8769, 0x8825):
                walk(there, tag)
                continue
            length, width = size[type_] * count, min(size[type_], 4)
            at_value = place + 8 if length <= 4 else there
            raw = np.frombuffer(data[at_value : at_value + length], np.uint8).reshape(-1, width)
            found[name, tag] = (type_, count, raw[:, :: 1 if order == "<" else -1].tobytes())

    walk(struct.unpack_from(order + "I", data, 4)[0], 0)
    return found


def exif_of(path):
    data = path.read_bytes() if path.suffix == ".tif" else opened(path).info["exif"]
    return told(data.removeprefix(b"Exif\0\0"))


def written(tmp_path, source, suffix):
    write_photo(read_photo(source), tmp_path / f"out{suffix}")
    return tmp_path / f"out{suffix}"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_every_entry_goes_along_as_it_is_stored(tmp_path, caplog, suffix, order):
    data = block(order, camera=CAMERA, place=PLACE)
    jpeg(tmp_path / "a.jpg", (0xE1, b"Exif\0\0" + data))
    kept = exif_of(written(tmp_path, tmp_path / "a.jpg", suffix))
    assert told(data).items() <= kept.items()
    again = exif_of(written(tmp_path, tmp_path / f"out{suffix}", ".png"))
    assert told(data).items() <= again.items()
    assert caplog.messages == []


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("white", [255, 65535])
def test_descriptions_of_a_tiff_go_along_as_they_are_stored(tmp_path, caplog, order, big, white):
    texts = {269: "a name", TITLE: "Grün".encode(), 285: "a page", ARTIST: "Jörg".encode(), 42112: "<GDAL/>"}
    extra = [(tag, "s", 0, text, True) for tag, text in texts.items()]
    extra += [
        (33550, "d", 3, (0.1, 0.2, 0.0), True),
        (34735, "H", 4, (1, 1, 0, 0), True),
        (65000, 7, 5, b"12345", True),
    ]
    about = {"photometric": "rgb", "metadata": None, "extratags": extra, "byteorder": order, "bigtiff": big}
    tifffile.imwrite(tmp_path / "a.tif", levels(white), **about)
    before, after = page(tmp_path / "a.tif").tags, page(written(tmp_path, tmp_path / "a.tif", ".tif")).tags
    for tag, *_ in extra:
        assert (after[tag].dtype, after[tag].value) == (before[tag].dtype, before[tag].value)
    assert caplog.messages == []


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp"])
def test_a_resolution_turns_with_the_photo(tmp_path, suffix, turn):
    main = {TURN: ("3H", (turn,)), X: ("5I", (300, 1)), Y: ("5I", (150, 1)), UNIT: ("3H", (2,))}
    jpeg(tmp_path / "a.jpg", (0xE1, b"Exif\0\0" + block("<", main)), dpi=(300, 150))
    found = opened(written(tmp_path, tmp_path / "a.jpg", suffix))
    assert [round(float(each)) for each in found.info["dpi"]] == ([150, 300] if turn > 4 else [300, 150])
    if suffix != ".bmp":
        tags = found.getexif()
        assert (tags.get(X), tags.get(Y)) == ((150, 300) if turn > 4 else (300, 150))
        assert tags.get(TURN, 1) == 1


def test_a_resolution_that_only_exif_tells_is_told_where_the_format_has_a_place_for_it(tmp_path, caplog):
    main = {X: ("5I", (350, 1)), Y: ("5I", (350, 1)), UNIT: ("3H", (2,))}
    jpeg(tmp_path / "a.jpg", (0xE1, b"Exif\0\0" + block(">", main)))
    for suffix in (".png", ".tif", ".jpg"):
        assert round(float(opened(written(tmp_path, tmp_path / "a.jpg", suffix)).info["dpi"][0])) == 350
    assert exif_of(written(tmp_path, tmp_path / "a.jpg", ".webp"))[0, X][2] == struct.pack("<II", 350, 1)
    assert caplog.messages == []


@pytest.mark.filterwarnings("ignore:.*(EXIF|File Read|Tag data)")  # Pillow's, which are for programmers
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", ""),
        (b"garbage that is no EXIF", "its EXIF block is damaged and dropped"),
        (b"II*\0\xff\xff\xff\xff", "its EXIF block is damaged and dropped"),
        (block("<")[:-30], "the tag 50341, which is damaged"),
        (struct.pack("<4sIHHHII", b"II*\0", 8, 1, 0x8769, 4, 1, 10**9) + bytes(4), "the tag 34665, which is damaged"),
        # 600 entries of the same 60 kB
        (
            struct.pack("<4sIH", b"II*\0", 8, 600)
            + b"".join(struct.pack("<HHII", 1000 + tag, 7, 50_000, 10) for tag in range(600))
            + bytes(50_000),
            "the tag 1002, which is damaged",
        ),
    ],
)
def test_damage_costs_what_is_damaged_and_is_said(tmp_path, caplog, data, said):
    jpeg(tmp_path / "a.jpg", (0xE1, b"Exif\0\0" + data))
    photo = read_photo(tmp_path / "a.jpg")
    write_photo(photo, tmp_path / "out.jpg")
    assert photo.pixels.shape == levels().shape
    assert (said in caplog.text) if said else not caplog.messages


def test_bytes_of_both_orders_mean_the_same():
    both = [exif.read_block(block(order, camera=CAMERA, place=PLACE)) for order in "<>"]
    assert exif.in_order(both[1], "<") == exif.in_order(both[0], "<")
    assert exif.read_block(exif.write_block(both[1])) == both[1]


def test_a_photo_in_memory_that_lies_by_its_exif_is_written_upright_with_all_of_it(tmp_path, make_photo):
    pixels = make_photo(40, 56)
    given = Image.fromarray(pixels)
    given.info |= {"exif": b"Exif\0\0" + block("<", {**MAIN, TURN: ("3H", (6,))}), "dpi": (300, 150), "xmp": XMP}
    given.info["icc_profile"] = ICC
    hole = np.zeros((40, 56), bool)
    hole[10:20, 10:20] = True
    inpaint.fill(given, hole, model="mean", output=tmp_path / "out.jpg")
    back = opened(tmp_path / "out.jpg")
    assert (back.size, back.info["dpi"]) == ((40, 56), (150, 300))
    assert told(block("<")).items() <= exif_of(tmp_path / "out.jpg").items()
