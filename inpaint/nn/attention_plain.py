"""Contextual attention in one piece: every patch and the whole map of scores at once, with the same steps for any size.

For exported graphs. It takes memory in proportion to the square of the places, where `attention` works block by block.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SHIFTS = (-1, 0, 1)


def moved(x: Tensor, down: int, right: int) -> Tensor:
    """Return y[..., i, j] = x[..., i + down, j + right], beyond the border 0, for shifts of at most one place."""
    ends = {-1: slice(0, -2), 0: slice(1, -1), 1: slice(2, None)}
    return F.pad(x, (1, 1, 1, 1))[..., ends[down], ends[right]]


def patches(grid: Tensor) -> Tensor:
    """Return the 3 x 3 patch around every place of a grid (B, C, h, w): (B, 9 C, h w), beyond the border 0."""
    return torch.cat([moved(grid, down, right) for down in SHIFTS for right in SHIFTS], dim=1).flatten(2)


def fused(scores: Tensor, h: int, w: int) -> Tensor:
    """Add to every score (B, N, N) those of the pairs one place before and after it, by rows, then by columns."""
    turned = _along_diagonal(scores).view(-1, h, w, h, w).permute(0, 2, 1, 4, 3)
    turned = _along_diagonal(turned.reshape(-1, h * w, h * w)).view(-1, w, h, w, h)
    return turned.permute(0, 2, 1, 4, 3).reshape(-1, h * w, h * w)


def _along_diagonal(scores: Tensor) -> Tensor:
    return moved(scores, -1, -1) + scores + moved(scores, 1, 1)


def attended(features: Tensor, grid: Tensor, known: Tensor, *, scale: Tensor, fuse: bool, masked: bool) -> Tensor:
    """Return the sum of all pasted patches, (B, C, 2h, 2w).

    Args:
        features: (B, C, 2h, 2w).
        grid: (B, C, h, w), the features at every second place.
        known: (B, 1, h, w), 1 or 0.
        scale: (B, 1, h, w), what the scores of each key are multiplied by.
        fuse: Whether the scores of neighboring pairs are added.
        masked: Whether unknown keys take no part in the softmax; else they take part with a score of 0.
    """
    h, w = grid.shape[-2:]
    compared = patches(grid)
    scores = compared.transpose(1, 2) @ compared * scale.flatten(2)  # (B, N, N): query, key
    if fuse:
        scores = fused(scores, h, w)
    keys = known.flatten(2)  # (B, 1, N)
    logits = scores.masked_fill(keys == 0, torch.finfo(scores.dtype).min) if masked else scores * keys
    shares = (logits.softmax(dim=2) * keys).transpose(1, 2)  # of every key in every query
    # Phase (a, b) of a cell is pasted by its own patch and by the neighbors' on that side, which copy it from the cell
    # that lies as far beyond their key as this cell beyond them.
    rows = []
    for a, side in enumerate((-1, 1)):
        columns = []
        for b, other in enumerate((-1, 1)):
            phase = features[..., a::2, b::2]  # (B, C, h, w)
            total = torch.zeros_like(phase)
            for down in (0, side):
                for right in (0, other):
                    copied = moved(phase, -down, -right).flatten(2) @ shares  # (B, C, N)
                    total = total + moved(copied.view(-1, phase.shape[1], h, w), down, right)
            columns.append(total)
        rows.append(torch.stack(columns, dim=-1).flatten(-2))  # (B, C, h, 2w)
    return torch.stack(rows, dim=-2).flatten(-3, -2)  # (B, C, 2h, 2w)
