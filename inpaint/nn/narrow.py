"""A convolution with few outputs, such as the colors at the end of a network, which processors compute poorly."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.nn.padding import PaddedConv2d, pad


class NarrowConv2d(PaddedConv2d):
    """A convolution without stride and dilation whose outputs are few.

    Without gradients on a CPU each column of the kernel is a convolution of its own, all of them together one of
    `kernel` times as many outputs, which fill a processor's registers; they are added where they belong.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (B, C, H, W)."""
        if torch.is_grad_enabled() or not x.is_cpu or self.stride != (1, 1) or self.dilation != (1, 1):
            return super().forward(x)
        width = x.shape[-1]
        padded = pad(x, self.around(x), mode=self.border)
        columns = self.weight.permute(3, 0, 1, 2).flatten(0, 1).unsqueeze(-1)  # (kernel O, I, kernel, 1)
        apart = F.conv2d(padded, columns).chunk(self.kernel_size[1], dim=1)  # each (B, O, H, W + kernel - 1)
        y = apart[0][..., :width]
        for shift, part in enumerate(apart[1:], start=1):
            y = y + part[..., shift : shift + width]
        return y if self.bias is None else y + self.bias.view(-1, 1, 1)
