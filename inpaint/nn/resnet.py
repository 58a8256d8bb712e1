"""The dilated ResNet-50 that segments scenes (Zhou et al., ADE20K, arXiv 1608.05442), as losses use it: frozen.

Its last two stages keep an eighth of the size and reach further by dilation instead. LaMa (arXiv 2109.07161, section
2.2) compares images by its features because each sees much of the image: a perceptual loss of high receptive field.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.errors import InputError, WeightsError
from inpaint.nn.pretrained import Pretrained
from inpaint.nn.random import drawing_from
from inpaint.weights.foreign import load_foreign

ADE20K = Pretrained(
    "http://sceneparsing.csail.mit.edu/model/pytorch/ade20k-resnet50dilated-ppm_deepsup/encoder_epoch_20.pth",
    95,
    place="ade20k/ade20k-resnet50dilated-ppm_deepsup/encoder_epoch_20.pth",
)
"""Kept where the program of LaMa looks for it below TORCH_HOME."""
EXPANSION = 4  # outputs of a bottleneck for each of its inner channels
STAGES = {"layer1": (3, 64, 1), "layer2": (4, 128, 2), "layer3": (6, 256, 1), "layer4": (3, 512, 1)}
"""Blocks, inner channels and stride."""
DILATIONS = {
    "layer1": (1, 1),
    "layer2": (1, 1),
    "layer3": (1, 2),
    "layer4": (2, 4),
}  # of the first block, of the others
SMALLEST_PX = 5  # so that batch norm by the batch has more than one place

log = logging.getLogger("inpaint.nn")


class Norm(nn.BatchNorm2d):
    """Batch norm that takes the statistics of the batch, and keeps none, where `by_batch` says so."""

    by_batch = False

    def forward(self, x: Tensor) -> Tensor:
        """Normalize x (B, C, H, W)."""
        if self.by_batch:
            return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)
        return super().forward(x)


class Bottleneck(nn.Module):
    """Three convolutions beside an identity, or beside a convolution where shapes differ."""

    def __init__(self, inputs: int, inner: int, *, stride: int, dilation: int) -> None:
        super().__init__()
        outputs = EXPANSION * inner
        self.conv1, self.bn1 = nn.Conv2d(inputs, inner, 1, bias=False), Norm(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = Norm(inner)
        self.conv3, self.bn3 = nn.Conv2d(inner, outputs, 1, bias=False), Norm(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), Norm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, inputs, H, W) to (B, 4 inner, H / stride, W / stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class DilatedResNet50(nn.Module):
    """The encoder in evaluation mode, without gradients for its weights.

    Args:
        weights: `public` (ADE20K's, fetched once), the path of such a file, or `random`, seeded, for tests and dry
            runs.
        batch_statistics: Normalize by the statistics of each batch, as happened in LaMa's public training; else by
            those in the weights.

    Raises:
        WeightsError: They cannot be had; one line that says what to do.
    """

    LAYERS = tuple(STAGES)

    def __init__(self, *, weights: str = "public", batch_statistics: bool = False) -> None:
        super().__init__()
        with drawing_from(0), torch.device("cpu" if weights == "random" else "meta"):
            for number, (before, after, stride) in enumerate(((3, 64, 2), (64, 64, 1), (64, 128, 1)), start=1):
                self.add_module(f"conv{number}", nn.Conv2d(before, after, 3, stride, padding=1, bias=False))
                self.add_module(f"bn{number}", Norm(after))
            channels = 128
            for name, (count, inner, stride) in STAGES.items():
                first, others = DILATIONS[name]
                blocks = [Bottleneck(channels, inner, stride=stride, dilation=first)]
                channels = EXPANSION * inner
                blocks += [Bottleneck(channels, inner, stride=1, dilation=others) for _ in range(count - 1)]
                self.add_module(name, nn.Sequential(*blocks))
        if weights == "random":
            log.warning("ade20k_resnet50 has random weights: its losses mean nothing, good for tests and dry runs only")
        else:
            self.to_empty(device="cpu")
            self._load(weights)
        for module in self.modules():
            if isinstance(module, Norm):
                module.by_batch = batch_statistics
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """Return the features of the named stages; nothing behind the last of them is computed.

        Args:
            images: (B, 3, H, W), normalized to ImageNet's mean and deviation.
            layers: "layer1" (256 channels, a quarter of the size) to "layer4" (2048, an eighth).

        Raises:
            InputError: The images are too small.
        """
        if min(images.shape[-2:]) < SMALLEST_PX:
            raise InputError(
                f"images of {images.shape[-2]} x {images.shape[-1]} pixels are too small for ade20k_resnet50"
            )
        wanted, found = set(layers), dict[str, Tensor]()
        x = images
        for number in (1, 2, 3):
            x = F.relu(self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(x)))
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        for name in self.LAYERS:
            if wanted <= found.keys():
                break
            x = self.get_submodule(name)(x)
            if name in wanted:
                found[name] = x
        return found

    def train(self, mode: bool = True) -> DilatedResNet50:
        """Stay in evaluation mode."""
        return super().train(False)

    def _load(self, weights: str) -> None:
        otherwise = ", or name it by the losses' option weights=PATH"
        if weights == "public":
            source, state = str(ADE20K.file), ADE20K.state(purpose="the losses", otherwise=otherwise)
        else:
            source, state = weights, load_foreign(Path(weights).expanduser())
        self._take(state, source)

    def _take(self, state: Any, source: str) -> None:
        own = self.state_dict()
        names = [name for name in own if not name.endswith("num_batches_tracked")]
        lacking = [name for name in names if not isinstance(state, Mapping) or not _fits(state.get(name), own[name])]
        if lacking:
            raise WeightsError(f"{source} is no encoder of ADE20K's dilated ResNet-50: {lacking[0]} is not in it")
        counts = {name: torch.zeros_like(value) for name, value in own.items() if name not in names}
        self.load_state_dict({**counts, **{name: state[name] for name in names}})


def _fits(value: object, own: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == own.shape
