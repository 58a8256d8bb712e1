"""The models that the page offers, and those that are loaded, as far as memory reaches."""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inpaint.errors import InpaintError, UsageError, unknown
from inpaint.evaluation.models import label_models
from inpaint.registry.loading import described, load, memory_device, weights_of
from inpaint.registry.stylizers import stylizes
from inpaint.registry.table import FILLS
from inpaint.strategies.options import StrategyOptions
from inpaint.strategies.wrapper import StrategicFill
from inpaint.system.environment import available_memory_bytes
from inpaint.types import Capabilities, Inpainter
from inpaint.weights.runs import RunFolder, runs_in

FIRST = "patch"
"""What is chosen where nobody says otherwise: it needs no weights, and fills wide holes."""

MEMORY_SHARE = 0.25
"""Of the memory that is free when a model is loaded: what the weights of all loaded models may take."""

_log = logging.getLogger("inpaint.app")


@dataclass(frozen=True)
class Offer:
    """A model of the list. label: as users call it. place: what `inpaint.load` takes; it is told to nobody."""

    label: str
    place: str
    summary: str
    capabilities: Capabilities


def offers(models: Sequence[str], runs: Path) -> dict[str, Offer]:
    """Return the fills that are offered, by label: models that are named, runs of a folder, fills without weights.

    What stylizes is no fill, and left out.

    Args:
        models: What `inpaint.load` takes.
        runs: Folder of run folders; a run that cannot be used is named in a warning and left out.

    Raises:
        InpaintError: A model that is named cannot be used.
    """
    found = [str(run) for run in runs_in(runs) if RunFolder(run).weights.exists()] if runs.is_dir() else []
    models = [model for model in models if not stylizes(model)]
    found = [run for run in found if not stylizes(run)]
    known = {os.path.realpath(model) for model in models}
    trained = [run for run in found if os.path.realpath(run) not in known]
    ready = [FIRST, *(name for name in FILLS if name != FIRST)]
    fills = [name for name in ready if name not in models]
    offered = {}
    for label, place in label_models([*models, *trained, *fills]).items():
        try:
            offered[label] = _offer(label, place)
        except InpaintError as error:
            if place in models:
                raise
            _log.warning("%s is not offered: %s", place, error)
    return offered


def _offer(label: str, place: str) -> Offer:
    if place in FILLS:
        return Offer(label, place, FILLS[place].summary, described(place).capabilities)  # type: ignore[union-attr]
    found = described(place)
    if found is None:
        raise UsageError(f"'{place}' is not here: download it, and give the file or folder")
    return Offer(label, place, f"{found.name}, trained", found.capabilities)


class LoadedModels:
    """Loads models and keeps those used last, as long as their weights fit into a share of the memory.

    Args:
        offered: By label; those that harmonize are `harmonizers`, the others `offered`.
        device: That `inpaint.load` is given.
        budget_bytes: Returns how much the weights of all loaded models may take; by default a share of what is free.
    """

    def __init__(
        self, offered: Mapping[str, Offer], device: str, *, budget_bytes: Callable[[], float] | None = None
    ) -> None:
        self.offered = {label: offer for label, offer in offered.items() if not offer.capabilities.recolors}
        self.harmonizers = {label: offer for label, offer in offered.items() if offer.capabilities.recolors}
        self._device = device
        self._budget_bytes = budget_bytes or _share_of_memory
        self._loaded: OrderedDict[tuple[object, ...], tuple[Inpainter, int]] = OrderedDict()
        self._lock = threading.Lock()

    def offer(self, label: str) -> Offer:
        """Return a model of the list that fills; raises UsageError for another name."""
        if label not in self.offered:
            raise UsageError(unknown("model", label, self.offered))
        return self.offered[label]

    def get(
        self, label: str, options: Mapping[str, Any] | None = None, *, strategy: StrategyOptions | None = None
    ) -> StrategicFill:
        """Return a model, loaded; one whose weights have changed since is loaded anew.

        Args:
            label: Of the list.
            options: That `inpaint.load` takes; those of a strategy stand above `strategy`.
            strategy: How it is put to work; it is not loaded anew for another one.

        Raises:
            InpaintError: It is not in the list, or cannot be loaded.
        """
        place = (self.harmonizers.get(label) or self.offer(label)).place
        given = dict(options or {})
        strategic = {name: given.pop(name) for name in list(given) if name in StrategyOptions.model_fields}
        chosen = (strategy or StrategyOptions()).model_copy(update=strategic)
        size, version = (0, 0) if place in FILLS else _size_and_version(weights_of(place))
        key = (place, version, *sorted((name, repr(value)) for name, value in given.items()))
        with self._lock:
            if key not in self._loaded:
                self._make_room(size)
                self._loaded[key] = (load(place, device=self._device, **given), size)
            self._loaded.move_to_end(key)
            made = self._loaded[key][0]
        return StrategicFill(made, chosen, device=memory_device(place, self._device))

    def _make_room(self, size: int) -> None:
        """Forget models, those used last longest, until another one fits beside the rest."""
        budget = self._budget_bytes() - size
        while self._loaded and sum(taken for _, taken in self._loaded.values()) > max(budget, 0):
            self._loaded.popitem(last=False)

    def __len__(self) -> int:
        return len(self._loaded)


def _share_of_memory() -> float:
    free = available_memory_bytes()
    return float("inf") if free is None else MEMORY_SHARE * free


def _size_and_version(weights: Path) -> tuple[int, int]:
    """Return the bytes of a weights file, about what its network takes, and when it was written."""
    status = weights.stat()
    return status.st_size, status.st_mtime_ns
