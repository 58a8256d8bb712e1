"""What the parts of the page share: the user's workspace, photos of shelves, work that is begun and stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import gradio as gr

from inpaint.app.workspaces import Workspace
from inpaint.errors import UsageError

if TYPE_CHECKING:
    from inpaint.app.serving import Server

READY = (gr.update(interactive=True), gr.update(interactive=False))
"""What the buttons that begin and stop work become when it is over."""


def page_text(name: str) -> str:
    """Return a file of the page."""
    return (files("inpaint.app") / "page" / name).read_text(encoding="utf-8")


class Desk:
    """Base of a part of the page. what: what its work is called, for messages."""

    what: ClassVar[str]

    def __init__(self, server: Server, shelves: Sequence[dict[str, Any]]) -> None:
        self._server = server
        self._settings = server.settings
        self._shelves = shelves

    def connect_work(
        self,
        go: gr.Button,
        stop: gr.Button,
        run: Callable[..., Any],
        asked: Sequence[Any],
        results: gr.HTML,
        *,
        concurrency_id: str,
    ) -> None:
        """Let buttons begin and stop work.

        Args:
            go, stop: The buttons.
            run: Yields what `results` and the buttons become.
            asked: What `run` is given.
            results: Shows what comes of it.
            concurrency_id: Work of the same waits for each other.
        """
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        shown = [results, go, stop]
        waiting = go.click(self._begin, None, shown, queue=False, **quiet)
        work = waiting.then(run, list(asked), shown, concurrency_id=concurrency_id, concurrency_limit=1, **quiet)
        work.failure(self._failed, None, shown, queue=False, **quiet)
        stop.click(self._halt, None, None, queue=False, **quiet)

    def shelved(self, event: gr.EventData) -> tuple[Path, str]:
        """Return the file that was chosen of a shelf, and what it is called; raises UsageError where there is none."""
        shelf = self._server.shelves.get(str(event._data.get("shelf")))
        number = event._data.get("number")
        if shelf is None or not isinstance(number, int) or not 0 <= number < len(shelf.files):
            raise UsageError("there is no such photo")
        return shelf.files[number], Path(shelf.names[number]).name

    def _space(self, request: gr.Request) -> Workspace:
        return self._server.workspaces.of(request.session_hash or "")

    def _begin(self, request: gr.Request) -> Any:
        """Answer at once to whoever may have to wait; from now on Stop counts."""
        self._space(request).stopping.clear()
        return gr.update(working={"waiting": True}), gr.update(interactive=False), gr.update(interactive=True)

    def _failed(self) -> Any:
        """Say that work did not come to its end for a reason that is not the user's; the terminal has the reason."""
        error = f"this did not work: too much is waiting, or the {self.what} failed; try again later"
        return gr.update(working={"error": error}), *READY

    def _halt(self, request: gr.Request) -> None:
        self._space(request).stopping.set()
