"""Instance normalization, and what usually follows it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

EPS = 1e-5


def instance_norm(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
    """Bring every channel of every image of x (B, C, H, W) to mean 0 and variance 1: (x - mean) / sqrt(var + 1e-5).

    weight, bias: what is then multiplied with and added, (C,) or, of every image its own, (B, C); both or none.

    The variance is that of the places themselves (divided by H W). Statistics of half precision are taken in float32.
    Without gradients on a CPU, an image with its channels last is normalized where it lies: PyTorch's own instance
    normalization would bring it into another order and back.
    """
    if torch.is_grad_enabled() or not x.is_cpu or not x.is_contiguous(memory_format=torch.channels_last):
        if weight is None or bias is None or weight.ndim == 1:
            return F.instance_norm(x, weight=weight, bias=bias, eps=EPS)
        return torch.addcmul(bias[..., None, None], weight[..., None, None], F.instance_norm(x, eps=EPS))
    # One image alone is a batch of one, whose batch statistics are its own.
    parts = [
        F.batch_norm(one, None, None, _of(weight, i), _of(bias, i), training=True, eps=EPS)
        for i, one in enumerate(torch.split(x, 1))
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _of(values: Tensor | None, image: int) -> Tensor | None:
    return values if values is None or values.ndim == 1 else values[image]


def norm_relu(x: Tensor) -> Tensor:
    """Normalize x (B, C, H, W) and cut off what is negative."""
    normalized = instance_norm(x)
    return F.relu(normalized, inplace=not torch.is_grad_enabled())
