"""What is minimized: gradients and features of the source, style of the target, in the pixels of the mask alone.

Departures from the authors' program, which `origin.py` keeps: images are normalized as the network expects it; the
style is that of the blended image; the content of the second stage is the first stage's result; every term is a mean
over the mask, so that weights do not depend on sizes; nothing outside the mask is a variable; and the network sees the
mask's surroundings as far as its features reach, not the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.blending.deep.features import SquaredDifference, StyleDifference, gram_matrices
from inpaint.blending.deep.options import DeepOptions, Stage
from inpaint.losses.histogram import histogram_matched
from inpaint.nn.comparing import PIXELS_AT_ONCE, Comparison, compared, mask_at
from inpaint.nn.features import normalized_for
from inpaint.nn.vgg import VGG
from inpaint.optimize.base import Evaluation, StepInfo
from inpaint.optimize.known import Known

CONTENT_REACH_PX = 8  # around the mask, where features of the content still see the object


def laplacian(images: Tensor) -> Tensor:
    """Return the sum of differences to the neighbors that there are (B, C, H, W): 0 for constants, at the rim too."""
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    neighbors = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1] + padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
    return 4 * images - neighbors


@dataclass(frozen=True)
class Surroundings:
    """The part of the frame that is computed on, reduced if it was large.

    Args:
        source, target: (1, 3, h, w) in [0, 1].
        mask: (1, 1, h, w), 1 where the source goes, else 0; somewhere 1.
        style: (1, 3, H, W), the part of the target whose style is taken; as `target` or more.
    """

    source: Tensor
    target: Tensor
    mask: Tensor
    style: Tensor

    @cached_property
    def inside(self) -> Tensor:
        """The mask as bool (1, 3, h, w)."""
        return (self.mask > 0.5).expand_as(self.target)

    @cached_property
    def content_box(self) -> tuple[slice, slice]:
        """Rows and columns of the mask's box and what its features reach."""
        bounds = []
        for axis in (1, 0):
            filled = (self.mask[0, 0] > 0.5).any(dim=axis).nonzero().flatten()
            start = max(int(filled[0]) - CONTENT_REACH_PX, 0) // 4 * 4
            bounds.append(slice(start, int(filled[-1]) + 1 + CONTENT_REACH_PX))
        return bounds[0], bounds[1]


class BlendObjective:
    """One stage; what is optimized are the pixels in the mask, clipped nowhere.

    Args:
        network: Frozen.
        surroundings: Where.
        options: Layers, and where the style is compared.
        stage: Weights.
        start: (1, 3, h, w) to begin with; only what lies in the mask is read.
        content: None: the content is that of the source alone, on gray. Else the image (1, 3, h, w) whose content is
            kept, the first stage's result.
    """

    def __init__(
        self,
        network: VGG,
        surroundings: Surroundings,
        options: DeepOptions,
        stage: Stage,
        *,
        start: Tensor,
        content: Tensor | None = None,
    ) -> None:
        self.network = network
        self.surroundings = surroundings
        self.options = options
        self.stage = stage
        self.values = start[surroundings.inside].clone().requires_grad_()  # (3 n,)
        self.evaluations = 0
        self.best, self.best_loss = self.values.detach().clone(), float("inf")
        self._known: Known | None = None
        self._content = content
        self._pixels = surroundings.mask.sum()

    def parameters(self) -> Sequence[Tensor]:
        """Return the pixels in the mask."""
        return [self.values]

    def image(self, values: Tensor | None = None) -> Tensor:
        """Return the composite (1, 3, h, w) of the present pixels, or of other ones."""
        values = self.values if values is None else values
        return self.surroundings.target.masked_scatter(self.surroundings.inside, values)

    def evaluate(self, step: StepInfo) -> Evaluation:
        """Return the weighted sum of the terms, and the composite.

        A line search ends where the next iteration begins: what was computed last is not computed again.
        """
        if self._known is None or not self._known.about(self.values):
            self._known = self._evaluated()
        known = self._known
        return Evaluation(loss=known.answer(self.values), image=self.image(known.values))

    def _evaluated(self) -> Known:
        weights = self.stage.weights()
        with torch.enable_grad():
            weighted = [weights[name] * value for name, value in self.terms(self.image()).items()]
            loss = torch.stack(weighted).sum() if weighted else 0 * self.values.sum()
        (gradient,) = torch.autograd.grad(loss, self.values)
        self.evaluations += 1
        known = Known(self.values.detach().clone(), loss.detach(), gradient)
        if float(known.loss) < self.best_loss:
            self.best, self.best_loss = known.values, float(known.loss)
        return known

    def terms(self, image: Tensor) -> dict[str, Tensor]:
        """Return the terms that weigh something, unweighted, for a composite (1, 3, h, w)."""
        stage = self.stage
        terms = {"gradient": self._gradient(image)} if stage.gradient else {}
        if stage.tv:
            terms["tv"] = self._total_variation(image)
        if stage.content and self._content is None:
            (terms["content"],) = compared(self.network, self._isolated(image), [self._isolated_content])
        if self._in_place:
            values = compared(self.network, self._shown(image), self._in_place)
            if stage.content and self._content is not None:
                terms["content"] = values.pop()
            if stage.style:
                terms["style"] = torch.stack(values).mean()
        if stage.histogram:
            terms["histogram"] = self._histogram(image)
        return terms

    def _gradient(self, image: Tensor) -> Tensor:
        difference = (laplacian(image) - laplacian(self.surroundings.source)) * self.surroundings.mask
        return difference.square().sum() / (3 * self._pixels)

    def _total_variation(self, image: Tensor) -> Tensor:
        mask = self.surroundings.mask
        across = (image[..., 1:] - image[..., :-1]).abs() * torch.maximum(mask[..., 1:], mask[..., :-1])
        down = (image[..., 1:, :] - image[..., :-1, :]).abs() * torch.maximum(mask[..., 1:, :], mask[..., :-1, :])
        return (across.sum() + down.sum()) / (3 * self._pixels)

    def _shown(self, image: Tensor) -> Tensor:
        return normalized_for(self.network.name, image)

    def _isolated(self, image: Tensor) -> Tensor:
        """Return the object alone, on the mean color."""
        box = (..., *self.surroundings.content_box)
        return self._shown(image[box]) * self.surroundings.mask[box]

    @cached_property
    def _isolated_content(self) -> SquaredDifference:
        layer = self.options.content_layer
        return SquaredDifference(
            layer, self._features(self._isolated(self.surroundings.source), layer), None, self._pixels
        )

    @cached_property
    def _in_place(self) -> list[Comparison]:
        """What is compared of the whole composite: the style by layer and, last, the content."""
        options, mask, comparisons = self.options, self.surroundings.mask, list[Comparison]()
        if self.stage.style:
            framed = options.style_of == "frame"
            image = self.surroundings.target if framed else self.surroundings.style
            targets = gram_matrices(self.network, self._shown(image), options.style_layers)
            comparisons += [StyleDifference(layer, gram, None if framed else mask) for layer, gram in targets.items()]
        if self.stage.content and self._content is not None:
            layer = options.content_layer
            features = self._features(self._shown(self._content), layer)
            comparisons.append(SquaredDifference(layer, features, mask, self._pixels))
        return comparisons

    def _features(self, shown: Tensor, layer: str) -> Tensor:
        with torch.no_grad():
            features: Tensor = self.network(shown, [layer])[layer]
        return features

    # Histograms are no sums over positions: they have a pass of their own.

    def _histogram(self, image: Tensor) -> Tensor:
        layers, large = self.options.style_layers, image.shape[-2] * image.shape[-1] > PIXELS_AT_ONCE
        own = self.network(self._shown(image), layers, checkpointed=large)
        losses = []
        for layer, features in own.items():
            weight = mask_at(self.surroundings.mask, layer, slice(0, features.shape[-2]))
            inside = weight[0, 0] > 0
            matched = histogram_matched(features.detach(), self._given[layer], mask=inside)
            squares = (features - matched).square() * weight
            losses.append(squares.sum() / (features.shape[1] * weight.sum().clamp_min(1e-12)))
        return torch.stack(losses).mean()

    @cached_property
    def _given(self) -> dict[str, Tensor]:
        with torch.no_grad():
            features: dict[str, Tensor] = self.network(self._shown(self.surroundings.target), self.options.style_layers)
        return features
