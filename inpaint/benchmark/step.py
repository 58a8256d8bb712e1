"""How long one training step takes, all updates of an iteration included, and how much memory it needs.

The step is the one that training runs (`inpaint.training.steps`), on random images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch

from inpaint.benchmark.memory import own_process_peak
from inpaint.benchmark.profiling import multiplications, shares
from inpaint.benchmark.settings import StepSetting
from inpaint.benchmark.timing import Measured, Work, measured, torch_threads
from inpaint.losses import parse_losses
from inpaint.options import validated
from inpaint.registry import table as registry
from inpaint.training.config import LoopConfig
from inpaint.training.module import Batch, TrainingModule
from inpaint.training.plan import check_hardware
from inpaint.training.steps import Step, with_steps


def build(setting: StepSetting) -> TrainingModule:
    """Return the module that trains as the setting says; raises ConfigError where this machine cannot."""
    loop = validated(LoopConfig, setting.loop)
    check_hardware(loop)
    config = validated(registry.config_class(setting.model), setting.architecture, key="model")
    training = registry.training_class(setting.model)
    losses, _ = parse_losses(setting.losses).without_teacher()
    module: TrainingModule = training(config, losses=losses, loop=loop)
    module.real_and_fake_together = not setting.separate
    return module


def random_batch(module: TrainingModule, *, size: int) -> Batch:
    """Return images of noise with the middle square as the hole, and sparse edges for every further plane."""
    generator = torch.Generator().manual_seed(0)
    count = module.loop.batch_size
    batch = {"image": torch.rand(count, 3, size, size, generator=generator), "mask": torch.zeros(count, 1, size, size)}
    batch["mask"][..., size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = 1
    for plane in sorted(module.planes, key=lambda each: each.name):
        batch[plane.name] = (torch.rand(count, plane.channels, size, size, generator=generator) > 0.9).float()
    return {name: plane.to(module.device) for name, plane in batch.items()}


def measure(
    settings: Mapping[str, StepSetting], *, rounds: int, memory: bool, profile: bool, threads: int | None = None
) -> Measured:
    """Time the steps of all settings in turns, after one round that compiles and does not count.

    Args:
        settings: By name.
        rounds: How many rounds count.
        memory: Measure the peak memory of each in a process of its own.
        profile: Find which operators take which share of the time, and count the multiplications of the first.
        threads: Of torch; None: its own choice.
    """
    with torch_threads(threads) as used:
        modules = {name: build(setting) for name, setting in settings.items()}

        def work(steps: dict[str, Step]) -> Measured:
            tasks = {name: _task(modules[name], steps[name], settings[name].size) for name in settings}
            found = measured(
                tasks,
                rounds=rounds,
                peak=(lambda name: peak_bytes(settings[name])) if memory else None,
                shares=partial(shares, device=next(iter(modules.values())).device) if profile else None,
                threads=used,
            )
            return replace(found, macs=multiplications(next(iter(tasks.values())))) if profile else found

        return with_steps(modules, work)


def _task(module: TrainingModule, step: Step, size: int) -> Work:
    batch = random_batch(module, size=size)

    def work() -> None:
        step(batch)
        if module.device.type == "cuda":
            torch.cuda.synchronize()

    return work


def peak_bytes(setting: StepSetting) -> int:
    """Return the most memory that training takes, of two steps, as `own_process_peak` says."""
    return own_process_peak(_train_twice, asdict(setting), what=f"a step of {setting.model} at {setting.size} px")


def _train_twice(fields: dict[str, Any]) -> torch.device:
    setting = StepSetting(**fields)
    module = build(setting)

    def work(steps: dict[str, Step]) -> torch.device:
        task = _task(module, steps["own"], setting.size)
        for _ in range(2):  # optimizers take their memory at the end of the first
            task()
        return module.device

    return with_steps({"own": module}, work)
