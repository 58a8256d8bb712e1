"""The folder of the page: what lies in it, what it replaces, and what is refused."""

import json
import re
from pathlib import Path

import pytest

from inpaint.errors import InpaintError, InputError, UsageError, WriteError
from inpaint.export.web import check_page, write_page
from inpaint.export.web_runtime import FILES, BrowserRuntime
from inpaint.types import Capabilities, Plane
from standin_pipeline import write_standin

RUNTIME = BrowserRuntime("9.8.7", {name: name.encode() for name in FILES})


@pytest.fixture
def graph(tmp_path):
    return write_standin(tmp_path / "graph.onnx")


def about(folder):
    (text,) = re.findall(
        r'<script type="application/json" id="about">(.*?)</script>', (folder / "index.html").read_text()
    )
    return json.loads(text)


def test_the_folder_holds_all_that_the_page_names_and_nothing_else(tmp_path, graph):
    folder = tmp_path / "site"
    page = write_page(folder, graph, RUNTIME)
    held = {each.relative_to(folder).as_posix(): each for each in folder.rglob("*") if each.is_file()}
    said = about(folder)
    named = set(re.findall(r'(?:src|href)="([^":]+)"', held["index.html"].read_text()))
    named |= {said["files"]["model"].partition("?")[0], said["files"]["wasm"], "worker.js"}
    named |= {f"samples/{name}" for name in said["samples"]}
    for name in [each for each in held if each.endswith(".js")]:
        named |= {each.removeprefix("./") for each in re.findall(r'from "(\./[^"]+)"', held[name].read_text())}
    assert named | {"index.html", "samples/CREDITS.md"} == set(held)
    assert held["model.onnx"].read_bytes() == graph.read_bytes()
    assert all(held[f"onnxruntime-web/{name}"].read_bytes() == data for name, data in RUNTIME.files.items())
    assert page.bytes == sum(each.stat().st_size for each in held.values())
    assert page.loaded_bytes == said["files"]["total"] == graph.stat().st_size + len(RUNTIME.files[FILES[1]])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["graph.onnx", "site"]


def test_the_model_its_license_and_the_runtime_are_said(tmp_path):
    graph = write_standin(tmp_path / "graph.onnx", license="CC-BY-NC-4.0", source="https://example.org/<weights>")
    write_page(tmp_path / "site", graph, RUNTIME)
    licenses = (tmp_path / "site" / "LICENSES.txt").read_text()
    for text in ("CC-BY-NC-4.0", "https://example.org/<weights>", "onnxruntime-web 9.8.7", "Microsoft"):
        assert text in licenses
    facts = dict(about(tmp_path / "site")["facts"])
    assert facts["License"] == "CC-BY-NC-4.0"
    assert facts["Source"] == "https://example.org/<weights>"
    assert "<weights>" not in (tmp_path / "site" / "index.html").read_text()


def test_the_address_of_the_model_changes_with_the_model_alone(tmp_path):
    addresses = []
    for name, precision in (("a", "float32"), ("b", "float32"), ("c", "float16")):
        write_page(tmp_path / name, write_standin(tmp_path / f"{name}.onnx", precision=precision), RUNTIME)
        addresses.append(about(tmp_path / name)["files"]["model"])
    assert addresses[0] == addresses[1] != addresses[2]


def test_the_policy_lets_nothing_from_elsewhere_run_or_be_asked_for(tmp_path, graph):
    write_page(tmp_path / "site", graph, RUNTIME)
    text = (tmp_path / "site" / "index.html").read_text()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    rules = {name: set(values) for name, *values in (rule.split() for rule in policy.split("; "))}
    assert rules.pop("default-src") == {"'none'"}
    allowed = {"'none'", "'self'", "blob:", "data:", "'wasm-unsafe-eval'"}
    assert set.union(*rules.values()) <= allowed
    assert rules["script-src"] == {"'self'", "'wasm-unsafe-eval'"}
    assert rules["connect-src"] == {"'self'"}


def test_a_page_is_replaced_and_an_empty_folder_is_filled(tmp_path, graph):
    folder = tmp_path / "site"
    folder.mkdir()
    write_page(folder, graph, RUNTIME)
    (folder / "style.css").write_text("old")
    write_page(folder, graph, RUNTIME)
    assert (folder / "style.css").read_text() != "old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["graph.onnx", "site"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"index.html": "<!doctype html><title>mine</title>"}, "holds no page of ours"),
        ({"notes.txt": "mine"}, "holds no page of ours"),
    ],
)
def test_a_folder_of_something_else_is_left_as_it_is(tmp_path, graph, files, said):
    folder = tmp_path / "site"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    for refused in (lambda: check_page(folder), lambda: write_page(folder, graph, RUNTIME)):
        with pytest.raises(UsageError, match=said):
            refused()
    assert {each.name: each.read_text() for each in folder.iterdir()} == files


def test_a_file_that_somebody_laid_beside_the_page_is_not_lost(tmp_path, graph):
    folder = tmp_path / "site"
    write_page(folder, graph, RUNTIME)
    (folder / "CNAME").write_text("example.org")
    with pytest.raises(UsageError, match="holds 'CNAME', which is no part of the page"):
        write_page(folder, graph, RUNTIME)
    assert (folder / "CNAME").read_text() == "example.org"


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, graph):
    (tmp_path / "site").write_text("mine")
    with pytest.raises(InpaintError, match="there is a file of that name"):
        write_page(tmp_path / "site", graph, RUNTIME)
    assert (tmp_path / "site").read_text() == "mine"


def test_a_page_that_cannot_be_written_whole_leaves_the_old_one(tmp_path, graph, monkeypatch):
    folder = tmp_path / "site"
    write_page(folder, graph, RUNTIME)
    before = {each: each.read_bytes() for each in folder.rglob("*") if each.is_file()}
    wrote = Path.write_bytes

    def full(path, data):
        if path.name == "model.onnx":
            raise OSError(28, "No space left on device")
        return wrote(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WriteError, match="No space left on device"):
        write_page(folder, graph, RUNTIME)
    assert {each: each.read_bytes() for each in folder.rglob("*") if each.is_file()} == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["graph.onnx", "site"]


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(tmp_path, graph, monkeypatch):
    folder = tmp_path / "site"
    write_page(folder, graph, RUNTIME)
    rename = Path.rename

    def refuse(path, target):
        if path.name.endswith(".tmp"):
            raise OSError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(WriteError, match="Permission denied"):
        write_page(folder, graph, RUNTIME)
    assert (folder / "index.html").exists()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["graph.onnx", "site"]


@pytest.mark.parametrize(
    ("capabilities", "read"),
    [
        (Capabilities(planes=(Plane(name="sketch"), Plane(name="color", channels=4))), "sketch, color"),
        (Capabilities(stochastic=True), "noise"),
    ],
)
def test_a_model_that_reads_more_than_photo_and_hole_is_refused(tmp_path, capabilities, read):
    graph = write_standin(tmp_path / "graph.onnx", capabilities=capabilities)
    with pytest.raises(UsageError, match=f"'telea' reads {read} too"):
        write_page(tmp_path / "site", graph, RUNTIME)
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("said", [{"graph": "network", "interface": None}, {"interface": "migan"}])
def test_a_graph_that_the_page_cannot_run_is_refused(tmp_path, said):
    graph = write_standin(tmp_path / "graph.onnx", **said)
    with pytest.raises(InputError, match="pipeline graphs of the interface 'inpaint'"):
        write_page(tmp_path / "site", graph, RUNTIME)
