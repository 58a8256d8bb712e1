"""An image given the statistics of styles at one level of an encoder, however large it is.

Encoders and decoders see only some pixels around, and the statistics are sums over positions: a large image is read
once in strips of rows for these, and painted in strips. The result is that of the whole image up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from inpaint.style.coders import Decoder, Encoder, convolutions
from inpaint.style.options import Transform
from inpaint.style.transforms import (
    Affine,
    Moments,
    Region,
    Sums,
    affine,
    mixed,
    needs_covariance,
    on_grid,
    sums,
    transformed,
)

WHOLE_PX = 2**21  # images with more pixels are read and painted in strips
STRIP_PX = 2**20  # pixels of a strip, without those around it
KEPT_LEVEL = 4  # from which features of a whole image take no more than 32 bytes per pixel, and are kept between passes

Rows = Callable[[slice], Tensor]
"""From rows of a level's grid to their features (C, rows, w)."""


@dataclass(frozen=True)
class Coder:
    """An encoder, the decoder of one of its levels, and that level."""

    encoder: Encoder
    decoder: Decoder
    level: int

    @property
    def step_px(self) -> int:
        """Pixels between two positions of the level."""
        return 1 << (self.level - 1)

    @property
    def reach(self) -> int:
        """How many rows of the level around some others matter to these, on the way there and on the way back."""
        pixels = sum(1 << (conv.block - 1) for conv in convolutions(self.encoder.name, self.level))
        return -(-pixels // self.step_px) + 1  # one more for the pooling, which looks to one side


def restyled(
    coder: Coder,
    image: Tensor,
    regions: Sequence[Region],
    *,
    kind: Transform,
    strength: float,
    whole_px: int = WHOLE_PX,
    strip_px: int = STRIP_PX,
) -> Tensor:
    """Return an image with the statistics of styles.

    Args:
        coder: Of the level whose features are changed.
        image: (1, 3, H, W), whose sides are multiples of `Coder.step_px`.
        regions: On the grid of the level.
        kind: What is done to features.
        strength: From 0, the features as they are, to 1.
        whole_px: Most pixels that are read and painted at once, without gradients only.
        strip_px: Pixels of a strip where there are more.

    Returns:
        (1, 3, H, W), not clamped.
    """
    if _pixels(image) <= whole_px:
        features = _encoded(coder, image)
        found: Tensor = coder.decoder(transformed(kind, features, regions, strength=strength)[None])
        return found
    strips = list(_strips(coder, image, strip_px))
    read = _reader(coder, image, strips)
    maps = _maps(kind, read, strips, regions)
    painted, step = torch.empty_like(image), coder.step_px
    for rows in strips:
        around = _grown(rows, coder.reach, image.shape[-2] // step)
        shares = [region.share[around] for region in regions]
        moved = mixed(read(around), maps, shares, strength=strength)
        first = (rows.start - around.start) * step
        strip = coder.decoder(moved[None])[:, :, first : first + (rows.stop - rows.start) * step]
        painted[:, :, rows.start * step : rows.stop * step] = strip
    return painted


def moments_of(
    coder: Coder, image: Tensor, mask: Tensor | None, *, kind: Transform, strip_px: int = STRIP_PX
) -> Moments:
    """Return the statistics of a style's features that a transform needs.

    Args:
        coder: Of the level.
        image: (1, 3, h, w), whose sides are multiples of `Coder.step_px`.
        mask: (1, 1, h, w), how much each pixel counts, not 0 everywhere; None: all alike.
        kind: The transform.
        strip_px: Pixels that are read at once, without those around.
    """
    covariance = needs_covariance(kind)
    height, width = (side // coder.step_px for side in image.shape[-2:])
    weights = None if mask is None else on_grid(mask[0, 0], (height, width))
    return reduce(
        Sums.merged,
        (
            sums(
                _rows_of(coder, image, rows).flatten(1),
                None if weights is None else weights[rows].flatten(),
                covariance=covariance,
            )
            for rows in _strips(coder, image, strip_px)
        ),
    ).moments()


def _maps(kind: Transform, read: Rows, strips: Sequence[slice], regions: Sequence[Region]) -> list[Affine]:
    """Return the map of each region from one pass over an image."""
    covariance, gathered = needs_covariance(kind), list[Sums]()
    for rows in strips:
        features = read(rows).flatten(1)
        here = []
        for region in regions:
            inside = region.weights()
            part = None if inside is None else inside.view_as(region.share)[rows].flatten()
            here.append(sums(features, part, covariance=covariance))
        gathered = [one.merged(other) for one, other in zip(gathered, here, strict=True)] if gathered else here
    return [affine(kind, each.moments(), region.style) for each, region in zip(gathered, regions, strict=True)]


def _reader(coder: Coder, image: Tensor, strips: Sequence[slice]) -> Rows:
    """Return what reads features by rows: from a whole that is kept where that is small, else anew each time."""
    if coder.level < KEPT_LEVEL:
        return lambda rows: _rows_of(coder, image, rows)
    whole = torch.cat([_rows_of(coder, image, rows) for rows in strips], dim=1)
    return lambda rows: whole[:, rows]


def _rows_of(coder: Coder, image: Tensor, rows: slice) -> Tensor:
    """Return the features of some rows, which see the image beyond these."""
    step = coder.step_px
    around = _grown(rows, coder.reach, image.shape[-2] // step)
    features = _encoded(coder, image[:, :, around.start * step : around.stop * step])
    return features[:, rows.start - around.start : rows.stop - around.start]


def _encoded(coder: Coder, image: Tensor) -> Tensor:
    features: Tensor = coder.encoder(image, [coder.level])[coder.level][0]
    return features


def _strips(coder: Coder, image: Tensor, strip_px: int) -> Iterator[slice]:
    """Yield rows of the level's grid, as many at a time as there are pixels in a strip."""
    height, width = image.shape[-2] // coder.step_px, image.shape[-1]
    rows = max(strip_px // (width * coder.step_px), 1)
    return (slice(start, min(start + rows, height)) for start in range(0, height, rows))


def _grown(rows: slice, reach: int, height: int) -> slice:
    return slice(max(rows.start - reach, 0), min(rows.stop + reach, height))


def _pixels(image: Tensor) -> int:
    return image.shape[-2] * image.shape[-1]
