"""Features of VGG-16 and VGG-19 (Simonyan and Zisserman, arXiv 1409.1556), as losses use them: frozen, by name."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from inpaint.errors import InputError, WeightsError
from inpaint.nn.gated import initialize_
from inpaint.nn.pretrained import torchvision_weights
from inpaint.nn.random import drawing_from
from inpaint.weights.foreign import load_foreign

VggName = Literal["vgg16", "vgg19"]
Pooling = Literal["max", "average"]
"""What halves the size: the largest of four values, as the weights were trained, or their mean (Gatys et al.)."""

log = logging.getLogger("inpaint.nn")

CONVOLUTIONS: dict[str, tuple[int, ...]] = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # in each block
CHANNELS = (64, 128, 256, 512, 512)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which the weights expect
CAFFE_MEAN = (123.68, 116.779, 103.939)  # of ImageNet in 0..255, which the first authors' weights expect; RGB


class VGG(nn.Module):
    """The convolutional part in evaluation mode, without gradients for its weights.

    Args:
        name: Which of the two.
        weights: `public` (torchvision's for ImageNet, fetched once into torch hub's folder), the path of a torchvision
            checkpoint, or `random`, seeded, for tests and dry runs.
        pooling: See `Pooling`.

    Raises:
        WeightsError: They cannot be had; one line that says what to do.
    """

    def __init__(self, name: VggName, *, weights: str = "public", pooling: Pooling = "max") -> None:
        super().__init__()
        self.name = name
        self.stages = nn.ModuleDict(_stages(name, pooling)).to_empty(device="cpu")
        if weights == "random":
            log.warning("%s has random weights: its losses mean nothing, good for tests and dry runs only", name)
            with drawing_from(0):
                initialize_(self, "kaiming")
        else:
            self._load(_state(name, weights), weights)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """Return the features of the named layers; nothing behind the last of them is computed.

        Args:
            images: (B, 3, H, W), normalized by `normalized` or not, as the loss wants it.
            layers: "relu3_1", "pool4" ...

        Raises:
            InputError: The images are too small to reach the last layer.
        """
        wanted, found = set(layers), dict[str, Tensor]()
        x = images
        for name, stage in self.stages.items():
            if wanted <= found.keys():
                break
            if name.startswith("pool") and min(x.shape[-2:]) < 2:
                height, width = images.shape[-2:]
                raise InputError(f"images of {height} x {width} pixels are too small for {self.name}'s {name}")
            x = stage(x)
            if name in wanted:
                found[name] = x
        return found

    def train(self, mode: bool = True) -> VGG:
        """Stay in evaluation mode."""
        return super().train(False)

    def _load(self, state: Any, source: str) -> None:
        try:
            for number, name in enumerate(self.stages):
                parts = self.stages[name].state_dict()
                self.stages[name].load_state_dict({part: state[f"features.{number}.{part}"] for part in parts})
        except (KeyError, TypeError, RuntimeError, AttributeError):
            raise WeightsError(f"{source} is no checkpoint of torchvision's {self.name}: {name} is not in it") from None


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


def _state(name: VggName, weights: str) -> Any:
    if weights == "public":
        otherwise = ", or name it by the losses' option weights=PATH"
        return torchvision_weights(name).state(purpose="the losses", otherwise=otherwise)
    return load_foreign(Path(weights).expanduser())


def _stages(name: VggName, pooling: Pooling = "max") -> dict[str, nn.Module]:
    """Return the layers by name in torchvision's order; without memory, so that nothing is drawn for their weights."""
    stages: dict[str, nn.Module] = {}
    before = 3
    for block, (count, channels) in enumerate(zip(CONVOLUTIONS[name], CHANNELS, strict=True), start=1):
        for number in range(1, count + 1):
            stages[f"conv{block}_{number}"] = nn.Conv2d(before, channels, 3, padding=1, device="meta")
            stages[f"relu{block}_{number}"] = nn.ReLU()
            before = channels
        stages[f"pool{block}"] = nn.MaxPool2d(2) if pooling == "max" else nn.AvgPool2d(2)
    return stages
