"""Other programs' checkpoints: what they hold beside plain tensors is read, or refused in one line with a way out."""

import argparse
import collections
import pathlib
import pickle
import re
import warnings

import numpy as np
import pytest
import torch

from inpaint.errors import WeightsError
from inpaint.weights.files import read_metadata
from inpaint.weights.foreign import load_foreign, state_dicts
from inpaint.weights.formats import find, iteration_of

NAMES = frozenset({"a.weight", "a.bias", "b.module.weight", "b.module.bias"})


def network(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(3, generator=generator) for name in sorted(NAMES)}


def found(content, tmp_path):
    path = tmp_path / "states.pth"
    torch.save(content, path)
    content = load_foreign(path)
    return find(list(state_dicts(content)), NAMES, path=path, content=content)


def prefixed(prefix, state=None):
    return {prefix + name: value for name, value in (state or network()).items()}


@pytest.mark.parametrize(
    "prefix",
    ["", "module.", "module.module.", "_orig_mod.", "_orig_mod.module.", "netG._orig_mod.", "model.generator."],
)
@pytest.mark.parametrize("place", [None, "state_dict"])
def test_a_network_is_found_behind_every_wrapper(tmp_path, prefix, place):
    state = prefixed(prefix)
    (one,) = found({place: state} if place else state, tmp_path)
    assert one.entries.keys() == NAMES
    assert all(torch.equal(one.entries[name], value) for name, value in network().items())


def test_wrappers_within_a_name_are_left_out(tmp_path):
    state = {name.replace("module", "_fsdp_wrapped_module.module._orig_mod"): v for name, v in network().items()}
    (one,) = found(state, tmp_path)
    assert one.entries.keys() == NAMES


def test_a_network_and_its_average_are_two_and_copies_one(tmp_path):
    pair = {"model": network(0), "model_ema": network(1), "again": network(0)}
    assert [one.place for one in found(pair, tmp_path)] == ["model", "model_ema"]
    together = prefixed("generator.") | prefixed("generator_ema.", network(1)) | {"step": torch.zeros(1)}
    one, other = found(together, tmp_path)
    assert (one.place, other.place) == ("generator", "generator_ema")
    assert one.rest.keys() == other.rest.keys() == {"step"}


def test_what_holds_itself_or_lies_deep_is_walked_through_once(tmp_path):
    content = {"model": network()}
    content["self"] = content
    content["list"] = [content, (content,)]
    assert [one.place for one in found(content, tmp_path)] == ["model"]
    deep = {"model": network()}
    for _ in range(3000):
        deep = {"x": deep}
    assert len(find(list(state_dicts(deep)), NAMES, path=tmp_path, content=deep)) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.to_sparse(),
        lambda value: value.numpy(),
        torch.nn.Parameter,
        lambda value: value.double(),
        lambda value: value[None].to_sparse_csr(),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_tensors_of_every_kind_are_read(tmp_path, change):
    (one,) = found({name: change(value) for name, value in network().items()}, tmp_path)
    for name, value in network().items():
        assert torch.equal(one.entries[name].flatten().float(), value)
        assert not one.entries[name].requires_grad


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "beside",
    [
        np.float64(0.25),
        np.int64(7),
        np.arange(3),
        np.array(["a", "b"]),
        argparse.Namespace(lr=0.1, layers=[1, 2]),
        pathlib.Path("/data/photos"),
        collections.defaultdict(list, {"loss": [np.float32(1)]}),
        {1, 2},
        slice(1, 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_stands_beside_the_weights_is_no_obstacle(tmp_path, beside, legacy):
    path = tmp_path / "states.pth"
    torch.save({"model": network(), "beside": beside}, path, _use_new_zipfile_serialization=not legacy)
    content = load_foreign(path)
    assert len(find(list(state_dicts(content)), NAMES, path=path, content=content)) == 1


def test_iterations_are_whole_numbers_of_every_library():
    assert [iteration_of(value) for value in (5, np.int64(5), np.uint8(5))] == [5, 5, 5]
    assert [iteration_of(value) for value in (True, -1, 2.0, np.float64(2), "5", None)] == [None] * 6


def test_a_whole_network_is_named_and_refused(tmp_path):
    torch.save({"model": torch.nn.Linear(2, 2)}, tmp_path / "net.pth")
    with pytest.raises(WeightsError, match=r"\(torch.nn.modules.linear.Linear\); .*state_dict\(\) alone"):
        load_foreign(tmp_path / "net.pth")


def test_a_torchscript_archive_is_read_like_a_checkpoint(tmp_path):
    network = torch.nn.Linear(2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the format is old, which is why there are files of it
        torch.jit.trace(network, torch.zeros(1, 2)).save(str(tmp_path / "net.pt"))
    found = load_foreign(tmp_path / "net.pt")
    assert found.keys() == {"weight", "bias"}
    assert torch.equal(found["weight"], network.weight)


def test_a_torchscript_archive_without_named_tensors_is_refused(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(torch.nn.Linear(2, 2).eval(), torch.zeros(1, 2))
        torch.jit.freeze(traced).save(str(tmp_path / "net.pt"))
    with pytest.raises(WeightsError, match="a frozen program keeps them without names"):
        load_foreign(tmp_path / "net.pt")


@pytest.mark.parametrize("legacy", [False, True])
def test_damage_anywhere_is_one_line(tmp_path, legacy):
    path = tmp_path / "states.pth"
    torch.save({"model": network(), "it": 3}, path, _use_new_zipfile_serialization=not legacy)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    numbers = [match.start() for match in re.finditer(rb"\d{6,}", whole)]
    places = [*numbers, *rng.integers(0, len(whole), 150).tolist()]
    messages = []
    for place in places:
        content = bytearray(whole)
        content[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)
        try:
            list(state_dicts(load_foreign(path)))
        except WeightsError as error:
            messages.append(str(error))
    assert messages
    assert all(str(path) in message and "\n" not in message for message in messages)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "it is empty"),
        (b"\n<!DOCTYPE html><html><title>Quota exceeded</title></html>", "it is a web page, .* fetch the file itself"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "`git lfs pull` fetches"),
        (b"\x1f\x8bgzip", "is damaged or no"),
        (pickle.dumps({"a": 3}, protocol=5), "is damaged or no"),
    ],
)
def test_a_file_that_is_something_else_says_what_and_never_to_run_it(tmp_path, content, text):
    path = tmp_path / "net.pth"
    path.write_bytes(content)
    for read in (load_foreign, read_metadata):
        with pytest.raises(WeightsError, match=text) as refused:
            read(path)
        assert str(path) in str(refused.value)
        assert "weights_only" not in str(refused.value)
        assert "\n" not in str(refused.value)
