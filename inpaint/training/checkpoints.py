"""Writing and reading the state of a run: whole files or none, plain containers only."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer

from inpaint.errors import RunError, WeightsError
from inpaint.system.files import atomic_write
from inpaint.training.callbacks import IterationCallback, Metering
from inpaint.training.module import TrainingModule
from inpaint.weights.files import WeightsMetadata, read_metadata, save_weights
from inpaint.weights.foreign import load_foreign
from inpaint.weights.runs import RunFolder

FORMAT = "inpaint-training-1"
logger = logging.getLogger("inpaint.training")


class Checkpoints(IterationCallback):
    """Saves last.ckpt and model.safetensors every `save_every` iterations, and best.ckpt when validation says so."""

    def __init__(self, module: TrainingModule, files: RunFolder, metering: Metering) -> None:
        super().__init__(module)
        self.files = files
        self.metering = metering
        self.best_value: float | None = None
        self._saved_at = -1

    def after_iteration(self, trainer: Trainer) -> None:
        """Save when it is due."""
        if self.due(self.module.loop.save_every):
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
            "model": self.module.name,
            "config": self.module.config.model_dump(mode="json"),
            "best_value": self.best_value,
            **training_state(self.module),
        }

    def restore(self, trainer: Trainer, path: Path) -> None:
        """Continue from a checkpoint. Raises RunError when it is damaged or belongs to another architecture."""
        module, state = self.module, read_checkpoint(path)
        config = module.config.model_dump(mode="json")
        if state["model"] != module.name:
            raise RunError(f"{path} is a run of model '{state['model']}', not of '{module.name}'")
        if state["config"] != config:
            different = sorted(
                key for key in {*state["config"], *config} if state["config"].get(key) != config.get(key)
            )
            raise RunError(f"{path} has other model options: model.{', model.'.join(different)} differ")
        load_training_state(module, state)
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
        kept = {role: network for role, network in module.discriminators.items() if role in module.kept_discriminators}
        metadata = WeightsMetadata(
            model=module.name,
            config=module.config.model_dump(mode="json"),
            roles=(*(name for name, _ in network.named_children()), *kept),
            iteration=module.iteration,
            license=module.license,
        )
        tensors = {f"{role}.{name}": value for role, one in kept.items() for name, value in one.state_dict().items()}
        save_weights(self.files.weights, {**network.state_dict(), **tensors}, metadata)


def training_state(module: TrainingModule) -> dict[str, Any]:
    """Return all that the next iteration depends on, in plain containers and tensors.

    Random numbers are no part of it: every iteration derives its own from (seed, iteration).
    """
    return {
        "iteration": module.iteration,
        "license": module.license,
        "network": module.network.state_dict(),
        "discriminators": module.discriminators.state_dict(),
        "average": module.average.network.state_dict() if module.loop.ema.decay is not None else None,
        "optimizers": {name: optimizer.state_dict() for name, optimizer in module.optimizers_by_name().items()},
        "kinds": {name: module.loop.optimizers[name].kind for name in module.optimizers_by_name()},
        "scaler": module.trainer.precision_plugin.state_dict(),
    }


def load_training_state(module: TrainingModule, state: Mapping[str, Any]) -> None:
    """Continue from a state returned by `training_state`, with the optimizers' options as configured now.

    Raises:
        RunError: The state has other discriminators or other kinds of optimizers.
    """
    kinds = {name: module.loop.optimizers[name].kind for name in module.optimizers_by_name()}
    if state["kinds"] != kinds:
        raise RunError(f"the run used the optimizers {_listed(state['kinds'])}, now configured: {_listed(kinds)}")
    discriminators = {name.split(".", 1)[0] for name in state["discriminators"]}
    if discriminators != set(module.discriminators):
        raise RunError(
            f"the run has the discriminators {sorted(discriminators)}, the losses configured now need "
            f"{sorted(module.discriminators)}"
        )
    module.iteration = int(state["iteration"])
    module.license = state.get("license")
    module.network.load_state_dict(state["network"])
    module.discriminators.load_state_dict(state["discriminators"])
    if state["average"] is None:
        module.average.follow(module.network)
    else:
        module.average.network.load_state_dict(state["average"])
    for name, optimizer in module.optimizers_by_name().items():
        configured = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
        optimizer.load_state_dict(state["optimizers"][name])
        for group, options in zip(optimizer.param_groups, configured, strict=True):
            group.update(options)
    if state["scaler"]:
        module.trainer.precision_plugin.load_state_dict(dict(state["scaler"]))


def _listed(kinds: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={kind}" for name, kind in kinds.items()) or "none"


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


def resumed_iteration(path: Path | None) -> int:
    """Return the iteration from which a checkpoint continues; 0 without one."""
    return 0 if path is None else int(read_checkpoint(path)["iteration"])
