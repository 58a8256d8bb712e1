"""Several models on the same photos and the same masks, resumable line by line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import inpaint.arguments as arguments
from inpaint.errors import InpaintError, InputError, UsageError
from inpaint.evaluation.measure import Measured, fill_and_measure, warm_up
from inpaint.evaluation.photos import LARGEST_PX, SMALLEST_PX, Photos, Rgb, draw_mask, fill_seed, mask_hash, text_hash
from inpaint.evaluation.results import Results, Row
from inpaint.evaluation.settings import RESULTS_NAME, open_evaluation, parsed_masks
from inpaint.evaluation.sheet import FOLDER, fill_path, write_sheet
from inpaint.evaluation.summary import PROTOCOL, Entry, markdown, summarize
from inpaint.fills.checks import checked_seed
from inpaint.images.photo import photo_of_array, to_uint8
from inpaint.images.writing import write_photo
from inpaint.masks import HoleMask, Mask, content_of_files
from inpaint.system import environment
from inpaint.system.files import write_text
from inpaint.system.parallel import Work, in_order
from inpaint.system.progress import StepsOfItems, Together
from inpaint.types import Inpainter, Progress, ProgressCallback

logger = logging.getLogger("inpaint.evaluation")

SUMMARY_NAME = "summary.json"
TABLE_NAME = "table.md"
SHOWN = 6  # photos on the contact sheet when nothing else is said


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A fill that gave no numbers, and why; model "" when the photo itself could not be read."""

    image: str
    mask: str
    model: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What came out: entries per mask and model, the Markdown table, failures, files skipped, and the sheet."""

    entries: list[Entry]
    table: str
    failures: list[Failure]
    skipped: int
    sheet: Path | None


def evaluate(
    models: Mapping[str, Inpainter],
    *,
    data: str,
    masks: Sequence[str],
    output: Path,
    size: int | None = None,
    seed: int = 0,
    count: int | None = None,
    device: str = "cpu",
    shown: int = SHOWN,
    jobs: int = 1,
    identities: Mapping[str, str] | None = None,
    command: str = "",
    progress: ProgressCallback | None = None,
    inner: StepsOfItems | None = None,
) -> Evaluation:
    """Measure every model on every photo and kind of mask, and write the results to the folder `output`.

    Writes settings.json, results.csv (a line per fill, at once), and at the end summary.json, table.md, sheet.png and
    pictures/ with the fills of the first photos. An evaluation that was interrupted goes on where it stopped when it is
    called again with the same settings; further models may be added. A photo that cannot be read and a fill that fails
    are reported and counted, and tried again by the next call. Nothing about the models changes.

    Args:
        models: By the label under which they appear (`label_models`).
        data: Where the photos are, with `size` and `count` as `Photos` takes them.
        masks: Kinds or presets; `seed` with kind and number of the photo decides each mask.
        output: The folder of the results, which need not exist.
        size: Side of the square cut from each photo, in pixels; None: native size.
        seed: An integer from 0 to 2**64 - 1.
        count: Only the first so many photos.
        device: Where the models compute, recorded with the results (`device_name`).
        shown: How many photos' fills are kept as images and laid out on the sheet.
        jobs: Fills at the same time, of models that keep one core busy. The numbers are the same for any, but the
            seconds are longer than of one fill alone.
        identities: What tells one model from a later one of the same label (`identity`), recorded too.
        command: What repeats the evaluation, shown with the table.
        progress: Counts fills, and is called once at the start with what an earlier evaluation has left done.
        inner: Told the steps of the fills at work.

    Raises:
        InputError: An argument is of another type or out of its range.
        UsageError: Settings are wrong or differ from those in the folder.
        DataError: There are no photos.
    """
    models, masks = arguments.mapping("models", models), arguments.texts("masks", masks)
    data, output, device = arguments.path("data", data), Path(arguments.path("output", output)), str(device)
    size = None if size is None else arguments.integer("size", size, least=SMALLEST_PX, most=LARGEST_PX)
    count = None if count is None else arguments.integer("count", count, least=1)
    seed, shown = checked_seed(seed), arguments.integer("shown", shown)
    jobs = arguments.integer("jobs", jobs, least=1)
    identities = {} if identities is None else arguments.mapping("identities", identities)
    command = arguments.text("command", command)
    arguments.function("progress", progress)
    for label, model in models.items():
        arguments.text("the label of a model", label)
        if isinstance(model, type) or not hasattr(model, "fill"):
            raise InputError(f"the model '{label}' must be a loaded one, got {type(model).__name__}")
    if not models:
        raise UsageError("nothing to evaluate: name at least one model")
    parsed = parsed_masks(masks)
    photos = Photos(data, size=size, count=count)
    settings: dict[str, Any] = {
        "version": 2,
        "photographs": {"count": len(photos), "fingerprint": photos.fingerprint()},
        "size": size,
        "seed": seed,
        "masks": list(masks),
        "mask_files": {kind: content for kind, mask in parsed.items() if (content := content_of_files(mask))},
        "models": {label: arguments.text("an identity", identities.get(label, "")) for label in models},
        "device": device,
        # Like the device: seconds of two kinds must not end in one mean.
        **({"jobs": jobs} if jobs > 1 else {}),
    }
    open_evaluation(output, settings)
    accelerated = not device.startswith("cpu")
    job = _Job(models, photos, parsed, output, shown=shown, seed=seed, accelerated=accelerated, jobs=jobs)
    with Results(output / RESULTS_NAME) as results:
        failures = job.run(results, progress, Together(inner) if inner else None)
        rows = results.rows
    sheet = write_sheet(output, photos, shown=shown, masks=parsed, models=list(models), seed=seed)
    entries = summarize(rows, masks=masks, models=list(models))
    shape = f"{size} x {size}" if size else "native size"
    title = f"{len(photos)} photo{'s' * (len(photos) > 1)} of `{data}`, {shape}, seed {seed}, {device}."
    if jobs > 1:
        title += f" {jobs} fills at a time, which makes the seconds longer."
    table = markdown(entries, title=f"{title} Command: `{command}`" if command else title)
    summary = {
        "settings": {"data": data, **settings},
        "command": command,
        "protocol": PROTOCOL,
        "results": entries,
        "masks_hash": _masks_hash(rows, masks),
        "failures": [vars(failure) for failure in failures],
        "skipped_files": photos.skipped,
        "versions": environment.versions(),
        "hardware": environment.hardware(),
    }
    write_text(output / SUMMARY_NAME, json.dumps(summary, indent=2, allow_nan=False) + "\n")
    write_text(output / TABLE_NAME, table)
    return Evaluation(entries=entries, table=table, failures=failures, skipped=photos.skipped, sheet=sheet)


@dataclass(frozen=True)
class _Job:
    """The loop over photos, masks and models, in this order: each photo is decoded once."""

    models: Mapping[str, Inpainter]
    photos: Photos
    masks: Mapping[str, Mask]
    output: Path
    shown: int
    seed: int
    accelerated: bool
    jobs: int
    _warm: set[tuple[str, tuple[int, ...] | None]] = field(default_factory=set, init=False)

    def run(self, results: Results, progress: ProgressCallback | None, steps: Together | None) -> list[Failure]:
        """Do every fill that `results` lacks, in the same order for any number of jobs; return what failed."""
        (self.output / FOLDER).mkdir(exist_ok=True)
        names = [self.photos.name(index) for index in range(len(self.photos))]
        keys = [(name, mask, model) for name in names for mask in self.masks for model in self.models]
        report, done = progress or (lambda step: None), sum(key in results for key in keys)
        report(Progress(done=done, total=len(keys)))
        failures: list[Failure] = []
        # So that a slow model's next fill can begin while the one before it, a whole row of models back, goes on.
        ahead = self.jobs * len(self.models)
        with closing(in_order(self._work(names, results, steps), jobs=self.jobs, ahead=ahead)) as answers:
            for task, answer in answers:
                if isinstance(answer, InpaintError):
                    failures.append(_failed(names[task.index], task.kind, task.label, answer))
                else:
                    self._keep(task, answer, names[task.index], results)
                done += task.fills
                if steps is not None:
                    steps.counted(task)
                report(Progress(done=done, total=len(keys)))
        return failures

    def _work(
        self, names: Sequence[str], results: Results, steps: Together | None
    ) -> Iterator[tuple[_Task, Work[Measured | InpaintError]]]:
        """Yield what there is to do, reading each photo when its turn comes."""
        for index, name in enumerate(names):
            todo = [(m, label) for m in self.masks for label in self.models if (name, m, label) not in results]
            if not todo:
                continue
            try:
                photo = self.photos.read(index)
            except InpaintError as error:
                yield _Task(index, "", "", fills=len(todo)), _refused(error)
                continue
            for kind, pairs in groupby(todo, key=lambda pair: pair[0]):
                height, width = photo.shape[:2]
                try:
                    mask = draw_mask(kind, self.masks[kind], seed=self.seed, index=index, height=height, width=width)
                except InpaintError as error:
                    yield from ((_Task(index, kind, label), _refused(error)) for _, label in pairs)
                    continue
                for _, label in pairs:
                    task = _Task(index, kind, label, mask_hash=mask_hash(mask))
                    tell = None if steps is None else steps.of(task)
                    fill = partial(self._fill, label, photo, mask, fill_seed(seed=self.seed, index=index), tell)
                    yield task, Work(fill, alone=not self.models[label].capabilities.thread_safe)

    def _keep(self, task: _Task, measured: Measured, name: str, results: Results) -> None:
        if task.index < self.shown:
            path = fill_path(self.output, index=task.index, mask=task.kind, model=task.label)
            write_photo(photo_of_array(to_uint8(measured.completed)), path)
        about = {"image": name, "mask": task.kind, "model": task.label, "mask_hash": task.mask_hash}
        results.append(Row(**about, metrics=measured.metrics, seconds=measured.seconds))

    def _fill(
        self, label: str, photo: Rgb, mask: HoleMask, seed: int, progress: ProgressCallback | None
    ) -> Measured | InpaintError:
        model = self.models[label]
        # Accelerators choose their kernels anew for every shape.
        key = (label, photo.shape if self.accelerated and model.capabilities.trained else None)
        try:
            if key not in self._warm:
                warm_up(model, photo, mask, seed=seed)
                self._warm.add(key)
            return fill_and_measure(model, photo, mask, seed=seed, progress=progress)
        except InpaintError as error:
            return error


@dataclass(frozen=True)
class _Task:
    """One fill, or several that one failure spares; photo by number."""

    index: int
    kind: str
    label: str
    mask_hash: str = ""
    fills: int = 1


def _refused(error: InpaintError) -> Work[Measured | InpaintError]:
    return Work(lambda: error)


def _failed(image: str, mask: str, model: str, error: InpaintError) -> Failure:
    reason = " ".join(str(error).split())
    logger.warning("%s", ", ".join(part for part in (image, mask, model) if part) + f": {reason}")
    return Failure(image=image, mask=mask, model=model, reason=reason)


def _masks_hash(rows: Sequence[Row], masks: Sequence[str]) -> dict[str, str]:
    """Return one hash per kind over all its masks by photo, to compare with another evaluation's."""
    found = {kind: {f"{row.image}\0{row.mask_hash}" for row in rows if row.mask == kind} for kind in masks}
    return {kind: text_hash("\n".join(sorted(lines))) for kind, lines in found.items()}
