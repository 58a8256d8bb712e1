"""The figures of one validation: means over photos, measures of sets, and what a model itself measures."""

from __future__ import annotations

import numpy as np
import torch
from pytorch_lightning import Trainer
from torch import Tensor

from inpaint.metrics import Compared, RunningMeans, SetMeasure, measured
from inpaint.metrics.base import Features, Sets
from inpaint.training.callbacks import gathered, summed
from inpaint.training.module import TrainingModule
from inpaint.training.panels import rounded
from inpaint.training.selection import Selection, figure, is_blind, seen_as
from inpaint.types import Fill, Inpainter


class Figures:
    """Gathers what a `Selection` asks for, batch by batch, over all validation sets.

    Args:
        module: What is trained; it measures by its own means, too.
        selection: What is measured.
    """

    def __init__(self, module: TrainingModule, selection: Selection) -> None:
        self.module = module
        self.selection = selection
        self._fills = False
        self._means = RunningMeans()
        self._sets = {name: SetFeatures(selection.measures.of_sets) for name in selection.sets}

    def start(self, *, fills: bool) -> None:
        """Begin anew; fills: whether there will be an inpainter."""
        self._fills = fills
        self._means.clear()
        for features in self._sets.values():
            features.clear()
        names = [*(measure.name for measure in self.selection.measures.of_images if fills), *self.module.metrics]
        for name in (figure(among, name) for among in self.selection.sets for name in names):
            # In one order in all processes, also where one has no photo of its own.
            self._means.add(name, torch.zeros((), device=self.module.device), 0)

    def add(self, among: str, batch: dict[str, Tensor], inpainter: Inpainter | None) -> None:
        """Measure a batch of a set.

        Args:
            among: The set.
            batch: On the module's device, with the `number` of each photo.
            inpainter: Fills it; None while the model cannot.
        """
        if inpainter is not None:
            fill, wanted = fill_of(self.module, inpainter, batch), self.selection.measures.of_images
            compared = Compared(
                completed=fill.completed,
                image=batch["image"],
                mask=batch["mask"],
                raw=fill.raw,
                found=fill.aux.get("found"),
            )
            for measure, values in zip(wanted, measured(compared, wanted).values(), strict=True):
                self._means.add(figure(among, measure.name), values, measure.counts(compared))
            self._sets[among].add(batch["number"].tolist(), fill.completed, batch["image"])
        if self.module.metrics:
            with self.module.averaging():
                own = self.module.measure(batch, self.module.record(batch))
            for name in self.module.metrics:
                each = 1 if own[name].ndim else len(batch["image"])
                self._means.add(figure(among, name), own[name], ~own[name].isnan() * each)

    def compute(self, trainer: Trainer) -> dict[str, float]:
        """Return the figures over the photos of all processes; every process must call it."""
        found = self._means.compute(lambda sums: summed(trainer, sums))
        for among, features in self._sets.items():
            of_set = features.compare(trainer) if self._fills else {}
            found |= {figure(among, name): value for name, value in of_set.items()}
        return found


def fill_of(module: TrainingModule, inpainter: Inpainter, batch: dict[str, Tensor]) -> Fill:
    """Return the fill of a validation batch.

    That of a blind model is of the contaminated images, whose hole it finds; that of a harmonizer, of the composites.
    """
    image, mask = batch[seen_as(module) or "image"], None if is_blind(module) else batch["mask"]
    return inpainter.fill(image, mask, guidance=module.guidance(batch))[0]


class SetFeatures:
    """Features of the painted photos of one validation set and of their originals, for the measures of sets.

    Those of the originals are computed once: photos and views stay the same.
    """

    def __init__(self, measures: tuple[SetMeasure, ...]) -> None:
        self.measures = measures
        self._extractors = {measure.extractor: measure for measure in measures}
        self._numbers: list[int] = []
        self._painted: dict[str, list[Features]] = {}
        self._originals: dict[str, list[Features]] = {}
        self._known: dict[str, Features] = {}  # of all originals
        self.clear()

    def clear(self) -> None:
        """Forget the photos added so far, but not what is known of all originals."""
        self._numbers = []
        self._painted = {name: [] for name in self._extractors}
        self._originals = {name: [] for name in self._extractors}

    def add(self, numbers: list[int], painted: Tensor, originals: Tensor) -> None:
        """Add photos by their numbers; painted, originals: (B, 3, H, W) in [0, 1]."""
        self._numbers += numbers
        for name, measure in self._extractors.items():
            self._painted[name].append(measure.features(rounded(painted)))
            if name not in self._known:
                self._originals[name].append(measure.features(rounded(originals)))

    def compare(self, trainer: Trainer) -> dict[str, float]:
        """Return what the measures say of all photos of all processes, in the order of their numbers.

        Every process must call it. The first one computes, so that all of them know the same figures.
        """
        if not self.measures:
            return {}
        sets: dict[str, Sets] = {}
        for name in self._extractors:
            if name not in self._known:
                self._known[name] = _in_order(trainer, self._numbers, self._originals[name])
            sets[name] = Sets(_in_order(trainer, self._numbers, self._painted[name]), self._known[name])
        of_sets = self.measures if trainer.is_global_zero else ()
        found = {measure.name: measure.of_sets(sets[measure.extractor]) for measure in of_sets}
        shared: dict[str, float] = trainer.strategy.broadcast(found, src=0)
        return shared


def _in_order(trainer: Trainer, numbers: list[int], batches: list[Features]) -> Features:
    """Return the features (N, D) of all processes in the order of the photos' numbers."""
    rows = dict(zip(numbers, (row for batch in batches for row in batch), strict=True))
    every: dict[int, Features] = {}
    for part in gathered(trainer, rows):
        every |= part
    return np.stack([every[number] for number in sorted(every)])
