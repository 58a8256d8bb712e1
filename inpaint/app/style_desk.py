"""The part of the page that paints in styles: pictures of styles, models, and the editor for where they go. What it
does is done by `styling`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import gradio as gr

from inpaint.app import styling
from inpaint.app.desk import QUIET, Desk, answered, format_choice, option_lines, page_text
from inpaint.app.facts import photo_facts
from inpaint.app.programs import FILLS
from inpaint.app.styling import USUAL, StyleAsked, StyleOffer
from inpaint.app.work import MOST_MODELS, Working, lines_of
from inpaint.app.workspaces import Result, Workspace
from inpaint.errors import UsageError
from inpaint.style.options import Colors

if TYPE_CHECKING:
    from inpaint.app.serving import Server

SMALLEST_PX = 64  # of the longer side at which is worked


class StyleDesk(Desk):
    """Builds the styles and the controls, each where the page wants it, and answers their events."""

    what = "style"

    def __init__(self, server: Server, shelves: Sequence[dict[str, Any]]) -> None:
        super().__init__(server, shelves)
        self._offered = server.stylizers

    def build_canvas(self) -> None:
        """Add the pictures of styles, which stand below the photo."""
        self._styles = gr.HTML(
            html_template=page_text("style.html"),
            js_on_load=page_text("style.js"),
            apply_default_css=False,
            elem_id="styles",
            elem_classes="for-style",
            styles=None,
            shelves=self._shelves,
            limits={"bytes": self._settings.max_bytes},
        )

    def build_controls(self) -> None:
        """Add the choice of models, their options and the buttons."""
        with gr.Column(elem_classes="for-style"):
            self._models = gr.Dropdown(
                list(self._offered),
                value=[styling.FIRST],
                multiselect=True,
                max_choices=MOST_MODELS,
                label="Paint with",
                info="Several are compared side by side.",
                elem_id="style-models",
            )
            self._summary = gr.Markdown(self._summary_of([styling.FIRST]), elem_id="style-summary")
            self._learned = gr.Dropdown([], label="Style that it has learned", visible=False, elem_id="style-learned")
            self._strength = gr.Slider(
                0, 1, value=USUAL["strength"], step=0.05, label="Strength", elem_id="style-strength"
            )
            self._scale = gr.Slider(
                0.1,
                2,
                value=USUAL["scale"],
                step=0.05,
                label="Scale of the style",
                info="Smaller for finer strokes.",
                elem_id="style-scale",
            )
            self._colors = gr.Dropdown(
                list(get_args(Colors)),
                value=USUAL["colors"],
                label="Colors",
                info="keep: the photo's. match: the style gets these first. luminance: lightness alone is painted.",
                elem_id="style-colors",
            )
            with gr.Row(elem_classes="go"):
                self._go = gr.Button("Paint", variant="primary", elem_id="stylize", scale=3)
                self._stop = gr.Button("Stop", elem_id="style-stop", scale=1, interactive=False)
            with gr.Accordion("More", open=False):
                self._size = gr.Number(
                    0,
                    precision=0,
                    minimum=0,
                    label="Longer side to work at (pixels)",
                    info="0: the photo's own. The result has the photo's size in any case.",
                    elem_id="style-size",
                )
                self._format = format_choice("style-format")
                self._seed = gr.Number(0, precision=0, minimum=0, label="Seed", elem_id="style-seed")
                self._options = option_lines("style-options", of="models", example="iterations=50")

    def connect(self, editor: gr.HTML, results: gr.HTML) -> None:
        """Connect events to their answers; `editor` has the photo and where styles go, `results` shows what comes."""
        self._styles.upload(self._take, None, [self._styles], **QUIET)
        self._styles.select(self._take_sample, None, [self._styles], **QUIET)
        self._styles.input(self._remove, None, [self._styles], **QUIET)
        self._models.change(self._describe, [self._models], [self._summary, self._learned], **QUIET)
        asked = [editor, self._models, self._learned, self._strength, self._scale, self._colors]
        asked += [self._size, self._options, self._seed, self._format]
        self.connect_work(self._go, self._stop, self._run, asked, results, concurrency_id=FILLS)

    # The answers --------------------------------------------------------------------------------------------------

    def _take(self, event: gr.EventData, request: gr.Request) -> Any:
        name = str(event._data.get("name", "style"))
        return self._added(self._space(request), lambda: (Path(str(event._data["path"])), name))

    def _take_sample(self, event: gr.EventData, request: gr.Request) -> Any:
        return self._added(self._space(request), lambda: self.shelved(event))

    def _added(self, space: Workspace, find: Callable[[], tuple[Path, str]]) -> Any:
        return self._changed(space, lambda: styling.add_style(space, *find(), self._settings))

    def _remove(self, event: gr.EventData, request: gr.Request) -> Any:
        space = self._space(request)
        return self._changed(space, lambda: styling.remove_style(space, str(event._data.get("style"))))

    def _changed(self, space: Workspace, change: Callable[[], list[str]]) -> Any:
        def styles() -> dict[str, Any]:
            notes = change()
            return {"pictures": [photo_facts(space, each) for each in space.styles], "notes": notes}

        return answered("styles", styles)

    def _describe(self, chosen: list[str]) -> Any:
        learned = self._learned_of(chosen)
        first = learned[0] if learned else None
        return self._summary_of(chosen), gr.update(choices=learned, value=first, visible=bool(learned))

    def _offers(self, chosen: Sequence[str]) -> list[StyleOffer]:
        return [self._offered[label] for label in chosen if label in self._offered]

    def _summary_of(self, chosen: Sequence[str]) -> str:
        return "\n".join(f"- **{offer.label}**: {offer.summary}" for offer in self._offers(chosen))

    def _learned_of(self, chosen: Sequence[str]) -> list[str]:
        return list(dict.fromkeys(name for offer in self._offers(chosen) for name in offer.learned or ()))

    def _run(
        self,
        drawing: dict[str, Any] | None,
        models: list[str],
        learned: str | None,
        strength: float,
        scale: float,
        colors: str,
        size: float,
        options: str,
        seed: float,
        format_: str,
        request: gr.Request,
    ) -> Iterator[Any]:
        space = self._space(request)

        def begin() -> Iterator[Working | Result]:
            shapes = self.drawn(drawing, space, again="mark anew where styles go")
            if size and size < SMALLEST_PX:
                raise UsageError(f"the longer side to work at must be 0 or at least {SMALLEST_PX} pixels, got {size:g}")
            asked = StyleAsked(
                models=tuple(models),
                shapes=shapes,
                learned=learned or "",
                strength=strength,
                scale=scale,
                colors=colors,
                size_px=int(size) or None,
                options=lines_of(options),
                seed=int(seed or 0),
                format=format_,
            )
            return styling.stylize(space, asked, self._offered, self._settings)

        yield from self.told(space, begin)
