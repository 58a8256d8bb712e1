"""How long one training step takes, all updates of an iteration included, and how much memory it needs.

The step is the one that training runs (`inpaint.training.steps`), on random images.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from inpaint.benchmark.forward import Timing, resident_peak, times_in_turns
from inpaint.benchmark.profiling import multiplications, shares
from inpaint.errors import InpaintError
from inpaint.losses import parse_losses
from inpaint.options import validated
from inpaint.registry import table as registry
from inpaint.training.config import LoopConfig
from inpaint.training.module import Batch, TrainingModule
from inpaint.training.steps import Step, with_steps


@dataclass(frozen=True, kw_only=True)
class StepSetting:
    """One way to train: plain containers, as a configuration resolves to them.

    architecture, losses, loop: the blocks of the configuration. size: side of the images in pixels. separate: the
    discriminators get real and generated images in two passes instead of one.
    """

    model: str
    architecture: Mapping[str, Any]
    losses: Mapping[str, Any]
    loop: Mapping[str, Any]
    size: int
    separate: bool = False


@dataclass(frozen=True)
class Measured:
    """timings, peaks in bytes and shares of operator groups by setting; each round's ratio second to first.

    macs: multiply-accumulates of one step of the first setting; None if not asked for.
    """

    timings: dict[str, Timing]
    ratios: list[float]
    peaks: dict[str, int | None]
    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    macs: int | None = None


def build(setting: StepSetting) -> TrainingModule:
    """Return the module that trains as the setting says."""
    loop = validated(LoopConfig, setting.loop)
    config = validated(registry.config_class(setting.model), setting.architecture, key="model")
    training = registry.training_class(setting.model)
    module: TrainingModule = training(config, losses=parse_losses(setting.losses), loop=loop)
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


def measure(settings: Mapping[str, StepSetting], *, rounds: int, memory: bool, profile: bool) -> Measured:
    """Time the steps of all settings in turns, after one round that compiles and does not count."""
    modules = {name: build(setting) for name, setting in settings.items()}

    def work(steps: dict[str, Step]) -> Measured:
        tasks = {name: _task(modules[name], steps[name], settings[name].size) for name in settings}
        timings, ratios = times_in_turns(tasks, rounds=rounds)
        peaks = {name: peak_bytes(setting) if memory else None for name, setting in settings.items()}
        if not profile:
            return Measured(timings, ratios, peaks)
        found = {name: shares(task, device=modules[name].device) for name, task in tasks.items()}
        return Measured(timings, ratios, peaks, found, multiplications(next(iter(tasks.values()))))

    return with_steps(modules, work)


def _task(module: TrainingModule, step: Step, size: int) -> Callable[[], None]:
    batch = random_batch(module, size=size)

    def work() -> None:
        step(batch)
        if module.device.type == "cuda":
            torch.cuda.synchronize()

    return work


def peak_bytes(setting: StepSetting) -> int:
    """Return the most memory that training takes, of two steps in a process of its own.

    On a GPU what torch allocated there, on a CPU the resident memory of the whole process, libraries included.
    """
    threads = torch.get_num_threads()
    command = [sys.executable, "-m", "inpaint.benchmark.step", json.dumps(asdict(setting)), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"
        raise InpaintError(f"measuring the memory of a step of {setting.model} at {setting.size} px failed: {last}")
    return int(done.stdout.strip().rpartition("\n")[2])


def _own_peak(setting: StepSetting) -> int:
    module = build(setting)

    def work(steps: dict[str, Step]) -> int:
        task = _task(module, steps["own"], setting.size)
        for _ in range(2):  # optimizers take their memory at the end of the first
            task()
        return torch.cuda.max_memory_allocated() if module.device.type == "cuda" else resident_peak()

    return with_steps({"own": module}, work)


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    print(_own_peak(StepSetting(**json.loads(sys.argv[1]))))
