"""Folders, lists and bundled photos: what is found, what is skipped and said, what is remembered."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import inpaint
from inpaint.data import headers, sources
from inpaint.data.config import DataConfig
from inpaint.data.index import cache_path
from inpaint.data.opening import open_source, report_skipped, split
from inpaint.data.scan import scan
from inpaint.data.sources import read_list, sample_files
from inpaint.errors import DataError, InputError
from inpaint.images.reading import read_rgb


def names(source):
    return [source.name(index) for index in range(len(source))]


def huge_png(path, side=20_000):
    """Write a PNG whose header claims side x side pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100)))]
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))


def test_a_folder_is_read_recursively_in_the_order_of_its_names(photo_folder):
    (photo_folder / "notes.txt").write_text("no image")
    (photo_folder / ".hidden.png").write_bytes(b"")
    Image.open(photo_folder / "a.png").save(photo_folder / "e.JPG", format="JPEG")
    source = open_source(str(photo_folder), min_px=16)
    assert names(source) == ["a.png", "b.png", "c.png", "e.JPG", "more/d.png"]
    assert source.sizes_px.tolist() == [[40, 56], [48, 36], [33, 33], [40, 56], [36, 64]]
    for index, name in enumerate(names(source)):
        assert np.array_equal(source.read(index), read_rgb(photo_folder / name))
        assert source.sizes_bytes[index] == (photo_folder / name).stat().st_size


def test_linked_folders_are_followed_once(photo_folder, write_photos):
    (photo_folder / "linked").symlink_to(write_photos(2, name="elsewhere"))
    (photo_folder / "more" / "up").symlink_to(photo_folder)
    assert names(open_source(str(photo_folder), min_px=16))[3:] == ["linked/p00.png", "linked/p01.png", "more/d.png"]


def test_sketches_beside_their_photos_are_no_photos(photo_folder):
    for name in ("a_edge.png", "lonely_edge.png"):
        Image.new("L", (56, 40)).save(photo_folder / name)
    assert names(open_source(str(photo_folder), min_px=16)) == [
        "a.png",
        "b.png",
        "c.png",
        "lonely_edge.png",
        "more/d.png",
    ]


def test_a_list_names_paths_relative_to_itself(photo_folder, tmp_path):
    listed = tmp_path / "train.flist"
    listed.write_text(f"# photos\nphotos/b.png\n\n{photo_folder}/a.png\nphotos/b.png\nphotos/gone.png\n")
    source = open_source(str(listed), min_px=16)
    assert names(source) == ["photos/b.png", f"{photo_folder}/a.png"]
    assert [(skip.name, skip.problem) for skip in source.skipped] == [("photos/gone.png", "no such file")]
    assert np.array_equal(source.read(0), read_rgb(photo_folder / "b.png"))


def test_bundled_photos_are_color_images_on_this_disk():
    source = open_source("samples", min_px=16)
    assert not source.skipped
    assert [Path(source.name(index)).name for index in range(len(source))] == [
        *("astronaut.png", "brick.png", "chelsea.png", "coffee.png", "grass.png", "gravel.png"),
        *("hubble_deep_field.jpg", "motorcycle_left.png", "motorcycle_right.png", "rocket.jpg"),
        *("china.jpg", "flower.jpg"),
    ]
    assert source.read(0).shape == (*source.sizes_px[0], 3)
    train, val = split(source, seed=0)
    held_out = {Path(source.name(index)).name for index in val}
    assert held_out == {"chelsea.png", "rocket.jpg", "flower.jpg"}
    assert sorted([*train, *val]) == list(range(len(source)))


def test_the_samples_of_our_own_travel_with_the_package_and_their_credits():
    *_, china, flower = sample_files()
    package = Path(inpaint.__file__).parent
    assert china.parent == flower.parent == package / "data" / "samples"
    credits = (china.parent / "CREDITS.md").read_text()
    assert all(f"`{file.name}`" in credits for file in china.parent.glob("*.jpg"))


def test_a_sample_that_is_gone_is_named(monkeypatch, caplog):
    monkeypatch.setattr(sources, "_OUR_SAMPLES", ("china.jpg", "gone.jpg"))
    source = open_source("samples", min_px=16)
    assert [(Path(skip.name).name, skip.problem) for skip in source.skipped] == [("gone.jpg", "no such file")]
    report_skipped("samples", source)
    assert "1 of 12 files is skipped" in caplog.text


def test_unusable_files_are_skipped_and_named_in_one_warning(photo_folder, caplog):
    (photo_folder / "text.png").write_text("this is no image")
    (photo_folder / "empty.png").write_bytes(b"")
    (photo_folder / "cut.png").write_bytes((photo_folder / "a.png").read_bytes()[:20])
    Image.new("RGB", (1, 1)).save(photo_folder / "dot.png")
    huge_png(photo_folder / "huge.png")
    source = open_source(str(photo_folder), min_px=16)
    assert names(source) == ["a.png", "b.png", "c.png", "more/d.png"]
    problems = {skip.name: skip.problem for skip in source.skipped}
    assert problems["text.png"] == "not an image"
    assert problems["empty.png"] == "empty file"
    assert problems["dot.png"] == "too small: 1x1 pixels, shorter side below 16"
    assert "more than 100000000" in problems["huge.png"]
    assert set(problems) == {"text.png", "empty.png", "cut.png", "dot.png", "huge.png"}
    report_skipped("photos", source)
    assert len(caplog.records) == 1
    assert "5 of 9 files are skipped" in caplog.text
    assert "text.png: not an image" in caplog.text


def test_only_the_first_ten_skipped_files_are_named(photo_folder, caplog):
    for number in range(13):
        (photo_folder / f"bad{number:02d}.png").write_text("x")
    report_skipped("photos", open_source(str(photo_folder), min_px=16))
    assert "bad09.png" in caplog.text
    assert "bad10.png" not in caplog.text
    assert "and 3 more" in caplog.text


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("gone", "does not exist; valid: a folder, a list file, tar shards, or 'samples'"),
        ("empty", "holds no photos"),
        ("broken", "holds no usable photo; 1 found: text.png: not an image"),
        ("file.png", "is no folder, list file"),
        ("gone.txt", "does not exist"),
        ("mixed", "holds both tar shards and photos"),
    ],
)
def test_a_root_without_photos_is_an_error_that_names_it(tmp_path, root, message):
    for folder in ("empty", "broken", "mixed"):
        (tmp_path / folder).mkdir()
    (tmp_path / "broken" / "text.png").write_text("no image")
    (tmp_path / "mixed" / "a.tar").write_bytes(b"")
    Image.new("RGB", (20, 20)).save(tmp_path / "mixed" / "a.png")
    Image.new("RGB", (20, 20)).save(tmp_path / "file.png")
    with pytest.raises(DataError, match=message) as caught:
        open_source(str(tmp_path / root), min_px=16)
    assert root in str(caught.value)


def test_headers_are_read_once_and_again_when_a_file_changes(photo_folder, monkeypatch):
    looked_at: list[str] = []
    real = headers.header_of_file

    def spy(path):
        looked_at.append(path.name)
        return real(path)

    monkeypatch.setattr(headers, "header_of_file", spy)
    first = open_source(str(photo_folder), min_px=16)
    assert sorted(looked_at) == ["a.png", "b.png", "c.png", "d.png"]
    looked_at.clear()
    again = open_source(str(photo_folder), min_px=35)
    assert looked_at == []
    assert names(again) == ["a.png", "b.png", "more/d.png"]
    Image.new("RGB", (50, 20)).save(photo_folder / "b.png")
    Image.new("RGB", (60, 61)).save(photo_folder / "z.png")
    changed = open_source(str(photo_folder), min_px=16)
    assert sorted(looked_at) == ["b.png", "z.png"]
    assert changed.sizes_px.tolist() == [[40, 56], [20, 50], [33, 33], [36, 64], [61, 60]]
    assert first.sizes_px.tolist()[1] == [48, 36]


@pytest.mark.parametrize("damage", [b"", b"no index", None])
def test_a_damaged_or_unwritable_cache_costs_nothing_but_time(photo_folder, monkeypatch, tmp_path, damage):
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    if damage is None:
        cache.write_text("a file where the folder should be")
    else:
        path = cache_path("folder", photo_folder)
        path.parent.mkdir(parents=True)
        path.write_bytes(damage)
    for _ in range(2):
        assert len(open_source(str(photo_folder), min_px=16)) == 4


@pytest.mark.parametrize(("count", "expected"), [(2, 1), (3, 1), (9, 2), (32, 8), (40, 8), (400, 20), (5000, 200)])
def test_validation_is_a_share_within_its_bounds_and_disjoint(count, expected):
    source = FakeSource([f"{index:05d}.jpg" for index in range(count)])
    train, val = split(source, seed=0)
    assert len(val) == expected
    assert sorted([*train, *val]) == list(range(count))


def test_the_split_depends_on_names_and_seed_alone():
    everything = [f"{index:04d}.jpg" for index in range(300)]
    source = FakeSource(everything)
    val = {source.name(index) for index in split(source, seed=0)[1]}
    reverse = FakeSource(everything[::-1])
    assert {reverse.name(index) for index in split(reverse, seed=0)[1]} == val
    assert {source.name(index) for index in split(source, seed=1)[1]} != val
    # A few photos more move few.
    more = FakeSource([*everything, *(f"new{index}.jpg" for index in range(3))])
    assert len(val & {more.name(index) for index in split(more, seed=0)[1]}) >= 12


def test_a_single_photo_is_used_for_both_with_a_warning(caplog):
    train, val = split(FakeSource(["a.jpg"]), seed=0)
    assert train.tolist() == val.tolist() == [0]
    assert "single photo" in caplog.text


class FakeSource:
    kind = "folder"

    def __init__(self, names):
        self.names = names

    def __len__(self):
        return len(self.names)

    def name(self, index):
        return self.names[index]


def test_a_scan_counts_what_training_would_use(photo_folder):
    (photo_folder / "text.png").write_text("no image")
    report = scan(DataConfig(root=str(photo_folder)))
    assert (report.found, report.train, report.val, len(report.skipped)) == (5, 3, {"": 1}, 1)
    assert (report.kind, report.skipped[0].name) == ("folder", "text.png")
    used = sum(path.stat().st_size for path in photo_folder.rglob("*.png"))
    assert 0 < report.total_bytes < used
    assert 33 <= report.median_height_px <= 48
    assert any("1 of 5 files skipped" in line for line in report.lines())


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind the superuser")
def test_a_file_without_permission_is_skipped(photo_folder):
    (photo_folder / "a.png").chmod(0)
    source = open_source(str(photo_folder), min_px=16)
    assert [skip.name for skip in source.skipped] == ["a.png"]


def test_a_folder_that_cannot_be_listed_is_left_out_aloud(photo_folder, monkeypatch, caplog):
    real = os.scandir

    def refuse(place):
        if os.fspath(place) == str(photo_folder / "more"):
            raise PermissionError(13, "Permission denied", os.fspath(place))
        return real(place)

    monkeypatch.setattr(os, "scandir", refuse)
    source = open_source(str(photo_folder), min_px=16)
    report_skipped(str(photo_folder), source)
    assert list(source.names) == ["a.png", "b.png", "c.png"]
    assert "1 folder (Permission denied) (more)" in caplog.text
    monkeypatch.setattr(os, "scandir", lambda place: refuse(photo_folder / "more"))
    with pytest.raises(DataError, match=r"photos': Permission denied"):
        open_source(str(photo_folder), min_px=16)


def test_a_photo_without_a_sketch_says_what_it_looked_for(photo_folder):
    with pytest.raises(InputError, match=r"has no 'a_edge.png'"):
        open_source(str(photo_folder), min_px=16).read_companion(0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_list_is_read_in_every_encoding_that_windows_writes(photo_folder, encoding):
    (photo_folder / "ä.png").write_bytes((photo_folder / "b.png").read_bytes())
    (photo_folder / "list.txt").write_text("# photos\r\na.png\r\nä.png\r\n", encoding=encoding)
    assert list(open_source(str(photo_folder / "list.txt"), min_px=16).names) == ["a.png", "ä.png"]


def test_what_is_no_list_is_one_line(photo_folder):
    (photo_folder / "list.txt").write_bytes(b"\xff\xfea\xd8\xd8")
    with pytest.raises(DataError, match="write it in UTF-8, one path a line"):
        open_source(str(photo_folder / "list.txt"), min_px=16)
    with pytest.raises(DataError, match="File name too long"):
        open_source("x" * 300, min_px=16)


def test_what_lies_among_the_photos_is_counted_and_named(photo_folder, caplog):
    (photo_folder / "notes.md").touch()
    (photo_folder / "@eaDir").mkdir()
    (photo_folder / "again").symlink_to("again")
    source = open_source(str(photo_folder), min_px=16)
    report_skipped(str(photo_folder), source)
    assert len(source) == 4
    assert source.skipped == ()
    for said in ("1 .md (notes.md)", "1 of a system (@eaDir)", "symbolic links) (again)"):
        assert said in caplog.text


def test_a_photo_whose_name_leaves_no_room_for_a_sketch_s_has_none(photo_folder):
    longest = os.pathconf(photo_folder, "PC_NAME_MAX")
    (photo_folder / "a.png").rename(photo_folder / f"{'a' * (longest - 4)}.png")
    with pytest.raises(InputError, match="beside it"):
        open_source(str(photo_folder), min_px=16).read_companion(0)


def test_a_name_that_looks_like_a_comment_or_holds_a_break_of_unicode_is_a_name(photo_folder):
    for name in ("#1.png", "a\u2028b.png"):
        shutil.copyfile(photo_folder / "a.png", photo_folder / name)
    (photo_folder / "list.txt").write_text("#1.png\n#2.png\n# b.png\na\u2028b.png\n", encoding="utf-8")
    assert read_list(photo_folder / "list.txt") == ["#1.png", "a\u2028b.png"]
