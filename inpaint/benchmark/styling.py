"""What one evaluation of style transfer by optimization costs: ours, and the arithmetic of public programs.

Both compare the same layers of a VGG-19 with random weights: content at relu4_2, Gram matrices at relu1_1 to relu5_1;
targets are there already. `published` is Gatys' own program for PyTorch: zero padding, float32, maps of one channel
after the other, and all sixteen convolutions, though nothing behind relu5_1 is compared.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from inpaint.benchmark.memory import own_process_peak
from inpaint.benchmark.timing import Measured, Work, measured, torch_threads
from inpaint.nn.comparing import features_of
from inpaint.nn.spaces import RgbSpace
from inpaint.nn.vgg import POOLING_GAINS, VGG, normalized
from inpaint.optimize.base import StepInfo
from inpaint.style.gatys.building import losses_of
from inpaint.style.gatys.canvas import Canvas, Region, StyleImage
from inpaint.style.gatys.method import Gatys
from inpaint.style.gatys.objective import StyleObjective
from inpaint.style.gatys.options import GatysOptions
from inpaint.style.gatys.presets import STYLE_LAYERS

Kind: TypeAlias = Literal["float32", "bfloat16", "published"]
CONTENT = "relu4_2"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is measured: kind: ours in a precision, or the published arithmetic; height, width: of the content."""

    kind: Kind
    height: int
    width: int

    @property
    def name(self) -> str:
        """For tables."""
        return self.kind if self.kind == "published" else f"inpaint, {self.kind}"


def compare(
    setting: Setting, against: Kind | None, *, rounds: int, threads: int | None, memory: bool
) -> tuple[dict[str, Setting], Measured]:
    """Measure one kind, and another in turns with it; rounds: at least 1."""
    settings = {each.name: each for each in (setting, *([replace(setting, kind=against)] if against else []))}
    with torch_threads(threads) as used:
        tasks = {name: evaluation(each) for name, each in settings.items()}
        found = measured(
            tasks,
            rounds=rounds,
            peak=(lambda name: peak_bytes(settings[name])) if memory else None,
            shares=None,
            threads=used,
        )
    return settings, found


def peak_bytes(setting: Setting) -> int:
    """Return the most memory that an evaluation takes, building included."""
    return own_process_peak(evaluated_once, asdict(setting), what=f"{setting.kind} at {setting.width} px")


def evaluated_once(setting: dict[str, Any]) -> torch.device:
    """Evaluate in a process of its own."""
    evaluation(Setting(**setting))()
    return torch.device("cpu")


def evaluation(setting: Setting) -> Work:
    """Return the task of computing the loss and its gradient once."""
    draw = torch.Generator().manual_seed(0)
    content, style = (torch.rand(1, 3, setting.height, setting.width, generator=draw) for _ in range(2))
    return _published(content, style) if setting.kind == "published" else _ours(setting.kind, content, style)


def _ours(precision: Literal["float32", "bfloat16"], content: Tensor, style: Tensor) -> Work:
    options = GatysOptions(weights="random", precision=precision, tv=0.0)
    network = Gatys(options).network
    region = Region(share=None, area=1.0, styles=(StyleImage(1.0, style, None),))
    canvas = Canvas(content, (region,), None)
    losses = losses_of(network, options, canvas)
    objective = StyleObjective(network, RgbSpace(), losses, start=1 - content)
    now = StepInfo(iteration=0, progress=0.0)

    def work() -> object:
        with torch.no_grad():
            objective.colors.mul_(0.999)  # what is known already is not computed again
        return objective.evaluate(now)

    return work


def _published(content: Tensor, style: Tensor) -> Work:
    network = VGG("vgg19", weights="random", pooling_gain=POOLING_GAINS["max"])
    every = [*STYLE_LAYERS, CONTENT, "pool5"]
    target = features_of(network, normalized(content), [CONTENT])[CONTENT]
    grams = {layer: _gram(found) for layer, found in features_of(network, normalized(style), STYLE_LAYERS).items()}
    image = (1 - content).requires_grad_()

    def work() -> object:
        image.grad = None
        found = network(normalized(image), every)
        losses = [1e3 / len(gram) ** 2 * (_gram(found[layer]) - gram).square().mean() for layer, gram in grams.items()]
        losses.append((found[CONTENT] - target).square().mean())
        loss = torch.stack(losses).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    return work


def _gram(features: Tensor) -> Tensor:
    flat = features[0].flatten(1)
    return flat @ flat.T / flat.shape[1]
