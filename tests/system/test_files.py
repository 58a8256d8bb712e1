from pathlib import Path

import pytest

from inpaint.errors import InpaintError
from inpaint.system.files import atomic_write, check_folder, remove_unfinished


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
