"""A finder of one convolution, and the mean of the clean pixels around."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from inpaint.models.base import InpaintNetwork


class Network(InpaintNetwork):
    """Reads the image in the hole, too: a tenth of what it paints is what was there, inverted."""

    def __init__(self, config, *, seed=0):
        super().__init__(config, seed=seed)
        self.finder = nn.Conv2d(3, 1, 1)
        with torch.no_grad():
            self.finder.weight.copy_(torch.tensor([30.0, -15.0, -15.0]).view(1, 3, 1, 1))
            self.finder.bias.fill_(-15.0)

    def find_mask(self, image):
        return self.finder(image).sigmoid()  # (B, 1, H, W)

    def forward(self, image, mask):
        side = 2 * self.config.reach_px + 1
        clean = 1 - mask

        def around(plane):
            return F.avg_pool2d(plane, side, stride=1, padding=self.config.reach_px, count_include_pad=True)

        mean = around(image * clean) / around(clean).clamp_min(1e-6)
        return {"raw": 0.9 * mean + 0.1 * (1 - image), "clean": mean}
