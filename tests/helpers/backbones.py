"""Files of backbones as torchvision publishes them, with seeded random values and without the classifiers."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torchvision import models


def features_of(backbone: str, seed: int = 1) -> nn.Module:
    """Return torchvision's network with random convolutions; its classifier is empty."""
    with torch.device("meta"):
        network = models.get_model(backbone, weights=None)
    network.classifier = nn.Identity()
    network.to_empty(device="cpu")
    draw = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, generator=draw)
            nn.init.normal_(layer.bias, std=0.1, generator=draw)
    return network.eval()


def fill_hub(home: Path, *backbones: str) -> None:
    """Put files for the backbones where torch looks for them when TORCH_HOME is `home`."""
    folder = home / "hub" / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    for backbone in backbones:
        name = models.get_model_weights(backbone)["IMAGENET1K_V1"].url.rpartition("/")[2]
        torch.save(features_of(backbone).state_dict(), folder / name)
