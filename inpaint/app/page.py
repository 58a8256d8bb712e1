"""The page itself, in Gradio: a canvas, what to fill with, results. What it does is done by `work`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import gradio as gr

from inpaint.app import work
from inpaint.app.blend_desk import BlendDesk
from inpaint.app.desk import IDLE, QUIET, Desk, answered, format_choice, option_lines, page_text
from inpaint.app.facts import photo_facts
from inpaint.app.models import FIRST, Offer
from inpaint.app.photos import FOLDER, SAMPLES
from inpaint.app.programs import FILLS, add_calls
from inpaint.app.style_desk import StyleDesk
from inpaint.app.work import MOST_GROWN_PX, MOST_MODELS, MOST_SAMPLES, Asked, Working, lines_of
from inpaint.app.workspaces import Result, Workspace
from inpaint.finding.table import FINDERS, SENSITIVITY
from inpaint.images.strokes import parse_shapes
from inpaint.strategies.options import SeamName, StrategyName, StrategyOptions

if TYPE_CHECKING:
    from fastapi import FastAPI

    from inpaint.app.serving import Server

_SHELF_TITLES = {SAMPLES: "Samples", FOLDER: "Photos here"}
_TITLE = "inpaint"


def mounted(inner: FastAPI, server: Server) -> FastAPI:
    """Return an application with the page at its root."""
    settings = server.settings
    blocks = Page(server).blocks
    blocks.queue(max_size=settings.waiting, default_concurrency_limit=4, api_open=False)
    application: FastAPI = gr.mount_gradio_app(
        inner,
        blocks,
        path="/",
        max_file_size=settings.max_bytes,
        footer_links=["api"],
        run_history=False,
        ssr_mode=False,
        show_error=False,
        allowed_paths=[],
        theme=_theme(),
        css=page_text("gradio.css") + page_text("page.css") + page_text("blend.css") + page_text("style.css"),
    )
    blocks.has_launched = True  # else Gradio takes any path in place of an upload; the guard refuses these as well
    return application


def _theme() -> gr.themes.Base:
    fonts = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]  # nothing is fetched
    mono = ["ui-monospace", "SFMono-Regular", "Menlo", "monospace"]
    return gr.themes.Base(primary_hue="rose", neutral_hue="slate", radius_size="md", font=fonts, font_mono=mono)


class Page(Desk):
    """Builds the page and answers its events; `blocks` is the page."""

    what = "fill"

    def __init__(self, server: Server) -> None:
        super().__init__(server, _shelves_of(server))
        self._models = server.models
        with gr.Blocks(title=_TITLE, analytics_enabled=False, fill_width=True, delete_cache=(300, 1800)) as self.blocks:
            self._build()
            add_calls(server)
            self.blocks.unload(self._leave)

    # The parts ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        gr.HTML(page_text("head.html"), elem_id="head", js_on_load=None)
        gr.HTML(page_text("modes.html"), elem_id="modes", js_on_load=page_text("modes.js"))
        blending, styling = BlendDesk(self._server, self._shelves), StyleDesk(self._server, self._shelves)
        with gr.Row(elem_id="desk"):
            with gr.Column(scale=7, min_width=340, elem_id="left"):
                self._editor = self._make_editor()
                styling.build_canvas()
                blending.build_canvas()
            with gr.Column(scale=3, min_width=290, elem_id="side"):
                with gr.Column(elem_classes="for-fill"):
                    self._make_controls()
                blending.build_controls()
                styling.build_controls()
            with gr.Column(min_width=340, elem_id="below"):
                self._results = gr.HTML(
                    html_template=page_text("results.html"),
                    js_on_load=page_text("results.js"),
                    apply_default_css=False,
                    elem_id="results",
                    results=[],
                    working=IDLE,
                    base="/",
                )
        self._connect()
        blending.connect(self._results)
        styling.connect(self._editor, self._results)

    def _make_editor(self) -> gr.HTML:
        return gr.HTML(
            html_template=page_text("editor.html"),
            js_on_load=page_text("shapes.js") + page_text("layers.js") + page_text("editor.js"),
            apply_default_css=False,
            elem_id="editor",
            elem_classes=["for-fill", "for-style"],
            opened=None,
            found=None,
            planes=self._planes_of([self._first]),
            shelves=self._shelves,
            limits={
                "bytes": self._settings.max_bytes,
                "pixels": self._settings.max_pixels,
                "formats": "any common format, 16 bit too",
            },
        )

    @property
    def _first(self) -> str:
        """The model that is chosen at first: the first that is named, else the fill that needs nothing."""
        return next(iter(self._models.offered)) if self._settings.models else FIRST

    def _make_controls(self) -> None:
        offered = self._models.offered
        self._chosen = gr.Dropdown(
            choices=[(_choice(offer), label) for label, offer in offered.items()],
            value=[self._first],
            multiselect=True,
            max_choices=MOST_MODELS,
            label="Fill with",
            info="Several are compared side by side.",
            elem_id="models",
        )
        self._summary = gr.Markdown(self._summary_of([self._first]), elem_id="summary")
        with gr.Row(elem_id="go", elem_classes="go"):
            self._fill = gr.Button("Fill", variant="primary", elem_id="fill", scale=3)
            self._stop = gr.Button("Stop", elem_id="stop", scale=1, interactive=False)
        with gr.Accordion("Find, masks", open=False):
            finders = work.finders(self._models)
            first = next(iter(finders), None)
            self._finder = gr.Dropdown(
                list(finders),
                value=first,
                label="Look for",
                info=self._summary_of_finder(first),
                visible=bool(finders),
                elem_id="finder",
            )
            self._sensitivity = gr.Slider(
                0, 1, value=SENSITIVITY, step=0.05, label="Sensitivity", visible=bool(finders), elem_id="sensitivity"
            )
            self._find = gr.Button("Find", visible=bool(finders), elem_id="find")
            self._mask_file = gr.UploadButton("Take a mask file (white = hole)", elem_id="mask-file")
            self._grow = gr.Slider(0, MOST_GROWN_PX, value=0, step=1, label="Grow the hole by (pixels)", elem_id="grow")
        with gr.Accordion("More", open=False):
            self._format = format_choice("format", info="PNG and TIFF keep every known pixel; JPEG compresses anew.")
            self._strategy = gr.Dropdown(
                list(get_args(StrategyName)),
                value=StrategyOptions().strategy,
                label="Strategy",
                info="How a large photo or hole is put before the model.",
                elem_id="strategy",
            )
            self._seam = gr.Dropdown(
                list(get_args(SeamName)),
                value=StrategyOptions().seam,
                label="Seam",
                info="How the border of the hole is made good, inside the hole.",
                elem_id="seam",
            )
            self._wrap = gr.Checkbox(False, label="360-degree panorama: the ends meet", elem_id="wrap")
            self._refine = gr.Checkbox(False, label="Refine networks from coarse to fine (slow)", elem_id="refine")
            self._samples = gr.Slider(
                1, MOST_SAMPLES, value=1, step=1, label="Fills of each model that draws at random", elem_id="samples"
            )
            self._seed = gr.Number(0, precision=0, minimum=0, label="Seed", elem_id="seed")
            self._options = option_lines("options", of="models", example="budget=20s")

    def _connect(self) -> None:
        """Connect events to their answers."""
        asked = [self._editor, self._chosen, self._grow, self._format, self._samples, self._seed]
        asked += [self._options, self._strategy, self._seam, self._wrap, self._refine]
        self._editor.upload(self._open_upload, None, [self._editor], **QUIET)
        self._editor.select(self._open_shelf, None, [self._editor], **QUIET)
        self._editor.input(self._find_object, None, [self._editor], concurrency_id=FILLS, concurrency_limit=1, **QUIET)
        self._finder.change(
            lambda name: gr.update(info=self._summary_of_finder(name)), [self._finder], [self._finder], **QUIET
        )
        self._mask_file.upload(self._take_mask, [self._mask_file], [self._editor], **QUIET)
        self._find.click(
            self._find_mask,
            [self._finder, self._sensitivity],
            [self._editor],
            api_visibility="private",
            show_progress="minimal",
            concurrency_id=FILLS,
            concurrency_limit=1,
        )
        self._chosen.change(self._describe, [self._chosen], [self._summary, self._editor], **QUIET)
        self._results.select(self._go_on, None, [self._editor], **QUIET)
        self.connect_work(self._fill, self._stop, self._run, asked, self._results, concurrency_id=FILLS)

    # The answers --------------------------------------------------------------------------------------------------

    def _leave(self, request: gr.Request) -> None:
        self._server.workspaces.leave(request.session_hash or "")

    def _open_upload(self, event: gr.EventData, request: gr.Request) -> Any:
        name = str(event._data.get("name", "photo"))
        return self._opened(self._space(request), lambda: (Path(str(event._data["path"])), name))

    def _open_shelf(self, event: gr.EventData, request: gr.Request) -> Any:
        return self._opened(self._space(request), lambda: self.shelved(event))

    def _go_on(self, event: gr.EventData, request: gr.Request) -> Any:
        space = self._space(request)

        def file_of_result() -> tuple[Path, str]:
            result = space.result(str(event._data.get("result")))
            return result.file, result.name

        return self._opened(space, file_of_result)

    def _opened(self, space: Workspace, find: Callable[[], tuple[Path, str]]) -> Any:
        def opened() -> dict[str, Any]:
            photo, notes = work.open_photo(space, *find(), self._settings)
            return {"photo": photo_facts(space, photo), "notes": notes}

        return answered("opened", opened)

    def _take_mask(self, file: str | None, request: gr.Request) -> Any:
        if file is None:
            return gr.skip()
        space, taken = self._space(request), Path(file)

        def take() -> dict[str, Any]:
            mask = work.take_mask(space, taken, taken.name, self._settings)
            return self._found(space, mask, f"the mask {taken.name} was added")

        return answered("found", take)

    def _find_object(self, event: gr.EventData, request: gr.Request) -> Any:
        space = self._space(request)

        def find() -> dict[str, Any]:
            (box,) = parse_shapes([{"kind": "box", "points": event._data.get("points", ())}])
            return self._found(space, work.find_object(space, box, self._settings), "the object in the box is marked")

        return answered("found", find)

    def _find_mask(self, what: str, sensitivity: float, request: gr.Request) -> Any:
        space = self._space(request)

        def find() -> dict[str, Any]:
            mask, share = work.find_mask(space, what, self._models, self._settings, sensitivity=sensitivity)
            if mask is None:
                found = f"no {what} was found" if what in FINDERS else f"{what} found nothing"
                return {"mask": None, "note": f"{found}; a higher sensitivity finds more"}
            return self._found(space, mask, f"{what}: {100 * share:.1f} % of the photo is marked")

        return answered("found", find)

    def _found(self, space: Workspace, mask: str, note: str) -> dict[str, Any]:
        return {"mask": mask, "cover": space.address(work.write_cover(space, mask)), "note": note}

    def _describe(self, chosen: list[str]) -> Any:
        return self._summary_of(chosen), gr.update(planes=self._planes_of(chosen))

    def _summary_of(self, chosen: list[str]) -> str:
        found = [self._models.offered[label] for label in chosen if label in self._models.offered]
        return "\n".join(f"- **{offer.label}**: {offer.summary}" for offer in found)

    def _summary_of_finder(self, name: str | None) -> str:
        found = work.finders(self._models)
        return found[name].summary if name in found else ""

    def _planes_of(self, chosen: list[str]) -> list[dict[str, str]]:
        """Return the layers that may be drawn for these models: name, and whether it has lines or colors."""
        found = [self._models.offered[label] for label in chosen if label in self._models.offered]
        planes = {name: plane for offer in found for name, plane in offer.capabilities.guidance.items()}
        return [{"name": name, "kind": plane.scales, "summary": plane.summary} for name, plane in planes.items()]

    def _run(
        self,
        drawing: dict[str, Any] | None,
        chosen: list[str],
        grow: float,
        format_: str,
        samples: float,
        seed: float,
        options: str,
        strategy: str,
        seam: str,
        wrap: bool,
        refine: bool,
        request: gr.Request,
    ) -> Iterator[Any]:
        space = self._space(request)

        def begin() -> Iterator[Working | Result]:
            asked = Asked(
                models=tuple(chosen),
                shapes=self.drawn(drawing, space, again="mark the hole again"),
                grow_px=grow,
                seed=int(seed or 0),
                samples=int(samples),
                format=format_,
                options=lines_of(options),
                strategy=work.strategy_of(strategy=strategy, seam=seam, wrap=wrap, refine=refine),
            )
            return work.fill(space, asked, self._models, self._settings)

        yield from self.told(space, begin)


def _shelves_of(server: Server) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "title": _SHELF_TITLES[name],
            "names": list(shelf.names),
            "views": [f"/shelf/{name}/{number}" for number in range(len(shelf.names))],
        }
        for name, shelf in server.shelves.items()
    ]


def _choice(offer: Offer) -> str:
    return offer.label if not offer.capabilities.trained else f"{offer.label} ({offer.summary})"
