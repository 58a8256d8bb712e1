"""How well predicted edges meet the true ones in the hole.

Nazeri et al., "EdgeConnect", 2019, table 1: precision and recall of edge pixels, without any tolerance. Such figures
are low by nature, since an edge that runs one pixel beside the true one counts as wrong twice; a version that forgives
small distances is therefore offered beside it.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.images.edges import canny
from inpaint.images.photo import BT709, luma
from inpaint.metrics.accumulate import wide
from inpaint.metrics.base import Pair, RegionMeasure

THRESHOLD = 0.5  # above it a soft map shows an edge
EPS = 1e-8  # in the denominators, as in the authors' program
SIGMA_PX = 2.0  # of Canny's smoothing, as the paper trains

Score: TypeAlias = Literal["precision", "recall", "f1"]

EDGE_SCORES: tuple[Score, ...] = ("precision", "recall", "f1")


class EdgeScore(RegionMeasure):
    """How well Canny's edges of the painted image, sigma 2, meet those of the original.

    Args:
        score: precision: share of the painted edge pixels that the original has, too. recall: share of the original's
            that were painted. f1: their harmonic mean.
        tolerance_px: As `edge_counts` takes it.
        hole: Count in the hole only. Edges are those of the whole image either way.
        raw: Of what was painted everywhere instead of the completed image.
    """

    better, low, high = "higher", 0.0, 1.0

    def __init__(self, score: Score, *, tolerance_px: int = 0, hole: bool = True, raw: bool = False) -> None:
        self.score: Score = score
        self.tolerance_px = tolerance_px
        self.family = f"edge_{score}" + (f"_{tolerance_px}px" if tolerance_px else "")
        self.title = f"edge {'F1' if score == 'f1' else score}" + (f" {tolerance_px} px" if tolerance_px else "")
        super().__init__(hole=hole, raw=raw)

    def of_pair(self, pair: Pair, hole: Tensor | None) -> Tensor:
        """Count edge pixels of each image by itself."""
        painted, true = pair.once("edges", lambda painted, image: (canny_edges(painted), canny_edges(image)))
        where = torch.ones_like(true) if hole is None else hole[:, None].to(true.dtype)
        precision, recall = precision_and_recall(edge_counts(painted, true, where, tolerance_px=self.tolerance_px))
        return {"precision": precision, "recall": recall, "f1": f1(precision, recall)}[self.score]


def canny_edges(images: Tensor) -> Tensor:
    """Return the edges (B, 1, H, W), float32, 1 = edge, of images (B, 3, H, W) in [0, 1] by scikit-image's detector."""
    gray = [luma(image, BT709) for image in images.detach().permute(0, 2, 3, 1).double().cpu().numpy()]
    return torch.from_numpy(np.stack([canny(each, SIGMA_PX) for each in gray]))[:, None].float().to(images.device)


def edge_counts(predicted: Tensor, true: Tensor, mask: Tensor, *, tolerance_px: int = 0) -> Tensor:
    """Count edge pixels in the hole.

    Args:
        predicted: (B, 1, H, W) in [0, 1], an edge above 0.5.
        true: (B, 1, H, W), likewise.
        mask: (B, 1, H, W), 1 = hole; pixels outside do not count.
        tolerance_px: A pixel is right (found) when the other map has an edge within this distance, the larger of the
            horizontal and the vertical one.

    Returns:
        (B, 4): predicted pixels that are right, predicted pixels, true pixels that are found, true pixels. Counts of
        several batches or processes may be added.
    """
    hole = mask > 0.5
    edges, truth = (predicted > THRESHOLD) & hole, (true > THRESHOLD) & hole
    right, found = edges & _near(truth, tolerance_px), truth & _near(edges, tolerance_px)
    counts = torch.stack([plane.flatten(1).sum(dim=1) for plane in (right, edges, found, truth)], dim=1)
    return wide(counts)


def precision_and_recall(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return precision and recall of counts (..., 4) as `edge_counts` gives them.

    With neither predicted nor true edges both are 1; with only one of the two, what has no pixels is 0.
    """
    right, edges, found, truth = counts.unbind(dim=-1)
    nothing = (edges == 0) & (truth == 0)
    precision, recall = right / (edges + EPS), found / (truth + EPS)
    return torch.where(nothing, 1.0, precision), torch.where(nothing, 1.0, recall)


def f1(precision: Tensor, recall: Tensor) -> Tensor:
    """Return the harmonic mean of precision and recall; 0 where both are."""
    return 2 * precision * recall / (precision + recall).clamp_min(EPS)


def _near(edges: Tensor, distance_px: int) -> Tensor:
    """Return where an edge (B, 1, H, W) lies within a distance."""
    if distance_px == 0:
        return edges
    side = 2 * distance_px + 1
    return F.max_pool2d(edges.float(), side, stride=1, padding=distance_px) > 0
