"""Programs of torch.export: loaded without this package's classes, they paint what the network paints at any size."""

import io
import json
import zipfile

import pytest
import torch

from inpaint.errors import WeightsError
from inpaint.export import program, torchscript
from inpaint.export.archives import METADATA
from inpaint.export.formats import Request
from inpaint.export.networks import GraphNetwork, example
from inpaint.registry import table


@pytest.mark.slow
@pytest.mark.parametrize("name", table.inpainters())
def test_a_program_paints_what_the_network_paints_at_every_size_and_batch(small_network, name):
    network = small_network(name)
    graph = GraphNetwork(network)
    content = io.BytesIO()
    torch.export.save(program.program_of(graph), content)
    content.seek(0)
    loaded = torch.export.load(content).module()
    least, multiple = program.sides_of(graph)
    for batch, height, width in ((1, least, least + 2 * multiple), (2, least + 5 * multiple, least + multiple)):
        values = example(graph, batch, height, width)
        with torch.no_grad():
            expected = network.paint_graph(**dict(zip(graph.names, values, strict=True)))
            painted = loaded(*values)
        assert (painted - expected).abs().max() < 1e-4 * max(expected.std().item(), 1)


def test_a_program_says_what_it_is_and_is_measured_against_its_own_weights_alone(run_of, tmp_path):
    folder, output = run_of("lama", kind="regular"), tmp_path / "lama.pt2"
    request = Request(model=str(folder), output=output)
    program.export(request)
    extra = {METADATA: ""}
    with output.open("rb") as file:
        torch.export.load(file, extra_files=extra)
    said = json.loads(extra[METADATA])
    assert (said["inpaint.model"], said["inpaint.graph"], said["inpaint.license"]) == ("lama", "network", "MIT")
    measured = program.verify(request)
    assert len(measured) == 5
    assert max(measured.values()) < 1e-4
    (folder / "model.safetensors").rename(folder / "other")
    folder.rename(tmp_path / "old")
    other = run_of("lama", kind="regular", width=5)
    with pytest.raises(WeightsError, match="was not made from the weights of"):
        program.verify(Request(model=str(other), output=output))


@pytest.mark.parametrize("said", [b"[1]", b"{", b'{"inpaint.format": 1}', b"{}", None, b" " * 2**21])
def test_an_archive_that_does_not_say_what_it_is_is_not_loaded(tmp_path, monkeypatch, said):
    monkeypatch.setattr(torch.export, "load", lambda *_, **__: pytest.fail("loads the archive"))
    path = tmp_path / "some.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/archive_format", "pt2")
        if said is not None:
            archive.writestr(f"archive/extra/{METADATA}", said)
    with pytest.raises(WeightsError, match=r"some\.pt2 (is damaged or no program|has damaged|does not say)"):
        program.verify(Request(model="nowhere", output=path))


def test_a_file_of_another_format_is_told_by_one_line(run_of, tmp_path):
    folder, output = str(run_of("pconv", levels=2)), tmp_path / "some"
    with zipfile.ZipFile(output, "w") as archive:
        archive.writestr(f"some/extra/{METADATA}", "{}")
    for verify in (program.verify, torchscript.verify):
        with pytest.raises(WeightsError, match="it is of another format"):
            verify(Request(model=folder, output=output))
        output.write_bytes(b"nothing")
        with pytest.raises(WeightsError, match=r"some is damaged or no .*: File is not a zip file"):
            verify(Request(model=folder, output=output))
        output.unlink()
        with zipfile.ZipFile(output, "w") as archive:
            archive.writestr(f"some/extra/{METADATA}", "{}")
