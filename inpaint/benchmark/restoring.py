"""Deep Image Prior's fast arithmetic against the published one: time per iteration, and what comes out.

Published means what the notebooks compute: float32, maps channel by channel, enlarging before convolving, features put
side by side, biases everywhere, Adam without a fused kernel. Nothing else of their loop (plots, scores) is counted.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inpaint.benchmark.timing import Timing, take_turns
from inpaint.dip.arithmetic import EXACT, Arithmetic, fast
from inpaint.dip.layers import LanczosDownsampler
from inpaint.dip.objective import Observation, PriorObjective, meshgrid_input, noise_input
from inpaint.dip.presets import FILL_TASKS, preset
from inpaint.evaluation.measure import as_batch
from inpaint.evaluation.protocols import unnamed
from inpaint.evaluation.subjects import Photos
from inpaint.metrics import psnr
from inpaint.optimize.base import StepInfo
from inpaint.optimize.loop import LoopOptions, optimize
from inpaint.optimize.optimizers import AdamOptions
from inpaint.optimize.schedule import CooldownOptions


@dataclass(frozen=True)
class Compared:
    """One preset: times of one iteration, and how many times as fast each round found the fast arithmetic."""

    preset: str
    fast: Timing
    published: Timing
    ratio: float
    of_lowest: float


def compare_speed(name: str, *, size: int, rounds: int, device: torch.device) -> Compared:
    """Time one iteration of a preset at size x size both ways, in turns; each turn is one iteration."""
    tasks = {
        label: _iteration(name, arithmetic, size, device)
        for label, arithmetic in (("fast", fast(device)), ("published", EXACT))
    }
    turns = take_turns(tasks, rounds=rounds)
    timings, ratio = turns.timings(), turns.ratio()
    assert ratio is not None
    return Compared(name, timings["fast"], timings["published"], ratio.median, ratio.of_lowest)


@dataclass(frozen=True)
class Quality:
    """Hole PSNR in dB of the average of the iterates, per seed, both ways."""

    preset: str
    fast: list[float]
    published: list[float]

    @property
    def difference(self) -> float:
        """Mean of the fast arithmetic less that of the published one."""
        return statistics.fmean(self.fast) - statistics.fmean(self.published)


def compare_quality(
    name: str,
    *,
    data: str,
    mask: str,
    size: int,
    iterations: int,
    seeds: int,
    width: int | None,
    device: torch.device,
) -> Quality:
    """Fill one photo of `data` per seed both ways, from the same weights, with the same number of iterations."""
    photos = Photos(data, unnamed([mask], size=size))
    (drawing,) = photos.protocol.drawings.values()
    found: dict[str, list[float]] = {"fast": [], "published": []}
    for seed in range(seeds):
        index = seed % len(photos)
        photo = photos.read(index).image
        hole = drawing.draw(photos.name(index), seed=seed, height=size, width=size)
        image, gap = (plane.to(device) for plane in as_batch(photo, np.asarray(hole)))
        for label, arithmetic in (("fast", fast(device)), ("published", EXACT)):
            objective = _objective(name, arithmetic, image * (1 - gap), 1 - gap, seed=seed, width=width)
            options = LoopOptions(
                iterations=iterations,
                lr=preset(name).lr,
                adam=AdamOptions(fused=arithmetic.fused),
                cooldown=CooldownOptions(share=0.0),
            )
            best = optimize(objective, options, seed=seed).best
            completed = torch.where(gap == 1, best.clamp(0, 1), image)
            found[label].append(psnr(completed, image, gap).item())
    return Quality(name, found["fast"], found["published"])


def _iteration(name: str, arithmetic: Arithmetic, size: int, device: torch.device) -> Callable[[], None]:
    """Return the task of one iteration: perturb, paint, compare, differentiate, step."""
    draw = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, size, size, generator=draw).to(device)
    weights = (torch.rand(1, 1, size, size, generator=draw) > 0.2).float().to(device)
    objective = _objective(name, arithmetic, image, weights, seed=0, width=None)
    optimizer = torch.optim.Adam(objective.parameters(), lr=preset(name).lr, fused=arithmetic.fused)
    count = 0

    def work() -> None:
        nonlocal count
        optimizer.zero_grad(set_to_none=True)
        objective.evaluate(StepInfo(iteration=count, progress=0.0)).loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        count += 1
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return work


def _objective(
    name: str, arithmetic: Arithmetic, image: Tensor, weights: Tensor, *, seed: int, width: int | None
) -> PriorObjective:
    chosen = preset(name) if width is None else preset(name).narrowed(width)
    size = (image.shape[-2], image.shape[-1])
    options = chosen.network.fitting(*size)
    z = meshgrid_input(*size) if chosen.input == "meshgrid" else noise_input(options.in_channels, *size, seed=seed)
    target, known, downsample = image, weights if chosen.task in FILL_TASKS else None, None
    if chosen.task == "super-resolve":
        downsample = LanczosDownsampler(4).to(image.device)
        target = downsample(image)
    data = Observation(z=z.to(image), size=size, target=target, weights=known, downsample=downsample)
    return PriorObjective(
        arithmetic.network(options, seed=seed).to(image.device),
        [data],
        seed=seed,
        noise=chosen.noise,
        dtype=arithmetic.dtype,
        channels_last=arithmetic.channels_last,
    )


def speed_table(found: Mapping[str, Compared]) -> str:
    """Return a Markdown table of milliseconds per iteration."""
    head = "| preset | this (ms) | published (ms) | times as fast |\n|---|---:|---:|---:|"
    lines = [
        f"| `{name}` | {each.fast.median_ms:,.0f} | {each.published.median_ms:,.0f} | {each.ratio:.2f} |"
        for name, each in found.items()
    ]
    return "\n".join([head, *lines])
