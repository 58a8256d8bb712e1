"""Writing and reading the state of a run: whole files or none, plain containers only."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer
from torch import Tensor

from inpaint.errors import DivergedError, RunError, WeightsError, WriteError
from inpaint.system.files import atomic_write
from inpaint.training.callbacks import IterationCallback, Metering
from inpaint.training.module import TrainingModule
from inpaint.weights.files import TRAINING_FORMAT, WeightsMetadata, read_metadata, save_weights
from inpaint.weights.foreign import load_foreign
from inpaint.weights.runs import CHECKPOINT_SUFFIX, RunFolder

logger = logging.getLogger("inpaint.training")


class Checkpoints(IterationCallback):
    """Saves last.ckpt and model.safetensors every `save_every` iterations, and best.* when validation says so.

    Args:
        module: What is trained.
        files: Where the files go.
        metering: What saving takes is left out of its speed.
        before_saving: Called in the first process before a checkpoint is written.
        data: What is saved beside the state, as plain containers: which photos it was trained and validated on.
        best_by: The figure that `offer_best` is given, without "val/".
    """

    def __init__(
        self,
        module: TrainingModule,
        files: RunFolder,
        metering: Metering,
        before_saving: Callable[[], None] = lambda: None,
        *,
        data: Mapping[str, Any] | None = None,
        best_by: str = "l1_hole",
    ) -> None:
        super().__init__(module)
        self.before_saving = before_saving
        self.files = files
        self.metering = metering
        self.data = dict(data or {})
        self.best_by = best_by
        self.best: list[tuple[float, int]] = []  # value and iteration of the `keep_best` best, the best first
        self.waited = 0  # validations since the last that was better than all before it
        self.validating = False  # whether the validation of this iteration is not complete
        self._saved_at = -1
        self._went_back = False  # whether last.ckpt is of a course that this one leaves

    @property
    def best_value(self) -> float | None:
        """What best.ckpt was chosen by (smaller is better); None while there is none."""
        return self.best[0][0] if self.best else None

    @property
    def saved_iteration(self) -> int | None:
        """The iteration that last.ckpt holds, as far as this process knows."""
        return None if self._saved_at < 0 else self._saved_at

    def after_iteration(self, trainer: Trainer) -> None:
        """Save when it is due. What cannot be written before the end costs a warning: the disk may have room again."""
        if not (self.due(self.module.loop.save_every) or self._keeps() or self._went_back):
            return
        try:
            self.save(trainer)
        except WriteError as error:
            if self.module.iteration == self.module.loop.max_iterations:
                raise
            again = self.module.loop.save_every
            logger.warning("iteration %d is not saved, trying again in %d: %s", self.module.iteration, again, error)
        self.metering.pause()

    def _keeps(self) -> bool:
        """Tell whether the checkpoint of this iteration stays."""
        every = self.module.loop.keep_every
        return every is not None and self.module.iteration % every == 0

    def save(self, trainer: Trainer) -> None:
        """Write last.ckpt, then the weights for inference. Does nothing when this iteration is saved already."""
        if self._saved_at == self.module.iteration:
            return
        self.module.check_finite()
        if trainer.is_global_zero:
            self._write(self.files.last)
            self._write_weights(self.files.weights)
            if self._keeps():
                _keep(self.files.last, self.files.kept / f"{self.module.iteration:08d}{CHECKPOINT_SUFFIX}")
            for logger in trainer.loggers:
                logger.after_save_checkpoint(self)  # type: ignore[arg-type]  # Lightning's own is no base of ours
        self._saved_at, self._went_back = self.module.iteration, False

    def offer_best(self, trainer: Trainer, value: float) -> None:
        """Keep the current state as best.ckpt if `value` (smaller is better) is the smallest so far.

        With `keep_best` above 1 it also stays in kept/ as long as it is among so many best.
        """
        better = value < (float("inf") if self.best_value is None else self.best_value)
        self.waited = 0 if better else self.waited + 1
        if not value < float("inf"):
            return
        before, offered = self.best, (value, self.module.iteration)
        self.best = sorted({*before, offered})[: self.module.loop.keep_best]
        if offered not in self.best or not trainer.is_global_zero:
            return
        try:
            self._write_best(offered, leads=self.best[0] == offered)
        except WriteError as error:
            self.best = before  # the files are those of before, too
            logger.warning("one of the best states, of iteration %d, is not saved: %s", self.module.iteration, error)
            return
        for _, iteration in set(before) - set(self.best):
            self._kept_best(iteration).unlink(missing_ok=True)

    def _write_best(self, offered: tuple[float, int], *, leads: bool) -> None:
        """Write the files of a state that is the best, or among the best that stay."""
        kept = self._kept_best(offered[1])
        if not leads:
            kept.parent.mkdir(exist_ok=True)
            self._write(kept)
            return
        self._write(self.files.best)
        self._write_weights(self.files.best_weights)
        if self.module.loop.keep_best > 1:
            _keep(self.files.best, kept)

    def _kept_best(self, iteration: int) -> Path:
        return self.files.kept / f"best-{iteration:08d}{CHECKPOINT_SUFFIX}"

    def _write(self, path: Path) -> None:
        self.before_saving()
        with suppress(OSError):  # writing will say it
            self.files.path.mkdir(parents=True, exist_ok=True)  # somebody may have removed it
        write_checkpoint(path, self.state())

    def state(self) -> dict[str, Any]:
        """Return everything needed to continue, with the architecture it belongs to."""
        return {
            "format": TRAINING_FORMAT,
            "model": self.module.name,
            "config": self.module.config.model_dump(mode="json"),
            "best_value": self.best_value,
            "best": [list(entry) for entry in self.best],
            "best_by": self.best_by,
            "waited": self.waited,
            "data": self.data,
            "validating": self.validating,
            **training_state(self.module),
        }

    def restore(self, trainer: Trainer, path: Path, *, comparable: bool = True) -> None:
        """Continue from a checkpoint. Raises RunError when it is damaged or belongs to another architecture.

        comparable: whether what it was validated on is what will be validated on; if not, the best starts anew.
        """
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
        if comparable and state["best_value"] is not None:
            # Checkpoints of 0.1.0 say nothing of when.
            said = state.get("best") or [(state["best_value"], module.iteration)]
            self.best = [(float(value), int(iteration)) for value, iteration in said][: module.loop.keep_best]
            self.waited = int(state.get("waited", 0))
        self.validating = bool(state.get("validating"))
        is_last = path.resolve() == self.files.last.resolve()
        self._went_back = not is_last and self.files.last.exists()
        if is_last and not self.validating:
            self._saved_at = module.iteration
            if trainer.is_global_zero and self._weights_iteration() != module.iteration:
                self._write_weights(self.files.weights)  # the process was killed between the two files

    def _weights_iteration(self) -> int | None:
        try:
            return read_metadata(self.files.weights).iteration
        except WeightsError:
            return None

    def _write_weights(self, path: Path) -> None:
        module = self.module
        network = module.averaged_network()
        # Those that the model keeps, as far as this training has them.
        kept = {role: network for role, network in module.discriminators.items() if role in module.kept_discriminators}
        metadata = WeightsMetadata(
            model=module.name,
            config=module.config.model_dump(mode="json"),
            roles=(*(name for name, _ in network.named_children()), *kept),
            iteration=module.iteration,
            trained_px=module.trained_px,
            license=module.license,
        )
        tensors = {f"{role}.{name}": value for role, one in kept.items() for name, value in one.state_dict().items()}
        save_weights(path, {**network.state_dict(), **tensors}, metadata)


def training_state(module: TrainingModule) -> dict[str, Any]:
    """Return all that the next iteration depends on, in plain containers and tensors.

    Random numbers are no part of it: every iteration derives its own from (seed, iteration).
    """
    return {
        "iteration": module.iteration,
        "logged": module.logged.state(),
        "trained_px": module.trained_px,
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
    module.logged.load(state.get("logged") or {}, module.device)
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
    """Write a checkpoint atomically.

    Raises DivergedError, and leaves the file as it is, when the state holds what is not finite: nothing can be learned
    from there on.
    """
    name = _not_finite(state)
    if name is not None:
        iteration = int(state["iteration"])
        raise DivergedError(f"{name} is not finite after iteration {iteration}", iteration=iteration)
    with atomic_write(path) as temporary:
        torch.save(dict(state), temporary)


def _not_finite(state: Mapping[str, Any]) -> str | None:
    """Return the name of a tensor that is not finite; None where all are."""
    tensors = dict(_tensors(state))
    # One question for all of them: each would wait for the accelerator.
    flags = [tensor.isfinite().all() for tensor in tensors.values()]
    finite = torch.stack([flag.to(flags[0].device) for flag in flags]).tolist() if flags else []
    return next((name for name, good in zip(tensors, finite, strict=True) if not good), None)


def _tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield every floating-point tensor of nested containers under its dotted name."""
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from _tensors(part, f"{name}.{key}".lstrip("."))
    if isinstance(value, Tensor) and value.is_floating_point():
        yield name, value


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running code from it.

    Raises WeightsError when the file is missing, damaged or contains code, RunError when it is not ours.
    """
    state = load_foreign(path)
    if not isinstance(state, dict) or state.get("format") != TRAINING_FORMAT:
        raise RunError(f"{path} is not a checkpoint of this program")
    return state


def _keep(path: Path, kept: Path) -> None:
    """Let a file stay under a second name; the first is never written into, only replaced."""
    kept.parent.mkdir(exist_ok=True)
    kept.unlink(missing_ok=True)
    try:
        os.link(path, kept)
    except OSError:  # a file system without hard links
        with atomic_write(kept) as temporary:
            shutil.copyfile(path, temporary)
