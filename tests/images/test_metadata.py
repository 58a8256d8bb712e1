"""What describes a photo stays true and complete; other views of it never stay. Read back by other libraries."""

import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from holding import (
    CAMERA,
    GAIN_MAP,
    ICC,
    IPTC,
    XMP,
    adobe_rgb,
    block,
    chunks,
    exif,
    image,
    iptc,
    jpeg,
    opened,
    png,
    second_jpeg,
    with_thumbnail,
)
from inpaint.images.metadata import photoshop_items, resolution_of, xmp_items
from inpaint.images.photo import Photo
from inpaint.images.reading import read_photo
from inpaint.images.writing import write_photo


def xmp(attributes=b"", children=b""):
    return XMP.replace(b"/></rdf:RDF", b" " + attributes + b">" + children + b"</rdf:Description></rdf:RDF")


def written(tmp_path, source, suffix):
    write_photo(read_photo(source), tmp_path / f"out{suffix}")
    return tmp_path / f"out{suffix}"


def names(items):
    return [item.name for item in items]


# XMP ------------------------------------------------------------------------------------------------------------------


def test_xmp_without_other_views_stays_byte_for_byte():
    (item,) = xmp_items(XMP)
    assert item.value == XMP
    assert xmp_items(None) == xmp_items(b"") == []


@pytest.mark.parametrize(
    ("namespace", "attributes", "children", "name"),
    [
        ("http://ns.google.com/photos/1.0/depthmap/", b'v:Data="/9j/AAA" v:Near="1"', b"", "a depth map in XMP"),
        ("http://ns.google.com/photos/1.0/image/", b'v:Data="/9j/AAA"', b"", "an image in XMP"),
        ("http://ns.google.com/photos/1.0/camera/", b'v:MicroVideo="1" v:MicroVideoOffset="9"', b"", "a motion photo"),
        ("http://ns.adobe.com/hdr-gain-map/1.0/", b'v:Version="1.0"', b"", "a gain map in XMP"),
        ("http://ns.google.com/photos/1.0/container/", b"", b"<v:Directory><v:a/></v:Directory>", "further images"),
        (
            "http://ns.adobe.com/xap/1.0/",
            b'v:Rating="5"',
            b"<v:Thumbnails>/9j/AAA</v:Thumbnails>",
            "a thumbnail in XMP",
        ),
    ],
)
def test_other_views_are_taken_out_of_xmp_by_name_and_the_rest_stays(namespace, attributes, children, name):
    data = xmp(b'xmlns:v="' + namespace.encode() + b'" ' + attributes, children)
    kept, *lost = xmp_items(b'<?xpacket begin=""?>' + data + b'<?xpacket end="w"?>')
    assert [name in each for each in names(lost)] == [True]
    for gone in (b"/9j/", b"MicroVideo", b":Version", b"Directory", b"Thumbnails", b"Near"):
        assert gone not in kept.value
    assert b'GPano:ProjectionType="equirectangular"' in kept.value
    assert kept.value.startswith(b"<?xpacket begin")
    assert (b'v:Rating="5"' in kept.value) == (b"Rating" in attributes)


@pytest.mark.parametrize("data", [b"<a http://ns.adobe.com/hdr-gain-map/1.0/", b"<!DOCTYPE a [<!ENTITY b 'c'>]>"])
def test_xmp_that_cannot_be_read_and_may_hold_views_is_left_out_whole(data):
    items = xmp_items(data + b"http://ns.adobe.com/hdr-gain-map/1.0/")
    assert names(items) == ["XMP (damaged, with other views of the photo)"]


def test_xmp_does_not_turn_a_photo_that_lies_upright(tmp_path):
    block_ = Image.Exif()
    block_[0x112] = 6
    turned = xmp(b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"')
    image().save(tmp_path / "a.jpg", exif=block_, xmp=turned)
    back = opened(written(tmp_path, tmp_path / "a.jpg", ".jpg"))
    assert back.size == (24, 32)
    assert b'tiff:Orientation="1"' in back.info["xmp"]


def test_extended_xmp_is_left_out_by_name_and_no_longer_promised(tmp_path, caplog):
    note = b'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="0123"'
    main = (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(note))
    more = (0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 40 + b"/9j/")
    jpeg(tmp_path / "a.jpg", main, more)
    assert b"HasExtendedXMP" not in written(tmp_path, tmp_path / "a.jpg", ".jpg").read_bytes()
    assert "extended XMP" in caplog.text


# Thumbnails, gain maps, second images ---------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_no_format_gets_the_thumbnail_of_exif(tmp_path, suffix):
    image().save(tmp_path / "a.jpg", exif=with_thumbnail())
    result = written(tmp_path, tmp_path / "a.jpg", suffix)
    small = second_jpeg()[:200]
    assert small not in result.read_bytes()
    assert not opened(result).getexif().get_ifd(1)


@pytest.mark.parametrize(
    ("segments", "after", "name"),
    [
        ([(0xE1, GAIN_MAP)], second_jpeg(), "a gain map"),
        ([], second_jpeg() * 2, "2 further images"),
        ([], b"\0\0\0\x18ftypmp42" + bytes(40), "a video"),
        ([], b"a trailer of some program", "25 bytes after the image"),
        ([(0xE0, b"JFXX\0\x10" + second_jpeg())], b"", "a thumbnail"),
        ([(0xEB, b"JP\0\1jumb")], b"", "application data APP11 (JP)"),
        ([(0xE2, b"FPXR\0\0")], b"", "application data APP2 (FPXR)"),
    ],
)
def test_what_stands_beside_the_image_of_a_jpeg_is_left_out_by_name(tmp_path, caplog, segments, after, name):
    jpeg(tmp_path / "a.jpg", *segments, after=after)
    result = written(tmp_path, tmp_path / "a.jpg", ".jpg")
    assert name in caplog.text
    assert result.read_bytes().count(b"\xff\xd8\xff") == 1
    assert b"hdrgm" not in result.read_bytes()


def riff(data, *more, after=b""):
    """Return a WebP with further chunks, and something after its end."""
    body = data[8:] + b"".join(kind + struct.pack("<I", len(content)) + content for kind, content in more)
    return b"RIFF" + struct.pack("<I", len(body)) + body + after


@pytest.mark.parametrize(
    ("suffix", "changed", "name"),
    [
        (".png", lambda data: data + b"what was cut away", "17 bytes after the image"),
        (".bmp", lambda data: data + b"what was cut away", "17 bytes after the image"),
        (".webp", lambda data: riff(data, after=b"what was cut away"), "17 bytes after the image"),
        (".webp", lambda data: riff(data, (b"PRVW", b"a view")), "the chunk PRVW"),
        (".avif", lambda data: data + b"\0\0\0\x10uuid" + b"a view  ", "the box uuid"),
        (".avif", lambda data: data + b"\0\0\0\x10mpvd" + b"a video ", "a video"),
    ],
)
def test_what_nobody_reads_in_a_file_is_left_out_by_name(tmp_path, caplog, suffix, changed, name):
    image().save(tmp_path / f"a{suffix}")
    sound = (tmp_path / f"a{suffix}").read_bytes()
    written(tmp_path, tmp_path / f"a{suffix}", ".png")
    assert caplog.messages == []
    (tmp_path / f"a{suffix}").write_bytes(changed(sound))
    result = written(tmp_path, tmp_path / f"a{suffix}", ".png")
    assert caplog.messages == [f"{result}: left out, since they may show what was there: {name}"]


def test_the_profile_of_a_bmp_goes_along_or_is_named(tmp_path, caplog):
    image().save(tmp_path / "a.bmp")
    data = (tmp_path / "a.bmp").read_bytes()
    pixels = data[54:]
    header = struct.pack("<I", 124) + data[18:54] + bytes(16) + b"DEBM" + bytes(48)
    header += struct.pack("<4I", 4, 124 + len(pixels), len(ICC), 0)
    length = 14 + len(header) + len(pixels) + len(ICC)
    start = b"BM" + struct.pack("<IHHI", length, 0, 0, 14 + len(header))
    (tmp_path / "a.bmp").write_bytes(start + header + pixels + ICC)
    assert opened(written(tmp_path, tmp_path / "a.bmp", ".png")).info["icc_profile"] == ICC
    assert caplog.messages == []
    written(tmp_path, tmp_path / "a.bmp", ".bmp")
    assert "BMP cannot hold the ICC profile: lost" in caplog.text


def test_a_progressive_jpeg_with_a_thumbnail_has_nothing_after_its_end(tmp_path, caplog):
    image().save(tmp_path / "a.jpg", progressive=True, exif=with_thumbnail())
    result = written(tmp_path, tmp_path / "a.jpg", ".jpg")
    assert caplog.messages == [f"{result}: left out, since they may show what was there: a thumbnail"]
    assert opened(result).info["progressive"]


# EXIF -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_adobe_rgb_without_a_profile_stays_marked(tmp_path, suffix):
    image().save(tmp_path / "a.jpg", exif=adobe_rgb())
    block_ = opened(written(tmp_path, tmp_path / "a.jpg", suffix)).getexif()
    assert block_.get_ifd(0x8769)[0xA001] == 65535
    assert block_.get_ifd(0xA005)[1] == "R03"


def test_every_tag_that_describes_goes_along_and_what_may_be_a_preview_does_not(tmp_path, caplog):
    block_ = exif(camera={0x9286: b"ASCII\0\0\0a comment"})
    block_[0x9C9B] = "title".encode("utf-16-le")
    block_[0x4746] = 5
    block_[0xC7A1] = bytes(5000)  # a private block of some program
    image().save(tmp_path / "a.jpg", exif=block_)
    back = opened(written(tmp_path, tmp_path / "a.jpg", ".png")).getexif()
    assert (back[0x9C9B], back[0x4746]) == ("title".encode("utf-16-le"), 5)
    assert back.get_ifd(0x8769)[0x9286] == b"ASCII\0\0\0a comment"
    assert 0xC7A1 not in back
    assert "the private tag 51105" in caplog.text


def test_exif_of_a_compressed_and_of_a_deep_tiff_keeps_camera_and_place(tmp_path):
    image().save(tmp_path / "a.jpg", exif=CAMERA)
    photo = read_photo(tmp_path / "a.jpg")
    deep = Photo(pixels=photo.pixels.astype(np.uint16) * 257, exif=photo.exif)
    for name, each in {"a.tif": photo, "b.tif": deep}.items():
        write_photo(each, tmp_path / name)
        back = opened(tmp_path / name).getexif() if name == "a.tif" else read_photo(tmp_path / name).exif
        kept = Image.Exif()
        kept.load(back if isinstance(back, bytes) else back.tobytes())
        assert kept.get_ifd(0x8769)[0x9003] == "2020:01:02 03:04:05"
        assert kept.get_ifd(0x8825)[2] == (48.0, 8.0, 0.0)


# IPTC, resolution, text, color ----------------------------------------------------------------------------------------


def test_iptc_goes_from_jpeg_to_tiff_and_back_with_paths_but_without_thumbnails(tmp_path):
    blocks = block(1028, IPTC) + block(1036, b"thumb") + block(2000, b"a path") + block(4001, b"plug-in")
    jpeg(tmp_path / "a.jpg", (0xED, b"Photoshop 3.0\0" + blocks))
    there = written(tmp_path, tmp_path / "a.jpg", ".tif")
    assert opened(there).tag_v2[33723] == IPTC
    back = written(tmp_path, there, ".jpg")
    assert set(opened(back).info["photoshop"]) == {1028, 2000}
    assert b"thumb" not in there.read_bytes() + back.read_bytes()


def test_iptc_of_a_tiff_and_of_image_magick_in_png_are_found(tmp_path):
    image().save(tmp_path / "a.tif", tiffinfo={33723: IPTC})
    assert IPTC in written(tmp_path, tmp_path / "a.tif", ".jpg").read_bytes()
    info = PngInfo()
    raw = block(1028, IPTC)
    info.add_text("Raw profile type iptc", f"\niptc\n      {len(raw)}\n{raw.hex()}\n")
    info.add_text("Raw profile type exif", "\nexif\n      4\n45786966\n")
    image().save(tmp_path / "a.png", pnginfo=info)
    assert IPTC in written(tmp_path, tmp_path / "a.png", ".jpg").read_bytes()
    again = written(tmp_path, tmp_path / "a.png", ".png")
    assert b"Raw profile type exif" not in again.read_bytes()
    assert iptc(again)


def test_damaged_photoshop_blocks_end_where_the_damage_begins():
    assert names(photoshop_items(block(1028, IPTC) + b"8BIM\4\x0c\0\0\xff\xff\xff\xffx")) == ["IPTC"]
    assert photoshop_items(b"8BIM") == []


@pytest.mark.parametrize(
    ("source", "suffix"), [(".tif", ".jpg"), (".tif", ".png"), (".png", ".tif"), (".bmp", ".png"), (".jpg", ".bmp")]
)
def test_the_resolution_goes_from_format_to_format(tmp_path, source, suffix):
    image().save(tmp_path / f"a{source}", dpi=(300, 150))
    found = opened(written(tmp_path, tmp_path / f"a{source}", suffix)).info["dpi"]
    assert [round(float(each)) for each in found] == [300, 150]


def test_a_resolution_per_centimeter_and_a_ratio_without_unit_are_kept_and_nonsense_is_not(tmp_path, caplog):
    image().save(tmp_path / "a.tif", tiffinfo={282: 118.0, 283: 118.0, 296: 3})
    tags = opened(written(tmp_path, tmp_path / "a.tif", ".tif")).tag_v2
    assert (tags[282], tags[296]) == (118.0, 3)
    png(tmp_path / "a.png", (b"pHYs", struct.pack(">IIB", 10, 11, 0)))
    assert opened(written(tmp_path, tmp_path / "a.png", ".png")).info["aspect"] == (10, 11)
    written(tmp_path, tmp_path / "a.png", ".jpg")
    assert "the aspect ratio of its pixels" in caplog.text
    for x in (0, -1, 2**40, float("nan"), None):
        assert resolution_of(x, 300, "inch") == []


def test_text_and_private_chunks_go_along_as_the_specification_allows(tmp_path, caplog):
    safe, unsafe = (b"teSt", b"12"), (b"prVW", b"a preview")
    png(tmp_path / "a.png", (b"tEXt", b"Title\0caf\xe9"), (b"tIME", b"\x07\xe8\1\1\0\0\0"), safe, unsafe)
    result = written(tmp_path, tmp_path / "a.png", ".png")
    assert opened(result).text["Title"] == "café"
    assert {b"tIME", b"teSt"} <= chunks(result)
    assert b"prVW" not in chunks(result)
    assert "the chunk prVW" in caplog.text


def test_a_png_that_says_srgb_loses_nothing_in_other_formats(tmp_path, caplog):
    png(tmp_path / "a.png", (b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 45455)))
    written(tmp_path, tmp_path / "a.png", ".jpg")
    assert caplog.messages == []
    assert {b"sRGB", b"gAMA"} <= chunks(written(tmp_path, tmp_path / "a.png", ".png"))


def test_exif_that_a_png_holds_as_text_is_kept_and_not_called_lost(tmp_path, caplog):
    info = PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n      9\n{CAMERA.tobytes().hex()}\n")
    image().save(tmp_path / "a.png", pnginfo=info)
    assert opened(written(tmp_path, tmp_path / "a.png", ".png")).getexif()[0x10E] == "a title"
    assert caplog.messages == []


def test_a_chunk_that_belongs_to_another_kind_of_pixels_is_named(tmp_path, caplog, make_photo):
    Image.fromarray(make_photo(24, 32)).quantize(256).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    at = data.index(b"IDAT") - 4
    background = struct.pack(">I", 1) + b"bKGD\5" + struct.pack(">I", zlib.crc32(b"bKGD\5"))
    (tmp_path / "a.png").write_bytes(data[:at] + background + data[at:])
    assert b"bKGD" in chunks(written(tmp_path, tmp_path / "a.png", ".png"))
    photo = read_photo(tmp_path / "a.png")
    write_photo(replace(photo, pixels=make_photo(24, 32, 1)), tmp_path / "out.png")
    assert "a palette of these colors (written as RGB) and bKGD: lost" in caplog.text


def test_several_comments_of_a_jpeg_and_long_xmp_are_kept_or_named(tmp_path, caplog):
    jpeg(tmp_path / "a.jpg", (0xFE, b"first"), (0xFE, b"second"))
    data = written(tmp_path, tmp_path / "a.jpg", ".jpg").read_bytes()
    assert b"first" in data
    assert b"second" in data
    image().save(tmp_path / "a.webp", xmp=XMP + b" " * 70_000)
    written(tmp_path, tmp_path / "a.webp", ".jpg")
    assert "JPEG cannot hold XMP: lost" in caplog.text


def test_nothing_is_said_of_a_photo_that_loses_nothing(tmp_path, caplog):
    image().save(tmp_path / "a.jpg", exif=CAMERA, xmp=XMP, dpi=(300, 300), comment=b"by hand")
    written(tmp_path, tmp_path / "a.jpg", ".jpg")
    buffer = io.BytesIO()
    image().save(buffer, "PNG")
    (tmp_path / "b.png").write_bytes(buffer.getvalue())
    written(tmp_path, tmp_path / "b.png", ".png")
    assert caplog.messages == []
