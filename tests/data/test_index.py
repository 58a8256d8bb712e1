"""Names packed into two arrays, and indexes that are kept between runs."""

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inpaint.data.index import Names, cache_path, load_index, save_index


@given(st.lists(st.text()))
def test_names_survive_packing(names):
    packed = Names.of(names)
    assert [packed[index] for index in range(len(packed))] == names


def test_a_name_outside_the_list_is_an_index_error():
    with pytest.raises(IndexError, match="name 2 of 2"):
        Names.of(["a", "b"])[2]


def test_taken_names_come_in_the_order_asked_for():
    assert list(Names.of("abcd").take(np.array([3, 0]))) == ["d", "a"]


def test_an_index_comes_back_as_it_was_kept(tmp_path):
    path = tmp_path / "below" / "index.npz"
    assert load_index(path, version=2) is None
    assert save_index(path, {"sizes": np.arange(6).reshape(3, 2)}, version=2)
    assert load_index(path, version=2)["sizes"].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert load_index(path, version=3) is None


def test_a_damaged_index_is_none(tmp_path):
    path = tmp_path / "index.npz"
    save_index(path, {"sizes": np.arange(100)}, version=1)
    path.write_bytes(path.read_bytes()[:50])
    assert load_index(path, version=1) is None


def test_a_place_that_cannot_be_written_is_only_told(tmp_path, caplog):
    (tmp_path / "file").touch()
    with caplog.at_level(logging.INFO, "inpaint.data"):
        assert not save_index(tmp_path / "file" / "index.npz", {}, version=1)
    assert "cannot be kept" in caplog.text


def test_every_place_has_an_index_of_its_own_in_the_cache_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    one, other = cache_path("folder", tmp_path / "a"), cache_path("folder", tmp_path / "b")
    assert one.parent == tmp_path / "inpaint"
    assert one != other
    assert cache_path("folder", tmp_path.relative_to(tmp_path) / "a") == one


def test_a_user_without_a_home_directory_has_no_cache(tmp_path, monkeypatch):
    def refuse():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", refuse)
    assert cache_path("folder", tmp_path) is None
    assert load_index(None, version=1) is None
    assert not save_index(None, {}, version=1)
