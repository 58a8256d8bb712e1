"""The networks whose features losses compare: one name for each, its layers and its public weights."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, TypeAlias, get_args

from torch import Tensor, nn

from inpaint.errors import ConfigError, unknown
from inpaint.nn.pretrained import Pretrained
from inpaint.nn.resnet import ADE20K, DilatedResNet50
from inpaint.nn.vgg import CAFFE_FILES, VGG, Pooling, VggName, bgr_normalized, layers_of, normalized, public_file

FeatureNetwork: TypeAlias = Literal["vgg16", "vgg19", "vgg16_caffe", "vgg19_caffe", "ade20k_resnet50"]
"""Each is called with images (B, 3, H, W), normalized or not, and names of layers; see `VGG.forward`."""


def feature_network(
    name: FeatureNetwork, *, weights: str = "public", pooling: Pooling = "max", batch_statistics: bool = False
) -> nn.Module:
    """Build a network, frozen and in evaluation mode.

    Args:
        name: Which one.
        weights: `public` (fetched once into torch hub's folder), the path of a file like the public one, or `random`,
            seeded, for tests and dry runs.
        pooling: Of a VGG.
        batch_statistics: Of networks with batch norm: normalize by each batch, not by the statistics in the weights.

    Raises:
        WeightsError: The weights cannot be had; one line that says what to do.
    """
    if name == "ade20k_resnet50":
        return DilatedResNet50(weights=weights, batch_statistics=batch_statistics)
    return VGG(name, weights=weights, pooling=pooling)


def normalized_for(name: FeatureNetwork, images: Tensor) -> Tensor:
    """Map RGB images (B, 3, H, W) from [0, 1] to what the public weights of a network expect."""
    return bgr_normalized(images) if name in CAFFE_FILES else normalized(images)


def public_weights(name: FeatureNetwork) -> Pretrained:
    """Return the file that `weights="public"` stands for."""
    return ADE20K if name == "ade20k_resnet50" else public_file(name)


def has_batch_norm(name: FeatureNetwork) -> bool:
    """Return whether statistics of batches exist in the network."""
    return name not in get_args(VggName)


def check_layers(name: FeatureNetwork, layers: Collection[str]) -> None:
    """Raise ConfigError that names the first layer that the network does not have."""
    valid = DilatedResNet50.LAYERS if name == "ade20k_resnet50" else layers_of(name)
    for layer in layers:
        if layer not in valid:
            raise ConfigError(unknown(f"layer of {name}", layer, valid))
