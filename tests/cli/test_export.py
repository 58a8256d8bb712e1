"""`inpaint export`: what it writes and prints, and one line for every mistake."""

from pathlib import Path

import pytest

import onnx_files
from inpaint.cli.main import run
from inpaint.registry import table
from inpaint.weights.files import WeightsMetadata, save_weights
from inpaint.weights.graphs import GraphMetadata

pytest.importorskip("onnx", reason="the extra 'export' is not installed")
pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")


@pytest.fixture
def folder_of(lively, tmp_path):
    """`folder_of(model)` writes a folder with the weights of a small network."""

    def write(name, **fields):
        config = table.config_class(name)
        options = config.model_validate({**config.SMALL, **fields})
        network = lively(table.network_class(name)(options))
        roles = tuple(role for role, _ in network.named_children())
        metadata = WeightsMetadata(model=name, config=options.model_dump(mode="json"), roles=roles, license="MIT")
        (tmp_path / name).mkdir()
        save_weights(tmp_path / name / "model.safetensors", dict(network.state_dict()), metadata)
        return str(tmp_path / name)

    return write


def failed(capsys, *words):
    """Run a command that fails; return its status and its one line."""
    status = run(["export", *words])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return status, lines[0]


def test_a_graph_is_written_with_what_it_is_and_its_largest_difference_is_printed(folder_of, tmp_path, capsys):
    folder, output = folder_of("lama", kind="regular"), tmp_path / "lama.onnx"
    assert run(["export", "--model", folder, "--format", "onnx", "--output", str(output), "--verify"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(f"wrote {output}: ")
    assert len(printed) == 8
    assert printed[1] == "compared with the network computed in float64; 1 is the whole range of an image"
    assert float(printed[-1].removeprefix("largest difference ")) < 1e-4
    said = GraphMetadata.of(onnx_files.metadata_of(output), path=output)
    assert (said.graph, said.model, said.license, said.minimum_px) == ("network", "lama", "MIT", 16)
    assert said.config["kind"] == "regular"
    before = output.read_bytes()
    assert run(["export", "--model", folder, "--format", "onnx", "--output", str(output), "--verify-only"]) == 0
    assert capsys.readouterr().out.splitlines() == printed[1:]
    assert output.read_bytes() == before


def test_a_file_that_paints_no_numbers_is_told(folder_of, tmp_path, capsys, monkeypatch):
    lost = {"1 x 64 x 64": 1e-4, "2 x 72 x 80": float("nan")}
    monkeypatch.setattr("inpaint.export.formats.verify", lambda format_, request: lost)
    words = ("--model", folder_of("aotgan"), "--format", "onnx", "--output", str(tmp_path / "aot.onnx"), "--verify")
    status, line = failed(capsys, *words)
    assert status == 1
    assert "aot.onnx paints values that are not finite (2 x 72 x 80): float16 holds numbers up to 65,504" in line


def test_a_pipeline_is_measured_by_photos(folder_of, tmp_path, capsys):
    folder, output = folder_of("pconv", levels=4), tmp_path / "pipeline.onnx"
    words = ["--model", folder, "--format", "onnx", "--pipeline", "--interface", "migan", "--output", str(output)]
    assert run(["export", *words, "--verify"]) == 0
    assert float(capsys.readouterr().out.splitlines()[-1].removeprefix("largest difference ")) < 1.5 / 255
    said = GraphMetadata.of(onnx_files.metadata_of(output), path=output)
    assert (said.graph, said.interface, said.inputs) == ("pipeline", "migan", ())


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["--model", "telea", "--format", "onnx"], 2, "'telea' has no network that could be exported"),
        (["--model", "dip", "--format", "pt2"], 2, "'dip' has no network that could be exported"),
        (["--model", "lama", "--format", "onnx"], 2, "'lama' needs weights"),
        (["--model", "nowhere", "--format", "onnx"], 2, "unknown model 'nowhere'"),
        (["--model", "telea", "--format", "onnxx"], 2, "'onnxx' is not one of"),
        (["--model", "telea", "--format", "pt2", "--pipeline"], 2, "the format pt2 holds networks alone"),
        (["--model", "telea", "--format", "pt2", "--precision", "int8"], 2, "the format pt2 knows float32"),
        (["--model", "telea", "--format", "onnx", "--interface", "migan"], 2, "add --pipeline"),
        (["--model", "telea", "--format", "origin"], 2, "'telea' has no weights that could be written"),
        (["--model", "telea", "--format", "origin", "--verify"], 2, "the format origin cannot be measured"),
        (["--model", "telea", "--format", "onnx", "--origin", "mmagic"], 2, "add --format origin"),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path, capsys, words, status, told):
    found, line = failed(capsys, *words, "--output", str(tmp_path / "file"))
    assert found == status
    assert told in line
    assert not (tmp_path / "file").exists()


def test_networks_that_cannot_fill_yet_or_have_no_pipeline_are_told_in_one_line(folder_of, tmp_path, capsys):
    output = str(tmp_path / "file.onnx")
    edges = folder_of("edgeconnect", stage="edge")
    status, line = failed(capsys, "--model", edges, "--format", "onnx", "--output", output)
    assert status == 2
    assert "edgeconnect cannot be exported: these weights hold the stage 'edge' alone" in line
    (tmp_path / "edgeconnect").rename(tmp_path / "first")
    both = folder_of("edgeconnect")
    status, line = failed(capsys, "--model", both, "--format", "onnx", "--pipeline", "--output", output)
    assert status == 2
    assert "no graph can make of the image" in line
    assert not (tmp_path / "file.onnx").exists()


def test_a_file_of_other_weights_is_not_measured(folder_of, tmp_path, capsys):
    folder, output = folder_of("pconv", levels=2), str(tmp_path / "file.onnx")
    assert run(["export", "--model", folder, "--format", "onnx", "--output", output]) == 0
    capsys.readouterr()
    (tmp_path / "pconv").rename(tmp_path / "first")
    other = folder_of("pconv", levels=3)
    status, line = failed(capsys, "--model", other, "--format", "onnx", "--output", output, "--verify-only")
    assert status == 1
    assert "was not made from the weights of" in line


def test_another_kind_of_file_than_is_named_is_not_measured_as_if_it_were_that_kind(folder_of, tmp_path, capsys):
    folder, output = folder_of("pconv", levels=2), str(tmp_path / "new" / "file.onnx")
    words = ["--model", folder, "--format", "onnx", "--output", output]
    assert failed(capsys, *words, "--verify-only") == (1, f"error: cannot read '{output}': no such file")
    assert run(["export", *words]) == 0  # the folder is made for it
    capsys.readouterr()
    for more in (["--pipeline"], ["--precision", "float16"]):
        status, line = failed(capsys, *words, *more, "--verify-only")
        assert status == 2
        assert "network, precision float32; leave them out" in line


@pytest.mark.parametrize("as_file", [False, True])
def test_no_file_of_the_run_that_is_exported_is_overwritten(folder_of, tmp_path, capsys, as_file):
    folder = Path(folder_of("lama"))
    (folder / "best.ckpt").write_bytes(b"mine")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    model = str(folder / "model.safetensors") if as_file else str(folder)
    cases = (("onnx", "model.safetensors"), ("origin", ""), ("origin", "best.ckpt"), ("pt2", "best.ckpt"))
    for format_, output in cases:
        status, line = failed(capsys, "--model", model, "--format", format_, "--output", str(folder / output))
        assert status == 2
        assert "is a file of the model that is exported" in line
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning", "ignore:.*torch.jit.*:DeprecationWarning")
def test_a_torchscript_is_written_and_measured(folder_of, tmp_path, capsys):
    folder, output = folder_of("lama", kind="regular"), tmp_path / "lama.pt"
    assert run(["export", "--model", folder, "--format", "torchscript", "--output", str(output), "--verify"]) == 0
    assert float(capsys.readouterr().out.splitlines()[-1].removeprefix("largest difference ")) < 1e-5


def test_the_files_of_a_public_program_are_written_and_imported_again(folder_of, tmp_path, capsys):
    folder, output = folder_of("lama"), str(tmp_path / "lama.safetensors")
    assert run(["export", "--model", folder, "--format", "origin", "--origin", "advimman", "--output", output]) == 0
    assert capsys.readouterr().out.startswith(f"wrote {output}: ")
    output = str(tmp_path / "best.ckpt")
    assert run(["export", "--model", folder, "--format", "origin", "--output", output]) == 0
    back = str(tmp_path / "back")
    assert run(["import-weights", "--origin", "advimman", "--input", output, "--output", back]) == 0
    capsys.readouterr()
    status, line = failed(
        capsys, "--model", folder, "--format", "origin", "--origin", "mmagic", "--output", str(tmp_path / "x.pth")
    )
    assert status == 2
    assert "unknown origin of lama 'mmagic'; valid: advimman" in line
    status, line = failed(
        capsys, "--model", folder, "--format", "origin", "--output", str(tmp_path / "x.pth"), "--option", "chunk=1"
    )
    assert status == 2
    assert "chunk: no option of ours stands in a public program's files" in line


def test_a_page_is_written_with_the_runtime_that_is_given(folder_of, tmp_path, capsys):
    (tmp_path / "runtime").mkdir()
    for name in ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"):
        (tmp_path / "runtime" / name).write_bytes(b"x")
    folder, page = folder_of("pconv", levels=4), tmp_path / "page"
    assert run(["export", "--model", folder, "--web", str(page), "--runtime", str(tmp_path / "runtime")]) == 0
    assert capsys.readouterr().out.startswith(f"wrote {page}: ")
    said = GraphMetadata.of(onnx_files.metadata_of(page / "model.onnx"), path=page)
    assert (said.graph, said.interface, said.model) == ("pipeline", "inpaint", "pconv")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--web", "page", "--output", "a.onnx", "--pipeline"], "leave out --output, --pipeline"),
        (["--web", "page", "--interface", "migan"], "leave out --interface"),
        (["--runtime", "folder"], "add --web FOLDER"),
        (["--format", "onnx"], "give --format"),
    ],
)
def test_options_of_files_and_of_pages_are_not_mixed(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    status, line = failed(capsys, "--model", "nothing", *words)
    assert status == 2
    assert said in line
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_page_is_refused_before_the_work(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    status, line = failed(capsys, "--model", "nothing", "--web", str(tmp_path))
    assert status == 2
    assert "holds no page of ours" in line
