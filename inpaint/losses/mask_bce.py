"""Cross entropy of a found mask: whether a blind model tells contaminated pixels from clean ones."""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from inpaint.losses.base import Record, RecordTerm, at_least_float32


class MaskCrossEntropy(RecordTerm):
    """Mean of h w m softplus(-z) + k w (1 - m) softplus(z), z the logits `of`, m the mask, on which h w and k w depend.

    With a the share of the hole in the global batch, or in each image with per_image (VCNet's re-implementation):

    balance: `inverse`: hole pixels weigh (1 - a) / (a + 1e-5) and clean ones 1, as in VCNet's program (paper section
    3.1, where both sums count alike); `shares`: 1 - a and a, which is the same times a, as in its re-implementation;
    `none`: 1 and 1.
    least: probabilities are at least this and at most 1 less this; the re-implementation has 0.01, which leaves no
    gradient beyond. batch_mean: logits are averaged over the batch first, as VCNet's program does, where all images of
    a batch have one mask.
    """

    kind: Literal["mask_bce"] = "mask_bce"
    of: str = "mask_logits"
    balance: Literal["inverse", "shares", "none"] = "inverse"
    per_image: bool = False
    least: float = Field(0.0, ge=0, lt=0.5)
    batch_mean: bool = False

    @model_validator(mode="after")
    def _one_mean(self) -> Self:
        if self.per_image and self.batch_mean:
            raise ValueError("per_image=true and batch_mean=true exclude each other")
        return self

    @property
    def entries(self) -> frozenset[str]:
        """The logits."""
        return frozenset({self.of})

    def __call__(self, record: Record) -> Tensor:
        """Return the mean over all pixels."""
        logits = at_least_float32(record[self.of])
        mask, share = record["mask"].to(logits.dtype), record["hole_share"].to(logits.dtype)
        if self.per_image:
            share = mask.mean(dim=(1, 2, 3), keepdim=True)
        if self.batch_mean:
            logits, mask = logits.mean(dim=0, keepdim=True), mask[:1]
        of_hole, of_clean = F.softplus(-logits), F.softplus(logits)
        if self.least:
            found = logits.sigmoid().clamp(self.least, 1 - self.least)
            of_hole, of_clean = -found.log(), -(1 - found).log()
        hole, clean = {
            "inverse": ((1 - share) / (share + 1e-5), torch.ones_like(share)),
            "shares": (1 - share, share),
            "none": (torch.ones_like(share), torch.ones_like(share)),
        }[self.balance]
        return (hole * mask * of_hole + clean * (1 - mask) * of_clean).mean()
