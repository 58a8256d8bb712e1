import os
import socket
import stat
from pathlib import Path

import pytest

from inpaint.errors import InpaintError, WriteError
from inpaint.system.files import atomic_write, check_folder, check_target, irregular, open_file, remove_unfinished


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_new_content_appears_only_when_the_block_has_ended(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with atomic_write(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
        assert temporary.parent == tmp_path
    assert target.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_an_error_in_the_block_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail_halfway():
        with atomic_write(target) as temporary:
            temporary.write_text("half")
            raise error("stop")

    with pytest.raises(error):
        fail_halfway()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_full_disk_is_told_in_one_sentence_that_names_the_file(tmp_path):
    target = tmp_path / "a.txt"
    with pytest.raises(InpaintError, match=r"cannot write '.*a\.txt': No space left"), atomic_write(target):
        raise OSError(28, "No space left on device")
    assert names(tmp_path) == []


def torch_writes(path):
    import torch

    torch.save({"a": torch.zeros(1 << 20)}, path)


def safetensors_writes(path):
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1 << 20)}, path)


def numpy_writes(path):
    import numpy as np

    with path.open("wb") as file:
        np.save(file, np.zeros(1 << 20))


def pillow_writes(path):
    import numpy as np
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, format="PNG")


def tifffile_writes(path):
    import numpy as np
    import tifffile

    tifffile.imwrite(path, np.zeros((1000, 1000, 3), np.uint8))


WRITERS = [torch_writes, safetensors_writes, numpy_writes, pillow_writes, tifffile_writes]


@pytest.mark.parametrize("write", WRITERS)
def test_a_library_that_finds_no_room_is_one_sentence_and_the_old_file_intact(tmp_path, write):
    resource = pytest.importorskip("resource")
    target, before = tmp_path / "a", resource.getrlimit(resource.RLIMIT_FSIZE)
    target.write_text("old")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, before[1]))
    try:
        with (
            pytest.raises(WriteError, match=r"^cannot write '.*/a': File too large$"),
            atomic_write(target) as temporary,
        ):
            write(temporary)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
@pytest.mark.parametrize("write", [torch_writes, safetensors_writes])
def test_a_new_file_has_the_mode_of_the_user_whatever_the_library_does(tmp_path, write, umask):
    before = os.umask(umask)
    try:
        with atomic_write(tmp_path / "a") as temporary:
            write(temporary)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


def test_an_error_of_the_program_is_not_taken_for_a_full_disk(tmp_path):
    with pytest.raises(RuntimeError, match="a bug"), atomic_write(tmp_path / "a"):
        raise RuntimeError("a bug")
    assert names(tmp_path) == []


def test_a_missing_folder_and_a_folder_as_target_are_refused_by_name(tmp_path):
    with (
        pytest.raises(InpaintError, match=r"cannot write '.*missing/a\.txt'"),
        atomic_write(tmp_path / "missing/a.txt"),
    ):
        pass
    with pytest.raises(InpaintError, match="cannot write"), atomic_write(tmp_path):
        pass
    assert names(tmp_path) == []


def test_a_link_is_followed_and_stays_a_link(tmp_path):
    real = tmp_path / "real.txt"
    real.write_text("old")
    link = tmp_path / "link.txt"
    link.symlink_to(real)
    with atomic_write(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_permissions_are_those_of_an_ordinary_new_file(tmp_path):
    ordinary = tmp_path / "ordinary"
    ordinary.write_text("")
    with atomic_write(tmp_path / "ours") as temporary:
        temporary.write_text("")
    assert (tmp_path / "ours").stat().st_mode == ordinary.stat().st_mode


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    (tmp_path / ".last.ckpt.0a1b2c3d.tmp").touch()
    kept = {".hidden", "notes.tmp", "last.ckpt"}
    for name in kept:
        (tmp_path / name).touch()
    remove_unfinished(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path):
    check_folder(tmp_path / "not/there/yet")
    check_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(InpaintError, match=r"cannot write into .*file is not a folder"):
        check_folder(tmp_path / "file/out")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(InpaintError, match=r"link is not a folder"):
        check_folder(tmp_path / "link/out")
    longest = os.pathconf(tmp_path, "PC_NAME_MAX")
    with pytest.raises(InpaintError, match=rf"its name has {longest + 1} bytes"):
        check_folder(tmp_path / ("a" * (longest + 1)) / "out")


def test_a_folder_as_target_a_pipe_and_a_name_too_long_are_refused_before_the_work(tmp_path):
    check_target(tmp_path / "not/there/yet.png")
    os.mkfifo(tmp_path / "pipe.png")
    longest = os.pathconf(tmp_path, "PC_NAME_MAX")
    check_target(tmp_path / ("a" * longest))
    for path, text in {
        tmp_path: "Is a directory",
        tmp_path / "pipe.png": "it is a named pipe, not a file",
        tmp_path / ("é" * longest): rf"its name has {2 * longest} bytes, more than the {longest} that the file system",
        tmp_path / "pipe.png" / "below": "is not a folder",
    }.items():
        with pytest.raises(InpaintError, match=text):
            check_target(path)
    assert names(tmp_path) == ["pipe.png"]


@pytest.mark.parametrize("letter", ["a", "é", "写", "\udcff"])
def test_a_name_as_long_as_the_file_system_takes_is_written(tmp_path, letter):
    longest, size = os.pathconf(tmp_path, "PC_NAME_MAX"), len(os.fsencode(letter))
    target = tmp_path / (letter * (longest // size))
    with atomic_write(target) as temporary:
        temporary.write_text("new")
        assert len(os.fsencode(temporary.name)) < 100
    assert target.read_text() == "new"
    assert len(names(tmp_path)) == 1


def special(folder: Path, kind: str) -> Path:
    """Make what is no file, and return where."""
    path = folder / f"{kind}.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    else:
        path.symlink_to("/dev/zero")
    return path


@pytest.mark.parametrize(("kind", "text"), [("pipe", "a named pipe"), ("socket", "a socket"), ("device", "a device")])
def test_what_is_no_file_is_refused_at_once_and_never_waited_for(tmp_path, kind, text):
    path = special(tmp_path, kind)
    assert irregular(path) == text
    with pytest.raises(OSError) as caught:
        open_file(path)
    assert caught.value.strerror == f"it is {text}, not a file"


def test_files_folders_and_nothing_are_regular_to_ask_for(tmp_path):
    (tmp_path / "file").write_text("content")
    assert [irregular(tmp_path / name) for name in ("file", ".", "none")] == [None] * 3
    with open_file(tmp_path / "file") as file:
        assert file.read() == b"content"


def test_a_pipe_that_was_opened_for_us_is_read_again_and_again():
    reading, writing = os.pipe()
    os.write(writing, b"photo")
    os.close(writing)
    try:
        for _ in range(2):
            with open_file(f"/dev/fd/{reading}") as file:
                assert file.read() == b"photo"
    finally:
        os.close(reading)


def test_a_device_is_written_and_stays_a_device():
    with atomic_write("/dev/null") as temporary:
        temporary.write_text("nothing")
    assert irregular("/dev/null") == "a device"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_device_is_one_sentence():
    with (
        pytest.raises(InpaintError, match=r"^cannot write '/dev/full': No space left on device$"),
        atomic_write("/dev/full") as temporary,
    ):
        temporary.write_text("x")


def test_a_pipe_that_was_opened_for_us_gets_the_whole_content_and_a_reader_may_go_away():
    reading, writing = os.pipe()
    with atomic_write(f"/dev/fd/{writing}") as temporary:
        temporary.write_text("whole")
    assert os.read(reading, 100) == b"whole"
    os.close(reading)
    with atomic_write(f"/dev/fd/{writing}") as temporary:
        temporary.write_text("unread")
    os.close(writing)
