"""A server of files on this machine that behaves as well or as badly as it is told."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """Serves content by path, and remembers what it was asked for.

    files: content by path. redirects: addresses by path. statuses: answers, one each, before files are sent. cuts:
    after how many bytes of the body each of the next answers ends; None sends the whole. ranges: whether parts are
    sent. announced: the length in place of the true one; "" leaves it out. held: answers wait for it. asked: (path,
    range or "") of every request. heard: set by each.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.statuses: list[tuple[int, dict[str, str]]] = []
        self.cuts: list[int | None] = []
        self.ranges = True
        self.announced: int | str | None = None
        self.held = threading.Event()
        self.held.set()
        self.heard = threading.Event()
        self.asked: list[tuple[str, str]] = []
        self.address = ""

    def url(self, path: str) -> str:
        return f"{self.address}/{path}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    told: FileServer

    def do_GET(self):
        told, path, wanted = self.told, self.path.lstrip("/"), self.headers.get("Range", "")
        told.asked.append((path, wanted))
        told.heard.set()
        told.held.wait(20)
        self.close_connection = True
        if told.statuses:
            status, headers = told.statuses.pop(0)
            self._answer(status, {"Content-Length": "0", **headers})
            return
        if path in told.redirects:
            self._answer(302, {"Location": told.redirects[path], "Content-Length": "0"})
            return
        if path not in told.files:
            self._answer(404, {"Content-Length": "0"})
            return
        self._send(told.files[path], wanted)

    def _send(self, content: bytes, wanted: str) -> None:
        told, status, headers = self.told, 200, {}
        if wanted and told.ranges:
            begin = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if begin >= len(content):
                self._answer(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
                return
            status = 206
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
            content = content[begin:]
        if told.announced != "":
            headers["Content-Length"] = str(len(content) if told.announced is None else told.announced)
        self._answer(status, headers)
        cut = told.cuts.pop(0) if told.cuts else None
        self.wfile.write(content if cut is None else content[:cut])

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def file_server() -> Iterator[FileServer]:
    """Yield a server that ends with the block."""
    told = FileServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"told": told}))
    told.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        told.held.set()
        server.shutdown()
        server.server_close()
        thread.join()
