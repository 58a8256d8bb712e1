"""One evaluation against its journal: what is missing of every picture, and the rows that come of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from inpaint.evaluation.filling import Filled, Plan, Refused, Say, Stepped, Task, Wanted
from inpaint.evaluation.journal import Fill, Journal
from inpaint.evaluation.manifest import Manifest
from inpaint.evaluation.record import Failure, Row, SetRow, picture_path
from inpaint.metrics import ImageMeasure, Measure, SetMeasure
from inpaint.metrics.base import Sets
from inpaint.system.progress import Together
from inpaint.types import Progress, ProgressCallback

_log = logging.getLogger("inpaint.evaluation")


@dataclass
class Job:
    """What there is to do, and what comes of it.

    Args:
        plan: How a picture is worked on.
        manifest: Of the pictures and masks.
        whos: What stands for each label's model in the journal.
        measures: What is measured of every fill and set.
        journal: What is known, of an earlier evaluation too.
    """

    plan: Plan
    manifest: Manifest
    whos: Mapping[str, str]
    measures: Sequence[Measure]
    journal: Journal

    def __post_init__(self) -> None:
        self._of_images = [measure.name for measure in self.measures if isinstance(measure, ImageMeasure)]
        self._of_sets = [measure for measure in self.measures if isinstance(measure, SetMeasure)]
        self._extractors = list(dict.fromkeys(measure.extractor for measure in self._of_sets))
        self._of_originals = list(dict.fromkeys(each.extractor for each in self._of_sets if not each.over_styles))
        self._of_styles = list(dict.fromkeys(each.extractor for each in self._of_sets if each.over_styles))
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

        def take(measure: SetMeasure, sets: Sets | None, label: str, masks: Sequence[str]) -> None:
            n = 0 if sets is None else len(sets.painted)
            value = None if sets is None or measure.refusal(n) else measure.of_sets(sets)
            for mask in masks:
                about = {"measure": measure.name, "mask": mask, "model": label}
                found[measure.name, mask, label] = SetRow(**about, value=value, n=n)

        for extractor in self._extractors:
            mine = [each for each in self._of_sets if each.extractor == extractor and not each.over_styles]
            for mask in self.manifest.labels if mine else ():
                for label, sets in self._compared(extractor, mask).items():
                    for measure in mine:
                        take(measure, sets, label, [mask])
        for measure in self._of_sets:
            if measure.over_styles:
                for label, sets in self._beside_styles(measure).items():
                    take(measure, sets, label, self.manifest.labels)
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

    def _beside_styles(self, measure: SetMeasure) -> dict[str, Sets | None]:
        """Return the features of each model's pictures in all styles beside those of the styles; as `_compared`."""
        extractor, every = measure.extractor, product(self.manifest.keys, self.manifest.labels)
        there = [pair for pair in every if extractor in self.journal["", "", pair[1]].features]
        filled = {
            label: [
                (key, mask)
                for key, mask in there
                if extractor in (known := self.journal[who, key, mask]).features
                and all(known.values.get(name) is not None for name in measure.made_of)
            ]
            for label, who in self.whos.items()
        }
        some = [set(pairs) for pairs in filled.values() if pairs]
        common = [pair for pair in there if some and all(pair in pairs for pairs in some)]
        styles = self._stack([("", "", mask) for _, mask in common], extractor)

        def sets(who: str) -> Sets:
            fills = [(who, key, mask) for key, mask in common]
            means = {name: self._mean(fills, name) for name in measure.made_of}
            return Sets(self._stack(fills, extractor), styles, means)

        return {label: sets(who) if filled[label] and common else None for label, who in self.whos.items()}

    def _mean(self, fills: Sequence[Fill], name: str) -> float:
        return float(np.mean([self.journal[fill].values[name] for fill in fills]))

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
        features = tuple(name for name in self._of_originals if name not in original)
        styles = self._missing_of_styles() if index == 0 else {}
        return Task(index, missing, features, styles, self._sets) if missing or features or styles else None

    def _missing_of_styles(self) -> dict[str, tuple[str, ...]]:
        known = {label: self.journal["", "", label].features for label in self.manifest.labels}
        missing = {label: tuple(each for each in self._of_styles if each not in had) for label, had in known.items()}
        return {label: names for label, names in missing.items() if names}

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
        key = self.manifest.keys[found.index] if found.label or not found.mask else ""  # "" of a style
        self.journal.add(
            (self.whos[found.label] if found.label else "", key, found.mask),
            values=found.values,
            seconds=found.seconds,
            features=found.features,
            picture=found.label if found.picture else "",
        )

    def _warn(self, refused: Refused) -> None:
        about = (self.manifest.keys[refused.index], refused.mask, refused.label)
        _log.warning("%s", ", ".join(part for part in about if part) + f": {_line(refused.reason)}")


def _line(text: str) -> str:
    return " ".join(text.split())
