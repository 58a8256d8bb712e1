"""Files that hold one thing each beside their image, made by libraries that are not ours, and how to see it again."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

HEIGHT, WIDTH = 24, 32
HOLE = np.zeros((HEIGHT, WIDTH), bool)
HOLE[8:14, 10:18] = True
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" GPano:ProjectionType="equirectangular"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
IPTC = b"\x1c\x02\x78\x00\x0ca title here"  # record 2, data set 120: the caption


@dataclass(frozen=True)
class Thing:
    """Something that a file may hold.

    Args:
        name: Its row in the table.
        suffix: Of a format that holds it.
        make: Writes such a file.
        kept: Whether a file still has it.
        word: What a warning calls it where it is not kept.
    """

    name: str
    suffix: str
    make: Callable[[Path], object]
    kept: Callable[[Path], bool]
    word: str


def image() -> Image.Image:
    return Image.fromarray(levels())


def levels(white: int = 255, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Return a smooth image with noise, (H, W, C)."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    base = np.stack([x / WIDTH, y / HEIGHT, (x + y) / (HEIGHT + WIDTH), 1 - x / WIDTH, y / HEIGHT], -1)[..., :channels]
    noise = np.random.default_rng(seed).normal(0, 0.01, base.shape)
    dtype = np.uint8 if white == 255 else np.uint16 if white == 65535 else np.uint32
    return (np.clip(0.1 + 0.8 * base + noise, 0, 1) * white).round().astype(dtype)


def opened(path: Path) -> Image.Image:
    """Return Pillow's view of a file, without keeping the file open."""
    return Image.open(io.BytesIO(path.read_bytes()))


def page(path: Path) -> tifffile.TiffPage | None:
    if path.suffix != ".tif":
        return None
    return tifffile.TiffFile(io.BytesIO(path.read_bytes())).pages[0]


def chunks(path: Path) -> set[bytes]:
    data, at, found = path.read_bytes(), 8, set()
    while path.suffix == ".png" and at < len(data):
        found.add(data[at + 4 : at + 8])
        at += 12 + struct.unpack(">I", data[at : at + 4])[0]
    return found


def png(path: Path, *extra: tuple[bytes, bytes]) -> None:
    """Write a PNG with further chunks, by the specification."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in levels())
    parts = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))


def jpeg(path: Path, *segments: tuple[int, bytes], after: bytes = b"", **options: object) -> None:
    """Write a JPEG with further segments behind its start, and something after its end."""
    buffer = io.BytesIO()
    image().save(buffer, "JPEG", **options)
    data = buffer.getvalue()
    inserted = b"".join(struct.pack(">BBH", 255, marker, len(content) + 2) + content for marker, content in segments)
    path.write_bytes(data[:2] + inserted + data[2:] + after)


def exif(**directories: dict[int, object]) -> Image.Exif:
    block = Image.Exif()
    block[0x10E] = "a title"
    for name, entries in directories.items():
        block.get_ifd({"camera": 0x8769, "place": 0x8825}[name]).update(entries)
    return block


def with_thumbnail() -> bytes:
    """Return EXIF with a second directory, whose thumbnail is a JPEG."""
    buffer = io.BytesIO()
    image().resize((8, 6)).save(buffer, "JPEG")
    small = buffer.getvalue()
    first = struct.pack("<HHHI4sI", 1, 274, 3, 1, b"\1\0\0\0", 26)
    second = struct.pack("<H", 2) + struct.pack("<HHII", 513, 4, 1, 56) + struct.pack("<HHII", 514, 4, 1, len(small))
    return b"Exif\0\0II*\0\x08\0\0\0" + first + second + bytes(4) + small


def adobe_rgb() -> bytes:
    """Return EXIF that marks Adobe RGB as DCF does: an uncalibrated color space and the index R03."""
    index = struct.pack("<HHHI4sI", 1, 1, 2, 4, b"R03\0", 0)
    camera = struct.pack("<H", 2) + struct.pack("<HHI4s", 0xA001, 3, 1, b"\xff\xff\0\0")
    camera += struct.pack("<HHII", 0xA005, 4, 1, 56) + bytes(4)
    first = struct.pack("<HHHII", 1, 0x8769, 4, 1, 26) + bytes(4)
    return b"Exif\0\0II*\0\x08\0\0\0" + first + camera + index


def block(code: int, content: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", code, 0, len(content)) + content + bytes(len(content) % 2)


def second_jpeg() -> bytes:
    buffer = io.BytesIO()
    image().resize((16, 12)).save(buffer, "JPEG")
    return buffer.getvalue()


GAIN_MAP = b"http://ns.adobe.com/xap/1.0/\0" + XMP.replace(
    b"<rdf:Description", b'<rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"'
)


def tiff(path: Path, values: np.ndarray, **options: object) -> None:
    tifffile.imwrite(path, values, metadata=None, **{"photometric": "rgb", **options})


def pages(path: Path) -> None:
    with tifffile.TiffWriter(path) as file:
        for seed in range(3):
            file.write(levels(seed=seed), photometric="rgb", metadata=None)


def cmyk(path: Path, profile: bytes | None) -> None:
    Image.frombytes("CMYK", (WIDTH, HEIGHT), levels(channels=4).tobytes()).save(path, icc_profile=profile)


def cmyk_profile() -> bytes:
    """Return a profile in which every ink is gray, by ICC.1:2001 (lut8Type, 6.5.8).

    To light: L = 100 (1 - K) (1 - mean(C, M, Y)). Back: black alone, K = 1 - L / 100.
    """
    nodes = [(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    light = [round(255 * (1 - k) * (1 - (c + m + y) / 3)) for c, m, y, k in nodes]
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut += bytes(range(256)) * 4 + b"".join(bytes([level, 128, 128]) for level in light) + bytes(range(256)) * 3
    back = b"mft1" + bytes(4) + bytes([3, 4, 2, 0]) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    back += bytes(range(256)) * 3 + b"".join(bytes([0, 0, 0, 0 if node & 4 else 255]) for node in range(8))
    back += bytes(range(256)) * 4
    text = b"text" + bytes(4) + b"free\0\0\0\0"
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    description = b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\0" + bytes(78)
    tags = {b"A2B0": lut, b"B2A0": back, b"cprt": text, b"wtpt": white, b"desc": description}
    offset, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    header = struct.pack(
        ">I4sI4s4s4s12s4s", offset + len(body), bytes(4), 0x02100000, b"prtr", b"CMYK", b"Lab ", bytes(12), b"acsp"
    )
    header += bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body


def text(path: Path) -> None:
    info = PngInfo()
    info.add_text("parameters", "a cat, steps 20")
    image().save(path, pnginfo=info)


def few_colors(path: Path) -> None:
    colors = np.array([[200, 30, 40], [20, 90, 160], [128, 128, 128]], np.uint8)
    Image.fromarray(colors[(levels()[..., 0] > 128).astype(int)]).quantize(2).save(path)


def has_extra(path: Path, kinds: list[int]) -> bool:
    found = page(path)
    return found is not None and [int(each) for each in found.extrasamples] == kinds


def bits(path: Path) -> tuple[int, int] | None:
    found = page(path)
    return None if found is None else (int(found.bitspersample), int(found.sampleformat))


def deep(path: Path) -> bool:
    return (path.suffix == ".png" and path.read_bytes()[24] == 16) or (bits(path) or (8, 1))[0] == 16


def photo_modes(*modes: str) -> Callable[[Path], bool]:
    return lambda path: opened(path).mode in modes


def resolution(path: Path) -> bool:
    found = opened(path).info.get("dpi")
    return found is not None and abs(found[0] - 300) < 0.1


def holds(text: bytes) -> Callable[[Path], bool]:
    return lambda path: text in path.read_bytes()


def iptc(path: Path) -> bool:
    """Return whether a file holds the IPTC record; PNG holds it as ImageMagick writes it there."""
    if path.suffix != ".png":
        return IPTC in path.read_bytes()
    return IPTC.hex() in opened(path).text.get("Raw profile type iptc", "").replace("\n", "")


def camera(tag: int, value: object) -> Callable[[Path], bool]:
    return lambda path: opened(path).getexif().get_ifd(0x8769).get(tag) == value


def reduced(path: Path) -> None:
    """Write a thumbnail as the first directory and the photo as a directory below it, as raw files have them."""
    with tifffile.TiffWriter(path) as file:
        file.write(levels()[::4, ::4], subfiletype=1, subifds=1, photometric="rgb", metadata=None)
        file.write(levels(65535), subfiletype=0, photometric="rgb", metadata=None)


PRIMARIES = struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
CAMERA = exif(camera={0x9003: "2020:01:02 03:04:05"}, place={1: "N", 2: (48.0, 8.0, 0.0)})
NOTES = exif(camera={0x927C: b"a note of the maker" * 4})
NEVER = lambda path: False  # noqa: E731 - what no format keeps

THINGS = (
    Thing("gray", ".png", lambda path: image().convert("L").save(path), photo_modes("L"), ""),
    Thing("alpha", ".png", lambda path: Image.fromarray(levels(channels=4)).save(path), photo_modes("RGBA"), "alpha"),
    Thing(
        "premultiplied alpha",
        ".tif",
        lambda path: tiff(path, np.dstack([levels() // 2, levels()[..., :1] * 0 + 128]), extrasamples=["assocalpha"]),
        lambda path: has_extra(path, [1]) if path.suffix == ".tif" else opened(path).mode == "RGBA",
        "alpha",
    ),
    Thing(
        "further channels",
        ".tif",
        lambda path: tiff(path, levels(channels=5), extrasamples=["unspecified"] * 2),
        lambda path: has_extra(path, [0, 0]),
        "2 further channels",
    ),
    Thing("16 bit", ".tif", lambda path: tiff(path, levels(65535)), deep, "16 bit (scaled to 8)"),
    Thing(
        "floating point",
        ".tif",
        lambda path: tiff(path, levels(65535).astype(np.float32) / 30000),
        lambda path: bits(path) == (32, 3),
        "floating point or 32 bit",
    ),
    Thing(
        "32 bit",
        ".tif",
        lambda path: tiff(path, levels(2**32 - 1)),
        lambda path: bits(path) == (32, 1),
        "floating point or 32 bit",
    ),
    Thing("1 bit", ".png", lambda path: image().convert("1").save(path), photo_modes("1"), "1 bit (written as 8)"),
    Thing("palette", ".png", few_colors, photo_modes("P"), "a palette of these colors (written as RGB)"),
    Thing("CMYK with a profile", ".tif", lambda path: cmyk(path, cmyk_profile()), photo_modes("CMYK"), "CMYK"),
    Thing("CMYK without a profile", ".tif", lambda path: cmyk(path, None), photo_modes("CMYK"), "CMYK without"),
    Thing(
        "further pages",
        ".tif",
        pages,
        lambda path: page(path) is not None and getattr(opened(path), "n_frames", 1) == 3,
        "2 further pages",
    ),
    Thing(
        "ICC profile",
        ".png",
        lambda path: image().save(path, icc_profile=ICC),
        lambda path: opened(path).info.get("icc_profile") == ICC,
        "the ICC profile",
    ),
    Thing(
        "gAMA, cHRM",
        ".png",
        lambda path: png(path, (b"gAMA", struct.pack(">I", 100000)), (b"cHRM", PRIMARIES)),
        lambda path: {b"gAMA", b"cHRM"} <= chunks(path),
        "gAMA and cHRM",
    ),
    Thing(
        "cICP", ".png", lambda path: png(path, (b"cICP", b"\x0c\x0d\0\1")), lambda path: b"cICP" in chunks(path), "cICP"
    ),
    Thing(
        "EXIF: title",
        ".jpg",
        lambda path: image().save(path, exif=CAMERA),
        lambda path: opened(path).getexif().get(0x10E) == "a title",
        "EXIF",
    ),
    Thing(
        "EXIF: camera, place",
        ".jpg",
        lambda path: image().save(path, exif=CAMERA),
        lambda path: camera(0x9003, "2020:01:02 03:04:05")(path) and opened(path).getexif().get_ifd(0x8825)[1] == "N",
        "EXIF",
    ),
    Thing(
        "EXIF: mark of Adobe RGB", ".jpg", lambda path: image().save(path, exif=adobe_rgb()), holds(b"R03\0"), "EXIF"
    ),
    Thing("XMP", ".jpg", lambda path: image().save(path, xmp=XMP), holds(b"equirectangular"), "XMP"),
    Thing(
        "IPTC",
        ".jpg",
        lambda path: jpeg(path, (0xED, b"Photoshop 3.0\0" + block(1028, IPTC))),
        iptc,
        "IPTC",
    ),
    Thing("resolution", ".jpg", lambda path: image().save(path, dpi=(300, 300)), resolution, "the resolution"),
    Thing("PNG text", ".png", text, holds(b"a cat, steps 20"), "the text 'parameters'"),
    Thing("comment", ".jpg", lambda path: image().save(path, comment=b"by hand"), holds(b"by hand"), "a comment"),
    Thing("thumbnail in EXIF", ".jpg", lambda path: image().save(path, exif=with_thumbnail()), NEVER, "a thumbnail"),
    Thing(
        "thumbnail in a Photoshop block",
        ".jpg",
        lambda path: jpeg(path, (0xED, b"Photoshop 3.0\0" + block(1036, bytes(28) + second_jpeg()))),
        NEVER,
        "a thumbnail in a Photoshop block",
    ),
    Thing(
        "thumbnail in XMP",
        ".jpg",
        lambda path: image().save(
            path,
            xmp=XMP.replace(
                b"/></rdf:RDF",
                b'><xmp:Thumbnails xmlns:xmp="http://ns.adobe.com/xap/1.0/"/></rdf:Description></rdf:RDF',
            ),
        ),
        NEVER,
        "a thumbnail in XMP",
    ),
    Thing("maker notes", ".jpg", lambda path: image().save(path, exif=NOTES), NEVER, "maker notes"),
    Thing("gain map", ".jpg", lambda path: jpeg(path, (0xE1, GAIN_MAP), after=second_jpeg()), NEVER, "a gain map"),
    Thing(
        "second image (MPO)",
        ".jpg",
        lambda path: image().save(path, "MPO", save_all=True, append_images=[image()]),
        NEVER,
        "1 further image",
    ),
    Thing("reduced image in TIFF", ".tif", reduced, NEVER, "1 reduced image"),
)
