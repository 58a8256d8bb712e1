"""Guidance fields: which difference between neighbors the result shall have.

For neighbors p and q the field says v_pq = -v_qp, the wanted f_p - f_q. A field is written as an image, the base, whose
differences are wanted, and as what is wanted beyond that where no image has such differences. So what is solved for is
f less the base, which is smooth where the field is an image's, and rounding does not touch the base's own detail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inpaint.classical.poisson.grid import PAIRS, Mask, Plane

Mode: TypeAlias = Literal["import", "mixed", "average", "monochrome", "flatten"]
Excess: TypeAlias = Callable[[int], Plane]


@dataclass(frozen=True)
class Field:
    """A guidance field of one channel.

    base: (H, W). excess: from an axis to what v is, between each pixel and the one before it along that axis, beyond
    the difference of the base; (H-1, W) for axis 0, (H, W-1) for axis 1. None: nothing.
    """

    base: Plane
    excess: Excess | None = None


@dataclass(frozen=True)
class Setting:
    """What fields may depend on besides the images: the source's share of `average`, the edges (H, W) of `flatten`."""

    source_share: float
    edges: Mask | None


@dataclass(frozen=True)
class Rule:
    """How a mode makes the field of one channel from source and target (H, W).

    gray: the source is replaced by its luma first.
    """

    field: Callable[[Plane, Plane, Setting], Field]
    gray: bool = False


def _imported(source: Plane, target: Plane, setting: Setting) -> Field:
    return Field(source)


def _mixed(source: Plane, target: Plane, setting: Setting) -> Field:
    """Of the two differences the one that is larger in absolute value, the source's where they are equal."""

    def excess(axis: int) -> Plane:
        own, other = np.diff(source, axis=axis), np.diff(target, axis=axis)
        stronger = np.abs(other) > np.abs(own)
        other -= own
        return np.multiply(other, stronger, out=other)

    return Field(source, excess)


def _average(source: Plane, target: Plane, setting: Setting) -> Field:
    share = source.dtype.type(setting.source_share)
    return Field(target + share * (source - target))


def _flattened(source: Plane, target: Plane, setting: Setting) -> Field:
    """The target's differences at edges, none elsewhere."""

    def excess(axis: int) -> Plane:
        edges = setting.edges
        assert edges is not None
        first, second = PAIRS[axis]
        return np.where(edges[first] | edges[second], 0, -np.diff(target, axis=axis))

    return Field(target, excess)


RULES: Mapping[str, Rule] = {
    "import": Rule(_imported),
    "mixed": Rule(_mixed),
    "average": Rule(_average),
    "monochrome": Rule(_imported, gray=True),
    "flatten": Rule(_flattened),
}


def right_side(field: Field, target: Plane, unknown: Mask) -> Plane:
    """Return b of the equations (`grid`) for f less the field's base: (H, W), 0 where known.

    What is known lies at the target's values, so f less the base is target - base there.
    """
    right = np.zeros_like(target)
    known = np.where(unknown, target.dtype.type(0), target - field.base)
    for axis, (first, second) in enumerate(PAIRS):
        right[second] += known[first]
        right[first] += known[second]
        if field.excess is not None:
            beyond = field.excess(axis)
            right[second] += beyond
            right[first] -= beyond
    return np.where(unknown, right, target.dtype.type(0))


def luma_planes(source: NDArray[Any]) -> NDArray[Any]:
    """Return the luma (BT.601) of colors (H, W, 3) in all three channels; images of other channels as they are."""
    from inpaint.images.photo import BT601, luma

    if source.shape[2] != 3:
        return source
    return np.broadcast_to(luma(source, BT601)[..., None], source.shape)
