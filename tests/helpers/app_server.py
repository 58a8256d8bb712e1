"""The page, served by a process of its own for the tests that speak HTTP or open a browser."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@contextmanager
def served(*options: str, program: tuple[str, ...] = ("-m", "inpaint")):
    """Yield the address of `inpaint app` with these options; a process of its own, since Gradio tidies nothing up."""
    process = subprocess.Popen(
        [sys.executable, *program, "app", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        found = re.search(r"http://\S+", said)
        assert found, said + process.stdout.read()
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        finally:
            process.kill()
            process.stdout.close()


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """A program that speaks to the page with nothing but HTTP."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.address + path, data=body, headers=named)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer.status, answer.read(), dict(answer.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read(), dict(error.headers))

    def upload(self, name: str, content: bytes, **headers: str) -> Answer:
        edge = b"----edge"
        head = b'--%b\r\nContent-Disposition: form-data; name="files"; filename="%b"\r\n\r\n' % (edge, name.encode())
        body = head + content + b"\r\n--" + edge + b"--\r\n"
        return self.ask(
            "/gradio_api/upload", body, Content_Type=f"multipart/form-data; boundary={edge.decode()}", **headers
        )

    def call(self, name: str, /, **given: Any) -> tuple[str, Any]:
        """Return how a call ended ("complete" or "error"), and what it answered."""
        asked = self.ask(f"/gradio_api/call/v2/{name}", json.dumps(given).encode(), Content_Type="application/json")
        if asked.status != 200:
            return str(asked.status), asked.text
        answer = self.ask(f"/gradio_api/call/{name}/{asked.json['event_id']}").text
        event, data = answer.strip().split("\n\n")[-1].split("\n")
        return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))
