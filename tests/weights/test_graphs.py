"""Expected files come from the `onnx` package, which shares no code with the reader here."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import inpaint
from inpaint.errors import WeightsError
from inpaint.types import Capabilities, Plane
from inpaint.weights.graphs import GraphInput, GraphMetadata, is_graph, read_graph

onnx = pytest.importorskip("onnx")
helper, TensorProto = onnx.helper, onnx.TensorProto

METADATA = GraphMetadata(
    graph="network",
    model="deepfill",
    config={"width": 8, "attention": {"fuse": False}, "decoder_widths": None},
    capabilities=Capabilities(
        trained=True, stochastic=True, planes=(Plane(name="sketch", channels=2),), trained_px=256, multiple_px=8
    ),
    inputs=(GraphInput(name="sketch", channels=2), GraphInput(name="noise", channels=4, scale=32)),
    minimum_px=12,
    precision="int8",
    license="CC BY-NC 4.0",
    source="states.pth",
    weights_sha256="ab" * 32,
    torch_version="2.14.1",
)


def write(path, entries=(), *, weights=0, types=("image", TensorProto.FLOAT)):
    """Write a graph that returns its image, with as many unused weights as wanted."""
    name, kind = types
    image = helper.make_tensor_value_info(name, kind, ["B", 3, "H", "W"])
    mask = helper.make_tensor_value_info("mask", TensorProto.UINT8, ["B", 1, "H", "W"])
    raw = helper.make_tensor_value_info("raw", kind, ["B", 3, "H", "W"])
    held = onnx.numpy_helper.from_array(np.zeros(weights, np.float32), "unused")
    graph = helper.make_graph([helper.make_node("Identity", [name], ["raw"])], "g", [image, mask], [raw], [held])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    helper.set_model_props(model, dict(entries))
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    "metadata",
    [
        METADATA,
        replace(METADATA, graph="pipeline", interface="migan", inputs=(), license=None, source=None),
        replace(METADATA, weights_sha256=None, capabilities=Capabilities()),
    ],
)
def test_what_a_file_says_of_itself_comes_back_as_it_was(tmp_path, metadata):
    path = write(tmp_path / "model.onnx", metadata.entries(), weights=1000)
    assert GraphMetadata.of(read_graph(path).entries, path=path) == metadata
    assert metadata.version == inpaint.__version__


def test_entries_are_strings_of_which_some_are_json():
    entries = METADATA.entries()
    assert set(map(type, entries.values())) == {str}
    assert entries["inpaint.format"] == "1"
    assert entries["inpaint.graph"] == "network"
    assert entries["torch.version"] == "2.14.1"
    assert entries["inpaint.minimum_px"] == "12"
    assert "inpaint.interface" not in entries
    assert json.loads(entries["inpaint.config"]) == METADATA.config
    assert json.loads(entries["inpaint.inputs"])[1] == {"name": "noise", "channels": 4, "scale": 32, "form": "plane"}
    (plane,) = json.loads(entries["inpaint.capabilities"])["planes"]
    assert (plane["name"], plane["channels"]) == ("sketch", 2)


def test_what_reads_a_plane_is_neither_written_nor_believed(tmp_path):
    reading = Plane(name="sketch", read="os:system", make="os:system", everywhere=True)
    metadata = replace(METADATA, capabilities=Capabilities(planes=(reading,)))
    entries = metadata.entries()
    assert "os:system" not in "".join(entries.values())
    said = json.loads(entries["inpaint.capabilities"])
    said["planes"][0]["read"] = "os:system"
    found = GraphMetadata.of(entries | {"inpaint.capabilities": json.dumps(said)}, path="model.onnx")
    assert found.capabilities.planes == (Plane(name="sketch", everywhere=True),)


def test_entries_of_later_versions_are_ignored():
    said = {**json.loads(METADATA.entries()["inpaint.capabilities"]), "paints_in_the_dark": True}
    entries = METADATA.entries() | {"inpaint.capabilities": json.dumps(said), "inpaint.novelty": "1"}
    assert GraphMetadata.of(entries, path="model.onnx") == METADATA


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"inpaint.format": None}, "model.onnx does not say what it holds: its metadata has no 'inpaint.format'"),
        ({"inpaint.format": "2"}, "written by a later version: its format is 2, not 1"),
        ({"inpaint.model": None, "inpaint.config": None}, "inpaint.model, inpaint.config missing"),
        ({"inpaint.config": "{"}, "damaged metadata"),
        ({"inpaint.config": "[" * 100_000}, "damaged metadata"),
        ({"inpaint.capabilities": '{"multiple_px": "many"}'}, "damaged metadata"),
        ({"inpaint.minimum_px": "few"}, "damaged metadata"),
        ({"inpaint.graph": "poem"}, "damaged metadata"),
        ({"inpaint.graph": "pipeline"}, "inpaint.interface missing"),
    ],
)
def test_metadata_that_cannot_be_used_is_named(change, complaint):
    changed = METADATA.entries() | change
    entries = {name: value for name, value in changed.items() if value is not None}
    with pytest.raises(WeightsError, match=r"^model\.onnx") as error:
        GraphMetadata.of(entries, path="model.onnx")
    assert complaint in str(error.value)


def test_inputs_and_outputs_of_any_graph_are_read_with_their_types(tmp_path):
    found = read_graph(write(tmp_path / "model.onnx", types=("photo", TensorProto.FLOAT16)))
    assert found.entries == {}
    assert found.inputs == {"photo": "float16", "mask": "uint8"}
    assert found.outputs == {"raw": "float16"}


def test_a_graph_is_known_by_its_ending_or_by_what_it_holds(tmp_path):
    path = write(tmp_path / "model.bin", METADATA.entries(), weights=100_000)
    assert is_graph(path)
    assert is_graph(tmp_path / "not-there.ONNX")
    assert not is_graph(tmp_path / "not-there.bin")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x08", b"\x08" + bytes(100), b"PK\x03\x04rest", b"<!doctype html>", b"\x08\x08\x0f\x08\x08", b"\x80\x02}"],
)
def test_other_files_are_no_graphs_and_refused_in_one_line(tmp_path, content):
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    assert not is_graph(path)
    with pytest.raises(WeightsError, match=r"damaged or no ONNX file: .+") as error:
        read_graph(path)
    assert "\n" not in str(error.value)


def test_a_graph_that_ends_too_early_is_refused(tmp_path):
    path = write(tmp_path / "model.onnx", METADATA.entries(), weights=1000)
    whole = path.read_bytes()
    for length in range(1, len(whole) - 1, 97):
        path.write_bytes(whole[:length])
        try:
            GraphMetadata.of(read_graph(path).entries, path=path)
        except WeightsError as error:
            assert "\n" not in str(error)  # noqa: PT017
        else:
            pytest.fail(f"{length} of {len(whole)} bytes were taken for the whole")


def test_a_graph_is_described_without_torch_and_without_onnx(tmp_path):
    path = write(tmp_path / "model.onnx", METADATA.entries())
    code = (
        "import sys; from inpaint.weights.graphs import GraphMetadata, read_graph; path = sys.argv[1]; "
        "print(GraphMetadata.of(read_graph(path).entries, path=path).model, "
        "sorted({'torch', 'onnx', 'onnxruntime', 'safetensors', 'omegaconf'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "deepfill []\n"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"minimum_px": 0}, "minimum_px is 0"),
        ({"capabilities": replace(METADATA.capabilities, multiple_px=0)}, "multiple_px is 0"),
        ({"capabilities": replace(METADATA.capabilities, multiple_px=2**40)}, f"multiple_px is {2**40}"),
        ({"capabilities": replace(METADATA.capabilities, trained_px=-256)}, "trained_px is -256"),
        ({"capabilities": replace(METADATA.capabilities, trained_px=0)}, "trained_px is 0"),
        ({"capabilities": replace(METADATA.capabilities, context_share=float("nan"))}, "context_share is nan"),
        ({"capabilities": replace(METADATA.capabilities, pixel_bytes=float("inf"))}, "pixel_bytes is inf"),
        ({"inputs": (GraphInput(name="noise", channels=4, scale=0),)}, "scale of noise is 0"),
        ({"inputs": (GraphInput(name="noise", channels=-1),)}, "channels of noise is -1"),
    ],
)
def test_sizes_that_no_network_has_are_refused_before_anything_is_divided_by_them(changes, said):
    with pytest.raises(WeightsError, match=f"model.onnx has damaged metadata: {said}"):
        GraphMetadata.of(replace(METADATA, **changes).entries(), path="model.onnx")
