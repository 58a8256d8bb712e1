"""How well predicted lines meet the true ones in the hole.

Nazeri et al., "EdgeConnect", 2019, table 1: precision and recall of edge pixels, without any tolerance. Such figures
are low by nature, since a line that runs one pixel beside the true one counts as wrong twice; a version that forgives
small distances is therefore offered beside it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

THRESHOLD = 0.5  # above it a soft map shows a line
EPS = 1e-8  # in the denominators, as in the authors' program


def edge_counts(predicted: Tensor, true: Tensor, mask: Tensor, *, tolerance_px: int = 0) -> Tensor:
    """Return (B, 4): predicted pixels that are right, predicted pixels, true pixels that are found, true pixels.

    predicted, true: (B, 1, H, W) in [0, 1]; mask: (B, 1, H, W), 1 = hole, and pixels outside do not count. A pixel is
    right (found) when the other map has a line within tolerance_px, the larger of the horizontal and the vertical
    distance. Counts of several batches or processes may be added.
    """
    hole = mask > 0.5
    lines, truth = (predicted > THRESHOLD) & hole, (true > THRESHOLD) & hole
    right, found = lines & _near(truth, tolerance_px), truth & _near(lines, tolerance_px)
    counts = torch.stack([plane.flatten(1).sum(dim=1) for plane in (right, lines, found, truth)], dim=1)
    return counts.to(torch.float32 if counts.device.type == "mps" else torch.float64)


def precision_and_recall(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return precision and recall of counts (..., 4) as `edge_counts` gives them.

    With neither predicted nor true lines both are 1; with only one of the two, what has no pixels is 0.
    """
    right, lines, found, truth = counts.unbind(dim=-1)
    nothing = (lines == 0) & (truth == 0)
    precision, recall = right / (lines + EPS), found / (truth + EPS)
    return torch.where(nothing, 1.0, precision), torch.where(nothing, 1.0, recall)


def _near(lines: Tensor, distance_px: int) -> Tensor:
    """Return where a line (B, 1, H, W) lies within a distance."""
    if distance_px == 0:
        return lines
    side = 2 * distance_px + 1
    return F.max_pool2d(lines.float(), side, stride=1, padding=distance_px) > 0
