"""Losses in the feature space of a VGG, and the one pass that serves all of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, Self, TypeAlias

import torch
from pydantic import model_validator
from torch import Tensor

from inpaint.errors import ConfigError
from inpaint.losses.base import Norm, Record, Region, Term, at_least_float32, distance
from inpaint.nn.vgg import VGG, VggName, check_layers, normalized

Features: TypeAlias = Mapping[str, Tensor]


class Look(NamedTuple):
    """One picture as a VGG gets to see it."""

    entry: str
    region: Region
    normalize_input: bool


class PerceptionTerm(Term):
    """A comparison of one or several painted pictures with the truth by the features of a VGG.

    of: one entry, or several whose losses are added. layers: names (conv1_2, relu1_2, pool1, ...), or a mapping from
    names to weights. normalize_input: to the mean and deviation of ImageNet, as the weights expect. region: the part of
    the pictures that is left, the rest is black before the normalization. norm: of differences.
    weights: `torchvision` (fetched once), the path of a torchvision checkpoint, or `random` for tests and dry runs.
    """

    of: str | tuple[str, ...]
    target: str = "image"
    network: VggName = "vgg16"
    weights: str = "torchvision"
    layers: tuple[str, ...] | dict[str, float] = ("pool1", "pool2", "pool3")
    normalize_input: bool = True
    region: Region = "all"
    norm: Norm = "l1"

    @model_validator(mode="after")
    def _layers_exist(self) -> Self:
        if not self.layers or not self.painted:
            raise ValueError("of and layers must name at least one entry and one layer")
        try:
            check_layers(self.network, list(self.layers))
        except ConfigError as error:
            raise ValueError(f"layers: {error}") from None
        return self

    @property
    def painted(self) -> tuple[str, ...]:
        """The painted pictures."""
        return (self.of,) if isinstance(self.of, str) else self.of

    @property
    def entries(self) -> frozenset[str]:
        """The painted pictures and the truth."""
        return frozenset({*self.painted, self.target})

    def look(self, entry: str) -> Look:
        """Return how this term looks at an entry."""
        return Look(entry, self.region, self.normalize_input)

    def compare(self, seen: Mapping[Look, Features]) -> Tensor:
        """Return the unweighted loss, a scalar, from all that was seen."""
        weights = self.layers if isinstance(self.layers, dict) else dict.fromkeys(self.layers, 1.0)
        truth = seen[self.look(self.target)]
        total = None
        for entry in self.painted:
            features = seen[self.look(entry)]
            for layer, weight in weights.items():
                part = weight * self.apart(features[layer], truth[layer])
                total = part if total is None else total + part
        assert total is not None
        return total

    @abstractmethod
    def apart(self, painted: Tensor, truth: Tensor) -> Tensor:
        """Return how far two pictures' features of one layer, (B, C, H, W), are apart, a scalar."""


class Perceptual(PerceptionTerm):
    """Sum over layers and pictures of the mean difference between features (Johnson et al., arXiv 1603.08155).

    Partial convolutions (1804.07723, section 3.4): L1 at pool1, pool2 and pool3 of VGG-16, raw and completed.
    EdgeConnect (1901.00212): L1 at relu1_1 to relu5_1 of VGG-19, raw only, input not normalized.
    """

    kind: Literal["perceptual"] = "perceptual"

    def apart(self, painted: Tensor, truth: Tensor) -> Tensor:
        """Return the mean over all elements."""
        return distance(at_least_float32(painted) - at_least_float32(truth), self.norm).mean()


class Style(PerceptionTerm):
    """Sum over layers and pictures of the mean difference between Gram matrices (Gatys et al., arXiv 1508.06576).

    gram: what F F^T is divided by: `chw` (C H W, partial convolutions and EdgeConnect), `hw` (H W), `none`. The mean is
    taken over the batch and the C x C entries.
    """

    kind: Literal["style"] = "style"
    gram: Literal["chw", "hw", "none"] = "chw"

    def apart(self, painted: Tensor, truth: Tensor) -> Tensor:
        """Return the mean over the batch and all entries of the matrices."""
        channels, pixels = painted.shape[1], painted.shape[2] * painted.shape[3]
        divisor = {"chw": channels * pixels, "hw": pixels, "none": 1}[self.gram]
        return distance(gram_matrix(painted, divisor) - gram_matrix(truth, divisor), self.norm).mean()


def gram_matrix(features: Tensor, divisor: float) -> Tensor:
    """Return F F^T / divisor per picture, (B, C, C), from features (B, C, H, W).

    In float32 also inside autocast: sums over all pixels overflow half precision.
    """
    rows = at_least_float32(features).flatten(2)  # (B, C, H W)
    with torch.autocast(features.device.type, enabled=False):
        return (rows @ rows.mT) / divisor


class Perception:
    """The VGG networks of one model's losses: built when first asked, outside of the model's state, one per weights."""

    def __init__(self) -> None:
        self._networks: dict[tuple[VggName, str], VGG] = {}

    def measure(self, terms: Mapping[str, PerceptionTerm], record: Record) -> dict[str, Tensor]:
        """Return the unweighted loss of every term.

        However many terms look, each network sees each painted picture once, all in one batch, and each true one once
        without gradient. Raises WeightsError when weights are missing, ConfigError for pictures without three colors.
        """
        values: dict[str, Tensor] = {}
        for key in dict.fromkeys((term.network, term.weights) for term in terms.values()):
            chosen = {name: term for name, term in terms.items() if (term.network, term.weights) == key}
            network = self._network(key)
            layers = frozenset(layer for term in chosen.values() for layer in term.layers)
            painted = dict.fromkeys(term.look(entry) for term in chosen.values() for entry in term.painted)
            seen = _see(network, painted, layers, record)
            with torch.no_grad():
                truths = dict.fromkeys(term.look(term.target) for term in chosen.values())
                seen |= _see(network, (look for look in truths if look not in seen), layers, record)
            values |= {name: term.compare(seen) for name, term in chosen.items()}
        return values

    def _network(self, key: tuple[VggName, str]) -> VGG:
        if key not in self._networks:
            self._networks[key] = VGG(key[0], weights=key[1])
        return self._networks[key]


def _see(network: VGG, looks: Iterable[Look], layers: frozenset[str], record: Record) -> dict[Look, dict[str, Tensor]]:
    """Return the features of every picture; pictures of one size go through the network together."""
    pictures = {look: _picture(look, record) for look in looks}
    seen: dict[Look, dict[str, Tensor]] = {}
    for shape in dict.fromkeys(picture.shape for picture in pictures.values()):
        group = [look for look, picture in pictures.items() if picture.shape == shape]
        batch = torch.cat([pictures[look] for look in group])
        features = network.to(batch.device, batch.dtype)(batch, layers)
        pieces = {layer: found.chunk(len(group)) for layer, found in features.items()}
        seen |= {look: {layer: pieces[layer][i] for layer in pieces} for i, look in enumerate(group)}
    return seen


def _picture(look: Look, record: Record) -> Tensor:
    picture = at_least_float32(record[look.entry])
    if picture.ndim != 4 or picture.shape[1] != 3:
        raise ConfigError(f"of={look.entry}: a VGG looks at RGB pictures, this entry is {tuple(picture.shape)}")
    if look.region != "all":
        mask = record["mask"].to(picture.dtype)
        picture = picture * (mask if look.region == "hole" else 1 - mask)
    return normalized(picture) if look.normalize_input else picture
