"""Losses on the features of one layer: the value, and its gradient there; see `inpaint.optimize.layered`.

Gradients are written out because public programs scale them layer by layer, let masks act on their sum, and take some
that no value has. Features are (C, h, w), masks (h, w) in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from inpaint.losses.features import gram_matrix


class Pull(NamedTuple):
    """What a loss says of the present features: its value, 0-dim, and its gradient, shaped like them."""

    value: Tensor
    gradient: Tensor


class LayerTerm(Protocol):
    """A loss on one layer."""

    def pull(self, features: Tensor) -> Pull:
        """Compare features (C, h, w)."""
        ...


@dataclass(frozen=True, eq=False)
class Content(LayerTerm):
    """Mean squared difference to the features of another image, both times the mask.

    Args:
        target: (C, h, w).
        mask: None: of the whole map.
        places: Of the whole layer, by which the sum is divided where the map is a part of it.
    """

    target: Tensor
    mask: Tensor | None
    places: int

    def pull(self, features: Tensor) -> Pull:
        """Compare features (C, h, w)."""
        off = features - self.target
        if self.mask is not None:
            off = off * self.mask
        size = len(features) * self.places
        gradient = off * (2 / size)
        return Pull(off.square().sum() / size, gradient if self.mask is None else gradient * self.mask)


@dataclass(frozen=True, eq=False)
class MappedStyle(LayerTerm):
    """Mean squared difference of Gram matrices: of what the image shows in the mask, and of a style.

    Both are divided by channels times the sum of their own weights, so that a target counts as a mean.

    Args:
        target: (C, C), of `masked_gram`.
        mask: Of the image.
        through: Whether the gradient takes into account that features are multiplied by the mask; some programs do not.
        total: What the sum of the mask counts as; None: its sum. With the root of a mask and the mask's sum, products
            of features are weighted by the mask once, so that parts of several masks of one place add up.
    """

    target: Tensor
    mask: Tensor
    through: bool = True
    total: Tensor | None = None

    def pull(self, features: Tensor) -> Pull:
        """Compare features (C, h, w)."""
        seen = features * self.mask
        channels = len(features)
        divisor = channels * (self.mask.sum() if self.total is None else self.total)
        off = gram_matrix(seen[None], 1.0)[0] / divisor - self.target
        value = off.square().mean()
        gradient = (off @ seen.flatten(1)).view_as(seen) * (4 / (channels * channels * divisor))
        return Pull(value, gradient * self.mask if self.through else gradient)


def masked_gram(features: Tensor, mask: Tensor, *, total: Tensor | None = None) -> Tensor:
    """Return F F^T / (C sum m), (C, C), of features (C, h, w) times a mask; total: see `MappedStyle`."""
    return gram_matrix((features * mask)[None], 1.0)[0] / (len(features) * (mask.sum() if total is None else total))


@dataclass(frozen=True)
class Smoothness(LayerTerm):
    """Half the sum of squared differences of neighboring pixels.

    Args:
        mask: (H, W); only neighbors of which one lies in it, above 0, count, and the gradient is multiplied by it.
            None: all.
        last: Whether those within the last row and the last column count; programs that came from Lua leave them out.
    """

    mask: Tensor | None = None
    last: bool = True

    def pull(self, features: Tensor) -> Pull:
        """Compare pixels (3, H, W) with each other."""
        right, down = features.diff(dim=2), features.diff(dim=1)
        if not self.last:
            right = right[:, :-1]
            down = down[:, :, :-1]
        gradient = torch.zeros_like(features)
        height, width = right.shape[1], down.shape[2]
        gradient[:, :height, 1:] += right
        gradient[:, :height, :-1] -= right
        gradient[:, 1:, :width] += down
        gradient[:, :-1, :width] -= down
        if self.mask is None:
            return Pull((right.square().sum() + down.square().sum()) / 2, gradient)
        moves = self.mask > 0
        across = (moves[:, 1:] | moves[:, :-1])[:height]
        along = (moves[1:] | moves[:-1])[:, :width]
        value = ((right.square() * across).sum() + (down.square() * along).sum()) / 2
        return Pull(value, gradient * self.mask)
