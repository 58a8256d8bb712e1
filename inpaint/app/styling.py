"""What the page's painting in styles does, without the page: pictures of styles, models, and photos in their styles."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from inpaint.app.settings import Settings
from inpaint.app.work import (
    MOST_MODELS,
    SAME_FORMAT,
    Working,
    options_asked,
    read,
    shown_of,
    suffix_of,
    watched,
    written,
)
from inpaint.app.workspaces import Result, Shown, Workspace, write_mask
from inpaint.errors import UsageError, unknown
from inpaint.evaluation.models import label_models
from inpaint.images.mask_rules import Hole
from inpaint.images.photo import Photo
from inpaint.images.strokes import Shape, drawn
from inpaint.pipeline.styling import StyleSource, StylizedPhoto, stylize_photo
from inpaint.registry.stylizers import learned_styles, load_stylizer, stylizes
from inpaint.registry.texts import for_stylizers
from inpaint.style.table import STYLIZERS
from inpaint.types import ProgressCallback, Stylizer
from inpaint.weights.runs import RunFolder, runs_in

MOST_STYLES = 6
FIRST = "colors"
"""What is chosen at first: it needs no weights and no time."""
USUAL: Mapping[str, Any] = {"strength": 1.0, "scale": 1.0, "colors": "style"}
"""What the page shows at first of the options that it has controls for."""


@dataclass(frozen=True, kw_only=True)
class StyleOffer:
    """A model of the list. label: as users call it. place: what loads it; told to nobody. learned: its styles, or None
    where pictures are given. gradual: whether it can be stopped with what it has."""

    label: str
    place: str
    summary: str
    learned: tuple[str, ...] | None = None
    gradual: bool = False


@dataclass(frozen=True, kw_only=True)
class StyleAsked:
    """What is asked for.

    Args:
        models: Labels of the list; each gives a result of its own.
        shapes: What is drawn: where styles go; nothing: everywhere.
        learned: Which style of networks that have learned theirs; "": the only one.
        strength, scale, colors: Of `StyleOptions`; what is not the usual goes to every model.
        size_px: Longer side to work at; None: the photo's.
        options: Further ones, each NAME=VALUE; each goes to the models that take it.
        seed: Of what is random.
        format: "as the photo", or a name of `FORMATS`.
    """

    models: tuple[str, ...]
    shapes: tuple[Shape, ...] = ()
    learned: str = ""
    strength: float = 1.0
    scale: float = 1.0
    colors: str = "style"
    size_px: int | None = None
    options: tuple[str, ...] = ()
    seed: int = 0
    format: str = SAME_FORMAT


def style_offers(models: Sequence[str], runs: Path) -> dict[str, StyleOffer]:
    """Return what is offered, by label: methods that need no training, and trained networks among models and runs.

    Args:
        models: Places of models; those that stylize are taken.
        runs: Folder of run folders, likewise.
    """
    found = [str(run) for run in runs_in(runs) if RunFolder(run).weights.exists()] if runs.is_dir() else []
    places = {os.path.realpath(place): place for place in (*models, *found) if stylizes(place)}
    offered = {
        name: StyleOffer(label=name, place=name, summary=entry.summary, gradual=entry.gradual)
        for name, entry in STYLIZERS.items()
    }
    for label, place in label_models(list(places.values())).items():
        learned = learned_styles(place)
        styles = "any style" if learned is None else f"has learned {', '.join(learned)}"
        offered[label] = StyleOffer(label=label, place=place, summary=f"trained: {styles}", learned=learned)
    return offered


def add_style(workspace: Workspace, file: Path, name: str, settings: Settings) -> list[str]:
    """Take a file into a workspace as the picture of a style, behind those that are there, and return what to say.

    Raises:
        UsageError: There are as many as may be.
        InputError: It is no photo, or beyond the limits.
    """
    if len(workspace.styles) >= MOST_STYLES:
        raise UsageError(f"at most {MOST_STYLES} styles are mixed: remove one first")
    _, shown, notes = shown_of(workspace, file, name, settings)
    workspace.styles.append(shown)
    return notes


def remove_style(workspace: Workspace, name: str) -> list[str]:
    """Forget a style by its id, if it is there, and return what to say: nothing."""
    for shown in [each for each in workspace.styles if each.id == name]:
        workspace.styles.remove(shown)
        shown.file.unlink(missing_ok=True)
    return []


def stylize(
    workspace: Workspace, asked: StyleAsked, offered: Mapping[str, StyleOffer], settings: Settings
) -> Iterator[Working | Result]:
    """Paint the photo with each model and yield how far it is, and each result as soon as it is there.

    A model that comes nearer to its answer step by step gives what it has when `workspace.stopping` is set, and further
    ones are left out.

    Raises:
        InpaintError: What is asked for cannot be done; results that were there stay.
    """
    options = _checked(asked, offered)
    shown, styles = workspace.opened_photo(), tuple(workspace.styles)
    if not styles and any(offered[label].learned is None for label in asked.models):
        raise UsageError("no style is there: add a picture whose style is wanted")
    where = drawn(asked.shapes, shown.height, shown.width, masks=workspace.kept_masks()) if asked.shapes else None
    where = where if where is not None and where.any() else None
    photo = read(shown.file, shown.name, settings)
    suffix = suffix_of(shown, asked.format)  # another photo may be opened before the results are written
    mask = workspace.new_file("mask.png")
    write_mask(np.ones((shown.height, shown.width), bool) if where is None else where, mask)
    for number, label in enumerate(asked.models):
        if workspace.stopping.is_set():
            return
        offer, at = offered[label], Working(model=label, number=number, count=len(asked.models))
        yield at
        started = time.monotonic()
        stylizer = load_stylizer(offer.place, device=settings.device, **options[label])
        sources = _sources(offer, asked, styles, where, settings)
        work = partial(_stylized, photo, sources, stylizer, asked)
        found, notes = yield from watched(workspace, shown, at, work, stoppable=offer.gradual)
        seconds = time.monotonic() - started
        result = written(workspace, found.photo, shown, label, suffix=suffix, mask=mask, seconds=seconds, notes=notes)
        workspace.add(result, settings.kept)
        yield result


def _checked(asked: StyleAsked, offered: Mapping[str, StyleOffer]) -> dict[str, dict[str, Any]]:
    """Return the options of each model; raises UsageError for what cannot be asked for, before any work."""
    if not 1 <= len(asked.models) <= MOST_MODELS:
        raise UsageError(f"choose 1 to {MOST_MODELS} models, not {len(asked.models)}")
    shown = {name: getattr(asked, name) for name in USUAL}
    changed = tuple(f"{name}={value}" for name, value in shown.items() if value != USUAL[name])
    for label in asked.models:
        if label not in offered:
            raise UsageError(unknown("style model", label, offered))
    places = {label: offered[label].place for label in asked.models}
    return options_asked(places, (*changed, *asked.options), for_stylizers)


def _sources(
    offer: StyleOffer, asked: StyleAsked, styles: Sequence[Shown], where: Hole | None, settings: Settings
) -> list[StyleSource]:
    if offer.learned is not None:
        return [StyleSource(name=asked.learned or None, content_mask=where)]
    return [StyleSource(photo=read(each.file, each.name, settings), content_mask=where) for each in styles]


def _stylized(
    photo: Photo, sources: Sequence[StyleSource], stylizer: Stylizer, asked: StyleAsked, tell: ProgressCallback
) -> StylizedPhoto:
    return stylize_photo(
        photo,
        sources,
        stylizer,
        size_px=asked.size_px,
        seed=asked.seed,
        callback=lambda step, make: tell(step),
    )
