"""How far an image is from a photo and from a style by the features of a network.

The features' network is part of the name, and so are other weights than the public ones: their numbers do not compare.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

from inpaint.errors import InpaintError, WeightsError
from inpaint.losses.features import gram_matrix
from inpaint.metrics.accumulate import wide
from inpaint.metrics.base import Compared, ImageMeasure
from inpaint.metrics.kept import Content
from inpaint.nn.features import normalized_for
from inpaint.nn.vgg import VGG, public_file
from inpaint.system.files import sha256_of

Network: TypeAlias = Literal["vgg16", "vgg19"]

NETWORKS: Mapping[Network, str] = {"vgg16": "VGG-16", "vgg19": "VGG-19"}
CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
MARK_DIGITS = 8

_loading = threading.Lock()


class Seen(NamedTuple):
    """What is compared of one image: features (C, h, w) of the content's layer, and the mean products of features
    (C, C) by layer."""

    content: Tensor
    style: Mapping[str, Tensor]


class FeatureMeasure(ImageMeasure):
    """Base of measures by the features of a VGG at the layers of Gatys et al. (CVPR 2016): shares of what is wanted.

    A distance is the squared difference as a share of the wanted features' own squares: 0 for the same, 1 for an image
    without features.

    Args:
        network: Whose features.
        weights: `public` (fetched once), the path of a file that `inpaint.nn.vgg.VGG` takes, or `random`, seeded, for
            tests. Others than the public ones are told by a mark behind the name, `mark_of`.
        mark: Of weights that are not here, as a record tells them; then there is nothing to measure with.
    """

    family: ClassVar[str]
    better, low, high = "lower", 0.0, math.inf
    decimals = 4
    smallest_px = 16  # one position at the coarsest layer

    def __init__(self, network: Network, weights: str = "public", *, mark: str | None = None) -> None:
        self.network: Network = network
        self.weights: str | None = weights if mark is None else None
        self.mark = mark_of(weights) if mark is None else mark
        self.name = f"{self.family}_{network}" + (f"_{self.mark}" if self.mark else "")
        self.title = f"{self.family} distance ({NETWORKS[network]}{f' {self.mark}' if self.mark else ''})"

    def missing(self) -> str | None:
        """Say which file of the network's weights is to be put where."""
        if self.weights is None:
            return f"its features are by a file of weights that begins with SHA-256 {self.mark}: give it by --features"
        try:
            _loaded(self.network, self.weights, torch.device("cpu"))
        except InpaintError as error:
            return str(error)
        return None

    def seen(self, images: Tensor) -> list[Seen]:
        """Look at images (B, 3, H, W) in [0, 1] one after the other: rounding depends on the size of the batch."""
        if self.weights is None:
            raise WeightsError(str(self.missing()))
        network = _loaded(self.network, self.weights, images.device)
        contents = ((image[None], Content.of(image[None])) for image in images)
        return [_seen(network, image) if kept is None else _kept(network, kept) for image, kept in contents]


class ContentShare(FeatureMeasure):
    """How far features are from the photo's: layout and shapes."""

    family = "content"

    def values(self, compared: Compared) -> Tensor:
        """Compare features position by position."""
        pairs = zip(self.seen(compared.completed), self.seen(compared.image), strict=True)
        values = [_share(painted.content, photo.content) for painted, photo in pairs]
        return torch.stack(values) if values else wide(compared.image.new_empty(0))


class StyleShare(FeatureMeasure):
    """How far Gram matrices are from the style's, the mean over five layers: colors, strokes and textures."""

    family = "style"
    needs = frozenset({"style"})

    def values(self, compared: Compared) -> Tensor:
        """Compare mean products of features, wherever they lie."""
        assert compared.style is not None  # `applies` has told
        pairs = zip(self.seen(compared.completed), self.seen(compared.style), strict=True)
        values = [
            torch.stack([_share(painted.style[layer], wanted.style[layer]) for layer in STYLE_LAYERS]).mean()
            for painted, wanted in pairs
        ]
        return torch.stack(values) if values else wide(compared.image.new_empty(0))


@cache
def mark_of(weights: str) -> str:
    """Return what tells weights from the public ones: "", "random", or the first digits of a file's SHA-256.

    Raises:
        WeightsError: The file cannot be read.
    """
    if weights in ("public", "random"):
        return "" if weights == "public" else weights
    path = Path(weights).expanduser()
    try:
        return sha256_of(path)[:MARK_DIGITS]
    except OSError as error:
        raise WeightsError(f"cannot read '{path}': {error.strerror or error}") from None


def _share(found: Tensor, wanted: Tensor) -> Tensor:
    """Return the squared difference as a share of the wanted squares; by these alone where they are none."""
    wanted = wide(wanted)
    squares = wanted.square().sum()
    return (wide(found) - wanted).square().sum() / squares.clamp_min(torch.finfo(squares.dtype).tiny)


def _seen(network: VGG, image: Tensor) -> Seen:
    with torch.no_grad(), torch.autocast(image.device.type, enabled=False):
        layers = (CONTENT_LAYER, *STYLE_LAYERS)
        features = network(normalized_for(network.name, image.float()), layers)
        style = {layer: gram_matrix(features[layer], features[layer][0, 0].numel())[0] for layer in STYLE_LAYERS}
    return Seen(features[CONTENT_LAYER][0], style)


@lru_cache(maxsize=4)
def _kept(network: VGG, content: Content) -> Seen:
    """Return the same; measures ask for an image one after another, and fills for their photo and style again."""
    return _seen(network, content.images)


def _loaded(network: Network, weights: str, device: torch.device) -> VGG:
    """Return the network, one per process, weights and device."""
    with _loading:  # fills of several threads are measured at the same time
        return _load(network, weights, device)


@cache
def _load(network: Network, weights: str, device: torch.device) -> VGG:
    if weights == "public":
        otherwise = f", or give a file by --features {network}:FILE"
        weights = str(public_file(network).fetched(purpose=f"features of {network}", otherwise=otherwise))
    return VGG(network, weights=weights).to(device)
