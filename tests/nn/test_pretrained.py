import re
import urllib.error
from pathlib import Path

import pytest
import torch

from inpaint.errors import WeightsError
from inpaint.nn.pretrained import Pretrained, torchvision_weights

PUBLIC = Pretrained("https://example.org/models/net-0123abcd.pth", 7)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """An empty folder of torch hub's, and the calls for files, which fail unless a test says otherwise."""
    calls = []

    def fail(url, place, **options):
        calls.append((url, place, options))
        raise urllib.error.URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    return tmp_path / "hub" / "checkpoints", calls


def test_a_file_in_the_hubs_folder_is_used_without_a_network(hub):
    folder, calls = hub
    folder.mkdir(parents=True)
    torch.save({"weight": torch.ones(2)}, folder / "net-0123abcd.pth")
    assert PUBLIC.state(purpose="tests")["weight"].tolist() == [1, 1]
    assert calls == []


def test_a_file_that_is_not_there_is_fetched_with_its_hash(hub, monkeypatch, caplog):
    folder, _ = hub

    def download(url, place, *, hash_prefix, progress):
        assert (url, hash_prefix, progress) == (PUBLIC.url, "0123abcd", False)
        torch.save({"weight": torch.zeros(1)}, place)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    assert PUBLIC.fetched(purpose="tests") == folder / "net-0123abcd.pth"
    assert PUBLIC.state(purpose="tests")["weight"].tolist() == [0]
    assert "about 7 MB" in caplog.text


@pytest.mark.parametrize(
    "error", [urllib.error.URLError("no route to host"), RuntimeError("invalid hash value"), PermissionError("no")]
)
def test_weights_out_of_reach_name_user_file_address_and_place_in_one_line(hub, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    text = f"net-0123abcd.pth, needed for the measure, cannot be fetched ({error}): put the file from "
    with pytest.raises(WeightsError, match=re.escape(f"{text}{PUBLIC.url} at {hub[0] / 'net-0123abcd.pth'}, or not")):
        PUBLIC.fetched(purpose="the measure", otherwise=", or not")


def test_what_failed_is_not_tried_again_but_a_file_that_was_put_there_is_found(hub):
    folder, calls = hub
    for _ in range(2):
        with pytest.raises(WeightsError, match="needed for the losses"):
            PUBLIC.fetched(purpose="the losses")
    assert len(calls) == 1
    (folder / "net-0123abcd.pth").write_bytes(b"")
    assert PUBLIC.fetched(purpose="the losses").name == "net-0123abcd.pth"


@pytest.mark.parametrize("name", ["vgg16", "vgg19", "alexnet", "squeezenet1_1"])
def test_addresses_are_torchvisions(name, hub):
    from torchvision.models import get_model_weights

    weights = torchvision_weights(name)
    assert weights.url == get_model_weights(name)["IMAGENET1K_V1"].url
    assert weights.file == hub[0] / Path(weights.url).name
