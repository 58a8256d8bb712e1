"""Networks that turn an image into one row of features, for measures of sets."""

from __future__ import annotations

import io
import logging
from abc import abstractmethod
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.errors import InpaintError, InputError, WeightsError
from inpaint.metrics.base import Extractor, Features
from inpaint.nn import efficientnet
from inpaint.nn.gated import initialize_
from inpaint.nn.pretrained import Pretrained
from inpaint.nn.random import drawing_from
from inpaint.system.extras import import_optional
from inpaint.system.files import sha256_of
from inpaint.weights.foreign import load_foreign

log = logging.getLogger("inpaint.metrics")

INCEPTION = Pretrained(
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth", 95
)
LITE0_PX = 224  # the side that the weights were trained at


class NetworkExtractor(Extractor):
    """Features by a network, which every measure of a process shares, on the device of the images.

    Args:
        weights: `public` (what the network is known by), the path of a file that holds the same, or `random`, seeded,
            for tests and dry runs.
    """

    def __init__(self, weights: str = "public") -> None:
        self.weights = weights

    def missing(self) -> str | None:
        """Load the network; return why that is impossible."""
        try:
            self.network(torch.device("cpu"))
        except InpaintError as error:
            return str(error)
        return None

    def features(self, images: Tensor) -> Features:
        """Look at one image after the other: rounding in a network depends on the size of the batch."""
        if images.ndim != 4 or images.shape[1] != 3 or images.dtype != torch.uint8:
            raise InputError(f"images must be (B, 3, H, W) uint8, got {tuple(images.shape)} {images.dtype}")
        network = self.network(images.device)
        with torch.inference_mode():
            rows = [self.row(network, image[None]) for image in images]
        return torch.cat(rows).double().cpu().numpy() if rows else torch.empty(0, self.dimensions).double().numpy()

    @abstractmethod
    def network(self, device: torch.device) -> nn.Module:
        """Return the network on a device, loaded once. Raises InpaintError where it cannot be had."""

    @abstractmethod
    def row(self, network: nn.Module, image: Tensor) -> Tensor:
        """Return the features (1, D) of an image (1, 3, H, W) uint8."""


class InceptionV3Compat(NetworkExtractor):
    """`inception-v3-compat` of the package torch-fidelity, layer 2048: the weights of the first FID's TensorFlow graph.

    An image of any size is brought to 299 x 299 as TensorFlow 1 did, bilinear, without anti-aliasing, inside the
    network.
    """

    name, dimensions = "inception_v3_compat", 2048

    def network(self, device: torch.device) -> nn.Module:
        """Return torch-fidelity's network."""
        file = str(INCEPTION.fetched(purpose=self.name)) if self.weights == "public" else self.weights
        return _on(device, _inception, file)

    def row(self, network: nn.Module, image: Tensor) -> Tensor:
        """Return the pooled features; scaling is the network's."""
        (pooled,) = network(image)
        return pooled  # type: ignore[no-any-return]


class EfficientNetLite0Pooled(NetworkExtractor):
    """The pooled features of EfficientNet-Lite0 (`inpaint.nn.efficientnet`).

    An image of any size is brought to 224 x 224, bicubic, with anti-aliasing, without regard to its proportions, and
    mapped by (x - 127) / 128.
    """

    name, dimensions = "efficientnet_lite0", efficientnet.POOLED_CHANNELS

    def network(self, device: torch.device) -> nn.Module:
        """Return our network."""
        return lite0(device, self.weights)

    def row(self, network: nn.Module, image: Tensor) -> Tensor:
        """Resize and look."""
        x = F.interpolate(image.float() / 255, size=(LITE0_PX, LITE0_PX), mode="bicubic", antialias=True)
        pooled: Tensor = network(efficientnet.normalized(x)).pooled
        return pooled


def lite0(device: torch.device, weights: str = "public") -> nn.Module:
    """Return EfficientNet-Lite0 on a device, loaded once; weights as for `NetworkExtractor`."""
    return _on(device, _lite0, "package" if weights == "public" else weights)


@cache
def _on(device: torch.device, make: Callable[[str], nn.Module], weights: str) -> nn.Module:
    return make(weights).to(device)


def _lite0(weights: str) -> nn.Module:
    return efficientnet.EfficientNetLite0(weights=weights)


def _inception(weights: str) -> nn.Module:
    """Make torch-fidelity's network and give it the weights of a file, or random ones."""
    module = "torch_fidelity.feature_extractor_inceptionv3"
    base: Any = import_optional("evaluate", module, purpose=InceptionV3Compat.name).FeatureExtractorInceptionV3
    # The constructor opens a file in a way that may run code from it: it gets an empty one, which it does not use.
    late = type("LateInception", (base,), {"load_state_dict": lambda self, state: None})
    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    with torch.device("meta"):
        network: nn.Module = late("inception-v3-compat", ["2048"], feature_extractor_weights_path=empty)
    network.to_empty(device="cpu")
    if weights == "random":
        log.warning("%s has random weights: what is measured by it means nothing", InceptionV3Compat.name)
        with drawing_from(0):
            for layer in network.modules():
                if isinstance(layer, nn.BatchNorm2d | nn.Linear):
                    layer.reset_parameters()
            initialize_(network, "kaiming")
        return network
    file = Path(weights).expanduser()
    state = load_foreign(file)
    try:
        base.load_state_dict(network, state)
    except (TypeError, RuntimeError, AttributeError):
        raise WeightsError(f"{file} does not hold torch-fidelity's Inception; its weights: {INCEPTION.url}") from None
    if not sha256_of(file).startswith(Path(INCEPTION.url).stem.rpartition("-")[2]):
        log.warning("%s is not the published file: its numbers compare with nobody else's", file)
    return network
