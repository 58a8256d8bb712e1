"""A folder behind a static server, as `python -m http.server` is one, which notes what it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *given, headers: Mapping[str, str], **named) -> None:
        self.further = headers
        super().__init__(*given, **named)

    def end_headers(self) -> None:
        for name, value in self.further.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format, *args) -> None:
        pass


@contextmanager
def static_server(folder: Path, headers: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield the address, ending in a slash; headers: sent with every answer."""
    handler = partial(_Handler, directory=str(folder), headers=headers or {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
