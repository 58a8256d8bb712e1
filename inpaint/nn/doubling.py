"""A 3 x 3 convolution of an image enlarged twice, computed from the small image: 4 multiplications instead of 9."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def doubled(x: Tensor) -> Tensor:
    """Return x (B, C, H, W) with every pixel four times, (B, C, 2 H, 2 W)."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def phase_kernels(weight: Tensor) -> Tensor:
    """Return the kernels that find each of the four pixels from the small image.

    Of three neighbors in the enlarged image two are the same pixel of the small one, so that their weights are added.

    Args:
        weight: (O, I, 3, 3).

    Returns:
        (4 O, I, 2, 2), computed in float64 and rounded once: top left, top right, bottom left, bottom right.
    """
    w = weight.double()
    parts = [half for rows in _halves(w, 2) for half in _halves(rows, 3)]
    return torch.cat(parts).to(weight.dtype)


def _halves(w: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Return the kernels of the first and the second of two pixels along an axis, which three weights lie along."""
    before, here, behind = w.unbind(axis)
    return torch.stack((before, here + behind), axis), torch.stack((before + here, behind), axis)


def convolve_doubled(x: Tensor, kernels: Tensor, bias: Tensor | None) -> Tensor:
    """Return the convolution of the enlarged image, mirrored at its border without repeating it.

    Mirroring the enlarged image repeats the border of the small one.

    Args:
        x: (B, I, H, W), the small image.
        kernels: From `phase_kernels`.
        bias: (O,).

    Returns:
        (B, O, 2 H, 2 W), channels last in memory.
    """
    batch, _, height, width = x.shape
    count = len(kernels) // 4
    found = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernels, None if bias is None else bias.repeat(4))
    found = found.permute(0, 2, 3, 1).view(batch, height + 1, width + 1, 2, 2, count)
    whole = found.new_empty(batch, height, 2, width, 2, count)
    for down in (0, 1):
        for right in (0, 1):
            whole[:, :, down, :, right] = found[:, down : down + height, right : right + width, down, right]
    return whole.view(batch, 2 * height, 2 * width, count).permute(0, 3, 1, 2)
