"""What belongs to a user: files by addresses that nobody guesses, and its end."""

from __future__ import annotations

import numpy as np
import pytest

from inpaint.app.workspaces import Workspaces
from inpaint.errors import InpaintError


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def spaces(tmp_path, clock):
    return Workspaces(tmp_path / "users", expiry_s=60, most=3, clock=clock)


def test_every_user_has_a_workspace_of_their_own(spaces):
    assert spaces.of("one") is spaces.of("one")
    assert spaces.of("one").token != spaces.of("two").token
    assert spaces.of("one").folder != spaces.of("two").folder


def test_what_is_not_used_is_deleted_with_its_files_and_its_work_stopped(spaces, clock):
    old = spaces.of("one")
    old.new_file("photo.png").write_bytes(b"1")
    clock.now = 59.9
    spaces.of("two")
    assert old.folder.is_dir()
    clock.now = 60.1
    spaces.prune()
    assert not old.folder.exists()
    assert old.stopping.is_set()
    assert len(spaces) == 1
    assert spaces.of("one") is not old


def test_use_puts_the_end_off(spaces, clock):
    space = spaces.of("one")
    for clock.now in (50, 100, 150):
        assert spaces.of("one") is space


def test_those_used_longest_ago_go_where_there_are_too_many(spaces, clock):
    made = {}
    for clock.now, user in enumerate(("a", "b", "c", "a", "d")):
        made[user] = spaces.of(user)
    assert [made[user].folder.is_dir() for user in "abcd"] == [True, False, True, True]


def test_a_user_who_leaves_takes_everything_along(spaces):
    space = spaces.of("one")
    spaces.leave("one")
    spaces.leave("nobody")
    assert not space.folder.exists()
    assert len(spaces) == 0


def test_a_file_is_had_by_its_address_as_long_as_its_workspace_lives(spaces):
    space = spaces.of("one")
    file = space.new_file("a photo.png")
    file.write_bytes(b"1")
    assert space.address(file) == f"/files/{space.token}/{file.parent.name}/a%20photo.png"
    address = (space.token, file.parent.name, file.name)
    assert spaces.file(*address) == file
    spaces.leave("one")
    file.parent.mkdir(parents=True)
    file.write_bytes(b"1")
    assert spaces.file(*address) is None


def test_no_other_file_has_an_address(spaces, tmp_path):
    space = spaces.of("one")
    (tmp_path / "secret.txt").write_text("secret")
    (space.folder / "inner").mkdir()
    for address in (
        (space.token, "..", "secret.txt"),
        ("..", "..", "secret.txt"),
        (space.token, "inner", "../../../secret.txt"),
        (space.token, "inner/../..", "secret.txt"),
        (space.token, "", ""),
        (space.token, "inner", "."),
        ("", "", "secret.txt"),
        ("other", "inner", "secret.txt"),
    ):
        assert spaces.file(*address) is None, address


def test_masks_are_kept_bit_for_bit(spaces):
    space, hole = spaces.of("one"), np.zeros((5, 7), bool)
    hole[1:3, 2:6] = True
    name = space.keep_mask(hole)
    assert np.array_equal(space.kept_masks()[name], hole)


def test_a_workspace_without_a_photo_or_result_says_so(spaces):
    with pytest.raises(InpaintError, match="no photo is open"):
        spaces.of("one").opened_photo()
    with pytest.raises(InpaintError, match="no longer there"):
        spaces.of("one").result("x")
