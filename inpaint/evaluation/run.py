"""Several models on the same pictures and the same masks, spread over processes, and resumable fill by fill."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import inpaint.arguments as arguments
from inpaint import __version__
from inpaint.errors import InpaintError, InputError, UsageError, unknown
from inpaint.evaluation.filling import Filling, Plan, Say, Task, one_thread, prepared
from inpaint.evaluation.guidance import Guiding
from inpaint.evaluation.job import Job
from inpaint.evaluation.journal import Journal
from inpaint.evaluation.manifest import MANIFEST_NAME, MASKED, ORIGINAL, Listed, Manifest, differences_of
from inpaint.evaluation.outputs import Evaluation, write_outputs
from inpaint.evaluation.protocols import LARGEST_PX, SMALLEST_PX, Protocol, unnamed
from inpaint.evaluation.record import (
    PICTURES,
    RESULTS_NAME,
    SETTINGS_NAME,
    write_failures,
    write_rows,
    write_sets,
)
from inpaint.evaluation.subjects import Filmed, Photos, Styled, Subjects, listed, manifest_of
from inpaint.fills.checks import checked_seed
from inpaint.metrics import USUAL, ImageMeasure, Measure, Measures, measures
from inpaint.metrics.base import Need
from inpaint.metrics.style import NETWORKS as FEATURE_NETWORKS
from inpaint.registry.loadable import Loadable
from inpaint.system import environment
from inpaint.system.files import write_text
from inpaint.system.processes import scattered
from inpaint.system.progress import StepsOfItems, Together
from inpaint.types import Inpainter, ProgressCallback

logger = logging.getLogger("inpaint.evaluation")

PICTURES_KEPT = 100  # when nothing else is said
MANY_PHOTOS = 64  # from which on hashing them is worth processes of their own


def evaluate(
    models: Mapping[str, Inpainter | Loadable],
    *,
    data: str | None = None,
    masks: Sequence[str] = (),
    size: int | None = None,
    seed: int = 0,
    protocol: Protocol | None = None,
    subjects: Subjects | None = None,
    output: Path,
    count: int | None = None,
    measured: Sequence[str] = USUAL,
    samples: int = 1,
    guidance: str = "none",
    features: Mapping[str, str] | None = None,
    devices: Sequence[str] = ("cpu",),
    device_name: str = "",
    pictures: int = PICTURES_KEPT,
    processes: int = 1,
    identities: Mapping[str, str] | None = None,
    command: str = "",
    progress: ProgressCallback | None = None,
    inner: StepsOfItems | None = None,
) -> Evaluation:
    """Measure every model on every picture and kind of mask, and write the results to the folder `output`.

    The folder holds what `evaluation.record` says, and what `write_outputs` makes of it. Its pictures, masks and
    protocol never change; what is measured there is kept, so an evaluation that was interrupted goes on where it
    stopped when it is called again, and a call with further models or measures measures those. A model is told by its
    weights: one that was trained further is measured anew. A picture that cannot be read and a fill that fails are
    reported and counted, and tried again by the next call. Every process computes with one thread, so results are the
    same bytes for any number of processes. Nothing about the models changes.

    Args:
        models: By the label under which they appear (`label_models`): loaded ones, or what loads them where there are
            several processes.
        data: Where the photos are: a folder, list file, tar shards or "samples".
        masks: Kinds or presets, with `size` (None: native) and `seed`, where no protocol is given.
        size: Side of the square cut from each photo, in pixels.
        seed: An integer from 0 to 2**64 - 1.
        protocol: A named one, see `evaluation.protocols`.
        subjects: What is filled instead of photos by a protocol, a film for instance.
        output: The folder of the results, which need not exist.
        count: Only the first so many photos.
        measured: Names of measures. One that cannot be had here is reported and left out.
        samples: Fills of each image by models that draw at random, for the measures that compare them.
        guidance: What models that take guidance are told of the truth, made as in their training: "none", "true", or
            "shifted:PIXELS" to the lower right, "shifted" by 8 pixels.
        features: Files of weights for the features of measures, by their network, "vgg16" or "vgg19". What is measured
            by such has a name of its own.
        devices: Where the models compute; processes take them in turn.
        device_name: What to record of that; by default the devices.
        pictures: How many pictures' fills are kept as images.
        processes: How many work at the same time, at least one for each device. Seconds of fills beside others are
            longer than of one alone.
        identities: What tells one model from a later one of the same label (`identity`), for models that are loaded;
            without it the label does.
        command: What repeats the evaluation, shown with the table.
        progress: Counts fills, and is called once at the start with what an earlier evaluation has left done.
        inner: Told the steps of the fills at work.

    Returns:
        What came out, of the folder's record.

    Raises:
        InputError: An argument is of another type or out of its range.
        UsageError: Settings are wrong, or the folder holds the evaluation of other pictures, masks or another protocol.
        DataError: There are no photos.
    """
    models = _checked_models(models, identities)
    output = Path(arguments.path("output", output))
    count = None if count is None else arguments.integer("count", count, least=1)
    devices = arguments.texts("devices", devices)
    pictures = arguments.integer("pictures", pictures)
    samples = arguments.integer("samples", samples, least=1)
    processes = max(arguments.integer("processes", processes, least=1), len(devices))
    guiding = Guiding.parse(arguments.text("guidance", guidance))
    command = arguments.text("command", command)
    arguments.function("progress", progress)
    weights = _checked_features(features)
    wanted = _with_parts(measures(arguments.texts("measured", measured), features=weights))
    if processes > 1 and (held := [label for label, model in models.items() if not isinstance(model, Loadable)]):
        raise UsageError(f"several processes load their models themselves: give '{held[0]}' as a Loadable")
    if subjects is None:
        if protocol is None:
            size = None if size is None else arguments.integer("size", size, least=SMALLEST_PX, most=LARGEST_PX)
            protocol = unnamed(arguments.texts("masks", masks), size=size, seed=checked_seed(seed))
        if data is None:
            raise UsageError("nothing to evaluate on: name photos")
        subjects = Photos(arguments.path("data", data), protocol, count=count)
    if not len(subjects):
        raise UsageError("nothing to evaluate on: there are no pictures")
    steps = Together(inner) if inner else None
    plan = Plan(
        subjects=subjects,
        models=models,
        output=output,
        samples=samples,
        pictures=pictures,
        steps=inner is not None,
        guiding=guiding,
        weights=weights,
    )
    device_name = arguments.text("device_name", device_name) or ", ".join(devices)
    places = [devices[number % len(devices)] for number in range(processes)]
    manifest = _opened(output, manifest_of(subjects, _listed(subjects, processes)))
    (output / PICTURES).mkdir(exist_ok=True)
    loaded = _loaded(models, places) if processes == 1 else models
    chosen, unavailable = _available(
        [*wanted.of_images, *wanted.of_sets],
        loaded,
        samples=samples,
        size=manifest.size,
        styled=isinstance(subjects, Styled),
        film=isinstance(subjects, Filmed),
    )
    known_as = {label: _identity(label, model, identities) for label, model in models.items()}
    how = f"on {device_name}, {__version__}" + (f", {samples} samples" if samples > 1 else "")
    how += f", guidance {guiding}" if guiding.kind != "none" else ""
    whos = {label: f"{known} {how}" for label, known in known_as.items()}
    with Journal(output, manifest.hash) as journal:
        job = Job(plan, manifest, whos, chosen, journal)
        failures = job.run(
            lambda tasks, say: _work(plan, loaded, places, tasks, say), progress or (lambda step: None), steps
        )
        rows, sets = job.rows(), job.sets()
    settings = {
        "version": 3,
        "models": known_as,
        "measures": [measure.name for measure in chosen],
        "unavailable": unavailable,
        "device": device_name,
        "processes": processes,
        "samples": samples,
        "guidance": str(guiding),
        "data": data,
        "count": len(subjects),
        "skipped_files": subjects.skipped,
        "command": command,
        "versions": environment.versions(),
        "hardware": environment.hardware(),
    }
    write_text(output / SETTINGS_NAME, json.dumps(settings, indent=2) + "\n")
    write_failures(output, failures)
    write_sets(output, sets)
    write_rows(output, rows, [measure.name for measure in chosen if isinstance(measure, ImageMeasure)])
    return write_outputs(output)


def _checked_models(
    models: Mapping[str, Inpainter | Loadable], identities: Mapping[str, str] | None
) -> Mapping[str, Inpainter | Loadable]:
    models = arguments.mapping("models", models)
    for name, text in arguments.mapping("identities", {} if identities is None else identities).items():
        arguments.text(f"the identity of {name}", text)
    for label, model in models.items():
        arguments.text("the label of a model", label)
        if label in (MASKED, ORIGINAL):
            raise UsageError(f"a model cannot be called '{label}', as the pictures that are no fills")
        if not isinstance(model, Loadable) and (isinstance(model, type) or not hasattr(model, "fill")):
            raise InputError(f"the model '{label}' must be a loaded one, got {type(model).__name__}")
    if not models:
        raise UsageError("nothing to evaluate: name at least one model")
    return models


def _checked_features(features: Mapping[str, str] | None) -> dict[str, str]:
    given = arguments.mapping("features", {} if features is None else features)
    for network in given:
        if network not in FEATURE_NETWORKS:
            raise UsageError(unknown("network of features", network, FEATURE_NETWORKS))
    return {network: arguments.text(f"the features of {network}", file) for network, file in given.items()}


def _with_parts(wanted: Measures) -> Measures:
    """Return the measures, and those of images that measures of sets are made of."""
    had = {measure.name for measure in wanted.of_images}
    parts = dict.fromkeys(name for measure in wanted.of_sets for name in measure.made_of if name not in had)
    return replace(wanted, of_images=(*wanted.of_images, *measures(list(parts)).of_images))


def _identity(label: str, model: Inpainter | Loadable, identities: Mapping[str, str] | None) -> str:
    if identities is not None and label in identities:
        return identities[label]
    return model.identity() if isinstance(model, Loadable) else label


def _opened(folder: Path, manifest: Manifest) -> Manifest:
    """Open the folder for a manifest: new, or going on with the same one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = (folder / MANIFEST_NAME).exists()
        older = not there and ((folder / RESULTS_NAME).exists() or (folder / SETTINGS_NAME).exists())
    except OSError as error:
        raise InpaintError(f"cannot use '{folder}': {error.strerror or error}") from None
    if older:
        raise UsageError(f"'{folder}' holds an evaluation without its {MANIFEST_NAME}: choose another folder")
    if not there:
        manifest.write(folder)
    elif difference := next(differences_of(found := Manifest.read(folder), manifest), None):
        raise UsageError(
            f"'{folder}' holds another evaluation ({found.hash}, this is {manifest.hash}): {difference}; "
            "choose another folder"
        )
    return manifest


def _listed(subjects: Subjects, processes: int) -> Iterator[Listed]:
    """Yield the lines of the manifest in their order, from several processes where that is worth it."""
    if processes == 1 or len(subjects) < MANY_PHOTOS:
        yield from (listed(subjects, index) for index in range(len(subjects)))
        return
    found: dict[int, Listed] = {}
    with closing(scattered(_lister, range(len(subjects)), [(subjects,)] * processes)) as lines:
        found.update(lines)
    yield from (found[index] for index in range(len(subjects)))


def _lister(subjects: Subjects) -> Callable[[int, Callable[[tuple[int, Listed]], None]], None]:
    return lambda index, say: say((index, listed(subjects, index)))


def _loaded(models: Mapping[str, Inpainter | Loadable], places: Sequence[str]) -> Mapping[str, Inpainter | Loadable]:
    return {label: model.load(places[0]) if isinstance(model, Loadable) else model for label, model in models.items()}


def _available(
    asked: Sequence[Measure],
    models: Mapping[str, Inpainter | Loadable],
    *,
    samples: int,
    size: int | None,
    styled: bool,
    film: bool,
) -> tuple[list[Measure], dict[str, str]]:
    """Return the measures that can be had here, and why the others cannot."""
    able = [model.capabilities for model in models.values()]
    several, blind = samples > 1 and any(each.stochastic for each in able), any(each.blind for each in able)
    there: dict[Need, bool] = {
        "raw": True,
        "samples": several,
        "found": blind,
        "lines": True,
        "colors": True,
        "style": styled,
        "before": film,
    }
    given = [need for need, is_there in there.items() if is_there]
    chosen, unavailable = [], {}
    for measure in asked:
        reason = measure.lacks(given, side_px=size) or measure.missing()
        if reason is None:
            chosen.append(measure)
        else:
            unavailable[measure.name] = reason
            logger.warning("%s is left out: %s", measure.name, reason)
    if not chosen:
        raise UsageError("nothing to measure: none of the measures can be had here")
    return chosen, unavailable


def _work(plan: Plan, loaded: Mapping[str, Any], places: Sequence[str], tasks: Sequence[Task], say: Say) -> None:
    """Do tasks, here or in processes of their own."""
    if len(places) == 1:
        filling = Filling(plan, loaded, accelerated=not places[0].startswith("cpu"))
        with one_thread():
            for task in tasks:
                filling.work(task, say)
        return
    with closing(scattered(prepared, tasks, [(plan, place) for place in places[: len(tasks)]])) as found:
        for each in found:
            say(each)
