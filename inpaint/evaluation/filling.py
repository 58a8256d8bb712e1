"""The work of an evaluation on one picture, as a process does it: every fill that is missing, measured and shown."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import torch
from numpy.typing import NDArray

from inpaint.errors import InpaintError
from inpaint.evaluation.guidance import Guiding
from inpaint.evaluation.manifest import MASKED, ORIGINAL
from inpaint.evaluation.measure import fill_and_measure, grayed, warm_up
from inpaint.evaluation.record import picture_path
from inpaint.evaluation.subjects import Filmed, InStyle, Rgb, Styled, Subject, Subjects
from inpaint.images.photo import photo_of_array, to_uint8
from inpaint.images.writing import write_photo
from inpaint.masks import HoleMask
from inpaint.metrics import Features, ImageMeasure, SetMeasure, measures
from inpaint.registry.loadable import Loadable
from inpaint.types import Inpainter, Progress, ProgressCallback

STEPS_EVERY_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What every process needs to know. Pickled where there are several.

    subjects: what is filled. models: by label, loaded or to be loaded. output: the evaluation's folder. samples: fills
    of each image, for the measures that compare them. pictures: how many pictures' fills are written. steps: whether
    the steps of fills are told. guiding: what the models are told of the truth. weights: of the features of measures.
    """

    subjects: Subjects
    models: Mapping[str, Inpainter | Loadable]
    output: Path
    samples: int
    pictures: int
    steps: bool = False
    guiding: Guiding = field(default_factory=Guiding)
    weights: Features = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """What is missing of one fill. values: measures of images. features: names of extractors."""

    label: str
    values: tuple[str, ...]
    features: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """One picture by number, what is missing of its fills by label of the mask, of its own features, and of those of
    styles by their labels."""

    index: int
    missing: Mapping[str, tuple[Wanted, ...]]
    features: tuple[str, ...] = ()
    styles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sets: tuple[str, ...] = ()  # measures of sets, one for each extractor named anywhere above


@dataclass(frozen=True)
class Filled:
    """What was found of a fill; where label is empty, the features of the original, or of the style that mask names."""

    index: int
    mask: str
    label: str
    values: Mapping[str, float | None]
    seconds: float | None
    features: Mapping[str, NDArray[Any]]
    picture: bool


@dataclass(frozen=True)
class Refused:
    """A fill that came to nothing; of every fill of a picture or mask where label or mask are empty."""

    index: int
    mask: str
    label: str
    reason: str
    fills: int = 1


@dataclass(frozen=True)
class Stepped:
    """How far a fill at work is."""

    index: int
    mask: str
    label: str
    step: Progress


Say: TypeAlias = "Callable[[Filled | Refused | Stepped], None]"


def prepared(plan: Plan, device: str) -> Callable[[Task, Say], None]:
    """Load the models on a device, with one thread, and return what does a task; for a process of its own."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    models = {
        label: model.load(device) if isinstance(model, Loadable) else model for label, model in plan.models.items()
    }
    return Filling(plan, models, accelerated=not device.startswith("cpu")).work


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread in the block: sums of several threads depend on how many they are."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


@dataclass
class Filling:
    """Does tasks with models that are loaded; accelerated: whether kernels are chosen anew for every shape."""

    plan: Plan
    models: Mapping[str, Inpainter]
    accelerated: bool
    _warm: set[tuple[str, tuple[int, ...] | None]] = field(default_factory=set, init=False)
    _made: dict[str, ImageMeasure] = field(default_factory=dict, init=False)
    _sets: dict[str, SetMeasure] = field(default_factory=dict, init=False)
    _painted: dict[tuple[str, str], tuple[int, Rgb]] = field(default_factory=dict, init=False)  # of a film, the last

    def work(self, task: Task, say: Say) -> None:
        """Do a task and say what is found, fill by fill."""
        subjects, index = self.plan.subjects, task.index
        for label, extractors in task.styles.items():
            assert isinstance(subjects, Styled)  # others have no styles
            say(Filled(index, label, "", {}, None, self._features(task, extractors, subjects.style(label)), False))
        try:
            subject = subjects.read(index)
        except InpaintError as error:
            say(Refused(index, "", "", str(error), fills=sum(map(len, task.missing.values()))))
            return
        if task.features:
            say(Filled(index, "", "", {}, None, self._features(task, task.features, subject.truth), False))
        shown = index < self.plan.pictures
        if shown:
            self._show(index, "", ORIGINAL, subject.truth)
        for label, wanted in task.missing.items():
            try:
                mask = subjects.mask(label, index, *subject.image.shape[:2])
                seen = subjects.seen(label, index, subject, mask)
            except InpaintError as error:
                for each in wanted:
                    say(Refused(index, label, each.label, str(error)))
                continue
            if shown:
                holed = seen.image if seen.contaminated else grayed(seen.image, mask)
                self._show(index, label, MASKED, holed if seen.style is None else seen.style)
            for each in wanted:
                say(self._fill(task, seen, mask, label, each, told=self._told(index, label, each.label, say)))

    def _fill(
        self,
        task: Task,
        subject: Subject,
        mask: HoleMask,
        label: str,
        wanted: Wanted,
        *,
        told: ProgressCallback | None,
    ) -> Filled | Refused:
        index, shown = task.index, task.index < self.plan.pictures
        seed = self.plan.subjects.fill_seed(index)
        asked = [self._measure(name) for name in wanted.values]
        # Accelerators choose their kernels anew for every shape.
        trained = self.models[wanted.label].capabilities.trained
        key = (wanted.label, subject.image.shape if self.accelerated and trained else None)
        try:
            before = None
            if any("before" in measure.needs for measure in asked):
                before = self._before(index, label, wanted.label)
            model = self._model(wanted.label, index, label, subject)
            if key not in self._warm:
                warm_up(model, subject.image, mask, seed=seed)
                self._warm.add(key)
            found = fill_and_measure(
                model,
                subject.image,
                mask,
                seed=seed,
                truth=subject.truth,
                known=subject.known,
                contaminated=subject.contaminated,
                style=subject.style,
                before=before,
                wanted=asked,
                samples=self.plan.samples,
                guiding=self.plan.guiding,
                progress=told,
            )
            features = self._features(task, wanted.features, found.completed)
        except InpaintError as error:
            return Refused(index, label, wanted.label, str(error))
        if isinstance(self.plan.subjects, Filmed):
            self._painted[label, wanted.label] = index, found.completed
        if shown:
            self._show(index, label, wanted.label, found.completed, anew=True)
        return Filled(index, label, wanted.label, found.values, found.seconds, features, shown)

    def _model(self, name: str, index: int, label: str, subject: Subject) -> Inpainter:
        model = self.models[name]
        if subject.style is None:
            return model
        assert isinstance(model, InStyle)  # `beside` has made it
        return model.in_style(subject.style, label, index)

    def _before(self, index: int, label: str, name: str) -> tuple[Rgb, Rgb] | None:
        """Return the frame before and what has become of it, which is painted again where it was not painted last."""
        subjects = self.plan.subjects
        subject = subjects.before(label, index) if isinstance(subjects, Filmed) else None
        if subject is None:
            return None
        last, painted = self._painted.get((label, name), (-1, subject.image))
        if last != index - 1:
            mask = subjects.mask(label, index - 1, *subject.image.shape[:2])
            model, seed = self._model(name, index - 1, label, subject), subjects.fill_seed(index - 1)
            painted = fill_and_measure(
                model, subject.image, mask, seed=seed, style=subject.style, wanted=(), guiding=self.plan.guiding
            ).completed
        return subject.image, painted

    def _features(self, task: Task, extractors: tuple[str, ...], picture: Rgb) -> dict[str, NDArray[Any]]:
        """Return the features of a picture by what extracts them, (D,) each."""
        if not extractors:
            return {}
        image = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None]  # (1, 3, H, W) uint8
        by_extractor = {measure.extractor: measure for name in task.sets if (measure := self._set(name))}
        return {name: by_extractor[name].features(image)[0] for name in extractors}

    def _measure(self, name: str) -> ImageMeasure:
        """Return a measure of images; a network that it has is loaded once."""
        if name not in self._made:
            (self._made[name],) = measures([name], features=self.plan.weights).of_images
        return self._made[name]

    def _set(self, name: str) -> SetMeasure:
        if name not in self._sets:
            (self._sets[name],) = measures([name]).of_sets
        return self._sets[name]

    def _show(self, index: int, mask: str, model: str, picture: Rgb, *, anew: bool = False) -> None:
        path = picture_path(self.plan.output, image=self.plan.subjects.name(index), mask=mask, model=model)
        if anew or not path.exists():
            write_photo(photo_of_array(to_uint8(picture)), path)

    def _told(self, index: int, mask: str, label: str, say: Say) -> ProgressCallback | None:
        """Return what a fill tells its steps, a few times a second."""
        if not self.plan.steps:
            return None
        last = -math.inf

        def tell(step: Progress) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= STEPS_EVERY_S or step.done == step.total:
                last = now
                say(Stepped(index, mask, label, Progress(done=step.done, total=step.total)))

        return tell
