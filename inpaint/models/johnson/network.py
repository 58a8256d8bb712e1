"""The network: from a photo to a photo in the one style that it has learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from inpaint.models.image_transform import LOST_PX, AffineInstanceNorm, ImageTransform, PlainBatchNorm
from inpaint.models.johnson.config import Config
from inpaint.models.styling import StyleInput, StyleNetwork, mixed
from inpaint.nn.random import drawing_from
from inpaint.nn.vgg import CAFFE_MEAN, bgr_normalized
from inpaint.style.options import StyleOptions

SWING = 150  # what tanh is multiplied by in the paper's program, in 256ths of the range


class Network(StyleNetwork):
    """One role, `generator`. Weights start as PyTorch's do, which is what the example trains from."""

    def __init__(self, config: Config, *, seed: int = 0) -> None:
        super().__init__(config, seed=seed)
        with drawing_from(seed):
            self.generator = ImageTransform(
                AffineInstanceNorm if config.norm == "instance" else PlainBatchNorm,
                width=config.width,
                blocks=config.blocks,
                upsampling=config.upsampling,
                border=config.border,
            )

    def forward(self, image: Tensor) -> Tensor:
        """Paint images (B, 3, H, W) in [0, 1] of any size; the answer is on that scale and not clamped."""
        return to_unit(self.generator(to_values(image, self.config)), self.config)

    def stylize(self, content: Tensor, styles: Sequence[StyleInput], options: StyleOptions, *, seed: int) -> Tensor:
        """See `StyleNetwork`."""
        return mixed(content, self(content), options.strength)

    def paint_graph(self, content: Tensor, **inputs: Tensor) -> Tensor:
        """See `StyleNetwork`."""
        return self(content)  # type: ignore[no-any-return]

    @property
    def minimum_px(self) -> int:
        """Smallest side: features at a quarter of the size have two places, and there is enough to mirror."""
        return 8 if self.config.border == "reflect" else LOST_PX * self.config.blocks + 1

    @classmethod
    def measured_inputs(cls, config: Any, image: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Return the image."""
        return (image,)


def to_values(image: Tensor, config: Config) -> Tensor:
    """Return images from [0, 1] in the network's range."""
    if config.values == "caffe":
        return bgr_normalized(image)
    return 255 * image if config.values == "bytes" else image


def to_unit(y: Tensor, config: Config) -> Tensor:
    """Return what the network answers, before its last activation, on the scale of [0, 1]; order of colors included."""
    if config.output == "sigmoid":
        return y.sigmoid()
    if config.values != "caffe":
        if config.output == "tanh":
            return 0.5 + SWING / 255 * y.tanh()
        return y / 255 if config.values == "bytes" else y
    mean = torch.tensor(CAFFE_MEAN, dtype=y.dtype, device=y.device).view(1, 3, 1, 1)
    return ((SWING * y.tanh() if config.output == "tanh" else y).flip(1) + mean) / 255
