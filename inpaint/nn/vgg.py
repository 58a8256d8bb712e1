"""Features of VGG-16 and VGG-19 (Simonyan and Zisserman, arXiv 1409.1556), as losses use them: frozen, by name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from inpaint.errors import InputError, WeightsError
from inpaint.nn.gated import initialize_
from inpaint.nn.inference import exporting
from inpaint.nn.pretrained import Pretrained, torchvision_weights
from inpaint.nn.random import drawing_from
from inpaint.nn.winograd import frozen_convolution, transformed_kernels, turned
from inpaint.weights.foreign import load_foreign

VggName = Literal["vgg16", "vgg19", "vgg16_caffe", "vgg19_caffe"]
"""Weights of torchvision, or those of the first authors, which were trained in Caffe."""
Pooling = Literal["max", "average", "l2"]
"""What halves the size: the largest of four values, as the weights were trained; their mean (Gatys et al.); or the root
of the sum of their squares."""
Border = Literal["zeros", "replicate"]
"""What lies around the image for the first convolution: zeros, as the weights were trained, or the edge repeated."""

log = logging.getLogger("inpaint.nn")

CONVOLUTIONS: dict[str, tuple[int, ...]] = {  # in each block
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
    "vgg16_caffe": (2, 2, 3, 3, 3),
    "vgg19_caffe": (2, 2, 4, 4, 4),
}
CHANNELS = (64, 128, 256, 512, 512)
FAST_FROM = 256  # channels that go in, from where on Winograd's algorithm is the faster one
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which the weights expect
CAFFE_MEAN = (123.68, 116.779, 103.939)  # of ImageNet in 0..255, which the first authors' weights expect; RGB
POOLING_GAINS: Mapping[Pooling, float] = {"max": 1.0, "average": 2.0, "l2": 0.78}
"""By which pooled values have about the size that those of "max" have (crowsonkb/style-transfer-pytorch)."""
TORCHVISION_GAIN = 58.0
"""How much smaller torchvision's activations are than those of Caffe's weights, which papers weigh losses for."""
CAFFE_FILES: Mapping[str, Pretrained] = {  # as J. Johnson wrote them for torch (jcjohnson/pytorch-vgg)
    "vgg16_caffe": Pretrained("https://web.eecs.umich.edu/~justincj/models/vgg16-00b39a1b.pth", 530),
    "vgg19_caffe": Pretrained("https://web.eecs.umich.edu/~justincj/models/vgg19-d01eb7cb.pth", 550),
}

Stages: TypeAlias = list[tuple[str, nn.Module]]


class VGG(nn.Module):
    """The convolutional part in evaluation mode, without gradients for its weights.

    Args:
        name: Which one; the networks of one depth differ in their weights and in `normalized`.
        weights: `public` (fetched once into torch hub's folder), the path of such a file, or `random`, seeded, for
            tests and dry runs. A file has torchvision's names (features.0.weight) or the layers' (conv1_1.weight).
        pooling: See `Pooling`.
        pooling_gain: What pooled values are multiplied by; see `POOLING_GAINS`.
        ceil_mode: Whether odd sizes are halved to the larger half, as Caffe does; torch takes the smaller one.
        border: See `Border`; zeros make features of the image's edge that styles then repeat.
        fast: On a CPU, in float32, convolve maps of many channels by Winograd's algorithm, both ways: the same features
            up to rounding, for 0.4 GB more.

    Raises:
        WeightsError: They cannot be had; one line that says what to do.
    """

    def __init__(
        self,
        name: VggName,
        *,
        weights: str = "public",
        pooling: Pooling = "max",
        pooling_gain: float = 1.0,
        ceil_mode: bool = False,
        border: Border = "zeros",
        fast: bool = False,
    ) -> None:
        super().__init__()
        self.name = name
        self.ceil_mode = ceil_mode
        stages = _stages(name, partial(_Pool, pooling, gain=pooling_gain, ceil_mode=ceil_mode), border, fast=fast)
        self.stages = nn.ModuleDict(stages).to_empty(device="cpu")
        if weights == "random":
            log.warning("%s has random weights: its losses mean nothing, good for tests and dry runs only", name)
            with drawing_from(0):
                initialize_(self, "kaiming")
        else:
            self._load(_state(name, weights), weights)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor, layers: Collection[str], *, checkpointed: bool = False) -> dict[str, Tensor]:
        """Return the features of the named layers; nothing behind the last of them is computed.

        Args:
            images: (B, 3, H, W), normalized or not, as the loss wants it.
            layers: "relu3_1", "pool4" ...
            checkpointed: Keep for the backward pass only what is returned and what lies between two blocks, and
                compute the rest again. `inpaint.nn.strips.sums_by_strips` keeps less still.

        Raises:
            InputError: The images are too small to reach the last layer.
        """
        found = dict[str, Tensor]()
        x = images
        for block in self.blocks(layers):
            self.check_size(images, x, block)
            run = _run if not checkpointed else _run_again
            x, inside = run(block, x, frozenset(layers))
            found |= inside
        return found

    def blocks(self, layers: Collection[str]) -> list[Stages]:
        """Return the stages up to the last of the named layers, block by block; a block ends with its pooling."""
        blocks: list[Stages] = [[]]
        for name in _up_to(tuple(self.stages), layers):
            blocks[-1].append((name, self.stages[name]))
            if name.startswith("pool"):
                blocks.append([])
        return [block for block in blocks if block]

    def check_size(self, images: Tensor, x: Tensor, block: Stages) -> None:
        """Raise InputError where what has become of the images cannot be pooled at the end of a block."""
        name = block[-1][0]
        if name.startswith("pool") and min(x.shape[-2:]) < 2 and not self.ceil_mode:
            height, width = images.shape[-2:]
            raise InputError(f"images of {height} x {width} pixels are too small for {self.name}'s {name}")

    def train(self, mode: bool = True) -> VGG:
        """Stay in evaluation mode."""
        return super().train(False)

    def _load(self, state: Any, source: str) -> None:
        try:
            for number, name in enumerate(self.stages):
                parts = self.stages[name].state_dict()
                prefix = name if f"{name}.weight" in state else f"features.{number}"
                self.stages[name].load_state_dict({part: state[f"{prefix}.{part}"] for part in parts})
        except (KeyError, TypeError, RuntimeError, AttributeError):
            origin = "Caffe" if self.name in CAFFE_FILES else "torchvision"
            depth = self.name.removesuffix("_caffe")
            raise WeightsError(f"{source} is no checkpoint of {origin}'s {depth}: {name} is not in it") from None


def layers_of(name: VggName) -> tuple[str, ...]:
    """Return the names of all layers, in their order."""
    return tuple(_stages(name))


def normalized(images: Tensor) -> Tensor:
    """Map images (B, 3, H, W) from [0, 1] to zero mean and unit deviation over ImageNet."""
    mean, deviation = (images.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
    return (images - mean) / deviation


def caffe_normalized(images: Tensor) -> Tensor:
    """Map images (B, 3, H, W) from [0, 1] to 0..255 less the mean color, which weights made for Caffe expect; RGB."""
    return 255 * images - images.new_tensor(CAFFE_MEAN).view(1, 3, 1, 1)


def bgr_normalized(images: Tensor, *, scale: float = 255.0) -> Tensor:
    """Map RGB images (B, 3, H, W) from [0, 1] to BGR, 0 to `scale`, less the mean color, as Caffe's weights expect.

    Programs that came from Lua multiply by 256; their means are those of 0 to 255 all the same.
    """
    return scale * images.flip(1) - images.new_tensor(CAFFE_MEAN[::-1]).view(1, 3, 1, 1)


def receptive_px(name: VggName, layers: Collection[str]) -> tuple[int, int]:
    """Return how far the named layers see, in pixels: to the left or up, and to the right or down.

    A value in column i of a layer that is 1/s as wide as the image depends on the pixels s i - left to s i + right.

    Example:
        >>> receptive_px("vgg16", ["relu1_2"]), receptive_px("vgg16", ["relu2_2", "relu4_3"])
        ((2, 2), (42, 49))
    """
    left, right, step = 0, 0, 1
    for stage in _up_to(layers_of(name), layers):
        if stage.startswith("conv"):
            left, right = left + step, right + step
        elif stage.startswith("pool"):
            right, step = right + step, 2 * step
    return left, right


def stride_of(layer: str) -> int:
    """Return how many pixels one step in a layer is.

    Example:
        >>> stride_of("relu1_2"), stride_of("conv3_1"), stride_of("pool3")
        (1, 4, 8)
    """
    kind, block = layer.partition("_")[0][:-1], int(layer.partition("_")[0][-1])
    return 1 << (block if kind == "pool" else block - 1)


def _up_to(names: tuple[str, ...], layers: Collection[str]) -> tuple[str, ...]:
    """Return the names up to the last of the layers."""
    return names[: max((names.index(layer) + 1 for layer in layers), default=0)]


def _run(block: Stages, x: Tensor, wanted: Collection[str]) -> tuple[Tensor, dict[str, Tensor]]:
    """Return what comes out of a block, and the wanted layers within."""
    found = dict[str, Tensor]()
    for name, stage in block:
        x = stage(x)
        if name in wanted:
            found[name] = x
    return x, found


def _run_again(block: Stages, x: Tensor, wanted: Collection[str]) -> tuple[Tensor, dict[str, Tensor]]:
    """Do the same, and once more in the backward pass."""
    answer: tuple[Tensor, dict[str, Tensor]] = checkpoint(_run, block, x, wanted, use_reentrant=False)
    return answer


def _state(name: VggName, weights: str) -> Any:
    if weights == "public":
        otherwise = ", or name it by the option weights=PATH"
        return public_file(name).state(purpose="the losses", otherwise=otherwise)
    return load_foreign(Path(weights).expanduser())


def public_file(name: VggName) -> Pretrained:
    """Return the file that `weights="public"` stands for."""
    if name == "vgg16" or name == "vgg19":
        return torchvision_weights(name)
    return CAFFE_FILES[name]


class _FastConv2d(nn.Conv2d):
    """A frozen convolution by Winograd's algorithm, where that is faster."""

    _factors: tuple[Tensor, Tensor] | None = None  # computed once, from weights that do not change

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W) as (B, O, H, W)."""
        recorded = torch.compiler.is_compiling() or exporting()
        if not x.is_cpu or x.dtype != torch.float32 or recorded:
            return super().forward(x)
        if self._factors is None:
            self._factors = transformed_kernels(self.weight), transformed_kernels(turned(self.weight))
        assert self.bias is not None
        return frozen_convolution(x, *self._factors, self.bias)


class _Pool(nn.Module):
    """Halves the size."""

    def __init__(self, pooling: Pooling = "max", *, gain: float = 1.0, ceil_mode: bool = False) -> None:
        super().__init__()
        self.pooling = pooling
        self.gain = gain
        self.ceil_mode = ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W) as (B, C, H/2, W/2)."""
        if self.pooling == "max":
            y = F.max_pool2d(x, 2, ceil_mode=self.ceil_mode)
        elif self.pooling == "average":
            y = F.avg_pool2d(x, 2, ceil_mode=self.ceil_mode)
        else:
            sums = F.avg_pool2d(x.square(), 2, ceil_mode=self.ceil_mode, divisor_override=1)
            y = sums.clamp_min(torch.finfo(x.dtype).tiny).sqrt()  # where all are 0 the root has no slope
        return y if self.gain == 1 else y * self.gain


def _stages(
    name: VggName, pool: Callable[[], nn.Module] = _Pool, border: Border = "zeros", *, fast: bool = False
) -> dict[str, nn.Module]:
    """Return the layers by name in torchvision's order; without memory, so that nothing is drawn for their weights."""
    stages: dict[str, nn.Module] = {}
    before, padding = 3, border
    for block, (count, channels) in enumerate(zip(CONVOLUTIONS[name], CHANNELS, strict=True), start=1):
        for number in range(1, count + 1):
            kind = _FastConv2d if fast and before >= FAST_FROM else nn.Conv2d
            stages[f"conv{block}_{number}"] = kind(before, channels, 3, padding=1, padding_mode=padding, device="meta")
            stages[f"relu{block}_{number}"] = nn.ReLU()
            before, padding = channels, "zeros"
        stages[f"pool{block}"] = pool()
    return stages
