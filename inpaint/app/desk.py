"""What the parts of the page share: the user's workspace, photos of shelves, work that is begun and stopped."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import gradio as gr

from inpaint.app.facts import news, result_facts
from inpaint.app.work import SAME_FORMAT, Working
from inpaint.app.workspaces import Result, Workspace
from inpaint.errors import InpaintError, UsageError
from inpaint.images.formats import FORMATS
from inpaint.images.strokes import Shape, parse_shapes

if TYPE_CHECKING:
    from inpaint.app.serving import Server

IDLE: dict[str, Any] = {"idle": True}  # Gradio leaves out what is None
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""Of events that nobody calls by name from outside: programs have calls of their own."""
READY = (gr.update(interactive=True), gr.update(interactive=False))
"""What the buttons that begin and stop work become when it is over."""


def page_text(name: str) -> str:
    """Return a file of the page."""
    return (files("inpaint.app") / "page" / name).read_text(encoding="utf-8")


def answered(name: str, answer: Callable[[], dict[str, Any]]) -> Any:
    """Return an update of a property of a part of the page: what is answered, or what is wrong with the question."""
    try:
        facts = answer()
    except InpaintError as error:
        facts = {"error": str(error)}
    changed: dict[str, Any] = {name: news(**facts)}
    return gr.update(**changed)


def format_choice(elem_id: str, *, info: str | None = None) -> gr.Dropdown:
    """Add the choice of the result's format."""
    known = [SAME_FORMAT, *(each.name for each in FORMATS)]
    return gr.Dropdown(known, value=SAME_FORMAT, label="Format of the result", info=info, elem_id=elem_id)


def option_lines(elem_id: str, *, of: str, example: str) -> gr.Textbox:
    """Add the field for further options, each NAME=VALUE; of: what has them."""
    info = f"NAME=VALUE, one a line, such as {example}"
    return gr.Textbox("", label=f"Options of the {of}", info=info, lines=1, max_lines=6, elem_id=elem_id)


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
        shown = [results, go, stop]
        waiting = go.click(self._begin, None, shown, queue=False, **QUIET)
        work = waiting.then(run, list(asked), shown, concurrency_id=concurrency_id, concurrency_limit=1, **QUIET)
        work.failure(self._failed, None, shown, queue=False, **QUIET)
        stop.click(self._halt, None, None, queue=False, **QUIET)

    def told(self, space: Workspace, begin: Callable[[], Iterator[Working | Result]]) -> Iterator[Any]:
        """Do work and yield what its results and buttons become; for `connect_work`.

        Args:
            space: Whose work it is.
            begin: Returns its steps, or raises an InpaintError that says why it cannot be done.
        """
        try:
            for step in begin():
                if isinstance(step, Working):
                    update = gr.update(working=dataclasses.asdict(step))
                else:
                    update = gr.update(results=result_facts(space))
                yield update, gr.skip(), gr.skip()
        except InpaintError as error:
            yield gr.update(working={"error": str(error)}), *READY
            return
        yield gr.update(working=IDLE, results=result_facts(space)), *READY

    def drawn(self, drawing: dict[str, Any] | None, space: Workspace, *, again: str) -> tuple[Shape, ...]:
        """Return the shapes that the editor holds; raises InpaintError where they were drawn on another photo."""
        if drawing and space.photo is not None and drawing.get("photo") != space.photo.id:
            raise InpaintError(f"the photo was opened anew in the meantime; {again}")
        return parse_shapes((drawing or {}).get("shapes", []))

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
