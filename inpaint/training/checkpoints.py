"""Writing and reading the state of a run: whole files or none, plain containers only."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from pytorch_lightning import Trainer

from inpaint.errors import RunError, WeightsError
from inpaint.system.files import atomic_write
from inpaint.training.callback import IterationCallback
from inpaint.training.metering import Metering
from inpaint.weights.files import WeightsMetadata, load_foreign, read_metadata, save_weights

if TYPE_CHECKING:
    from inpaint.training.module import GanModule

FORMAT = "inpaint-training-1"
logger = logging.getLogger("inpaint.training")


class RunFiles(Protocol):
    """Where a run keeps its checkpoints and weights."""

    @property
    def last(self) -> Path:
        """The checkpoint to resume from."""

    @property
    def best(self) -> Path:
        """The checkpoint with the best validation result."""

    @property
    def weights(self) -> Path:
        """The networks used at inference, averaged."""


class Checkpoints(IterationCallback):
    """Saves last.ckpt and model.safetensors every `every` iterations, and best.ckpt when validation says so."""

    def __init__(self, module: GanModule, files: RunFiles, *, every: int, metering: Metering) -> None:
        super().__init__(module)
        self.files = files
        self.every = every
        self.metering = metering
        self.best_value: float | None = None
        self._saved_at = -1

    def after_iteration(self, trainer: Trainer) -> None:
        """Save when it is due."""
        if self.due(self.every):
            self.save(trainer)
            self.metering.pause()

    def save(self, trainer: Trainer) -> None:
        """Write last.ckpt, then the weights for inference. Does nothing when this iteration is saved already."""
        if self._saved_at == self.module.iteration:
            return
        self.module.check_finite()
        if trainer.is_global_zero:
            write_checkpoint(self.files.last, self.state())
            self._write_weights()
        self._saved_at = self.module.iteration

    def offer_best(self, trainer: Trainer, value: float) -> None:
        """Keep the current state as best.ckpt if `value` (smaller is better) is the smallest so far."""
        if not value < (float("inf") if self.best_value is None else self.best_value):
            return
        self.best_value = value
        if trainer.is_global_zero:
            write_checkpoint(self.files.best, self.state())

    def state(self) -> dict[str, Any]:
        """Return everything needed to continue, with the architecture it belongs to."""
        return {
            "format": FORMAT,
            "model": self.module.model_name,
            "config": self.module.config.model_dump(mode="json"),
            "best_value": self.best_value,
            **self.module.training_state(),
        }

    def restore(self, trainer: Trainer, path: Path) -> None:
        """Continue from a checkpoint. Raises RunError when it is damaged or belongs to another architecture."""
        module, state = self.module, read_checkpoint(path)
        config = module.config.model_dump(mode="json")
        if state["model"] != module.model_name:
            raise RunError(f"{path} is a run of model '{state['model']}', not of '{module.model_name}'")
        if state["config"] != config:
            different = sorted(
                key for key in {*state["config"], *config} if state["config"].get(key) != config.get(key)
            )
            raise RunError(f"{path} has other model options: model.{', model.'.join(different)} differ")
        module.load_training_state(state)
        self.best_value = state["best_value"]
        if path.resolve() == self.files.last.resolve():
            self._saved_at = module.iteration
            if trainer.is_global_zero and self._weights_iteration() != module.iteration:
                self._write_weights()  # the process was killed between the two files

    def _weights_iteration(self) -> int | None:
        try:
            return read_metadata(self.files.weights).iteration
        except WeightsError:
            return None

    def _write_weights(self) -> None:
        module = self.module
        network = module.averaged_network()
        # Those that the model keeps, as far as this training has them.
        judges = {role: judge for role, judge in module.discriminators.items() if role in module.kept_discriminators}
        metadata = WeightsMetadata(
            model=module.model_name,
            config=module.config.model_dump(mode="json"),
            roles=(*(name for name, _ in network.named_children()), *judges),
            iteration=module.iteration,
            license=module.license,
        )
        tensors = {
            f"{role}.{name}": value for role, judge in judges.items() for name, value in judge.state_dict().items()
        }
        save_weights(self.files.weights, {**network.state_dict(), **tensors}, metadata)


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint atomically."""
    with atomic_write(path) as temporary:
        torch.save(dict(state), temporary)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running code from it.

    Raises WeightsError when the file is missing, damaged or contains code, RunError when it is not ours.
    """
    state = load_foreign(path)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise RunError(f"{path} is not a checkpoint of this program")
    return state
