"""The arithmetic of the authors' program (owenzlz/DeepImageBlending), for comparisons: both stages and their defects.

Images are on the scale of 0 to 255. What differs from the paper, and from our own objective, is kept on purpose:

- The network gets images less a mean color of 0.45 and not divided, so its features are far too large.
- The first stage compares the style of the variable, which is noise outside the mask, not of the blended image.
- The content term of the second stage compares the variable with itself and is 0; the stage has no mask and no total
  variation, and begins with the first stage's image cut to bytes.
- The bin of a value in its histograms is counted from 0, not from the smallest value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.losses.features import gram_matrix
from inpaint.nn.vgg import VGG
from inpaint.optimize.base import Evaluation, StepInfo

MEAN = (0.4488, 0.4371, 0.4040)  # what the program subtracts, of images on the scale of 0 to 255
STYLE_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
CONTENT_LAYER = "relu2_2"
GRADIENT, CONTENT, STYLE, TV = 1e4, 1.0, 1e4, 1e-6  # run.py, first stage
REFINED_STYLE = 1e7  # second stage
BINS = 400
KERNEL = ((0.0, -1.0, 0.0), (-1.0, 4.0, -1.0), (0.0, -1.0, 0.0))


def laplacian(images: Tensor) -> Tensor:
    """Return 4 f less the four neighbors of each pixel (B, C, H, W); what lies outside the frame counts as 0."""
    kernel = images.new_tensor(KERNEL).expand(images.shape[1], 1, 3, 3)
    return F.conv2d(images, kernel, padding=1, groups=images.shape[1])


def shifted(images: Tensor) -> Tensor:
    """Return what the program shows to its network."""
    return images - images.new_tensor(MEAN).view(1, 3, 1, 1)


def wanted_gradients(source: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Return the Laplacian of the source in the mask, of the target elsewhere.

    Args:
        source: (1, 3, H, W) in the target's frame; 0 beyond its own rim, as the program has it.
        target: (1, 3, H, W).
        mask: (1, 1, H, W), 1 where the source goes.
    """
    return laplacian(source) * mask + laplacian(target) * (1 - mask)


def style_loss(features: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
    """Return the mean over layers of the mean squared difference between Gram matrices."""
    terms = [(_gram(features[layer]) - targets[layer]).square().mean() for layer in STYLE_LAYERS]
    return torch.stack(terms).mean()


def style_targets(network: VGG, target: Tensor) -> dict[str, Tensor]:
    """Return the Gram matrices of an image by layer."""
    with torch.no_grad():
        return {layer: _gram(x) for layer, x in network(shifted(target), STYLE_LAYERS).items()}


def _gram(features: Tensor) -> Tensor:
    return gram_matrix(features, features[0].numel())


@dataclass
class FirstStage:
    """Objective of the first stage; the variable is the whole frame.

    Args:
        network: VGG-16.
        z: (1, 3, H, W), a leaf; the program begins with normal noise of deviation 1.
        source, target: (1, 3, H, W), 0 to 255, see `wanted_gradients`.
        mask: (1, 1, H, W) of 0 and 1.
        box: Rows and columns of the part that holds the source, in which the content is compared.
    """

    network: VGG
    z: Tensor
    source: Tensor
    target: Tensor
    mask: Tensor
    box: tuple[slice, slice]

    @cached_property
    def _targets(self) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        with torch.no_grad():
            content = self._content(self.source)
        gradients = wanted_gradients(self.source, self.target, self.mask)
        return gradients, style_targets(self.network, self.target), content

    def parameters(self) -> Sequence[Tensor]:
        """Return the variable."""
        return [self.z]

    def composite(self) -> Tensor:
        """Return the variable in the mask, the target elsewhere."""
        return self.z * self.mask + self.target * (1 - self.mask)

    def terms(self) -> dict[str, Tensor]:
        """Return the terms, weights included."""
        blend = self.composite()
        gradients, styles, content = self._targets
        across = (blend[..., :, :-1] - blend[..., :, 1:]).abs().sum()
        down = (blend[..., :-1, :] - blend[..., 1:, :]).abs().sum()
        return {
            "gradient": GRADIENT * (laplacian(blend) - gradients).square().mean(),
            "style": STYLE * style_loss(self.network(shifted(self.z), STYLE_LAYERS), styles),
            "content": CONTENT * (self._content(blend) - content).square().mean(),
            "tv": TV * (across + down),
        }

    def evaluate(self, step: StepInfo) -> Evaluation:
        """Return the sum of the terms, and the composite."""
        loss = torch.stack(list(self.terms().values())).sum()
        return Evaluation(loss=loss, image=self.composite().detach() / 255)

    def _content(self, image: Tensor) -> Tensor:
        part = (..., *self.box)
        features: Tensor = self.network(shifted(image[part] * self.mask[part]), [CONTENT_LAYER])[CONTENT_LAYER]
        return features


@dataclass
class SecondStage:
    """Objective of the second stage: the style of the whole image, and nothing else.

    Args:
        network: VGG-16.
        x: (1, 3, H, W), a leaf; begins as the first stage's image.
        target: (1, 3, H, W), 0 to 255.
    """

    network: VGG
    x: Tensor
    target: Tensor

    @cached_property
    def _targets(self) -> dict[str, Tensor]:
        return style_targets(self.network, self.target)

    def parameters(self) -> Sequence[Tensor]:
        """Return the variable."""
        return [self.x]

    def evaluate(self, step: StepInfo) -> Evaluation:
        """Return the weighted style loss, and the image."""
        loss = REFINED_STYLE * style_loss(self.network(shifted(self.x), STYLE_LAYERS), self._targets)
        return Evaluation(loss=loss, image=self.x.detach() / 255)


def to_bytes(image: Tensor) -> Tensor:
    """Return an image cut to whole numbers from 0 to 255, as it passes between the stages."""
    return image.detach().clamp(0, 255).floor()


def binned_match(features: Tensor, template: Tensor) -> Tensor:
    """Return features matched to the template's histogram as the program did before it left this term out.

    400 bins lie between the smallest and the largest value of both, in each channel. Every bin is replaced by the
    template's bin of the nearest cumulative share, and every value by the center of what replaces its bin, which is
    value / width, rounded: right where the smallest value is 0, as behind a ReLU.

    Args:
        features: (C, H, W).
        template: (C, h, w).
    """
    return torch.stack([_binned_match(own, given) for own, given in zip(features, template, strict=True)])


def _binned_match(own: Tensor, given: Tensor) -> Tensor:
    low = torch.minimum(own.min(), given.min())
    high = torch.maximum(own.max(), given.max())
    if low == high:
        return own
    width = (high - low) / BINS
    shares = []
    for values in (own, given):
        counts = torch.histc(values, BINS, float(low), float(high))
        shares.append(counts.cumsum(0) / values.numel())
    nearest = (shares[0][:, None] - shares[1][None]).abs().argmin(dim=1)
    bins = (own / width).round().long().clamp(0, BINS - 1)
    return low + (nearest[bins].to(own.dtype) + 0.5) * width
