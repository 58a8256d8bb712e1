"""Which patch of the painting each place of an image is most like, on the maps of one layer; in blocks.

Two likenesses, one for each pass of the method (Luan, Paris, Shechtman and Bala 2018, arXiv 1804.03189):

- correlation: the sum of products over the 3 x 3 taps that lie inside both maps, over both norms of the same taps.
- cosine: every vector is divided by its norm first; taps outside count 0. A place at a border of the painting's map may
  only serve a place at that same border, since it is padded the same way.

The matrix of all pairs is never there: a tile of the image meets a strip of the painting, inner products of pixels
are computed once, and those of patches are sums of nine shifted views of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.images.regions import Region

Likeness: TypeAlias = Literal["correlation", "cosine"]

TILE = 16  # places along a side, matched at once
LIMIT_BYTES = 96 * 2**20  # of the inner products of a tile and a strip
WINDOW = 2  # reach of the neighbors whose matches are compared in `consistent`
MARGIN = (2, 4)  # places at the beginning, and one more than at the end, of the painting that these may not move to


def nearest(
    image: Tensor,
    painting: Tensor,
    wanted: Tensor,
    *,
    likeness: Likeness,
    allowed: Tensor | None = None,
    placed: tuple[tuple[int, int], tuple[int, int]] | None = None,
    limit_bytes: int = LIMIT_BYTES,
) -> Tensor:
    """Return for each wanted place the flat index of the painting's most similar place; -1 elsewhere, (H, W) int64.

    Of equal ones the first in the order of rows.

    Args:
        image: (C, H, W), features; of a part of an image, what is wanted does not lie at its end.
        painting: (C, h, w).
        wanted: (H, W) bool.
        likeness: See the module.
        allowed: (h, w) bool, places of the painting that may be found; None: all.
        placed: Row and column of the image's map in that of a whole image, and height and width of that; None: it is
            the whole.
        limit_bytes: Memory of one block, about; twice as much is used.
    """
    height, width = painting.shape[-2:]
    result = torch.full(wanted.shape, -1, dtype=torch.int64, device=image.device)
    if likeness == "cosine":
        image, painting = unit_vectors(image), unit_vectors(painting)
    (top, left), size = placed or ((0, 0), (image.shape[-2], image.shape[-1]))
    own_sides = _sides(size, image.device)[top : top + wanted.shape[0], left : left + wanted.shape[1]]
    their_sides = _sides((height, width), image.device)
    image, painting = F.pad(image, (1, 1, 1, 1)), F.pad(painting, (1, 1, 1, 1))
    norms = _TapNorms(image, painting, own_sides, their_sides) if likeness == "correlation" else None
    for tile in _tiles(wanted):
        best = torch.full((*tile.size, 1), -math.inf, dtype=image.dtype, device=image.device)
        place = torch.zeros_like(best, dtype=torch.int64)
        for strip in _strips(tile, height, width, image.element_size(), limit_bytes):
            score = _inner_products(image, painting, tile, strip)  # (a, b, h', w)
            if norms is None:
                # A border of the painting that is none of the place's.
                score.masked_fill_((their_sides[strip] & ~own_sides[tile.slices][..., None, None]) != 0, -math.inf)
            else:
                score /= norms.of(tile, strip)
            if allowed is not None:
                score.masked_fill_(~allowed[strip], -math.inf)
            found, index = score.flatten(2).max(dim=2, keepdim=True)
            better = found > best
            best = torch.where(better, found, best)
            place = torch.where(better, index + strip.start * width, place)
        part = wanted[tile.slices]
        result[tile.slices][part] = place[..., 0][part]
    return result


def unit_vectors(features: Tensor) -> Tensor:
    """Return features (C, H, W) with every vector divided by its norm."""
    return features / (features.square().sum(dim=0, keepdim=True).sqrt() + 1e-8)


def consistent(matches: Tensor, guide: Tensor, where: Tensor) -> Tensor:
    """Return matches that agree more with those of their neighbors; one pass over the places in `where`.

    What a neighbor within WINDOW found, shifted back, is a candidate. The one whose color is nearest to those of all
    candidates, on average, is taken; the first of equal ones, column by column.

    Args:
        matches: (H, W) int64, flat indices on the guide, known up to WINDOW around `where` as far as the map reaches.
        guide: (3, h, w), the painting's colors at the layer's size.
        where: (H, W) bool.
    """
    height, width = guide.shape[-2:]
    places = where.nonzero()  # (N, 2)
    steps = range(-WINDOW, WINDOW + 1)
    shifts = torch.tensor([(down, right) for right in steps for down in steps], device=matches.device)  # (25, 2)
    around = places[:, None] + shifts  # (N, 25, 2)
    inside = _within(around, (0, 0), (matches.shape[0] - 1, matches.shape[1] - 1))
    limit = torch.tensor(matches.shape, device=matches.device) - 1
    found = matches[tuple(torch.minimum(around.clamp_min(0), limit).unbind(-1))]
    offered = torch.stack((found // width, found % width), dim=-1) - shifts  # (N, 25, 2)
    counted = inside & _within(offered, (0, 0), (height - 1, width - 1))
    low, high = MARGIN
    eligible = counted & _within(offered, (low, low), (height - high, width - high))
    index = (offered[..., 0] * width + offered[..., 1]).clamp(0, height * width - 1)
    colors = guide.flatten(1).mT[index]  # (N, 25, 3)
    cost = torch.zeros(index.shape, dtype=guide.dtype, device=guide.device)
    for number in range(len(shifts)):
        distance = (colors - colors[:, number, None]).square().sum(dim=-1).sqrt()
        cost += distance * counted[:, number, None]
    cost = (cost / counted.sum(dim=1, keepdim=True).clamp_min(1)).masked_fill(~eligible, math.inf)
    best = cost.argmin(dim=1, keepdim=True)
    kept = matches[where]
    refined = matches.clone()
    refined[where] = torch.where(eligible.any(dim=1), index.gather(1, best)[:, 0], kept)
    return refined


def set_mask(matches: Tensor, where: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the places of the painting (h, w) bool that `where` is matched with, and their eight neighbors.

    Each is in the set once, however often it was found: no vector of the painting counts twice.
    """
    mask = torch.zeros(size, device=matches.device)
    mask.view(-1)[matches[where]] = 1
    return F.max_pool2d(mask[None, None], 3, stride=1, padding=1)[0, 0] > 0


def _within(places: Tensor, low: tuple[int, int], high: tuple[int, int]) -> Tensor:
    """Return which places (..., 2) lie between two corners, both included."""
    rows, columns = places.unbind(-1)
    return (rows >= low[0]) & (rows <= high[0]) & (columns >= low[1]) & (columns <= high[1])


def _sides(size: tuple[int, int], device: torch.device) -> Tensor:
    """Return at which borders each place lies, (H, W) int64: bits for top, bottom, left, right."""
    sides = torch.zeros(size, dtype=torch.int64, device=device)
    sides[0] += 1
    sides[-1] += 2
    sides[:, 0] += 4
    sides[:, -1] += 8
    return sides


def _tiles(wanted: Tensor) -> Iterator[Region]:
    """Yield rectangles that hold all that is wanted, each as small as it may be."""
    height, width = wanted.shape
    mask = wanted.cpu().numpy()
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            part = mask[top : top + TILE, left : left + TILE]
            if part.any():
                yield Region.around(part).moved(top, left)


def _strips(tile: Region, height: int, width: int, item_bytes: int, limit_bytes: int) -> Iterator[slice]:
    """Yield the painting's rows in pieces whose products with a tile fit into the memory."""
    row_bytes = (tile.size[0] + 2) * (tile.size[1] + 2) * (width + 2) * item_bytes
    rows = max(limit_bytes // row_bytes - 2, 1)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def _inner_products(image: Tensor, painting: Tensor, tile: Region, strip: slice) -> Tensor:
    """Return the inner products of all patches of a tile and of a strip, (a, b, h', w).

    Args:
        image, painting: (C, H + 2, W + 2), with zeros around.
    """
    high, wide = tile.size
    rows, columns = strip.stop - strip.start, painting.shape[2] - 2
    ours = image[:, tile.top : tile.bottom + 2, tile.left : tile.right + 2]
    theirs = painting[:, strip.start : strip.stop + 2]
    pixels = (ours.flatten(1).mT @ theirs.flatten(1)).view(high + 2, wide + 2, rows + 2, columns + 2)
    total: Tensor | None = None
    for down in range(3):
        for right in range(3):
            view = pixels[down : down + high, right : right + wide, down : down + rows, right : right + columns]
            total = view.clone() if total is None else total.add_(view)
    assert total is not None
    return total


class _TapNorms:
    """Norms of patches over the taps that lie inside both maps, which the borders that both lie at decide."""

    def __init__(self, image: Tensor, painting: Tensor, own_sides: Tensor, their_sides: Tensor) -> None:
        self._own_kinds, self._own_kind = torch.unique(own_sides, return_inverse=True)
        self._their_kinds, self._their_kind = torch.unique(their_sides, return_inverse=True)
        self._own = _norms(image, self._their_kinds)  # (kinds of theirs, H, W)
        self._their = _norms(painting, self._own_kinds)  # (kinds of ours, h, w)

    def of(self, tile: Region, strip: slice) -> Tensor:
        """Return the product of both norms for all pairs, (a, b, h', w)."""
        own = self._own[:, *tile.slices].permute(1, 2, 0)[:, :, self._their_kind[strip]]
        their = self._their[:, strip][self._own_kind[tile.slices]]
        return own.mul_(their).add_(1e-9)


def _norms(features: Tensor, kinds: Tensor) -> Tensor:
    """Return norms of the 3 x 3 patches (kinds, H, W) of features (C, H + 2, W + 2), less the taps beyond borders."""
    squares = features.square().sum(dim=0)[None, None]
    kernels = torch.ones(len(kinds), 1, 3, 3, dtype=features.dtype, device=features.device)
    for kernel, sides in zip(kernels, kinds.tolist(), strict=True):
        taps = kernel[0]
        for bit, border in ((1, taps[0]), (2, taps[2]), (4, taps[:, 0]), (8, taps[:, 2])):
            if sides & bit:
                border.zero_()
    return F.conv2d(squares, kernels)[0].clamp_min(0).sqrt()
