"""VCNet's critics: one tells whole images, one the patches that the mask reaches; paper section 3.3."""

from __future__ import annotations

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.losses.base import Discriminator, DiscriminatorOutput
from inpaint.models.vcnet.config import Config
from inpaint.nn.gated import initialize_
from inpaint.nn.padding import PaddedConv2d
from inpaint.nn.spectral import normalized_in_full_precision, spectrally_normalized

FEWEST = 1e-5  # of the patches that count, so that an empty mask does not divide by nothing


def _layers(config: Config, widths: tuple[int, ...]) -> nn.ModuleList:
    """Return 5 x 5 convolutions that halve the size each."""
    sides = (3, *(config.discriminator.width * width for width in widths))
    layers = nn.ModuleList(
        PaddedConv2d(before, after, 5, stride=2, padding=config.padding) for before, after in itertools.pairwise(sides)
    )
    initialize_(layers)
    if config.discriminator.spectral:
        for layer in layers:
            spectrally_normalized(layer)
    return layers


def _features(layers: nn.ModuleList, x: Tensor) -> tuple[Tensor, ...]:
    """Return each layer's activated output for images (B, 3, H, W) in [-1, 1]."""
    features: list[Tensor] = []
    for layer in layers:
        x = F.leaky_relu(layer(x), 0.2)
        features.append(x)
    return tuple(features)


class WholeCritic(Discriminator):
    """One number for each image."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.layers = _layers(config, config.discriminator.whole)
        self.flat = config.discriminator.flat_size
        outputs = config.discriminator.width * config.discriminator.whole[-1]
        self.head = nn.Conv2d(outputs, 1, self.flat or 1)
        initialize_(self.head)

    def forward(self, image: Tensor) -> DiscriminatorOutput:
        """Return logits (B, 1), and each layer's activated output; image: (B, 3, H, W) in [0, 1]."""
        with normalized_in_full_precision(self.layers):
            features = _features(self.layers, 2 * image - 1)
        last = features[-1] if self.flat else features[-1].mean(dim=(2, 3), keepdim=True)
        return DiscriminatorOutput(self.head(last).flatten(1), features)


class PatchCritic(Discriminator):
    """The mean number of the patches that the mask reaches, for each image."""

    inputs = (Discriminator.IMAGE, "mask")

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.layers = _layers(config, config.discriminator.patch)
        self.head: PaddedConv2d | None = None
        if config.discriminator.patch_end == "plane":
            outputs = config.discriminator.width * config.discriminator.patch[-1]
            self.head = PaddedConv2d(outputs, 1, 5, stride=2, padding=config.padding)
            initialize_(self.head)

    def forward(self, image: Tensor, mask: Tensor) -> DiscriminatorOutput:
        """Return logits (B, 1), and each layer's activated output.

        image: (B, 3, H, W) in [0, 1]. mask: (B, 1, H, W), 1 = hole; a patch counts by the largest value in its square.
        """
        with normalized_in_full_precision(self.layers):
            features = _features(self.layers, 2 * image - 1)
        last = features[-1] if self.head is None else self.head(features[-1])
        counted = mask.to(last.dtype)
        while counted.shape[-2:] != last.shape[-2:]:
            counted = F.max_pool2d(counted, 2, ceil_mode=True)
        summed = (last * counted).sum(dim=(1, 2, 3))
        return DiscriminatorOutput((summed / counted.sum(dim=(1, 2, 3)).clamp_min(FEWEST))[:, None], features)
