"""The part of the page that blends: two photos, dragging, methods. What it does is done by `blending`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from inpaint.app import blending
from inpaint.app.blending import BlendAsked
from inpaint.app.desk import QUIET, Desk, answered, format_choice, option_lines, page_text
from inpaint.app.facts import photo_facts
from inpaint.app.programs import FILLS
from inpaint.app.work import Working, lines_of
from inpaint.app.workspaces import Result, Workspace
from inpaint.blending.table import DEFAULT
from inpaint.errors import UsageError, unknown
from inpaint.images.strokes import parse_shapes


class BlendDesk(Desk):
    """Builds the canvas and the controls, each where the page wants it, and answers their events."""

    what = "blend"

    def build_canvas(self) -> None:
        """Add the two photos."""
        self._canvas = gr.HTML(
            html_template=page_text("blend.html"),
            js_on_load=page_text("shapes.js") + page_text("blend.js"),
            apply_default_css=False,
            elem_id="blend-canvas",
            elem_classes="for-blend",
            opened=None,
            cut=None,
            shelves=self._shelves,
            limits={"bytes": self._settings.max_bytes},
        )

    def build_controls(self) -> None:
        """Add the choice of a method and the buttons."""
        with gr.Column(elem_classes="for-blend"):
            known = blending.methods(self._server.models)
            self._method = gr.Dropdown(
                list(known), value=DEFAULT, label="Blend by", info=known[DEFAULT].summary, elem_id="blend-method"
            )
            with gr.Row(elem_classes="go"):
                self._blend = gr.Button("Blend", variant="primary", elem_id="blend", scale=3)
                self._stop = gr.Button("Stop", elem_id="blend-stop", scale=1, interactive=False)
            with gr.Accordion("More", open=False):
                self._format = format_choice("blend-format")
                self._seed = gr.Number(0, precision=0, minimum=0, label="Seed", elem_id="blend-seed")
                self._options = option_lines("blend-options", of="method", example="mode=mixed")

    def connect(self, results: gr.HTML) -> None:
        """Connect events to their answers; `results` shows what comes of them."""
        self._canvas.upload(self._take, None, [self._canvas], **QUIET)
        self._canvas.select(self._take_sample, None, [self._canvas], **QUIET)
        self._canvas.input(self._mark, None, [self._canvas], concurrency_id=FILLS, concurrency_limit=1, **QUIET)
        known = blending.methods(self._server.models)
        self._method.change(lambda name: gr.update(info=known[name].summary), [self._method], [self._method], **QUIET)
        asked = [self._canvas, self._method, self._options, self._seed, self._format]
        self.connect_work(self._blend, self._stop, self._run, asked, results, concurrency_id=FILLS)

    # The answers --------------------------------------------------------------------------------------------------

    def _take(self, event: gr.EventData, request: gr.Request) -> Any:
        """Open an uploaded photo, or take an uploaded mask of the source."""
        space, role = self._space(request), str(event._data.get("role"))
        file, name = Path(str(event._data["path"])), str(event._data.get("name", "photo"))
        if role == "mask":
            return self._cut(space, lambda: blending.take_object_mask(space, file, name, self._settings))
        return self._opened(space, role, lambda: (file, name))

    def _take_sample(self, event: gr.EventData, request: gr.Request) -> Any:
        return self._opened(self._space(request), str(event._data.get("role")), lambda: self.shelved(event))

    def _opened(self, space: Workspace, role: str, find: Callable[[], tuple[Path, str]]) -> Any:
        def opened() -> dict[str, Any]:
            photo, cut, notes = blending.open_part(space, role, *find(), self._settings)
            view = None if cut is None else space.address(cut)
            return {"role": role, "photo": photo_facts(space, photo), "cut": view, "notes": notes}

        return answered("opened", opened)

    def _mark(self, event: gr.EventData, request: gr.Request) -> Any:
        space = self._space(request)

        def mark() -> Path:
            kind, points = event._data.get("kind"), event._data.get("points", ())
            if kind not in ("box", "lasso"):
                raise UsageError(unknown("kind of mark", str(kind), ("box", "lasso")))
            (shape,) = parse_shapes([{"kind": kind, "points": points}])
            return blending.mark_object(space, shape, self._settings)

        return self._cut(space, mark)

    def _cut(self, space: Workspace, find: Callable[[], Path]) -> Any:
        return answered("cut", lambda: {"view": space.address(find())})

    def _run(
        self, placed: dict[str, Any] | None, method: str, options: str, seed: float, format_: str, request: gr.Request
    ) -> Iterator[Any]:
        space = self._space(request)

        def begin() -> Iterator[Working | Result]:
            asked = BlendAsked(
                **_numbers(placed), method=method, options=lines_of(options), seed=int(seed or 0), format=format_
            )
            return blending.blend(space, asked, self._server.models, self._settings)

        yield from self.told(space, begin)


def _numbers(placed: dict[str, Any] | None) -> dict[str, float]:
    """Return x, y, scale and rotate as the canvas tells them; raises UsageError where it does not."""
    given = placed or {}
    try:
        return {name: float(given[name]) for name in ("x", "y", "scale", "rotate")}
    except (KeyError, TypeError, ValueError):
        raise UsageError("open a target and a source first") from None
