"""Local response normalization (Krizhevsky et al. 2012) as SC-FEGAN uses it: y = x / sqrt(bias + sum of x^2).

The sum runs over a value's own channel and its neighbors on both sides, without a mean: TensorFlow's
`local_response_normalization` with alpha 1 and beta 0.5.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

RADIUS = 5  # neighboring channels on each side; TensorFlow's default
BIAS = 5e-5  # SC-FEGAN's


class ResponseNorm(nn.Module):
    """Divide every value by the root of the squares of its neighbors along the channels.

    The sums are products with a matrix of bands, a few percent of what the convolution before it costs, where a pooling
    over channels would take as long as the convolution. Computed in at least float32: squares leave half precision.

    Args:
        channels: That come in.
        radius: Channels on each side that count; the sum is cut at both ends.
        bias: Added to the sum.

    Example:
        >>> ResponseNorm(2, bias=0.0)(torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)).flatten().round(decimals=3).tolist()
        [0.6000000238418579, 0.800000011920929]
    """

    def __init__(self, channels: int, *, radius: int = RADIUS, bias: float = BIAS) -> None:
        super().__init__()
        self.bias = bias
        place = torch.arange(channels)
        near = (place[:, None] - place).abs() <= radius
        self.bands: Tensor  # 1 where two channels are near each other
        self.register_buffer("bands", near.float(), persistent=False)  # (C, C)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize x (B, C, H, W), in its type."""
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        with torch.autocast(x.device.type, enabled=False):
            sums = (exact.square().permute(0, 2, 3, 1) @ self.bands.to(exact)).permute(0, 3, 1, 2)
            return (exact * (sums + self.bias).rsqrt()).to(x.dtype)
