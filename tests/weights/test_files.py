import json
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import inpaint
from inpaint.errors import InpaintError, WeightsError
from inpaint.weights.files import (
    WeightsMetadata,
    load_into,
    load_weights,
    read_metadata,
    save_weights,
)
from inpaint.weights.foreign import load_foreign

METADATA = WeightsMetadata(
    model="deepfill",
    config={"width": 8, "attention": {"fuse": False}, "decoder_widths": None},
    roles=("generator", "discriminator"),
    iteration=70,
    license="CC BY-NC 4.0",
    source="states.pth",
    source_sha256="ab" * 32,
)


@pytest.fixture
def tensors():
    generator = torch.Generator().manual_seed(0)
    return {
        "generator.a.weight": torch.rand(3, 2, 5, generator=generator),
        "generator.a.bias": torch.rand(3, generator=generator, dtype=torch.float64),
        "discriminator.u": torch.rand(4, generator=generator).bfloat16(),
        "generator.count": torch.tensor(7),
    }


def test_tensors_and_metadata_come_back_as_they_were(tmp_path, tensors):
    path = tmp_path / "model.safetensors"
    save_weights(path, tensors, METADATA)
    loaded, metadata = load_weights(path)
    assert metadata == METADATA == read_metadata(str(path))
    assert metadata.version == inpaint.__version__
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.safetensors"]


def test_metadata_without_optional_entries_comes_back(tmp_path, tensors):
    metadata = WeightsMetadata(model="deepfill", config={}, roles=("generator",))
    save_weights(tmp_path / "w.safetensors", tensors, metadata)
    assert read_metadata(tmp_path / "w.safetensors") == metadata
    assert metadata.iteration is metadata.license is None


def test_views_shared_memory_gradients_and_other_layouts_are_written(tmp_path):
    base = torch.arange(120.0).view(2, 3, 4, 5).requires_grad_()
    tensors = {"g.a": base, "g.b": base, "g.c": base[:, 1:, ::2], "g.d": base.to(memory_format=torch.channels_last)}
    save_weights(tmp_path / "w.safetensors", tensors, METADATA)
    loaded, _ = load_weights(tmp_path / "w.safetensors")
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())


def test_other_programs_can_read_the_file(tmp_path, tensors):
    save_weights(tmp_path / "w.safetensors", tensors, METADATA)
    content = (tmp_path / "w.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header["__metadata__"]["format"] == "pt"
    assert json.loads(header["__metadata__"]["inpaint"])["model"] == "deepfill"
    start, end = header["generator.a.weight"]["data_offsets"]
    data = content[8 + int.from_bytes(content[:8], "little") :][start:end]
    assert np.array_equal(np.frombuffer(data, "<f4"), tensors["generator.a.weight"].numpy().ravel())


def test_a_header_whose_length_looks_like_a_pickle_is_read_all_the_same(tmp_path, tensors):
    path = tmp_path / "model.safetensors"
    for more in range(0, 300, 8):  # headers are a multiple of 8 long, and the low byte of the length comes first
        save_weights(path, tensors, replace(METADATA, source="x" * more))
        if path.read_bytes()[0] == 0x80:
            break
    assert path.read_bytes()[0] == 0x80
    assert load_weights(path)[0].keys() == tensors.keys()


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_the_file_has_the_mode_that_the_user_s_files_get(tmp_path, tensors, mask):
    before = os.umask(mask)
    try:
        save_weights(tmp_path / "w.safetensors", tensors, METADATA)
        (tmp_path / "plain").touch()
    finally:
        os.umask(before)
    assert (tmp_path / "w.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_equal_tensors_give_equal_bytes(tmp_path, tensors):
    odd = replace(METADATA, source='Ümläut "quoted" \\ \u2028 \x07', license="é")
    contents = set()
    for number in range(8):
        order = dict(reversed(tensors.items())) if number % 2 else tensors
        save_weights(tmp_path / "w.safetensors", {n: t.clone() for n, t in order.items()}, odd)
        contents.add((tmp_path / "w.safetensors").read_bytes())
    assert len(contents) == 1
    assert load_weights(tmp_path / "w.safetensors")[1] == odd


def test_the_room_shows_what_files_of_ours_are_handled_with():
    from inpaint import weights

    assert weights.save_weights is save_weights
    with pytest.raises(AttributeError, match="no attribute 'load_foreign'"):
        weights.load_foreign  # noqa: B018


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path, tensors):
    with pytest.raises(InpaintError, match="cannot write"):
        save_weights(tmp_path / "no" / "model.safetensors", tensors, METADATA)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_keeps_the_file_before_it(tmp_path, tensors, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_weights(path, tensors, METADATA)
    before = path.read_bytes()

    def interrupted(tensors, temporary, metadata):
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("safetensors.torch.save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_weights(path, {}, METADATA)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("read", [read_metadata, load_weights])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no weights at"),
        (b"", "damaged or not in the safetensors format"),
        (b"these are not weights", "damaged or not in the safetensors format"),
        (b"\x00" * 100, "damaged or not in the safetensors format"),
        (pickle.dumps({"a": 1}), "is a PyTorch pickle, not safetensors"),
        (b"PK\x03\x04 and so on", "is a PyTorch pickle, not safetensors"),
    ],
)
def test_files_that_are_no_safetensors_are_refused(tmp_path, read, content, message):
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("read", [read_metadata, load_weights])
@pytest.mark.parametrize("keep", [4, 100, 0.5, -1])
def test_a_truncated_file_is_refused(tmp_path, tensors, read, keep):
    path = tmp_path / "model.safetensors"
    save_weights(path, tensors, METADATA)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep == 0.5 else keep])
    with pytest.raises(WeightsError, match="damaged or not in the safetensors format"):
        read(path)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="is a folder, not a file"):
        load_weights(tmp_path)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "was not written by inpaint"),
        ({"format": "pt"}, "was not written by inpaint"),
        ({"inpaint": "{"}, "damaged metadata"),
        ({"inpaint": "[]"}, "damaged metadata"),
        ({"inpaint": "{}"}, "damaged metadata"),
        ({"inpaint": '{"model": "deepfill", "config": 3, "roles": []}'}, "damaged metadata"),
        ({"inpaint": '{"model": 3, "config": {}, "roles": []}'}, "damaged metadata"),
        ({"inpaint": '{"model": "deepfill", "config": {}, "roles": null}'}, "damaged metadata"),
        ({"inpaint": '{"model": "deepfill", "config": {}, "roles": [3]}'}, "damaged metadata"),
    ],
)
def test_files_without_sound_metadata_are_refused(tmp_path, tensors, metadata, message):
    save_file(tensors, tmp_path / "w.safetensors", metadata=metadata)
    with pytest.raises(WeightsError, match=message):
        load_weights(tmp_path / "w.safetensors")


def test_entries_that_a_later_version_added_are_ignored(tmp_path, tensors):
    entry = json.dumps({"model": "deepfill", "config": {}, "roles": ["generator"], "later": 1})
    save_file(tensors, tmp_path / "w.safetensors", metadata={"inpaint": entry})
    assert read_metadata(tmp_path / "w.safetensors").roles == ("generator",)


def layer(seed=0, width=3):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(2, width), torch.nn.Linear(width, 1))


def test_weights_are_copied_into_a_network():
    target = layer(1)
    load_into(target, layer(0).state_dict(), source="x")
    assert all(torch.equal(a, b) for a, b in zip(target.parameters(), layer(0).parameters(), strict=True))


def test_weights_of_another_architecture_are_listed_and_change_nothing():
    target, before = layer(0), layer(0).state_dict()
    state = {name: tensor + 1 for name, tensor in layer(1, width=4).state_dict().items()}
    del state["1.bias"]
    state["2.bias"] = torch.zeros(1)
    with pytest.raises(WeightsError) as error:
        load_into(target, state, source="run/model.safetensors")
    assert str(error.value) == (
        "weights of run/model.safetensors do not fit this architecture: 1 missing (1.bias); 1 extra (2.bias); "
        "3 misshapen (0.weight (4, 2) instead of (3, 2), 0.bias (4,) instead of (3,), "
        "1.weight (1, 4) instead of (1, 3))"
    )
    assert all(torch.equal(before[name], tensor) for name, tensor in target.state_dict().items())


def test_a_long_list_of_mismatches_is_cut():
    with pytest.raises(WeightsError, match=r"6 extra \(k0, k1, k2, k3, and 2 more\)"):
        load_into(layer(), {**layer().state_dict(), **{f"k{i}": torch.zeros(1) for i in range(6)}}, source="x")


class Evil:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


@pytest.mark.parametrize("write", ["zip", "pickle", "nested"])
def test_a_checkpoint_that_runs_code_is_not_opened(tmp_path, write):
    path, trace = tmp_path / "evil.pth", tmp_path / "trace"
    if write == "pickle":
        path.write_bytes(pickle.dumps(Evil(trace)))
    else:
        torch.save({"state_dict": {"w": torch.zeros(2), "x": Evil(trace)}} if write == "nested" else Evil(trace), path)
    with pytest.raises(WeightsError, match="holds code, not only weights, and is not opened") as error:
        load_foreign(path)
    assert "\n" not in str(error.value)
    assert not trace.exists()
    pickle.loads(pickle.dumps(Evil(trace)))  # the trap works
    assert trace.exists()


def test_foreign_tensors_in_plain_containers_are_read(tmp_path):
    state = {
        "G": OrderedDict(a=torch.arange(3), b={"c": torch.ones(2).half()}),
        "n_iter": 5,
        "meta": {"x": "y", "z": None},
    }
    torch.save(state, tmp_path / "states.pth")
    loaded = load_foreign(tmp_path / "states.pth")
    assert torch.equal(loaded["G"]["a"], state["G"]["a"])
    assert torch.equal(loaded["G"]["b"]["c"], state["G"]["b"]["c"])
    assert (loaded["n_iter"], loaded["meta"]) == (5, {"x": "y", "z": None})


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("keep", [0, 10, 330, 0.5, 0.95])
def test_a_damaged_foreign_file_is_refused(tmp_path, legacy, keep):
    path = tmp_path / "states.pth"
    torch.save({"a": torch.rand(1000)}, path, _use_new_zipfile_serialization=not legacy)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(WeightsError, match="damaged or no PyTorch checkpoint") as error:
        load_foreign(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"hello, this is text\n", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_a_foreign_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "states.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged or no PyTorch checkpoint"):
        load_foreign(path)


def test_a_missing_foreign_file_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="no weights at"):
        load_foreign(tmp_path / "states.pth")


@pytest.mark.parametrize("folder", ["run\udcff", "写"])
def test_weights_in_a_folder_whose_name_is_no_text_are_read(tmp_path, folder):
    try:
        (tmp_path / folder).mkdir()
    except OSError:
        pytest.skip("a file system that takes text only")
    path = tmp_path / folder / "model.safetensors"
    save_weights(path, {"generator.a": torch.arange(3.0)}, METADATA)
    assert read_metadata(path) == METADATA
    assert torch.equal(load_weights(path)[0]["generator.a"], torch.arange(3.0))
    with path.with_name("a\udcfe.pth").open("wb") as file:
        torch.save({"a": torch.ones(2)}, file)
    assert torch.equal(load_foreign(path.with_name("a\udcfe.pth"))["a"], torch.ones(2))


def test_what_a_file_says_of_itself_is_read_without_torch(tmp_path):
    save_weights(tmp_path / "w.safetensors", {"generator.a": torch.zeros(2)}, METADATA)
    code = (
        "import sys; from inpaint.weights import read_metadata; "
        "print(read_metadata(sys.argv[1]).model, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "w.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [METADATA.model, "False"]


@pytest.mark.parametrize("wrong", [{"model": ["x"]}, {"config": 3}, {"iteration": "many"}, {"license": 3}])
def test_a_checkpoint_that_says_nonsense_of_itself_is_one_line(tmp_path, wrong):
    said = {"model": "pconv", "config": {}, "iteration": 1, "average": None, "network": {}, "discriminators": {}}
    torch.save({"format": "inpaint-training-1", **said, **wrong}, tmp_path / "last.ckpt")
    with pytest.raises(WeightsError, match=r"last.ckpt is a damaged checkpoint of a run"):
        read_metadata(tmp_path / "last.ckpt")
