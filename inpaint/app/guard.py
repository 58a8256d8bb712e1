"""Who may ask the page what: hosts, origins, sizes and paths are checked before any other code sees a request.

Written against ASGI itself, so that Gradio's routes are behind it as well as ours. What it is for:

- Another site's script that posts here from the user's browser (CSRF): a request that changes something and names
  another origin, or comes from another site by the browser's own word, is refused.
- Another site's name that points to this machine (DNS rebinding): a page for this machine alone answers to the names
  of this machine alone.
- Gradio takes paths and addresses in place of an upload: paths outside of the folder of uploads are refused, and so
  are addresses, which it would fetch.
- Bodies without end: what is longer than the largest photo is refused while it comes.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

from inpaint.app.settings import is_loopback

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

UPLOAD = "/gradio_api/upload"
MOST_JSON_BYTES = 20_000_000
"""Of a request that is no upload: what is drawn, and options."""

_PATIENCE_S = 10.0  # with a refused client that is still sending
_FORM_BYTES = 100_000  # what a form has around its file
_SAFE = ("GET", "HEAD", "OPTIONS")
# Gradio builds its page from templates at run time, hence 'unsafe-eval'; nothing may come from, or go to, elsewhere.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class _Refused(Exception):  # noqa: N818 - an answer, not an error
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Guard:
    """Wraps an ASGI application.

    Args:
        app: What answers the requests that are let through.
        uploads: The folder of uploaded files; resolved.
        local: Whether only names of this machine are answered to.
        max_bytes: Largest file that is taken.
    """

    def __init__(self, app: App, *, uploads: Path, local: bool, max_bytes: int) -> None:
        self.inner = app
        self._uploads = uploads
        self._local = local
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it with one line of text."""
        if scope["type"] == "lifespan":
            await self.inner(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing of ours speaks over websockets
            await send({"type": "websocket.close", "code": 1008})
            return

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        body = _Body(receive)
        try:
            self._check(scope)
            receive = await self._bounded(scope, body.receive)
        except _Refused as refused:
            await body.discard()
            await _answer(say, refused.status, str(refused))
            return
        await self.inner(scope, receive, say)

    def _check(self, scope: Scope) -> None:
        """Refuse a request by its first line and headers alone."""
        headers = _headers(scope)
        host = headers.get("host", "")
        if self._local and not _names_this_machine(host):
            raise _Refused(403, f"this page answers to the names of this machine, not to '{host}'")
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if scope["method"] not in _SAFE:
            if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
                raise _Refused(403, f"the request comes from another page: {origin}")
            if origin is None and site not in (None, "same-origin", "none"):
                raise _Refused(403, "the request comes from another page")
        path = unquote(unquote(scope["path"]))
        name = path.partition("file=")[2] or path.partition("/file/")[2] if "/file" in path else ""
        if name and not self._uploaded(name):
            raise _Refused(403, "no such upload")
        if "/proxy=" in path:
            raise _Refused(403, "this page fetches nothing from elsewhere")

    def _uploaded(self, text: str) -> bool:
        """Return whether a path is that of an uploaded file, whatever links and dots it has."""
        try:
            return Path(text).is_absolute() and Path(text).resolve().is_relative_to(self._uploads)
        except (OSError, ValueError, RuntimeError):  # a null byte, a name too long, a loop of links
            return False

    async def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """Return the receiver of a body that is not longer than allowed; JSON is read and checked here."""
        headers = _headers(scope)
        uploading = scope["path"].rstrip("/") == UPLOAD
        most = self._max_bytes + _FORM_BYTES if uploading else MOST_JSON_BYTES
        length = headers.get("content-length")
        if length is not None and (not re.fullmatch("[0-9]{1,18}", length) or int(length) > most):
            raise _Refused(413, f"at most {most:,} bytes are taken, and {length} are announced")
        if scope["method"] in _SAFE:
            return receive
        if uploading:
            return _counted(receive, most)
        body = await _whole(receive, most)
        self._check_paths(body)
        return _again(body, receive)

    def _check_paths(self, body: bytes) -> None:
        """Refuse JSON in which something that stands for a file is none that was uploaded."""
        try:
            given = json.loads(body) if body else None
        except (ValueError, RecursionError):
            raise _Refused(400, "the body is no JSON") from None
        for path in _paths(given):
            if not isinstance(path, str) or not self._uploaded(path):
                raise _Refused(403, "no such upload: files are sent to /gradio_api/upload first")


class _Body:
    """The body of a request as it comes, which knows when it is complete."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._complete = False

    async def receive(self) -> Message:
        """Return the next message."""
        message = await self._receive()
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def discard(self) -> None:
        """Take what still comes, for a while: a client that is cut off while it sends never reads the answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                while not self._complete:
                    await self.receive()


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _names_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or is_loopback(name)


def _paths(given: object) -> Iterator[object]:
    """Return what stands as "path" anywhere in JSON; None is nothing."""
    waiting = [given]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("path") is not None:
                yield value["path"]
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


async def _whole(receive: Receive, most: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":  # the client has gone
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > most:
            raise _Refused(413, f"at most {most:,} bytes are taken")
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a receiver that gives a body that was read already."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


def _counted(receive: Receive, most: int) -> Receive:
    """Return a receiver that ends a body which is longer than it may be as if the client had gone."""
    seen = 0

    async def receive_counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return {"type": "http.disconnect"} if seen > most else message

    return receive_counted


async def _answer(send: Send, status: int, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
