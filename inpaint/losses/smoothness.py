"""How much neighboring places of any map of the record differ, by Sobel's filter."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.losses.base import Record, RecordTerm, at_least_float32

LEAST = 1e-6  # under the root, whose slope would have no end at 0; kornia's


class Smoothness(RecordTerm):
    """Mean magnitude of Sobel's gradient over all places and channels: sqrt(gx^2 + gy^2 + 1e-6).

    The filters are ([1, 2, 1] x [-1, 0, 1]) / 8, the border is repeated. PCT-Net takes it of the numbers that its
    network predicts, so that the color transform changes slowly from pixel to pixel.

    of: the entry (B, C, H, W).
    """

    kind: Literal["smoothness"] = "smoothness"
    of: str

    @property
    def entries(self) -> frozenset[str]:
        """The map."""
        return frozenset({self.of})

    def __call__(self, record: Record) -> Tensor:
        """Return the mean."""
        x = F.pad(at_least_float32(record[self.of]), (1, 1, 1, 1), mode="replicate")
        rows = (x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]) / 8  # smoothed downwards
        columns = (x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]) / 8
        across = rows[..., 2:] - rows[..., :-2]
        down = columns[..., 2:, :] - columns[..., :-2, :]
        return torch.sqrt(across.square() + down.square() + LEAST).mean()
