"""Dice loss of a found mask: how little it overlaps the true one (V-Net, arXiv 1606.04797: squares in the sums)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from inpaint.losses.base import Record, RecordTerm, at_least_float32


class Dice(RecordTerm):
    """1 - mean over images of 2 sum(p t) / (sum(p^2) + sum(t^2) + 2 smooth), p the sigmoid of logits, t the mask.

    of: logits (B, C, H, W), each of whose planes is compared with the mask. target: the mask (B, 1, H, W). smooth: what
    is added to each sum of squares, 0.001 in EraseNet.
    """

    kind: Literal["dice"] = "dice"
    of: str
    target: str = "mask"
    smooth: float = Field(1e-3, gt=0)

    @property
    def entries(self) -> frozenset[str]:
        """The logits and the mask."""
        return frozenset({self.of, self.target})

    def __call__(self, record: Record) -> Tensor:
        """Return the mean over the batch."""
        found = at_least_float32(record[self.of]).sigmoid()
        mask = record[self.target].to(found.dtype).expand_as(found)
        both, founds, trues = ((a * b).flatten(1).sum(dim=1) for a, b in ((found, mask), (found, found), (mask, mask)))
        overlap = 2 * both / (founds + trues + 2 * self.smooth)
        return 1 - overlap.mean()
