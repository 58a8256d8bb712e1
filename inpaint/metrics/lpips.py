"""LPIPS: the distance of two images as networks for recognition see it.

Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", 2018 (arXiv 1801.03924), eq. 1,
by the package `lpips` of its authors, version 0.1 with its linear layers, which lie in that package; the networks below
them are torchvision's for ImageNet. Papers give the AlexNet form (`lpips_alex`) or the VGG form (`lpips_vgg`): the two
cannot be compared, nor can images of different size.
"""

from __future__ import annotations

import threading
import warnings
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.errors import InpaintError, WeightsError
from inpaint.metrics.accumulate import wide
from inpaint.metrics.base import Pair, RegionMeasure, mean_over
from inpaint.metrics.kept import Content
from inpaint.nn.gated import initialize_
from inpaint.nn.pretrained import Backbone, torchvision_weights
from inpaint.nn.random import drawing_from
from inpaint.weights.foreign import load_foreign

Network: TypeAlias = Literal["alex", "vgg", "squeeze"]

NETWORKS: tuple[Network, ...] = ("alex", "vgg", "squeeze")
BACKBONES: dict[Network, Backbone] = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}
SMALLEST_PX: dict[Network, int] = {"alex": 31, "vgg": 16, "squeeze": 17}  # so that something is left behind all strides
TITLES: dict[Network, str] = {"alex": "AlexNet", "vgg": "VGG", "squeeze": "SqueezeNet"}

_loading = threading.Lock()


class LPIPS(RegionMeasure):
    """The learned perceptual distance.

    Of the image: as the package computes it, each layer averaged over its own pixels. Of the hole: the package's map
    (`spatial=True`: layers brought to the image's size bilinearly), averaged over hole pixels. Features reach beyond
    the hole, so the rim and what lies around it have a part in either.

    Args:
        network: Whose features.
        hole: Over hole pixels only.
        raw: Of what was painted everywhere instead of the completed image.
        weights: Of the network, as losses take them: `torchvision` (fetched once), the path of a torchvision
            checkpoint, or `random`, seeded, for tests, which shows in the name.
    """

    better, low, high = "lower", 0.0, float("inf")

    def __init__(
        self, network: Network, *, hole: bool = False, raw: bool = False, weights: str = "torchvision"
    ) -> None:
        self.network: Network = network
        self.weights = weights
        self.family = f"lpips_{network}" + ("_random" if weights == "random" else "")
        self.title = f"LPIPS {TITLES[network]}"
        self.smallest_px = SMALLEST_PX[network]
        super().__init__(hole=hole, raw=raw)

    def missing(self) -> str | None:
        """Say which file of the network's weights is to be put where."""
        try:
            _loaded(self.network, self.weights, torch.device("cpu"))
        except InpaintError as error:
            return str(error)
        return None

    def of_pair(self, pair: Pair, hole: Tensor | None) -> Tensor:
        """Average the distances of the layers, which the forms of one network share."""
        layers = pair.once(("lpips", self.network, self.weights), self._distances)
        if hole is None:
            return torch.stack([mean_over(layer, None) for layer in layers]).sum(dim=0)
        full = [F.interpolate(layer[:, None], size=hole.shape[-2:], mode="bilinear") for layer in layers]
        return mean_over(torch.cat(full, dim=1).sum(dim=1), hole)

    def _distances(self, painted: Tensor, image: Tensor) -> list[Tensor]:
        """Return the weighted squared distances of every layer, (B, h, w), each of another size."""
        network = _loaded(self.network, self.weights, image.device)
        with torch.no_grad(), torch.autocast(image.device.type, enabled=False):
            ours, true = _features(network, painted), _features_of_original(network, image)
            return [wide(weigh((a - b).square())[:, 0]) for weigh, a, b in zip(network.lins, ours, true, strict=True)]


def _features(network: Any, images: Tensor) -> list[Tensor]:
    """Return the features of every layer, of unit length at every pixel, of images (B, 3, H, W) in [0, 1]."""
    from lpips import normalize_tensor

    found = network.net(network.scaling_layer(2 * images.float() - 1))
    return [normalize_tensor(layer) for layer in found]


def _features_of_original(network: Any, images: Tensor) -> list[Tensor]:
    """Return the same of originals: of a single image that several models have filled one after another only once."""
    content = Content.of(images)
    return _features(network, images) if content is None else _kept_features(network, content)


@lru_cache(maxsize=len(NETWORKS))
def _kept_features(network: Any, content: Content) -> list[Tensor]:
    return _features(network, content.images)


def _loaded(network: Network, weights: str, device: torch.device) -> Any:
    """Return the package's module, one per process, weights and device."""
    with _loading:  # fills of several threads are measured at the same time
        return _load(network, weights, device)


@cache
def _load(network: Network, weights: str, device: torch.device) -> nn.Module:
    import lpips

    # Nothing is drawn for layers on the device "meta"; torchvision warns of how the package asks for its networks.
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: nn.Module = lpips.LPIPS(net=network, pretrained=False, pnet_rand=True, verbose=False)
    linear = load_foreign(Path(lpips.__file__).parent / "weights" / "v0.1" / f"{network}.pth")
    module.load_state_dict(linear, strict=False, assign=True)
    net: nn.Module = module.get_submodule("net")
    if weights == "random":
        with drawing_from(0):
            initialize_(net.to_empty(device="cpu"), "kaiming")
    else:
        net.load_state_dict(_backbone_state(net, BACKBONES[network], weights), assign=True)
    return module.eval().requires_grad_(False).to(device)


def _backbone_state(net: nn.Module, backbone: Backbone, weights: str) -> dict[str, Tensor]:
    """Return torchvision's weights by the package's names: slice2.3.weight is torchvision's features.3.weight."""
    if weights == "torchvision":
        state = torchvision_weights(backbone).state(purpose=f"LPIPS with {backbone}")
    else:
        state = load_foreign(Path(weights).expanduser())
    try:
        found = {name: state[f"features.{name.partition('.')[2]}"] for name in net.state_dict()}
        fit = all(found[name].shape == parameter.shape for name, parameter in net.named_parameters())
    except (KeyError, TypeError, AttributeError):
        fit = False
    if not fit:
        raise WeightsError(f"{weights} is no checkpoint of torchvision's {backbone}")
    return found
