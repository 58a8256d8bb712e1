"""Photographic style transfer without a network: color statistics region by region, and the same finish."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inpaint.classical.color_transfer import Method, transfer
from inpaint.classical.guided_filter import guided_filter
from inpaint.style.base import ArrayStylizer, Painted, Scene
from inpaint.style.photo.finish import finished
from inpaint.style.photo.options import MASK_EDGE, MASK_RADIUS_PX, FastOptions
from inpaint.types import StylePart


class FastPhoto(ArrayStylizer):
    """Each region of the content gets the colors of its style; borders between regions follow the content's edges.

    With `covariance` the color map of a region is the optimal transport between two normal distributions: nothing but
    mean and covariance of the colors is taken from the style, no texture, and no light that lies elsewhere than in the
    content. Deep features (`photo`) say more of what a photo looks like, at a thousand times the cost.
    """

    name = "photo_fast"
    options: FastOptions

    def __init__(self, options: FastOptions | None = None) -> None:
        self.options = options or FastOptions()

    def paint(self, scene: Scene) -> Painted:
        """See `ArrayStylizer`; aux: `transferred`, what comes before the finish."""
        options = self.options
        moved = colors_by_regions(
            scene.content,
            scene.parts,
            scene.shares,
            method=options.method,
            radius_px=options.mask_radius_px,
            edge=options.mask_edge,
        )
        painted = scene.content + options.strength * (moved - scene.content)
        aux = {"transferred": painted.clip(0, 1).astype(np.float32)}
        return Painted(image=finished(scene.content, painted, options), aux=aux)


def colors_by_regions(
    content: NDArray[np.float32],
    parts: Sequence[StylePart],
    shares: NDArray[np.float32],
    *,
    method: Method = "covariance",
    radius_px: int = MASK_RADIUS_PX,
    edge: float = MASK_EDGE,
) -> NDArray[np.float64]:
    """Return a content whose regions have the colors of their styles, not clipped.

    Args:
        content: (H, W, 3) in [0, 1].
        parts: What style goes where.
        shares: (n, H, W), which share of each pixel each part gets.
        method: What is made equal.
        radius_px: Of the guided filter that makes the borders of regions follow the content's edges.
        edge: Difference of colors from which on there is one.
    """
    colors = content.astype(np.float64)
    found = colors.copy()
    for part, share, soft in zip(parts, shares, _followed(colors, shares, radius_px, edge), strict=True):
        inside, reached = share > 0, soft > 0
        if not inside.any():
            continue
        wanted = part.style if part.style_mask is None else part.style[part.style_mask]
        theirs = wanted.reshape(-1, 3).astype(np.float64)
        moved = transfer(colors[inside], theirs, method=method, moved=colors[reached])
        found[reached] += soft[reached][:, None] * (moved - colors[reached])
    return found


def _followed(
    content: NDArray[np.float64], shares: NDArray[np.float32], radius_px: int, edge: float
) -> NDArray[np.float64]:
    """Return shares (n, H, W) whose borders follow the content's edges; they still sum to 1 where they did."""
    wide = shares.astype(np.float64)
    if all((share == share.flat[0]).all() for share in shares):
        return wide
    smooth = guided_filter(content, wide.transpose(1, 2, 0), radius_px=radius_px, eps=edge**2)
    soft = smooth.clip(0, 1).transpose(2, 0, 1)
    sums, there = soft.sum(axis=0), wide.sum(axis=0) > 0
    found: NDArray[np.float64] = np.divide(soft, sums, out=wide.copy(), where=(sums > 1e-6) & there)
    return found
