"""Whether a fill follows what was drawn for it: lines against the fill's own edges, colors against its colors.

Against what was asked for, not against the original: a fill that ignores its sketch is told from one that follows it by
guidance that is shifted, or absent.
"""

from __future__ import annotations

from abc import abstractmethod

import cv2
import numpy as np
import torch
from torch import Tensor

from inpaint.errors import InputError
from inpaint.metrics.accumulate import wide
from inpaint.metrics.base import Compared, ImageMeasure, Need
from inpaint.metrics.edges import canny_edges


class _Followed(ImageMeasure):
    """A measure over what was drawn in the hole; an image where nothing was drawn there has no number."""

    need: Need

    def __init__(self) -> None:
        self.needs = frozenset({self.need})

    @abstractmethod
    def where(self, compared: Compared) -> Tensor:
        """Return where something is drawn in the hole, (B, H, W) bool."""

    def counts(self, compared: Compared) -> Tensor:
        """Leave out images where nothing is drawn in the hole."""
        counted = super().counts(compared)
        return counted & self.where(compared).flatten(1).any(dim=1) if self.applies(compared) else counted


class _Lines(_Followed):
    need = "lines"

    def where(self, compared: Compared) -> Tensor:
        """Return the drawn lines in the hole."""
        if compared.lines is None:
            raise InputError(f"{self.name} needs the lines that were drawn")
        return (compared.lines[:, 0] > 0.5) & compared.hole

    def distances(self, compared: Compared) -> Tensor:
        """Return how far every pixel (B, H, W) is from the nearest edge of the fill, in pixels.

        Edges are Canny's, sigma 2. At most the diagonal of the image, which stands where there is no edge at all.
        """
        edges = compared.pair.once("fill edges", lambda painted, image: canny_edges(painted))[:, 0].cpu().numpy()
        farthest = float(np.hypot(*edges.shape[1:]))
        maps = [
            cv2.distanceTransform((each == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for each in edges
        ]
        # OpenCV's roots in float32 depend on the processor and on where an array lies; their squares are whole numbers.
        exact = wide(torch.from_numpy(np.stack(maps))).square().round().sqrt()
        return exact.clamp_max(farthest).to(compared.image.device)


class LineDistance(_Lines):
    """Mean distance from the pixels of drawn lines to the nearest edge of the fill."""

    name, title = "line_distance", "line distance, px"
    better, low, high, decimals = "lower", 0.0, float("inf"), 2

    def values(self, compared: Compared) -> Tensor:
        """Average distances over the lines in the hole."""
        where = self.where(compared)
        total = torch.where(where, self.distances(compared), 0).flatten(1).sum(dim=1)
        return total / where.flatten(1).sum(dim=1)  # 0 / 0 is NaN, where it does not count


class LineRecall(_Lines):
    """Share of the pixels of drawn lines that have an edge of the fill within a distance.

    Args:
        tolerance_px: The distance.
    """

    better, low, high = "higher", 0.0, 1.0

    def __init__(self, tolerance_px: int) -> None:
        super().__init__()
        self.tolerance_px = tolerance_px
        self.name, self.title = f"line_recall_{tolerance_px}px", f"line recall {tolerance_px} px"

    def values(self, compared: Compared) -> Tensor:
        """Count pixels of lines in the hole."""
        where = self.where(compared)
        met = where & (self.distances(compared) <= self.tolerance_px)
        return wide(met).flatten(1).sum(dim=1) / where.flatten(1).sum(dim=1)


class ColorDistance(_Followed):
    """Mean absolute difference between the fill and the colors that were given, over pixels and channels."""

    need = "colors"
    name, title = "color_distance", "color distance"
    better, low, high, decimals = "lower", 0.0, 1.0, 4

    def where(self, compared: Compared) -> Tensor:
        """Return where colors are given in the hole."""
        if compared.colors is None:
            raise InputError(f"{self.name} needs the colors that were given")
        return (compared.colors[:, 3] > 0.5) & compared.hole

    def values(self, compared: Compared) -> Tensor:
        """Average differences under the strokes in the hole."""
        where = self.where(compared)
        assert compared.colors is not None
        away = (wide(compared.completed) - wide(compared.colors[:, :3])).abs().mean(dim=1)
        return torch.where(where, away, 0).flatten(1).sum(dim=1) / where.flatten(1).sum(dim=1)
