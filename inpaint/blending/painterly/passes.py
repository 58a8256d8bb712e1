"""The two passes: what each compares with what, made of the images in the network's space.

The first is robust: each layer by itself looks for the most similar patches of the painting. The second is consistent
and detailed: one layer decides, neighbors agree, and shallow layers take the same places.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.blending.painterly.histogram import Histogram, MatchedHistogram
from inpaint.blending.painterly.matching import WINDOW, consistent, nearest, set_mask
from inpaint.images.regions import Region
from inpaint.nn.vgg import stride_of
from inpaint.nn.vgg_layers import Layers, Space, layer_masks, nearest_places, reduced
from inpaint.optimize.layer_terms import Content, MappedStyle, Smoothness, masked_gram
from inpaint.optimize.layered import PIXELS, LayeredObjective, Weighted

CONTENT = "relu4_1"  # also the layer whose matches decide in the second pass
FIRST = ("relu3_1", "relu4_1", "relu5_1")
SECOND = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
HISTOGRAMS = ("relu1_1", "relu4_1")


@dataclass(frozen=True)
class Weights:
    """Of the losses of a pass; style and histogram count once for every layer."""

    content: float
    style: float
    histogram: float
    smoothness: float


EXACT_FIRST = Weights(content=5.0, style=100.0, histogram=0.0, smoothness=1e-3)
"""The program's, of the first pass."""
OUR_FIRST = Weights(content=1.0, style=2.0, histogram=0.0, smoothness=0.01)
"""Of losses relative to an image without features; style to content about as the program's are for its network."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Canvas:
    """The images, (1, 3, H, W) in the network's space.

    Args:
        naive: The painting with the object pasted.
        painting: The painting.
        tight: (H, W) in [0, 1], where the object is.
        loose: (H, W) in [0, 1], where colors may move.
        style: (H, W) bool, the part of the painting that gives its style; None: all of it.
    """

    naive: Tensor
    painting: Tensor
    tight: Tensor
    loose: Tensor
    style: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.loose.shape[0], self.loose.shape[1]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The part of the image that is worked on: what lies in it has the same features as in the whole.

    Args:
        region: Its sides are multiples of the deepest layer's stride, or ends of the image.
        whole: Height and width of the image.
    """

    region: Region
    whole: tuple[int, int]

    def part(self, values: Tensor, stride: int) -> Tensor:
        """Return the part (..., h, w) of a whole layer's map whose places are `stride` pixels apart."""
        box = self.region
        return values[..., box.top // stride : -(-box.bottom // stride), box.left // stride : -(-box.right // stride)]

    def places(self, stride: int) -> int:
        """Return how many places the whole layer has."""
        return -(-self.whole[0] // stride) * -(-self.whole[1] // stride)

    def placed(self, stride: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return row and column of a layer's part in its whole map, and height and width of that."""
        (height, width), box = self.whole, self.region
        return (box.top // stride, box.left // stride), (-(-height // stride), -(-width // stride))


def first_pass(layers: Layers, canvas: Canvas, frame: Frame, *, weights: Weights, exact: bool) -> LayeredObjective:
    """Return the objective of the first pass, which starts from the pasted object."""
    masks = layer_masks(canvas.loose, layers.network, FIRST)
    strides = {layer: stride_of(layer) for layer in FIRST}
    naive = frame.part(canvas.naive, 1)
    with torch.no_grad():
        painted = layers.features(canvas.painting, FIRST)
        ours = layers.features(naive, FIRST)
    losses: list[Weighted] = []
    for layer in FIRST:
        mask = frame.part(masks[layer], strides[layer])
        features, painting = ours[layer][0], painted.pop(layer)[0]
        if layer == CONTENT:
            content = Content(features, None if exact else mask, frame.places(strides[layer]))
            losses.append(Weighted("content", layer, content, weights.content, mask))
        allowed = _allowed(canvas.style, painting)
        matches = nearest(
            features, painting, mask > 0, likeness="correlation", allowed=allowed, placed=frame.placed(strides[layer])
        )
        mapped = painting.flatten(1)[:, matches.clamp_min(0).flatten()].view_as(features)
        style = MappedStyle(masked_gram(mapped, mask), mask, through=not exact)
        losses.append(Weighted(f"style_{layer}", layer, style, weights.style, mask))
    loose = frame.part(canvas.loose, 1)
    smoothness = Smoothness(last=False) if exact else Smoothness(loose)
    losses.append(Weighted("smoothness", PIXELS, smoothness, weights.smoothness, told=0))
    return LayeredObjective(layers, losses, naive, loose, exact=exact)


def second_pass(
    layers: Layers, canvas: Canvas, frame: Frame, before: Tensor, *, weights: Weights, exact: bool
) -> LayeredObjective:
    """Return the objective of the second pass.

    Args:
        before: What the first one made, (1, 3, H, W); it decides what the painting is matched with. The program starts
            again from the pasted object, we go on from here.
    """
    network = layers.network
    masks = layer_masks(canvas.loose, network, SECOND)
    strides = {layer: stride_of(layer) for layer in SECOND}
    naive = frame.part(canvas.naive, 1)
    with torch.no_grad():
        painted = layers.features(canvas.painting, SECOND)
        target = layers.features(naive, (CONTENT,))[CONTENT][0]
    style = style_mask(layers, canvas, frame, before, painted[CONTENT][0])
    losses: list[Weighted] = []
    for layer in reversed(SECOND):
        mask = frame.part(masks[layer], strides[layer])
        painting = painted.pop(layer)[0]
        chosen = nearest_places(style, (painting.shape[1], painting.shape[2]))
        if layer == CONTENT:
            content = Content(target, mask, frame.places(strides[layer]))
            losses.append(Weighted("content", layer, content, weights.content, mask))
        mapped = MappedStyle(masked_gram(painting, chosen.to(painting)), mask)
        losses.append(Weighted(f"style_{layer}", layer, mapped, weights.style, mask))
        if layer in HISTOGRAMS:
            histogram = MatchedHistogram(Histogram.of(painting[:, chosen]), mask)
            told = 2 / (len(painting) * frame.places(strides[layer]))
            losses.append(Weighted(f"histogram_{layer}", layer, histogram, weights.histogram, mask, told=told))
    loose = frame.part(canvas.loose, 1)
    losses.append(Weighted("smoothness", PIXELS, Smoothness(loose, last=not exact), weights.smoothness, loose, told=0))
    start = naive if exact else frame.part(before, 1)
    return LayeredObjective(layers, losses, start, loose, exact=exact, normalized=True)


def style_mask(layers: Layers, canvas: Canvas, frame: Frame, before: Tensor, painting: Tensor) -> Tensor:
    """Return which places of the painting on the deciding layer, (h, w) bool, the object is matched with.

    Args:
        before: The first pass's image.
        painting: Features (C, h, w).
    """
    stride = stride_of(CONTENT)
    size = (painting.shape[1], painting.shape[2])
    tight = nearest_places(canvas.tight, size) > 0.1
    if not bool(tight.any()):  # an object that fits between two places
        tight = reduced(canvas.tight, size) > 0
    tight = frame.part(tight, stride)
    around = torch.nn.functional.max_pool2d(tight.to(painting)[None, None], 2 * WINDOW + 1, 1, WINDOW)[0, 0] > 0
    with torch.no_grad():
        features = layers.features(frame.part(before, 1), (CONTENT,))[CONTENT][0]
    allowed = _allowed(canvas.style, painting)
    matches = nearest(features, painting, around, likeness="cosine", allowed=allowed, placed=frame.placed(stride))
    guide = reduced(_guide(canvas.painting, layers.space), size)
    chosen = set_mask(consistent(matches, guide, tight), tight, size)
    return chosen if allowed is None else chosen & allowed


def _guide(painting: Tensor, space: Space) -> Tensor:
    """Return the colors (3, H, W) that are compared between neighbors."""
    return space.back(painting)[0]


def _allowed(style: Tensor | None, painting: Tensor) -> Tensor | None:
    """Return the places of a layer (h, w) bool that lie in the part of the painting that gives its style."""
    if style is None:
        return None
    places = reduced(style.to(painting), (painting.shape[1], painting.shape[2])) >= 0.5
    return places if bool(places.any()) else None
