"""The border along which a source fits best: Jia, Sun, Tang and Shum, "Drag-and-Drop Pasting", 2006.

What Poisson's equation carries into the object are the differences between target and source along the border. Where
they are all alike, the object only changes its color evenly. So between the object, which stays whole, and the mask's
own border the closed line is looked for along which the sum of |target - source - k|^2 is least, k being their mean
along the line. For a given k the paper finds the line by shortest paths; here it is the least cut of the graph of
pixels, which is the same line, for objects of any form, with holes and in several parts. As in the paper, the object is
what GrabCut tells apart in the mask's box.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse  # type: ignore[import-untyped]
from scipy.sparse.csgraph import breadth_first_order, maximum_flow  # type: ignore[import-untyped]

from inpaint.blending.base import Image, Mask
from inpaint.classical.poisson.grid import PAIRS
from inpaint.finding.objects import object_in
from inpaint.images.photo import to_uint8
from inpaint.images.regions import Region

MOST_PIXELS = 40_000
"""Of the mask's box at the size at which the line is looked for."""
CORE_SHARE = 0.5
"""Of the largest distance from the mask's border: what lies deeper stays whole, whether of the object or not."""
LENGTH_COST = 0.02**2
"""Of every pixel of the line, so that of equal ones the shorter is taken: a difference of five levels of 255."""
UNIT = 1e-5
"""Costs are cut as whole numbers of this."""
ROUNDS = 8


def least_border(source: Image, target: Image, mask: Mask) -> Mask:
    """Return the part of a mask whose border runs where source and target differ most evenly.

    Args:
        source: (H, W, 3), in the target's frame.
        target: (H, W, 3).
        mask: (H, W), not empty.

    Returns:
        (H, W), within the mask; it holds the object and the mask's inner part. The mask itself where nothing lies
        outside of it.
    """
    box = Region.around(mask).grown(2, mask.shape)
    own = mask[box.slices]
    if own.all():
        return mask
    scale = min(1.0, (MOST_PIXELS / box.area) ** 0.5)
    difference = target[box.slices] - source[box.slices]
    small = (max(1, round(box.size[1] * scale)), max(1, round(box.size[0] * scale)))
    difference = np.asarray(cv2.resize(difference, small, interpolation=cv2.INTER_AREA))
    inside = np.asarray(cv2.resize(own.astype(np.uint8), small, interpolation=cv2.INTER_NEAREST)) > 0
    if not inside.any() or inside.all():
        return mask
    whole_core = _core(source[box.slices], own)
    core = np.asarray(cv2.resize(whole_core.astype(np.uint8), small, interpolation=cv2.INTER_NEAREST)) > 0
    core &= inside
    if not core.any():
        return mask
    found = inside
    for _ in range(ROUNDS):
        ring = found & ~ndimage.binary_erosion(found, border_value=1)
        mean = difference[ring].mean(axis=0) if ring.any() else np.zeros(3)
        cost = np.square(difference - mean).mean(axis=2) + LENGTH_COST
        before, found = found, _cut(cost, core, inside)
        if np.array_equal(before, found):
            break
    whole = np.asarray(cv2.resize(found.astype(np.float32), own.shape[::-1], interpolation=cv2.INTER_LINEAR)) > 0.5
    result = np.zeros_like(mask)
    result[box.slices] = (whole & own) | whole_core
    return result


def _core(source: Image, mask: Mask) -> Mask:
    """Return the object in a mask, without the mask's outermost pixels, and what lies deepest in each of its parts."""
    inner: Mask = ndimage.binary_erosion(mask, border_value=1)
    found = object_in(to_uint8(source), Region.around(mask))
    labels, count = ndimage.label(mask, np.ones((3, 3), bool))
    depth = ndimage.distance_transform_edt(mask)
    deepest = np.asarray(ndimage.maximum(depth, labels, np.arange(count + 1)))[labels]
    deep = depth >= np.maximum(CORE_SHARE * deepest, 1)
    core: Mask = mask & (deep | (found & inner if not found[inner].all() else False))
    return core


def _cut(cost: NDArray[np.floating], core: Mask, inside: Mask) -> Mask:
    """Return what the least cut leaves together with the core, a part of `inside` (H, W).

    Neighbors on both sides of the line pay the mean of their costs. All of the core is one node, all outside another.
    """
    band = inside & ~core
    source, sink = 0, 1
    number = np.full(inside.shape, sink, np.int32)
    number[core] = source
    count = int(band.sum())
    number[band] = np.arange(2, count + 2, dtype=np.int32)
    rows, columns, values = [], [], []
    for first, second in PAIRS:
        apart = number[first] != number[second]
        rows.append(number[first][apart])
        columns.append(number[second][apart])
        values.append(((cost[first] + cost[second])[apart] / (2 * UNIT)).round().clip(1, 10**6))
    row, column = np.concatenate(rows), np.concatenate(columns)
    value = np.concatenate(values).astype(np.int32)
    size = (count + 2, count + 2)
    both = sparse.coo_array((np.tile(value, 2), (np.r_[row, column], np.r_[column, row])), size).tocsr()
    both = sparse.csr_matrix((both.data.astype(np.int32), both.indices.astype(np.int32), both.indptr.astype(np.int32)))
    flow = maximum_flow(both, source, sink)
    left = sparse.csr_matrix(both - flow.flow)
    left.eliminate_zeros()
    reached = np.zeros(count + 2, bool)
    reached[breadth_first_order(left, source, return_predecessors=False)] = True
    result: Mask = reached[number] & inside
    return result
