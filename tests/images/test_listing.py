"""What a folder holds: photos, files that belong to them, and what is left out, counted and named."""

import os
import socket

import pytest

from inpaint.errors import InputError
from inpaint.images.listing import Companions, find_photos, stem_of


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_photos_are_listed_by_suffix_sorted_and_without_hidden_ones(tmp_path):
    touch(tmp_path, "b.PNG", "a.jpeg", ".c.png", "sub/c.tif", "sub/deep/d.webp", ".hidden/e.png")
    (tmp_path / "sub" / "up").symlink_to(tmp_path, target_is_directory=True)
    listing = find_photos(tmp_path)
    assert listing.names == ["a.jpeg", "b.PNG", "sub/c.tif", "sub/deep/d.webp"]
    assert listing.paths()[2] == tmp_path / "sub/c.tif"
    assert listing.left_out_line() == ""


def test_other_files_are_counted_and_named_by_kind(tmp_path, caplog):
    touch(tmp_path, "a.png", "1.xyz", "2.XYZ", "3.xyz", "sub/4.xyz", "notes.txt", "README")
    find_photos(tmp_path).warn()
    (line,) = caplog.messages
    assert "4 .xyz (1.xyz, 2.XYZ, 3.xyz, ...), 1 .txt (notes.txt), 1 without suffix (README)" in line
    touch(tmp_path, *(f"x.{number}" for number in range(10)))
    assert "of other kinds" in find_photos(tmp_path).left_out_line()


def test_what_a_system_keeps_or_refuses_is_left_out_with_the_reason(tmp_path):
    touch(tmp_path, "a.png", "@eaDir/a.png/SYNOPHOTO_THUMB_XL.jpg", "lost+found/b.png", "folder.jpg/c.png")
    (tmp_path / "again").symlink_to("again")
    (tmp_path / "again.png").symlink_to("again.png")
    (tmp_path / "nowhere.jpg").symlink_to(tmp_path / "gone.jpg")
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(tmp_path / "s.png"))
        listing = find_photos(tmp_path)
    assert listing.names == ["a.png", "folder.jpg/c.png"]
    line = listing.left_out_line()
    assert "2 of a system (@eaDir, lost+found)" in line
    assert "2 link (Too many levels of symbolic links) (again, again.png)" in line
    assert "1 link (no such file) (nowhere.jpg)" in line
    assert "1 named pipe (pipe.png)" in line
    assert "1 socket (s.png)" in line


def test_a_folder_that_is_none_says_why(tmp_path):
    with pytest.raises(InputError, match="missing': no such file"):
        find_photos(tmp_path / "missing")
    with pytest.raises(InputError, match="File name too long"):
        find_photos("x" * 300)
    touch(tmp_path, "a.png")
    with pytest.raises(InputError, match=r"a\.png': not a folder"):
        find_photos(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("name", "stem"), [("a.png", "a"), ("a.b/c", "a.b/c"), ("a/b.c.JPG", "a/b.c"), ("a/.b", "a/.b"), ("a", "a")]
)
def test_a_stem_is_the_path_without_the_last_suffix(name, stem):
    assert stem_of(name) == stem


def test_companions_have_the_photo_s_name_or_one_of_lama_s(tmp_path):
    touch(tmp_path, "x/a.png", "b_mask.png", "c_mask001.png", "c_mask002.png", "d.png", "d.bmp")
    found = Companions(tmp_path, "mask")
    names = {
        name: [path.relative_to(tmp_path).as_posix() for path in found.of(name)]
        for name in ("x/a.jpg", "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    }
    assert names == {
        "x/a.jpg": ["x/a.png"],
        "a.jpg": [],
        "b.jpg": ["b_mask.png"],
        "c.jpg": ["c_mask001.png", "c_mask002.png"],
        "d.jpg": ["d.png"],
    }
    assert found.unused(["b.jpg", "c.jpg", "x/a.jpg"]) == ["d.bmp", "d.png"]


def test_beside_the_photos_a_png_is_the_mask_of_a_jpeg_unless_there_is_one_of_lama_s(tmp_path):
    touch(tmp_path, "a.jpg", "a.png", "b.jpg", "b.png", "b_mask.png", "c.png", "d.tif", "d.jpg")
    found = Companions(tmp_path, "mask", beside=True)
    assert [name for name in found.listing.names if found.is_one(name)] == ["a.png", "b_mask.png", "d.tif"]
    assert [path.name for name in ("a.jpg", "b.jpg", "b.png", "c.png", "d.jpg") for path in found.of(name)] == [
        "a.png",
        "b_mask.png",
        "b_mask.png",
        "d.tif",
    ]
