"""The page over HTTP: calls of programs, and what an attacker is refused by the server as it really is."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import inpaint
from app_server import Client
from inpaint.app.serving import Server, listening, serve
from inpaint.app.settings import Settings
from inpaint.errors import DataError, MissingDependencyError, UsageError


@pytest.fixture(scope="module")
def client(page_served):
    return Client(page_served.address)


def png_of(values):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def uploaded(client, photo):
    """The path of an uploaded photo of 40 x 56."""
    return client.upload("a photo.png", png_of(photo)).json[0]


def test_a_program_lists_the_models(client):
    event, answer = client.call("models")
    assert event == "complete"
    assert {"patch", "telea", "dip"} <= {model["name"] for model in answer[0]}


def test_a_program_fills_a_photo_and_fetches_result_and_mask(client, uploaded, photo):
    mask = np.zeros((40, 56), np.uint8)
    mask[12:20, 10:30] = 255
    place = client.upload("mask.png", png_of(mask)).json[0]
    event, (results,) = client.call("fill", photo={"path": uploaded}, mask={"path": place}, model="telea")
    assert event == "complete"
    (result,) = results
    filled = client.ask(result["photo"] + "?download=true")
    assert "attachment" in filled.headers["content-disposition"]
    expected = inpaint.fill(photo, mask, model="telea")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(filled.body))), expected)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(client.ask(result["mask"]).body))), mask)


def test_a_program_may_give_shapes_in_place_of_a_mask(client, uploaded):
    shapes = [{"kind": "box", "points": [[10, 12], [30, 20]]}]
    event, (results,) = client.call("fill", photo={"path": uploaded}, shapes=shapes, model="mean", grow=2)
    assert event == "complete"
    mask = np.asarray(Image.open(io.BytesIO(client.ask(results[0]["mask"]).body)))
    assert mask[10:22, 10:30].all()
    assert mask[12:20, 8:32].all()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "nothing is marked"),
        ({"model": "nothing"}, "unknown model 'nothing'"),
        ({"model": "/etc/passwd"}, "unknown model"),
        ({"shapes": [{"kind": "circle"}]}, "unknown kind of shape"),
        ({"mask": "mask.png"}, "must be {'path': PATH}"),
    ],
)
def test_a_wrong_call_is_told_in_one_line_without_places_of_the_server(client, uploaded, given, complaint):
    event, answer = client.call("fill", photo={"path": uploaded}, **given)
    assert event == "error"
    assert complaint in answer["error"]
    assert "inpaint-app-" not in answer["error"]


def test_files_that_are_too_large_or_no_photo_are_refused(client, page_served):
    assert client.upload("large.png", bytes(page_served.max_bytes + 1)).status == 413
    assert client.upload("larger.png", bytes(page_served.max_bytes * 3)).status == 413
    text = client.upload("photo.png", b"hello, I am text").json[0]
    event, answer = client.call("fill", photo={"path": text}, shapes=[])
    assert event == "error"
    assert "cannot read 'photo.png': its content is not an image" in answer["error"]
    wide = client.upload("wide.png", png_of(np.zeros((400, 400), np.uint8))).json[0]
    event, answer = client.call("fill", photo={"path": wide}, shapes=[])
    assert "400 x 400 pixels, more than the limit of 100,000" in answer["error"]


@pytest.mark.parametrize("name", ["../../../evil.png", "..\\..\\evil.png", "/etc/evil.png", "a/../../evil.png"])
def test_an_upload_lands_in_the_folder_of_uploads_whatever_its_name(client, photo, name):
    (path,) = client.upload(name, png_of(photo)).json
    folder = path.split("/uploads/")[0]
    assert os.path.realpath(path).startswith(f"{os.path.realpath(folder)}/uploads/")


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/files/../../etc/passwd",
        "/files/..%2f..%2f..%2fetc/passwd/x",
        "/files/x/y/..%2f..%2fpasswd",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/gradio_api/file=https://example.com/a.png",
        "/gradio_api/proxy=https://example.com/",
        "/static/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/static/%2e%2e/%2e%2e/package.json",
        "/assets/..%2f..%2f..%2fetc%2fpasswd",
        "/shelf/samples/-1",
        "/shelf/samples/99999",
        "/shelf/..%2f../0",
        f"/gradio_api/file={os.path.realpath(__file__)}",
    ],
)
def test_no_file_of_the_server_is_read_by_its_path(client, path):
    answer = client.ask(path)
    assert answer.status in (400, 403, 404, 405), answer.body[:200]
    assert b"root:" not in answer.body
    assert b"def test" not in answer.body


def test_paths_and_addresses_in_place_of_an_upload_are_refused(client):
    for path in ("/etc/passwd", os.path.realpath(__file__), "https://example.com/photo.png", "http://127.0.0.1:1/"):
        assert client.call("fill", photo={"path": path})[0] == "403"
        body = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}], "fn_index": 2, "session_hash": "x"}
        assert client.ask("/gradio_api/queue/join", json.dumps(body).encode()).status == 403


def test_another_page_can_neither_post_nor_upload_nor_point_its_name_here(client, photo):
    body = json.dumps({"photo": {}}).encode()
    for headers in ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}, {"Host": "evil.example"}):
        assert client.ask("/gradio_api/call/v2/fill", body, **headers).status == 403
        assert client.upload("a.png", png_of(photo), **headers).status == 403
    assert client.ask("/", Host="evil.example").status == 403
    allowed = client.ask("/", Origin="https://evil.example").headers
    assert "access-control-allow-origin" not in {name.lower() for name in allowed}


def test_events_of_the_page_are_no_calls_for_programs(client):
    names = client.ask("/gradio_api/info").json["named_endpoints"]
    assert set(names) == {"/models", "/finders", "/fill"}


@pytest.mark.slow
def test_gradio_itself_refuses_a_path_that_was_not_uploaded_behind_our_guard(tmp_path):
    """Mounted, and not launched, it would take any path of the server in place of an upload."""
    code = f"""
from pathlib import Path
from inpaint.app.serving import opened
from inpaint.app.settings import Settings
with opened(Settings(runs=Path({str(tmp_path)!r}), device="cpu")) as server:
    application = server.application()
    from gradio.context import LocalContext
    from gradio.exceptions import InvalidPathError
    from gradio.processing_utils import _check_allowed
    (inner,) = [route.app for route in application.inner.routes if hasattr(getattr(route, "app", None), "get_blocks")]
    LocalContext.blocks.set(inner.get_blocks())
    try:
        _check_allowed("/etc/passwd", True)
    except InvalidPathError:
        print("refused")
    folder = server.uploads.parent
print("left" if folder.exists() else "gone")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["refused", "gone"]


def test_a_taken_port_and_an_address_of_another_machine_are_told_in_one_line():
    with listening("127.0.0.1", 0) as door:
        door.listen()
        port = door.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} is taken"):
            listening("127.0.0.1", port)
    with pytest.raises(UsageError, match=r"cannot listen at 203\.0\.113\.7"):
        listening("203.0.113.7", 0)


def test_a_folder_without_photos_is_refused_before_the_page_opens(tmp_path):
    with pytest.raises(DataError, match="no photos in"):
        Server(Settings(runs=tmp_path, photos=tmp_path), tmp_path / "root")


def test_without_gradio_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'pytorch-inpaint\[app\]'"):
        serve(Settings(port=0), ready=lambda address, end: end())
