"""Deep Decoder (Heckel and Hand 2019, arXiv 1810.03982): an image prior with fewer weights than pixels.

No convolution wider than one pixel: channels are mixed, enlarged twofold, rectified and normalized, five times.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from inpaint.dip.layers import Convolution, Normalization
from inpaint.options import Options


class DecoderOptions(Options):
    """width: channels everywhere. depth: how often the map is enlarged twofold."""

    width: int = Field(128, gt=0)
    depth: int = Field(5, ge=1, le=8)
    out_channels: int = Field(3, gt=0)

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the input from which images of at least this size are decoded."""
        return -(-height // 2**self.depth), -(-width // 2**self.depth)


class Decoder(nn.Module):
    """(1, width, h, w) to (1, out_channels, h * 2^depth, w * 2^depth) in [0, 1]; rectified before normalized."""

    def __init__(self, options: DecoderOptions, *, seed: int = 0) -> None:
        super().__init__()
        self.options = options
        generator = torch.Generator().manual_seed(seed)
        count = options.depth + 1
        self.mixing = nn.ModuleList(
            Convolution(options.width, options.width, 1, generator=generator) for _ in range(count)
        )
        self.norms = nn.ModuleList(Normalization(options.width) for _ in range(count))
        self.head = Convolution(options.width, options.out_channels, 1, generator=generator)

    def forward(self, z: Tensor) -> Tensor:
        """Decode z (1, width, h, w); the result is float32."""
        x = z
        for number, (mix, norm) in enumerate(zip(self.mixing, self.norms, strict=True)):
            x = mix(x)
            if number < self.options.depth:
                x = F.interpolate(x, scale_factor=2, mode="bilinear")
            x = norm(F.relu(x))
        painted: Tensor = self.head(x)
        return painted.float().sigmoid()


def decoder_input(options: DecoderOptions, height: int, width: int, *, seed: int) -> Tensor:
    """Return the fixed input, uniform in [0, 0.1)."""
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.rand(1, options.width, *options.input_size(height, width), generator=generator)
