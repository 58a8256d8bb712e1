"""Several models on the same pictures and the same masks, spread over processes, and resumable fill by fill."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import inpaint.arguments as arguments
from inpaint import __version__
from inpaint.errors import InpaintError, InputError, UsageError
from inpaint.evaluation.filling import Filled, Filling, Plan, Refused, Say, Stepped, Task, Wanted, one_thread, prepared
from inpaint.evaluation.journal import Fill, Journal
from inpaint.evaluation.manifest import MANIFEST_NAME, MASKED, ORIGINAL, Listed, Manifest, differences_of
from inpaint.evaluation.models import Loadable
from inpaint.evaluation.outputs import Evaluation, write_outputs
from inpaint.evaluation.protocols import LARGEST_PX, SMALLEST_PX, Protocol, unnamed
from inpaint.evaluation.record import (
    PICTURES,
    RESULTS_NAME,
    SETTINGS_NAME,
    Failure,
    Row,
    SetRow,
    picture_path,
    write_failures,
    write_rows,
    write_sets,
)
from inpaint.evaluation.subjects import Photos, Subjects, listed, manifest_of
from inpaint.fills.checks import checked_seed
from inpaint.metrics import USUAL, ImageMeasure, Measure, SetMeasure, measures
from inpaint.metrics.base import Need, Sets
from inpaint.system import environment
from inpaint.system.files import write_text
from inpaint.system.processes import scattered
from inpaint.system.progress import StepsOfItems, Together
from inpaint.types import Inpainter, Progress, ProgressCallback

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
    command = arguments.text("command", command)
    arguments.function("progress", progress)
    wanted = measures(arguments.texts("measured", measured))
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
        subjects=subjects, models=models, output=output, samples=samples, pictures=pictures, steps=inner is not None
    )
    device_name = arguments.text("device_name", device_name) or ", ".join(devices)
    places = [devices[number % len(devices)] for number in range(processes)]
    manifest = _opened(output, manifest_of(subjects, _listed(subjects, processes)))
    (output / PICTURES).mkdir(exist_ok=True)
    loaded = _loaded(models, places) if processes == 1 else models
    chosen, unavailable = _available([*wanted.of_images, *wanted.of_sets], loaded, samples=samples, size=manifest.size)
    known_as = {label: _identity(label, model, identities) for label, model in models.items()}
    how = f"on {device_name}, {__version__}" + (f", {samples} samples" if samples > 1 else "")
    whos = {label: f"{known} {how}" for label, known in known_as.items()}
    with Journal(output, manifest.hash) as journal:
        job = _Job(plan, manifest, whos, chosen, journal)
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
    asked: Sequence[Measure], models: Mapping[str, Inpainter | Loadable], *, samples: int, size: int | None
) -> tuple[list[Measure], dict[str, str]]:
    """Return the measures that can be had here, and why the others cannot."""
    able = [model.capabilities for model in models.values()]
    several, blind = samples > 1 and any(each.stochastic for each in able), any(each.blind for each in able)
    there: dict[Need, bool] = {"raw": True, "samples": several, "found": blind}
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


@dataclass
class _Job:
    """What there is to do, and what comes of it."""

    plan: Plan
    manifest: Manifest
    whos: Mapping[str, str]
    measures: Sequence[Measure]
    journal: Journal

    def __post_init__(self) -> None:
        self._of_images = [measure.name for measure in self.measures if isinstance(measure, ImageMeasure)]
        self._of_sets = [measure for measure in self.measures if isinstance(measure, SetMeasure)]
        self._extractors = list(dict.fromkeys(measure.extractor for measure in self._of_sets))
        self._sets = tuple({measure.extractor: measure.name for measure in self._of_sets}.values())

    def run(
        self, work: Callable[[Sequence[Task], Say], None], report: ProgressCallback, steps: Together | None
    ) -> list[Failure]:
        """Do every fill that the journal lacks; return what failed, in the order of the results."""
        tasks = [task for task in map(self._task, range(len(self.manifest.photos))) if task]
        total = len(self.manifest.photos) * len(self.manifest.labels) * len(self.whos)
        done = total - sum(len(wanted) for task in tasks for wanted in task.missing.values())
        report(Progress(done=done, total=total))
        refused: list[Refused] = []

        def take(said: Filled | Refused | Stepped) -> None:
            nonlocal done
            if isinstance(said, Stepped):
                if steps is not None:
                    steps.of((said.index, said.mask, said.label))(said.step)
                return
            if isinstance(said, Refused):
                self._warn(said)
                refused.append(said)
                done += said.fills
            else:
                self._keep(said)
                done += bool(said.label)
            if steps is not None:
                steps.counted((said.index, said.mask, said.label))
            report(Progress(done=done, total=total))

        if tasks:
            work(tasks, take)
        masks, labels = [*self.manifest.labels, ""], [*self.whos, ""]
        refused.sort(key=lambda each: (each.index, masks.index(each.mask), labels.index(each.label)))
        return [
            Failure(image=self.manifest.keys[each.index], mask=each.mask, model=each.label, reason=_line(each.reason))
            for each in refused
        ]

    def rows(self) -> list[Row]:
        """Return what is known of every fill, in canonical order."""
        rows = []
        for key in self.manifest.keys:
            for mask in self.manifest.labels:
                for label, who in self.whos.items():
                    known = self.journal[who, key, mask]
                    if not all(name in known.values for name in self._of_images) or known.seconds is None:
                        continue
                    values = {n: value for n in self._of_images if (value := known.values[n]) is not None}
                    rows.append(Row(image=key, mask=mask, model=label, values=values, seconds=known.seconds))
        return rows

    def sets(self) -> list[SetRow]:
        """Return what measures of sets find, over the pictures that every model which filled any has filled."""
        found: dict[tuple[str, str, str], SetRow] = {}
        for extractor in self._extractors:
            mine = [measure for measure in self._of_sets if measure.extractor == extractor]
            for mask in self.manifest.labels:
                for label, sets in self._compared(extractor, mask).items():
                    for measure in mine:
                        n = 0 if sets is None else len(sets.painted)
                        value = None if sets is None or measure.refusal(n) else measure.of_sets(sets)
                        about = {"measure": measure.name, "mask": mask, "model": label}
                        found[measure.name, mask, label] = SetRow(**about, value=value, n=n)
        keys = ((m.name, mask, label) for m in self._of_sets for mask in self.manifest.labels for label in self.whos)
        return [found[key] for key in keys]

    def _compared(self, extractor: str, mask: str) -> dict[str, Sets | None]:
        """Return the features of each model's fills beside those of the originals; None of one that filled nothing."""
        filled = {
            label: [key for key in self.manifest.keys if extractor in self.journal[who, key, mask].features]
            for label, who in self.whos.items()
        }
        some = [set(keys) for keys in filled.values() if keys]
        common = [key for key in self.manifest.keys if some and all(key in keys for keys in some)]
        originals = self._stack([("", key, "") for key in common], extractor)
        return {
            label: Sets(self._stack([(who, key, mask) for key in common], extractor), originals)
            if filled[label] and common
            else None
            for label, who in self.whos.items()
        }

    def _stack(self, fills: Sequence[Fill], name: str) -> NDArray[np.float64]:
        return np.array([self.journal.features(fill, name) for fill in fills])

    def _task(self, index: int) -> Task | None:
        """Return what is missing of a picture; None where nothing is."""
        key = self.manifest.keys[index]
        missing: dict[str, tuple[Wanted, ...]] = {}
        for mask in self.manifest.labels:
            wanted = [
                each for label, who in self.whos.items() if (each := self._missing(index, (who, key, mask), label))
            ]
            if wanted:
                missing[mask] = tuple(wanted)
        original = self.journal["", key, ""].features
        features = tuple(name for name in self._extractors if name not in original)
        return Task(index, missing, features, self._sets) if missing or features else None

    def _missing(self, index: int, fill: Fill, label: str) -> Wanted | None:
        known = self.journal[fill]
        values = tuple(name for name in self._of_images if name not in known.values)
        features = tuple(name for name in self._extractors if name not in known.features)
        unseen = index < self.plan.pictures and not (
            self.journal.picture_is_of(label, fill)
            and picture_path(self.plan.output, image=fill[1], mask=fill[2], model=label).exists()
        )
        return Wanted(label, values, features) if values or features or unseen or known.seconds is None else None

    def _keep(self, found: Filled) -> None:
        key = self.manifest.keys[found.index]
        self.journal.add(
            (self.whos[found.label] if found.label else "", key, found.mask),
            values=found.values,
            seconds=found.seconds,
            features=found.features,
            picture=found.label if found.picture else "",
        )

    def _warn(self, refused: Refused) -> None:
        about = (self.manifest.keys[refused.index], refused.mask, refused.label)
        logger.warning("%s", ", ".join(part for part in about if part) + f": {_line(refused.reason)}")


def _line(text: str) -> str:
    return " ".join(text.split())
