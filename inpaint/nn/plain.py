"""Layers that choose their steps by the size of their input, and the plain form of each, the same steps for every size.

A graph that is exported for any size cannot branch or loop over it. Plain forms compute the same up to rounding.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class HasPlainForm(nn.Module):
    """Base of a layer with a plain form; beside another layer it comes second.

    plain: whether the plain form is used.
    """

    plain: bool = False


def use_plain_forms(network: nn.Module) -> None:
    """Let every layer below a network that has a plain form use it from now on."""
    for layer in network.modules():
        if isinstance(layer, HasPlainForm):
            layer.plain = True


def box_sums(x: Tensor, kernel: int, *, stride: int = 1, around: int = 0, dilation: int = 1, plain: bool) -> Tensor:
    """Add up each window of one plane (B, 1, H, W).

    Without a convolution, which a GPU might round to TensorFloat-32; the plain form is one, since the pooling of graphs
    divides by the size of the window.

    Args:
        x: The plane.
        kernel: Side of a window.
        stride: Step between windows.
        around: Zeros beyond every border.
        dilation: Step within a window; other than 1 in the plain form alone.
        plain: Whether to use the plain form.
    """
    if plain:
        return F.conv2d(x, x.new_ones(1, 1, kernel, kernel), None, stride, around, dilation)
    return F.avg_pool2d(x, kernel, stride, around, divisor_override=1)
