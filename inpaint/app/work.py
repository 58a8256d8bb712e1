"""What the page does, without the page: opening, masks, fills. Programs that ask over HTTP get the same."""

from __future__ import annotations

import io
import re
import secrets
import shutil
import time
from base64 import b64encode
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from inpaint.app.layers import Layers
from inpaint.app.models import LoadedModels, Offer
from inpaint.app.settings import Settings
from inpaint.app.workspaces import Result, Shown, Workspace, write_mask
from inpaint.errors import InpaintError, InputError, UsageError, unknown
from inpaint.finding.table import FINDERS, SENSITIVITY, Finder, check_finder, find, is_available
from inpaint.images.formats import FORMATS, Format, format_of_content
from inpaint.images.mask_rules import Hole
from inpaint.images.masks import dilate_hole, fit_to, hush, read_mask
from inpaint.images.photo import Photo
from inpaint.images.reading import read_photo
from inpaint.images.regions import Region
from inpaint.images.strokes import Shape, drawn
from inpaint.images.views import cover_of, write_view
from inpaint.images.writing import check_length, write_photo
from inpaint.options import validated
from inpaint.pipeline.finders import find_hole
from inpaint.pipeline.hole_sources import ObjectIn
from inpaint.pipeline.photo import fill_photo_often
from inpaint.pipeline.samples import Sample, best_of, check_samples
from inpaint.pipeline.steps import Watched, warnings_of_thread
from inpaint.registry.table import Described
from inpaint.registry.texts import for_models
from inpaint.strategies.options import StrategyOptions
from inpaint.types import Inpainter, ProgressCallback

AnswerT = TypeVar("AnswerT")

VIEW_PX = 1600
PREVIEW_PX = 640
MOST_MODELS = 4
MOST_SAMPLES = 8
MOST_GROWN_PX = 200
SAME_FORMAT = "as the photo"
_LONGEST_STEM = 80


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A fill that is asked for.

    Args:
        models: Labels of the list; each gives a result of its own.
        shapes: What is drawn, the hole's and the planes'.
        grow_px: By how much the hole grows.
        seed: Of what is random.
        samples: Fills of each model that draws at random.
        format: "as the photo", or a name of `FORMATS`.
        options: That `inpaint.load` takes, each NAME=VALUE; each goes to the models that take it.
        strategy: How every model is put to work.
    """

    models: tuple[str, ...]
    shapes: tuple[Shape, ...]
    grow_px: float = 0
    seed: int = 0
    samples: int = 1
    format: str = SAME_FORMAT
    options: tuple[str, ...] = ()
    strategy: StrategyOptions = field(default_factory=StrategyOptions)


@dataclass(frozen=True, kw_only=True)
class Working:
    """How far a fill is. preview: a JPEG as a data URL, where the fill shows what it has."""

    model: str
    number: int
    count: int
    done: int = 0
    total: int = 0
    remaining_s: float | None = None
    preview: str | None = None
    stoppable: bool = False


def strategy_of(**given: Any) -> StrategyOptions:
    """Return the options of a strategy; raises UsageError for those that there are not."""
    return validated(StrategyOptions, given)


def lines_of(text: str) -> tuple[str, ...]:
    """Return the lines in which something is written, such as options, without spaces around it."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


# Opening --------------------------------------------------------------------------------------------------------------


def open_photo(workspace: Workspace, file: Path, name: str, settings: Settings) -> tuple[Shown, list[str]]:
    """Take a file into a workspace as its photo, and return it with what there is to say of it.

    Args:
        workspace: Whose photo it becomes.
        file: It is copied.
        name: As its user calls it.
        settings: Limits of bytes and pixels.

    Raises:
        InputError: It is no photo, or beyond the limits; the workspace stays as it was.
    """
    _, shown, notes = shown_of(workspace, file, name, settings)
    if workspace.photo is not None:
        workspace.photo.file.unlink(missing_ok=True)
    workspace.open(shown)
    return shown, notes


def shown_of(workspace: Workspace, file: Path, name: str, settings: Settings) -> tuple[Photo, Shown, list[str]]:
    """Return a file as a photo, as the workspace keeps and shows it, and what there is to say of it (`open_photo`)."""
    name = safe_name(name)
    copy = taken(workspace, file, name, settings)
    notes: list[str] = []
    with warnings_of_thread(notes):
        photo = read(copy, name, settings)
    depth = f"{photo.pixels.dtype.itemsize * 8} bit" + (", gray" if photo.gray else "")
    depth += ", with transparency" if photo.alpha is not None else ""
    shown = Shown(
        id=secrets.token_urlsafe(8),
        name=name,
        file=copy,
        view=viewed(workspace, photo),
        width=photo.width,
        height=photo.height,
        depth=depth,
    )
    return photo, shown, [unplaced(note, copy, name) for note in notes]


def taken(workspace: Workspace, file: Path, name: str, settings: Settings) -> Path:
    """Copy a file into the workspace, if it is not too large."""
    try:
        size = file.stat().st_size
        if size > settings.max_bytes:
            raise InputError(f"{name} has {size:,} bytes; at most {settings.max_bytes:,} are taken")
        copy = workspace.new_file(name)
        shutil.copyfile(file, copy)
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or error}") from None
    return copy


def read(file: Path, name: str, settings: Settings) -> Photo:
    """Return the photo of a file that was taken; one that cannot be read is deleted, and an error names it."""
    try:
        return read_photo(file, max_pixels=settings.max_pixels)
    except InpaintError as error:
        file.unlink(missing_ok=True)
        raise InputError(unplaced(str(error), file, name)) from None


def unplaced(text: str, file: Path, name: str) -> str:
    """Return a message in which a file has the name that its user knows, not its place on the server."""
    return (
        text.replace(str(file), name).replace(str(file.parent), "").replace("--max-pixels", "inpaint app --max-pixels")
    )


def safe_name(given: str) -> str:
    """Return the last part of a name, with letters that every system takes, and not too long.

    Example:
        >>> safe_name("../../etc/a photo?.jpg")
        'a photo_.jpg'
    """
    last = re.split(r"[\\/]", given)[-1]
    last = "".join(letter if letter.isprintable() and letter not in '<>:"|?*' else "_" for letter in last).strip(". ")
    stem, dot, suffix = last.rpartition(".")
    if not dot:
        stem, suffix = last, ""
    stem = stem.encode()[:_LONGEST_STEM].decode(errors="ignore").strip() or "photo"
    return f"{stem}.{suffix[:8]}" if suffix else stem


# Masks ----------------------------------------------------------------------------------------------------------------


def take_mask(workspace: Workspace, file: Path, name: str, settings: Settings, *, invert: bool = False) -> str:
    """Take a mask file for the photo that is open, and return the id under which shapes may name it.

    Raises:
        InpaintError: No photo is open, or the file is no mask of it.
    """
    photo, name = workspace.opened_photo(), safe_name(name)
    copy = taken(workspace, file, name, settings)
    try:
        found = read_mask(copy, invert=invert, max_pixels=settings.max_pixels, say=hush)
        hole = fit_to(found, photo.height, photo.width, name=name, say=hush)
    except InpaintError as error:
        raise InputError(unplaced(str(error), copy, name)) from None
    finally:
        copy.unlink(missing_ok=True)
    return workspace.keep_mask(hole)


def finders(models: LoadedModels) -> dict[str, Finder]:
    """Return what can be found in a single photo here, by name: what it needs is installed, or is a blind model."""
    named = {name: finder for name, finder in FINDERS.items() if is_available(name) and not finder.batch}
    blind = {
        label: Finder(
            summary=f"what is contaminated ({offer.summary})",
            function="inpaint.pipeline.finders:find_hole",
            sensitivity="how sure the model has to be of a pixel: 0.9 at 0, 0.5 at 0.5, 0.1 at 1",
        )
        for label, offer in models.offered.items()
        if offer.capabilities.blind
    }
    return {**blind, **named}


def find_mask(
    workspace: Workspace, what: str, models: LoadedModels, settings: Settings, *, sensitivity: float = SENSITIVITY
) -> tuple[str | None, float]:
    """Look for something in the photo that is open, and keep where it is as a mask.

    Args:
        workspace: Whose photo it is.
        what: Of the table of finders, or the label of a blind model.
        models: Those that are offered.
        settings: Limits.
        sensitivity: From 0, only what is certain, to 1.

    Returns:
        The id under which shapes may name the mask, None where nothing was found; the share of the photo that it is.

    Raises:
        InpaintError: No photo is open, there is no such finder, or what it needs is not installed.
    """
    shown = workspace.opened_photo()
    blind = what not in FINDERS and what in models.offered and models.offered[what].capabilities.blind
    if not blind:
        check_finder(what)
    photo = read(shown.file, shown.name, settings)
    look = partial(find_hole, models.get(what)) if blind else partial(find, what)
    hole = look(photo, sensitivity=sensitivity)
    share = float(hole.mean())
    return (workspace.keep_mask(hole) if share else None), share


def find_object(workspace: Workspace, box: Shape, settings: Settings) -> str:
    """Keep the object that a box surrounds as a mask, and return the id under which shapes may name it.

    Raises:
        InpaintError: No photo is open, or the box lies outside of it.
    """
    shown = workspace.opened_photo()
    inside = drawn([box], shown.height, shown.width)
    if not inside.any():
        raise UsageError("the box lies outside of the photo")
    hole = ObjectIn(Region.around(inside)).hole_in(read(shown.file, shown.name, settings))
    return workspace.keep_mask(hole)


def write_cover(workspace: Workspace, mask: str) -> Path:
    """Write a kept mask as a small picture to lay over the view of the photo, and return its file."""
    hole = workspace.kept_masks()[mask]
    path = workspace.new_file("cover.png")
    cover_of(hole, longest_px=VIEW_PX).save(path, "PNG")
    return path


def hole_of(workspace: Workspace, asked: Asked) -> Hole:
    """Return the hole (H, W) that is asked for; raises UsageError where there is none."""
    photo = workspace.opened_photo()
    if not 0 <= asked.grow_px <= MOST_GROWN_PX:
        raise UsageError(f"the hole grows by 0 to {MOST_GROWN_PX} pixels, not by {asked.grow_px:g}")
    hole = drawn(asked.shapes, photo.height, photo.width, masks=workspace.kept_masks())
    if not hole.any():
        raise UsageError("nothing is marked: paint over what shall go")
    return dilate_hole(hole, asked.grow_px)


# Fills ----------------------------------------------------------------------------------------------------------------


def fill(workspace: Workspace, asked: Asked, models: LoadedModels, settings: Settings) -> Iterator[Working | Result]:
    """Fill the hole with each model and yield how far it is, and each result as soon as it is there.

    The work is over when `workspace.stopping` is set, be it before it begins: a fill that comes nearer to its answer
    step by step gives what it has, and further models are left out.

    Raises:
        InpaintError: What is asked for cannot be done; results that were there stay.
    """
    options = _checked(asked, models)
    asked, beforehand = _with_found(workspace, asked, models, settings)
    shown, hole = workspace.opened_photo(), hole_of(workspace, asked)
    photo = read(shown.file, shown.name, settings)
    suffix = suffix_of(shown, asked.format)  # another photo may be opened before the fills are written
    mask = workspace.new_file("mask.png")
    write_mask(hole, mask)
    layers = Layers(workspace, asked.shapes, photo)
    for number, label in enumerate(asked.models):
        if workspace.stopping.is_set():
            return
        at = Working(model=label, number=number, count=len(asked.models))
        yield at
        started = time.monotonic()
        inpainter = models.get(label, options[label], strategy=_strategy_for(models.offer(label), asked.strategy))
        samples = asked.samples if inpainter.capabilities.stochastic else 1
        filling = partial(_filled, photo, hole, inpainter, layers, asked, samples)
        answer, said = yield from watched(workspace, shown, at, filling, stoppable=inpainter.capabilities.gradual)
        filled, found = best_of(answer, None), [*beforehand, *said]
        seconds = (time.monotonic() - started) / len(filled)
        for sample in filled:
            title = label if len(filled) == 1 else f"{label} {sample.number}"
            result = written(
                workspace, sample.photo, shown, title, suffix=suffix, mask=mask, seconds=seconds, notes=found
            )
            result = replace(result, score=sample.score, strategy=sample.strategy, guidance=layers.files(inpainter))
            workspace.add(result, settings.kept)
            yield result


def _with_found(
    workspace: Workspace, asked: Asked, models: LoadedModels, settings: Settings
) -> tuple[Asked, tuple[str, ...]]:
    """Return what is asked for with what a blind model finds, where nothing is drawn; and what is to be said of that.

    Raises:
        UsageError: It finds nothing.
    """
    finder = next((label for label in asked.models if models.offer(label).capabilities.blind), None)
    if finder is None or any(shape.layer == "hole" for shape in asked.shapes):
        return asked, ()
    mask, _ = find_mask(workspace, finder, models, settings)
    if mask is None:
        raise UsageError(f"{finder} found nothing to remove: paint over what shall go, or look with more sensitivity")
    return replace(asked, shapes=(Shape("mask", mask=mask), *asked.shapes)), (f"the hole was found by {finder}",)


def _checked(asked: Asked, models: LoadedModels) -> dict[str, dict[str, Any]]:
    """Return the options of each model; raises UsageError for what cannot be asked for, before any work."""
    if not 1 <= len(asked.models) <= MOST_MODELS:
        raise UsageError(f"choose 1 to {MOST_MODELS} models, not {len(asked.models)}")
    if not 1 <= asked.samples <= MOST_SAMPLES:
        raise UsageError(f"1 to {MOST_SAMPLES} samples are painted, not {asked.samples}")
    for label in asked.models:
        offer = models.offer(label)
        if asked.samples > 1 and len(asked.models) == 1:
            check_samples(Described(label, offer.capabilities), asked.samples, None)
    return options_asked({label: models.offer(label).place for label in asked.models}, asked.options, for_models)


def options_asked(
    places: Mapping[str, str],
    texts: Sequence[str],
    share_out: Callable[[Mapping[str, str], Sequence[str]], dict[str, dict[str, Any]]],
) -> dict[str, dict[str, Any]]:
    """Return the options of each model; raises UsageError, which has their labels for their places.

    Args:
        places: Of the models, by label.
        texts: The options, each NAME=VALUE.
        share_out: Gives each to the models that take it.
    """
    try:
        return share_out(places, texts)
    except UsageError as error:
        text = str(error).removeprefix("--option ")
        for label, place in places.items():
            text = text.replace(place, label)
        raise UsageError(text) from None


def _strategy_for(offer: Offer, wanted: StrategyOptions) -> StrategyOptions:
    """Return the strategy for one of several models: only networks that offer their features are refined."""
    return wanted if offer.capabilities.refinable else wanted.model_copy(update={"refine": False})


def _filled(
    photo: Photo,
    hole: Hole,
    inpainter: Inpainter,
    layers: Layers,
    asked: Asked,
    samples: int,
    tell: ProgressCallback,
) -> Sequence[Sample]:
    guidance = layers.planes(inpainter)
    return fill_photo_often(photo, hole, inpainter, samples=samples, guidance=guidance, seed=asked.seed, progress=tell)


def written(
    workspace: Workspace,
    photo: Photo,
    shown: Shown,
    title: str,
    *,
    suffix: str,
    mask: Path,
    seconds: float,
    notes: Sequence[str],
) -> Result:
    """Write a photo that was made in the format of a suffix, and return it as a result.

    Args:
        workspace: Whose it is.
        photo: What was made.
        shown: Of what; the result's file is named after it and the title.
        title: What made it.
        suffix: Of the file.
        mask: The file of where it was changed.
        seconds: That it took.
        notes: What there is to say of it; what writing loses is added.
    """
    file = workspace.new_file(safe_name(f"{Path(shown.name).stem} {title}{suffix}".replace(" ", "-")))
    check_length(file, photo.height, photo.width)
    said: list[str] = []
    with warnings_of_thread(said):
        write_photo(photo, file)
    return Result(
        id=secrets.token_urlsafe(8),
        name=file.name,
        model=title,
        file=file,
        mask=mask,
        before=shown.view,
        view=viewed(workspace, photo),
        width=shown.width,
        height=shown.height,
        depth=shown.depth,
        seconds=seconds,
        notes=(*notes, *(unplaced(note, file, file.name) for note in said)),
    )


def suffix_of(shown: Shown, format_: str) -> str:
    """Return the suffix of a format; of the photo's own, as its content says, with the suffix that it came with."""
    found: Format | None
    if format_ == SAME_FORMAT:
        with shown.file.open("rb") as stream:
            found = format_of_content(stream.read(64))
    else:
        found = next((each for each in FORMATS if each.name == format_), None)
    if found is None:
        raise UsageError(unknown("format", format_, [SAME_FORMAT, *(each.name for each in FORMATS)]))
    own = Path(shown.name).suffix.lower()
    return own if own in found.suffixes else found.suffixes[0]


def viewed(workspace: Workspace, photo: Photo) -> Path:
    """Write a small picture of a photo, and return its file."""
    view = workspace.new_file("view.webp")
    write_view(photo, view, longest_px=VIEW_PX)
    return view


def watched(
    workspace: Workspace, shown: Shown, at: Working, work: Callable[[ProgressCallback], AnswerT], *, stoppable: bool
) -> Generator[Working, None, tuple[AnswerT, list[str]]]:
    """Do work and yield how far it is; return its answer, and what there is to say of it.

    Args:
        workspace: Whose work it is; it is asked to stop when `stopping` is set there.
        shown: The photo that it is about.
        at: How far all of the work is.
        work: Is given the callback that it tells its steps.
        stoppable: Whether it then stops with what it has.

    Raises:
        InpaintError: It cannot be done.
    """
    watching = Watched(work, stopping=workspace.stopping, every_s=0.4)
    for step in watching:
        if step is not None:
            made = None if step.preview is None else step.preview.detach().cpu().numpy()[0].transpose(1, 2, 0)
            yield replace(
                at,
                done=step.done,
                total=step.total,
                remaining_s=step.remaining_s,
                preview=None if made is None else _data_url(made),
                stoppable=stoppable,
            )
    notes = [unplaced(note, shown.file, shown.name) for note in watching.warnings()]
    try:
        answer = watching.answer()
    except InpaintError as error:
        raise InpaintError(unplaced(str(error), shown.file, shown.name)) from None
    if workspace.stopping.is_set() and stoppable:
        notes.append("stopped early: this is what there was")
    return answer, notes


def _data_url(image: Any) -> str:
    """Return an image (H, W, 3) in [0, 1] as a small JPEG in a URL."""
    picture = Image.fromarray(np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8))
    picture.thumbnail((PREVIEW_PX, PREVIEW_PX))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode()}"
