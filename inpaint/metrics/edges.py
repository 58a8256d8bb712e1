"""How well predicted edges meet the true ones in the hole.

Nazeri et al., "EdgeConnect", 2019, table 1: precision and recall of edge pixels, without any tolerance. Such figures
are low by nature, since an edge that runs one pixel beside the true one counts as wrong twice; a version that forgives
small distances is therefore offered beside it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.metrics.accumulate import wide

THRESHOLD = 0.5  # above it a soft map shows an edge
EPS = 1e-8  # in the denominators, as in the authors' program


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


def _near(edges: Tensor, distance_px: int) -> Tensor:
    """Return where an edge (B, 1, H, W) lies within a distance."""
    if distance_px == 0:
        return edges
    side = 2 * distance_px + 1
    return F.max_pool2d(edges.float(), side, stride=1, padding=distance_px) > 0
