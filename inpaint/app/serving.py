"""From the page to a server: its routes for files, Gradio behind the guard, and the end of it all."""

from __future__ import annotations

import errno
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inpaint.app.guard import Guard
from inpaint.app.models import LoadedModels, offers
from inpaint.app.photos import Shelf
from inpaint.app.settings import Settings
from inpaint.app.styling import style_offers
from inpaint.app.workspaces import Workspaces
from inpaint.errors import InpaintError, UsageError
from inpaint.system.environment import variable_set
from inpaint.system.extras import import_optional

if TYPE_CHECKING:
    from inpaint.app.guard import App

PROGRAMS_EXPIRY_S = 600.0
"""So long the results of a program's call can be fetched."""


class Server:
    """All that the page stands on. Its files lie in a folder of its own, which goes with it.

    Args:
        settings: How it is served.
        root: Folder for everything that is written.

    Raises:
        InpaintError: A model, or the folder of photos, cannot be used.
    """

    def __init__(self, settings: Settings, root: Path) -> None:
        self.settings = settings
        self.uploads = root.resolve() / "uploads"
        self.stylizers = style_offers(settings.models, settings.runs)
        self.models = LoadedModels(offers(settings.models, settings.runs), settings.device)
        self.shelves = Shelf.all(settings)
        self.workspaces = Workspaces(root / "users", expiry_s=settings.expiry_s, most=settings.users)
        self.programs = Workspaces(root / "programs", expiry_s=PROGRAMS_EXPIRY_S, most=settings.users)
        self.uploads.mkdir(parents=True)

    def file(self, token: str, folder: str, name: str) -> Path | None:
        """Return a file of a user or of a program's call by its address; None where there is none."""
        return self.workspaces.file(token, folder, name) or self.programs.file(token, folder, name)

    def application(self) -> App:
        """Return the ASGI application."""
        from fastapi import FastAPI, HTTPException
        from fastapi.responses import FileResponse, Response

        from inpaint.app.page import mounted

        inner = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

        @inner.get("/files/{token}/{folder}/{name}")
        def file(token: str, folder: str, name: str, download: bool = False) -> Response:
            path = self.file(token, folder, name)
            if path is None:
                raise HTTPException(404, "no such file, or no longer")
            headers = {"Cache-Control": "private, max-age=3600"}
            return FileResponse(path, filename=name if download else None, headers=headers)

        @inner.get("/shelf/{shelf}/{number}")
        def thumbnail(shelf: str, number: int) -> Response:
            try:
                data = self.shelves[shelf].thumbnail(number)
            except (KeyError, IndexError, InpaintError):
                raise HTTPException(404, "no such photo") from None
            return Response(data, media_type="image/webp", headers={"Cache-Control": "private, max-age=3600"})

        settings = self.settings
        guarded = Guard(mounted(inner, self), uploads=self.uploads, local=settings.local, max_bytes=settings.max_bytes)
        return guarded


@contextmanager
def opened(settings: Settings) -> Iterator[Server]:
    """Yield a server with a temporary folder that is deleted afterwards.

    Gradio reads where it puts files, and whether it may ask its maker's servers, from the environment when it is
    imported or asked; so these stand there as long as the server lives.

    Raises:
        MissingDependencyError: Gradio is not installed.
        InpaintError: As `Server`.
    """
    with tempfile.TemporaryDirectory(prefix="inpaint-app-") as folder, _environment(Path(folder)):
        import_optional("app", purpose="the page")
        yield Server(settings, Path(folder))


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    wanted = {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "GRADIO_TEMP_DIR": str(folder.resolve() / "uploads"),
        "GRADIO_EXAMPLES_CACHE": str(folder.resolve() / "examples"),
    }
    with ExitStack() as stack:
        for name, value in wanted.items():
            stack.enter_context(variable_set(name, value))
        yield


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raises UsageError for an address that is none of this machine, or a taken port."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot_listen(host, port, error) from None
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        found.close()
        raise _cannot_listen(host, port, error) from None
    return found


def _cannot_listen(host: str, port: int, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(f"port {port} is taken, perhaps by another page; choose one with --port")
    return UsageError(f"cannot listen at {host}, port {port}: {error.strerror or error}")


def serve(settings: Settings, *, ready: Callable[[str, Callable[[], None]], Any]) -> None:
    """Serve the page until the process is interrupted or terminated.

    Args:
        settings: How.
        ready: Told the page's address once it answers, and what to call to end it.

    Raises:
        InpaintError: It cannot be served.
    """
    with listening(settings.host, settings.port) as door, opened(settings) as server:
        import uvicorn

        host, port = door.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        application = server.application()

        class Announced(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                ready(f"http://{shown}:{port}/", self.end)

            def end(self) -> None:
                self.should_exit = True

        config = uvicorn.Config(application, log_level="warning", timeout_graceful_shutdown=1, ws="none")
        Announced(config).run([door])
