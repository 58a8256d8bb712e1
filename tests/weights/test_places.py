"""From a place to a weights file."""

import sys

import pytest

from inpaint.errors import MissingDependencyError, UsageError, WeightsError
from inpaint.weights.places import to_fetch, weights_at


def test_a_file_is_itself_and_a_run_folder_its_weights(tmp_path):
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"")
    assert weights_at(weights) == weights
    assert weights_at(tmp_path) == weights


@pytest.mark.parametrize("place", ["", "nowhere", "telea"])
def test_what_is_not_there_is_none(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert weights_at(place) is None


def test_a_folder_without_weights_says_what_it_lacks(tmp_path):
    with pytest.raises(WeightsError, match=r"no model.safetensors in .*: not the folder of a run or of an import"):
        weights_at(tmp_path)
    (tmp_path / "best.ckpt").touch()
    with pytest.raises(WeightsError, match=r"no model.safetensors in .*; it holds best.ckpt: .*best.ckpt"):
        weights_at(tmp_path)


def test_a_run_that_was_killed_between_two_files_has_its_weights_in_the_checkpoint(tmp_path):
    for name in ("last.ckpt", "best.ckpt"):
        (tmp_path / name).touch()
    assert weights_at(tmp_path) == tmp_path / "last.ckpt"
    assert weights_at(tmp_path, "best") == tmp_path / "best.ckpt"
    for name in ("model.safetensors", "best.safetensors"):
        (tmp_path / name).touch()
    assert weights_at(tmp_path) == tmp_path / "model.safetensors"
    assert weights_at(tmp_path, "best") == tmp_path / "best.safetensors"


def test_the_best_of_a_run_without_validation_is_refused(tmp_path):
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(WeightsError, match=r"holds no best\.safetensors: no validation has chosen any"):
        weights_at(tmp_path, "best")


def test_a_repository_is_written_with_its_owner():
    pytest.importorskip("huggingface_hub")
    with pytest.raises(UsageError, match="a repository is written hf://owner/name, got hf://alone"):
        weights_at("hf://alone")


def test_a_repository_is_fetched_by_its_name(monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    asked = []

    def download(repository, name):
        asked.append((repository, name))
        return str(tmp_path / name)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    assert weights_at("hf://owner/name") == tmp_path / "model.safetensors"
    assert asked == [("owner/name", "model.safetensors")]


def test_a_repository_that_cannot_be_reached_is_one_line(monkeypatch):
    hub = pytest.importorskip("huggingface_hub")

    def download(repository, name):
        raise OSError("no route to host.\nmore text")

    monkeypatch.setattr(hub, "hf_hub_download", download)
    with pytest.raises(WeightsError, match=r"cannot fetch model.safetensors of hf://owner/name: no route to host; if"):
        weights_at("hf://owner/name")


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'pytorch-inpaint\[hub\]'"):
        weights_at("hf://owner/name")


def test_what_would_be_fetched_is_told_without_fetching(monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    cached = dict[str, str]()
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda repository, name: cached.get(repository))
    assert to_fetch("hf://owner/name") == "hf://owner/name/model.safetensors"
    cached["owner/name"] = str(tmp_path / "model.safetensors")
    assert to_fetch("hf://owner/name") is None
    assert to_fetch(tmp_path) is None
    with pytest.raises(UsageError, match="a repository is written hf://owner/name, got hf://alone"):
        to_fetch("hf://alone")
