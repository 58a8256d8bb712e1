"""The door for programs: what the page does, as calls over HTTP (Gradio's API), stateless, with files by address."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.events import api

import inpaint.arguments as arguments
from inpaint.app import work
from inpaint.app.work import SAME_FORMAT, Asked
from inpaint.app.workspaces import Result, Workspace
from inpaint.errors import InpaintError, InputError
from inpaint.finding.table import SENSITIVITY
from inpaint.images.strokes import Shape, parse_shapes
from inpaint.strategies.options import StrategyOptions

if TYPE_CHECKING:
    from inpaint.app.serving import Server


FILLS = "fills"
"""Name of the queue in which fills wait for each other, whoever asks for them."""


def add_calls(server: Server) -> None:
    """Add the calls to the page that is being built."""
    calls = Calls(server)
    api(calls.models, api_name="models", queue=False)
    api(calls.finders, api_name="finders", queue=False)
    api(calls.fill, api_name="fill", concurrency_id=FILLS, concurrency_limit=1)


class Calls:
    """What programs may call. Each call has a workspace of its own, whose files can be fetched for ten minutes."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def models(self) -> list[dict]:  # type: ignore[type-arg]
        """Return the models that are offered: name, summary, guidance, and whether several samples differ."""
        return [
            {
                "name": label,
                "summary": offer.summary,
                "guidance": sorted(offer.capabilities.guidance),
                "stochastic": offer.capabilities.stochastic,
            }
            for label, offer in self._server.models.offered.items()
        ]

    def finders(self) -> list[dict]:  # type: ignore[type-arg]
        """Return what can be found in a photo here: name, summary, and what the sensitivity changes."""
        return [
            {"name": name, "summary": finder.summary, "sensitivity": finder.sensitivity}
            for name, finder in work.finders(self._server.models).items()
        ]

    def fill(
        self,
        photo: dict,  # type: ignore[type-arg]
        mask: dict | None = None,  # type: ignore[type-arg]
        model: str = "patch",
        shapes: list | None = None,  # type: ignore[type-arg]
        grow: float = 0,
        seed: int = 0,
        samples: int = 1,
        format: str = SAME_FORMAT,
        invert_mask: bool = False,
        options: list | None = None,  # type: ignore[type-arg]
        strategy: str = StrategyOptions().strategy,
        seam: str = StrategyOptions().seam,
        wrap: bool = False,
        refine: bool = False,
        find: list | None = None,  # type: ignore[type-arg]
        objects: list | None = None,  # type: ignore[type-arg]
        sensitivity: float = SENSITIVITY,
    ) -> list[dict]:  # type: ignore[type-arg]
        """Fill the hole of a photo and return a list of results, each with the addresses of its files.

        photo, mask: {"path": PATH}, as /gradio_api/upload answers; white = hole. shapes: what is drawn in addition, as
        {"kind": "box", "points": [[10, 20], [80, 90]]}, in pixels of the photo; with "layer": "sketch", or another name
        of the model's guidance, it is what the fill is to follow, in "color": "#rrggbb" for colors. grow: pixels by
        which the hole grows.
        format: "as the photo", PNG, TIFF, JPEG ... options: a list of "NAME=VALUE" for the model. strategy, seam,
        wrap, refine: as of `inpaint infer`. find: a list of what is looked for and removed, such as ["text"], or a
        blind model. objects: shapes of kind box, each around an object. A blind model needs none of these.
        """
        settings = self._server.settings
        space = self._server.programs.of(secrets.token_urlsafe(16))
        try:
            work.open_photo(space, *self._uploaded("photo", photo), settings)
            drawn = parse_shapes(shapes or [])
            if mask is not None:
                inverted = arguments.truth("invert_mask", invert_mask)
                taken = work.take_mask(space, *self._uploaded("mask", mask), settings, invert=inverted)
                drawn = (Shape("mask", mask=taken), *drawn)
            for box in parse_shapes(objects or []):
                drawn = (Shape("mask", mask=work.find_object(space, box, settings)), *drawn)
            sensitivity = arguments.number("sensitivity", sensitivity)
            for what in arguments.texts("find", find or []):
                found, _ = work.find_mask(space, what, self._server.models, settings, sensitivity=sensitivity)
                drawn = (*((Shape("mask", mask=found),) if found else ()), *drawn)
            asked = Asked(
                models=(arguments.text("model", model),),
                shapes=drawn,
                grow_px=arguments.number("grow", grow),
                seed=arguments.integer("seed", seed),
                samples=arguments.integer("samples", samples, least=1),
                format=arguments.text("format", format),
                options=tuple(arguments.texts("options", options or [])),
                strategy=work.strategy_of(strategy=strategy, seam=seam, wrap=wrap, refine=refine),
            )
            steps = work.fill(space, asked, self._server.models, settings)
            return [self._facts(space, step) for step in steps if isinstance(step, Result)]
        except InpaintError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def _uploaded(self, what: str, given: Any) -> tuple[Path, str]:
        """Return the path and name of an uploaded file; raises InputError for any other."""
        path = given.get("path") if isinstance(given, dict) else None
        if not isinstance(path, str) or not Path(path).resolve().is_relative_to(self._server.uploads):
            raise InputError(f"{what} must be {{'path': PATH}} with a path that /gradio_api/upload has answered")
        return Path(path), Path(path).name

    def _facts(self, space: Workspace, result: Result) -> dict[str, Any]:
        return {
            "model": result.model,
            "name": result.name,
            "width": result.width,
            "height": result.height,
            "seconds": round(result.seconds, 3),
            "notes": list(result.notes),
            "score": result.score,
            "strategy": result.strategy,
            "photo": space.address(result.file),
            "mask": space.address(result.mask),
            "guidance": {name: space.address(file) for name, file in result.guidance.items()},
        }
