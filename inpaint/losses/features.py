"""Losses in the feature space of a trained network: perceptual and style loss, and the one pass that serves all."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Literal, NamedTuple, Self, TypeAlias

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from inpaint.errors import ConfigError
from inpaint.losses.base import Norm, Record, Region, Term, at_least_float32, distance
from inpaint.nn.features import FeatureNetwork, check_layers, feature_network, has_batch_norm, normalized_for
from inpaint.nn.vgg import Pooling, caffe_normalized

Features: TypeAlias = Mapping[str, Tensor]


class FeatureView(NamedTuple):
    """One image as a network gets it: an entry of the record, the region that is left of it, and how normalized."""

    entry: str
    region: Region
    normalize_input: bool | Literal["caffe"]

    def image(self, record: Record, network: FeatureNetwork) -> Tensor:
        """Return the image (B, 3, H, W) for a network; raises ConfigError for an entry without three colors."""
        image = at_least_float32(record[self.entry])
        if image.ndim != 4 or image.shape[1] != 3:
            raise ConfigError(f"of={self.entry}: features are taken of RGB images, this entry is {tuple(image.shape)}")
        if self.region != "all":
            mask = record["mask"].to(image.dtype)
            image = image * (mask if self.region == "hole" else 1 - mask)
        if self.normalize_input == "caffe":
            return caffe_normalized(image)
        return normalized_for(network, image) if self.normalize_input else image


class FeatureTerm(Term):
    """A comparison of one or several generated images with the real one by the features of a trained network.

    of: one entry, or several whose losses are added. network: vgg16, vgg19 (ImageNet), the same with the
    first authors' weights (vgg16_caffe, vgg19_caffe), ade20k_resnet50 (scenes). layers: names (conv1_2, relu1_2, pool1,
    ...; layer1 to layer4), or a mapping from names to weights. normalize_input: as the network's public weights expect
    it, to the mean and deviation of ImageNet, or BGR from 0 to 255 less the mean color for Caffe's; caffe: RGB from 0
    to 255 less the mean color. region: the part of the images that is left, the rest is black before the
    normalization. norm: of differences. weights: `public` (fetched once), the path of such a file, or `random` for
    tests and dry runs. pooling: of a VGG, what halves the size. batch_statistics: of ade20k_resnet50: normalize by each
    batch.
    """

    of: str | tuple[str, ...]
    target: str = "image"
    network: FeatureNetwork = "vgg16"
    weights: str = "public"
    pooling: Pooling = "max"
    batch_statistics: bool = False
    layers: tuple[str, ...] | dict[str, float] = ("pool1", "pool2", "pool3")
    normalize_input: bool | Literal["caffe"] = True
    region: Region = "all"
    norm: Norm = "l1"

    @field_validator("weights")
    @classmethod
    def _earlier_name(cls, weights: str) -> str:
        return "public" if weights == "torchvision" else weights

    @model_validator(mode="after")
    def _layers_exist(self) -> Self:
        if self.batch_statistics and not has_batch_norm(self.network):
            raise ValueError(f"batch_statistics=true: {self.network} has no batch norm; valid: ade20k_resnet50")
        if self.pooling != "max" and has_batch_norm(self.network):
            raise ValueError(f"pooling={self.pooling}: {self.network} has no such choice; valid: max")
        if not self.layers or not self.generated:
            raise ValueError("of and layers must name at least one entry and one layer")
        try:
            check_layers(self.network, list(self.layers))
        except ConfigError as error:
            raise ValueError(f"layers: {error}") from None
        return self

    @property
    def generated(self) -> tuple[str, ...]:
        """Entries of the generated images."""
        return (self.of,) if isinstance(self.of, str) else self.of

    @property
    def entries(self) -> frozenset[str]:
        """The generated images and the real one."""
        return frozenset({*self.generated, self.target})

    @property
    def built_by(self) -> tuple[FeatureNetwork, str, Pooling, bool]:
        """What the network is built from; terms that agree in it share one."""
        return self.network, self.weights, self.pooling, self.batch_statistics

    def view(self, entry: str) -> FeatureView:
        """Return how this term takes an entry."""
        return FeatureView(entry, self.region, self.normalize_input)

    def compare(self, features: Mapping[FeatureView, Features], record: Record) -> Tensor:
        """Return the unweighted loss, a scalar, from the features of all views of a record."""
        return self._sum(features, self.layer_loss)

    def _sum(self, features: Mapping[FeatureView, Features], loss: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Return the weighted sum over generated images and layers of a loss between features."""
        weights = self.layers if isinstance(self.layers, dict) else dict.fromkeys(self.layers, 1.0)
        real = features[self.view(self.target)]
        parts = (
            weight * loss(features[self.view(entry)][layer], real[layer])
            for entry in self.generated
            for layer, weight in weights.items()
        )
        return reduce(torch.add, parts)

    @abstractmethod
    def layer_loss(self, generated: Tensor, real: Tensor) -> Tensor:
        """Return the loss, a scalar, between two images' features of one layer, (B, C, H, W)."""


class FeatureExtractor:
    """The networks of one model's losses: built at first use, outside of the model's state, one per weights."""

    def __init__(self) -> None:
        self._networks: dict[tuple[FeatureNetwork, str, Pooling, bool], nn.Module] = {}

    def losses(self, terms: Mapping[str, FeatureTerm], record: Record) -> dict[str, Tensor]:
        """Return the unweighted loss of every term.

        However many terms there are, each network gets each generated image once, all in one batch, and each real one
        once without gradient.

        Raises:
            WeightsError: A network's weights are missing.
            ConfigError: An image has not three colors.
        """
        values: dict[str, Tensor] = {}
        for key in dict.fromkeys(term.built_by for term in terms.values()):
            chosen = {name: term for name, term in terms.items() if term.built_by == key}
            if key not in self._networks:
                name, weights, pooling, batch_statistics = key
                self._networks[key] = feature_network(
                    name, weights=weights, pooling=pooling, batch_statistics=batch_statistics
                )
            network = self._networks[key]
            layers = frozenset(layer for term in chosen.values() for layer in term.layers)
            generated = dict.fromkeys(term.view(entry) for term in chosen.values() for entry in term.generated)
            features = _extract(key[0], network, generated, layers, record)
            with torch.no_grad():
                real = dict.fromkeys(term.view(term.target) for term in chosen.values())
                features |= _extract(key[0], network, (view for view in real if view not in features), layers, record)
            values |= {name: term.compare(features, record) for name, term in chosen.items()}
        return values


def _extract(
    name: FeatureNetwork, network: nn.Module, views: Iterable[FeatureView], layers: frozenset[str], record: Record
) -> dict[FeatureView, Features]:
    """Return the features of every view; images of one size go through the network together."""
    images = {view: view.image(record, name) for view in views}
    found: dict[FeatureView, Features] = {}
    for shape in dict.fromkeys(image.shape for image in images.values()):
        group = [view for view, image in images.items() if image.shape == shape]
        batch = torch.cat([images[view] for view in group])
        features = network.to(batch.device, batch.dtype)(batch, layers)
        pieces = {layer: both.chunk(len(group)) for layer, both in features.items()}
        found |= {view: {layer: pieces[layer][i] for layer in pieces} for i, view in enumerate(group)}
    return found


class Perceptual(FeatureTerm):
    """Sum over layers and images of the mean difference between features (Johnson et al., arXiv 1603.08155).

    Partial convolutions (1804.07723, section 3.4): L1 at pool1, pool2 and pool3 of VGG-16, raw and completed.
    EdgeConnect (1901.00212): L1 at relu1_1 to relu5_1 of VGG-19, raw only, input not normalized.
    LaMa (2109.07161, section 2.2): L2 at the four stages of ade20k_resnet50, raw only.
    """

    kind: Literal["perceptual"] = "perceptual"

    def layer_loss(self, generated: Tensor, real: Tensor) -> Tensor:
        """Return the mean over all elements."""
        return distance(at_least_float32(generated) - at_least_float32(real), self.norm).mean()


class StatisticTerm(FeatureTerm):
    """Base of comparisons by statistics of features, which images of any two sizes can be compared by.

    sample_weights: the entry (B,) of the record that says what each sample of the batch counts; null: 1. The target may
    be one image (1, 3, H, W) for the whole batch.
    """

    sample_weights: str | None = None

    @property
    def entries(self) -> frozenset[str]:
        """The images, and the weights of the samples."""
        weights = () if self.sample_weights is None else (self.sample_weights,)
        return super().entries | frozenset(weights)

    @abstractmethod
    def statistics(self, features: Tensor) -> tuple[Tensor, ...]:
        """Return statistics (B, ...) of features (B, C, H, W)."""

    def layer_loss(self, generated: Tensor, real: Tensor) -> Tensor:
        """Return the sum over the statistics of the mean distance over the batch and all entries."""
        return self._weighted_loss(generated, real, None)

    def compare(self, features: Mapping[FeatureView, Features], record: Record) -> Tensor:
        """See `FeatureTerm`."""
        if self.sample_weights is None:
            return super().compare(features, record)
        counts = at_least_float32(record[self.sample_weights])
        return self._sum(features, lambda generated, real: self._weighted_loss(generated, real, counts))

    def _weighted_loss(self, generated: Tensor, real: Tensor, counts: Tensor | None) -> Tensor:
        parts = []
        for ours, theirs in zip(self.statistics(generated), self.statistics(real), strict=True):
            far = distance(ours - theirs, self.norm)
            parts.append(far.mean() if counts is None else (far.flatten(1).mean(dim=1) * counts.to(far.dtype)).mean())
        return reduce(torch.add, parts)


class Style(StatisticTerm):
    """Sum over layers and images of the mean difference between Gram matrices (Gatys et al., arXiv 1508.06576).

    gram: what F F^T is divided by: `chw` (C H W, partial convolutions and EdgeConnect), `hw` (H W), `none`. The mean is
    taken over the batch and the C x C entries.
    """

    kind: Literal["style"] = "style"
    gram: Literal["chw", "hw", "none"] = "chw"

    def statistics(self, features: Tensor) -> tuple[Tensor, ...]:
        """Return the Gram matrices (B, C, C)."""
        channels, pixels = features.shape[1], features.shape[2] * features.shape[3]
        return (gram_matrix(features, {"chw": channels * pixels, "hw": pixels, "none": 1}[self.gram]),)


class Statistics(StatisticTerm):
    """Sum over layers and images of the mean difference between the channels' means and between their deviations.

    Huang and Belongie (arXiv 1703.06868, eq. 13): squared, at relu1_1, relu2_1, relu3_1 and relu4_1 of VGG-19. A
    deviation is the root of the variance (divided by H W - 1) plus eps.
    """

    kind: Literal["statistics"] = "statistics"
    norm: Norm = "l2"
    eps: float = Field(1e-5, gt=0)

    def statistics(self, features: Tensor) -> tuple[Tensor, ...]:
        """Return means and deviations, (B, C) each."""
        values = at_least_float32(features).flatten(2)
        spread = values.var(dim=2, correction=1 if values.shape[2] > 1 else 0)
        return values.mean(dim=2), (spread + self.eps).sqrt()


def gram_matrix(features: Tensor, divisor: float) -> Tensor:
    """Return F F^T / divisor of each image.

    Args:
        features: (B, C, H, W).
        divisor: What every entry is divided by.

    Returns:
        (B, C, C), in float32 also inside autocast: sums over all pixels overflow half precision.

    Example:
        >>> gram_matrix(torch.ones(1, 2, 3, 4), 12).tolist()
        [[[1.0, 1.0], [1.0, 1.0]]]
    """
    rows = at_least_float32(features).flatten(2)  # (B, C, H W)
    with torch.autocast(features.device.type, enabled=False):
        return (rows @ rows.mT) / divisor
