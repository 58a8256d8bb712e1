"""Photographic style transfer without a network: color statistics region by region, and the same finish."""

from __future__ import annotations

import numpy as np

from inpaint.classical.color_transfer import transfer
from inpaint.classical.guided_filter import guided_filter
from inpaint.style.base import ArrayStylizer, Painted, Scene
from inpaint.style.photo.finish import finished
from inpaint.style.photo.options import FastOptions


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
        content = scene.content.astype(np.float64)
        shares = scene.shares.astype(np.float64)
        if not scene.everywhere:
            total = shares.sum(axis=0)
            stacked = guided_filter(
                content, shares.transpose(1, 2, 0), radius_px=options.mask_radius_px, eps=options.mask_edge**2
            )
            soft = stacked.clip(0, 1).transpose(2, 0, 1)
            sums = soft.sum(axis=0)
            shares = np.where(total > 0, np.divide(soft, sums, out=shares.copy(), where=sums > 1e-6), 0)
        painted = content.copy()
        for part, share, own in zip(scene.parts, scene.shares, shares, strict=True):
            inside = share > 0
            wanted = part.style if part.style_mask is None else part.style[part.style_mask]
            reached = own > 0
            moved = transfer(
                content[inside],
                wanted.reshape(-1, 3).astype(np.float64),
                method=options.method,
                moved=content[reached],
            )
            painted[reached] += own[reached][:, None] * (moved - content[reached])
        painted = content + options.strength * (painted - content)
        aux = {"transferred": painted.clip(0, 1).astype(np.float32)}
        return Painted(image=finished(content, painted, options), aux=aux)
