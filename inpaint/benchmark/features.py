"""What the gradient of a style loss costs in time and memory, by the ways in which a VGG can be run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from inpaint.benchmark.memory import own_process_peak
from inpaint.benchmark.timing import Timing, Work, take_turns
from inpaint.errors import UsageError, unknown

if TYPE_CHECKING:
    import torch

Way: TypeAlias = Literal["whole", "checkpointed", "strips"]
"""Keeping all features for the backward pass; what lies between the blocks; or sums alone, strip by strip."""
WAYS: tuple[Way, ...] = get_args(Way)
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")  # of Gatys et al.


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is measured: a network with random weights, images of height x width; rounds: 0 for the memory alone."""

    network: Literal["vgg16", "vgg19"]
    height: int
    width: int
    rounds: int
    threads: int


@dataclass(frozen=True)
class Figures:
    """Of one way. timing: None where it was not asked for. peak_bytes: of a process that does nothing else."""

    way: Way
    timing: Timing | None
    peak_bytes: int


def known_ways(text: str) -> list[Way]:
    """Return the ways of a list such as "whole,strips"; raises UsageError for another name."""
    found = []
    for name in (part.strip() for part in text.split(",")):
        if name not in WAYS:
            raise UsageError(unknown("way", name, WAYS))
        found.append(name)
    return found


def compare(ways: Sequence[Way], setting: Setting) -> Iterator[Figures]:
    """Yield the figures of each way; times are measured in turns."""
    tasks: dict[str, Work] = {way: partial(style_gradient, setting, way) for way in ways}
    timings = take_turns(tasks, rounds=setting.rounds).timings() if setting.rounds else {}
    for way in ways:
        wanted = {**asdict(setting), "way": way}
        yield Figures(way, timings.get(way), own_process_peak(gradient_once, wanted, what=f"the way '{way}'"))


def style_gradient(setting: Setting, way: Way) -> torch.Tensor:
    """Return the gradient (1, 3, H, W) of the sum of all Gram matrices' entries."""
    import torch

    from inpaint.nn.strips import sums_by_strips
    from inpaint.nn.vgg import VGG

    network = VGG(setting.network, weights="random")
    draw = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, setting.height, setting.width, generator=draw).requires_grad_()

    def products(features: torch.Tensor, rows: slice) -> torch.Tensor:
        flat = features[0].flatten(1)
        return flat @ flat.T

    if way == "strips":
        grams = sums_by_strips(network, image, dict.fromkeys(LAYERS, products))
    else:
        features = network(image, LAYERS, checkpointed=way == "checkpointed")
        grams = {layer: products(found, slice(None)) for layer, found in features.items()}
    loss = torch.stack([gram.mean() for gram in grams.values()]).sum()
    return torch.autograd.grad(loss, image)[0]


def gradient_once(setting: dict[str, Any]) -> torch.device:
    """Compute in a process of its own, for its peak of memory."""
    import torch

    way: Way = setting.pop("way")
    torch.set_num_threads(setting["threads"])
    style_gradient(Setting(**setting), way)
    return torch.device("cpu")
