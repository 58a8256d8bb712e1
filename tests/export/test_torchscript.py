"""Runs as TorchScript: the interface of big-lama.pt, at any size, without this package."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from inpaint.errors import WeightsError
from inpaint.export.formats import Request
from inpaint.export.networks import GraphNetwork, example, network_of
from inpaint.export.torchscript import export, said_of, traced, verify
from inpaint.export.verification import exact

# PyTorch advises torch.export, which other programs do not read yet.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning", "ignore:.*torch.jit.*:DeprecationWarning")

MODELS = {
    "aotgan": ("aotgan", {}),
    "glcic": ("glcic", {}),
    "glcic, as otenim": ("glcic", {"order": "relu_norm"}),
    "migan": ("migan", {}),
    "lama": ("lama", {}),
    "lama, regular": ("lama", {"kind": "regular"}),
    "lama, local unit": ("lama", {"local_unit": True}),
    "deepfill": ("deepfill", {}),
    "deepfill, as mmagic": (
        "deepfill",
        {"padding": "reflect", "gate_output": True, "attention": {"masked": "inf", "overlap": "count"}},
    ),
    "edgeconnect": ("edgeconnect", {}),
    "pconv": ("pconv", {"levels": 4}),
    "pluralistic": ("pluralistic", {}),
    "scfegan": ("scfegan", {}),
    "scfegan, as the public weights": ("scfegan", {"up_gate": "activated", "color_given": False}),
}
STEPS = ((0, 0), (1, 0), (0, 2), (3, 1), (2, 5))  # five sizes, in steps of what sides are multiples of


@pytest.mark.parametrize("name", MODELS)
def test_it_fills_as_the_network_does_at_five_sizes_with_masks_of_every_type(name, run_of, tmp_path):
    model, fields = MODELS[name]
    run = run_of(model, **fields)
    export(Request(model=str(run), output=tmp_path / "run.pt"))
    program = torch.jit.load(tmp_path / "run.pt")
    exported = network_of(run)
    graph, paint = GraphNetwork(exported.network), exact(exported)
    for number, (rows, columns) in enumerate(STEPS):
        height, width = (graph.minimum_px + steps * graph.multiple_px for steps in (rows, columns))
        image, mask, *planes = example(graph, 1 + number % 2, height, width, seed=number)
        named = dict(zip(graph.names[2:], planes, strict=True))
        with torch.no_grad():
            own = exported.network.paint_graph(image, mask, **named).clamp(0, 1)
        raw = paint(image, mask, **named).clamp(0, 1)
        rounding = (own - raw).abs().max().item()  # of the network itself, in float32
        expected = torch.where(mask > 0, raw, image).float()
        for kind in (torch.float32, torch.int64, torch.uint8):
            filled = program(image, mask.to(kind), *planes)
            assert filled.dtype == torch.float32
            assert (filled - expected).abs().max() < max(2e-5, 5 * rounding), (height, width, kind)
        assert torch.equal(filled[(mask == 0).expand_as(image)], image[(mask == 0).expand_as(image)])
        assert (filled - image).abs().max() > 0.05


def test_what_lies_in_the_hole_is_not_read(run_of):
    program = traced(network_of(run_of("lama")))
    image, mask = torch.rand(1, 3, 32, 40), torch.zeros(1, 1, 32, 40, dtype=torch.int64)
    mask[..., 8:20, 10:30] = 1
    spoiled = image.masked_fill(mask > 0, torch.nan)
    assert torch.equal(program(image, mask), program(spoiled, mask))


def test_it_is_loaded_and_run_without_this_package(run_of, tmp_path):
    export(Request(model=str(run_of("lama")), output=tmp_path / "run.pt"))
    script = (
        "import sys, torch; program = torch.jit.load(sys.argv[1], map_location='cpu').to('cpu').eval();"
        "filled = program(torch.rand(1, 3, 24, 32), (torch.rand(1, 1, 24, 32) > 0.5) * 1);"
        "assert filled.shape == (1, 3, 24, 32) and 'inpaint' not in sys.modules"
    )
    subprocess.run([sys.executable, "-I", "-c", script, str(tmp_path / "run.pt")], check=True, cwd=tmp_path)


def test_a_program_is_measured_against_its_own_weights_alone(run_of, tmp_path):
    run = run_of("lama")
    export(Request(model=str(run), output=tmp_path / "run.pt"))
    measured = verify(Request(model=str(run), output=tmp_path / "run.pt"))
    assert len(measured) == 5
    assert max(measured.values()) < 1e-5
    other = run_of("pconv", levels=4)
    with pytest.raises(WeightsError, match="was not made from the weights of"):
        verify(Request(model=str(other), output=tmp_path / "run.pt"))


def test_no_kernel_is_stored_twice(run_of, tmp_path):
    run = run_of("lama")
    export(Request(model=str(run), output=tmp_path / "run.pt"))
    values = torch.jit.load(tmp_path / "run.pt").state_dict().values()
    plain = sum(value.numel() for value in network_of(run).network.state_dict().values())
    assert 0.5 * plain < sum(value.numel() for value in values) < 1.02 * plain


def test_license_and_hash_travel_in_the_archive_and_are_read_without_running_it(run_of, tmp_path, monkeypatch):
    run = run_of("lama")
    export(Request(model=str(run), output=tmp_path / "run.pt"))
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("runs the archive"))
    said = said_of(tmp_path / "run.pt")
    assert (said.license, said.model) == ("MIT", "lama")
    assert said.weights_sha256 == network_of(run).sha256
    with pytest.raises(WeightsError, match=r"model\.safetensors is damaged or no TorchScript of `inpaint export`"):
        said_of(run / "model.safetensors")
