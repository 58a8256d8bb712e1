"""Who is let in: hosts, origins, paths and sizes, asked of the guard alone."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import pytest

from inpaint.app.guard import MOST_JSON_BYTES, UPLOAD, Guard

HOST = {"host": "127.0.0.1:7860"}


@dataclass
class Door:
    """A guard before an application that answers 200 and keeps what it was sent."""

    uploads: object
    local: bool = True
    max_bytes: int = 1000
    reached: list = field(default_factory=list)
    unread: int = 0

    def ask(self, path="/", *, method="GET", headers=None, body=b"", chunk=10_000_000, stuck=False):
        """Return the status, the text and the headers of the answer; `unread` is how much of the body was left.

        stuck: whether the client stops sending without an end.
        """
        answered = []

        async def app(scope, receive, send):
            data, kind = b"", "http.request"
            while True:
                message = await receive()
                kind = message["type"]
                data += message.get("body", b"")
                if kind != "http.request" or not message.get("more_body"):
                    break
            self.reached.append((kind, data))
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"let in"})

        parts = [body[at : at + chunk] for at in range(0, len(body), chunk)] or [b""]

        async def receive():
            if not parts:
                await asyncio.Event().wait()
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts) or stuck}

        async def send(message):
            answered.append(message)

        given = {**HOST, **(headers or {})}
        raw = [(name.encode(), value.encode()) for name, value in given.items()]
        guard = Guard(app, uploads=self.uploads, local=self.local, max_bytes=self.max_bytes)
        scope = {"type": "http", "method": method, "path": path, "headers": raw}
        asyncio.run(guard(scope, receive, send))
        self.unread = sum(map(len, parts))
        text = b"".join(message.get("body", b"") for message in answered[1:]).decode()
        return answered[0]["status"], text, dict(answered[0]["headers"])

    def post(self, given, *, path="/gradio_api/queue/join", **headers):
        return self.ask(path, method="POST", body=json.dumps(given).encode(), headers=headers)


@pytest.fixture
def door(tmp_path):
    (tmp_path / "uploads").mkdir()
    return Door(tmp_path / "uploads")


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "localhost", "[::1]:7860", "127.3.2.1"])
def test_a_local_page_answers_to_the_names_of_this_machine(door, host):
    assert door.ask(headers={"host": host})[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "localhost.evil.example", "10.0.0.5", "", "[::1"]
)
def test_a_local_page_answers_to_no_other_name_so_that_none_can_be_pointed_at_it(door, host):
    status, text, _ = door.ask(headers={"host": host})
    assert status == 403
    assert "names of this machine" in text
    assert door.reached == []


def test_a_page_for_others_answers_to_any_name(door):
    door.local = False
    assert door.ask(headers={"host": "studio.example"})[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://127.0.0.1:7860.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("local", [True, False])
def test_posts_of_other_pages_are_refused(door, headers, local):
    door.local = local
    status, text, _ = door.post({"data": []}, **headers)
    assert (status, door.reached) == (403, [])
    assert "another page" in text


@pytest.mark.parametrize(
    "headers", [{}, {"origin": "http://127.0.0.1:7860"}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}]
)
def test_posts_of_the_page_itself_and_of_programs_are_let_in_whole(door, headers):
    given = {"data": [1, "two"]}
    assert door.post(given, **headers)[0] == 200
    assert door.reached == [("http.request", json.dumps(given).encode())]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../etc/passwd",
        "uploads/../../etc/passwd",
        "http://127.0.0.1/secret",
        "https://example.com/photo.jpg",
        "\0",
        "",
        7,
        ["/etc/passwd"],
    ],
)
def test_a_path_that_was_not_uploaded_is_refused_wherever_it_stands(door, path):
    for given in ({"data": [{"path": path}]}, {"event_data": {"path": path}}, {"data": [[{"a": {"path": path}}]]}):
        assert door.post(given)[0] == 403, given
    assert door.reached == []


def test_a_path_out_of_the_uploads_by_dots_or_links_is_refused(door, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    (door.uploads / "link").symlink_to(tmp_path / "secret.txt")
    for path in (door.uploads / "link", door.uploads / ".." / "secret.txt"):
        assert door.post({"data": [{"path": str(path)}]})[0] == 403
        assert door.ask(f"/gradio_api/file={path}")[0] == 403
    assert door.post({"data": [{"path": str(door.uploads / "photo.png")}]})[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=%2Fetc%2Fpasswd",
        "/gradio_api/file=..%252f..%252fetc/passwd",
        "/gradio_api/file=https://example.com/",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/proxy=https://example.com/",
    ],
)
def test_gradios_own_routes_give_no_file_that_was_not_uploaded_and_fetch_nothing(door, path):
    assert door.ask(path)[0] == 403
    assert door.reached == []


def test_an_announced_body_that_is_too_large_is_refused_before_it_comes(door):
    for path, length in ((UPLOAD, 200_000), ("/gradio_api/call/fill", MOST_JSON_BYTES + 1)):
        status, text, _ = door.ask(path, method="POST", headers={"content-length": str(length)})
        assert status == 413
        assert "bytes are taken" in text
    for length in ("9" * 5000, "-1", "many"):  # more digits than Python makes a number of, and what is none
        assert door.ask(UPLOAD, method="POST", headers={"content-length": length})[0] == 413
    assert door.reached == []


@pytest.mark.parametrize("headers", [{"content-length": "200000"}, {"origin": "https://evil.example"}])
def test_a_refused_client_is_heard_out_so_that_it_reads_the_answer(door, headers):
    status, _, _ = door.ask(UPLOAD, method="POST", headers=headers, body=b"x" * 200_000, chunk=50_000)
    assert status in (403, 413)
    assert door.unread == 0


def test_a_refused_client_that_never_ends_is_answered_all_the_same(door, monkeypatch):
    monkeypatch.setattr("inpaint.app.guard._PATIENCE_S", 0.05)
    headers = {"content-length": "200000"}
    assert door.ask(UPLOAD, method="POST", headers=headers, body=b"x" * 100, stuck=True)[0] == 413


def test_a_body_that_grows_beyond_the_limit_unannounced_is_cut(door):
    assert door.ask("/gradio_api/call/fill", method="POST", body=b" " * (MOST_JSON_BYTES + 1))[0] == 413
    door.ask(UPLOAD, method="POST", body=b"x" * 300_000, chunk=50_000)
    ((kind, data),) = door.reached
    assert kind == "http.disconnect"
    assert len(data) <= 101_000


def test_what_is_no_json_is_refused(door):
    assert door.ask("/gradio_api/queue/join", method="POST", body=b"--boundary")[0] == 400
    assert door.ask("/gradio_api/queue/join", method="POST", body=b"[" * 100_000)[0] == 400


def test_answers_allow_the_browser_nothing_from_elsewhere(door):
    headers = door.ask()[2]
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'self'" in policy
    assert "connect-src 'self'" in policy
    assert "http" not in policy
