"""AOT-GAN in the plain arithmetic of the public program: what tests and speed measurements compare with.

Every convolution mirrors its own input, gates are computed step by step, all in the layout of the input. Shares weights
and configuration with a `Network`, which are copied, and nothing else.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inpaint.models.aotgan.network import AOTBlock, Network
from inpaint.nn.padding import PaddedConv2d


def _plain(conv: nn.Conv2d) -> nn.Sequential:
    """Return a convolution of torch's own after a mirroring of torch's own, with copied weights."""
    kernel, stride, dilation = conv.kernel_size[0], conv.stride[0], conv.dilation[0]
    around = dilation * (kernel - 1) // 2
    mirrors = isinstance(conv, PaddedConv2d) and conv.border == "reflect"
    plain = nn.Conv2d(conv.in_channels, conv.out_channels, kernel, stride, 0 if mirrors else around, dilation)
    plain.to(conv.weight).load_state_dict(conv.state_dict())
    return nn.Sequential(nn.ReflectionPad2d(around), plain) if mirrors else nn.Sequential(plain)


class PlainBlock(nn.Module):
    """A block of the network."""

    def __init__(self, block: AOTBlock) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*_plain(conv), nn.ReLU()) for conv in block.branches)  # type: ignore[arg-type]
        self.fuse, self.gate = _plain(block.fuse), _plain(block.gate)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to the same shape."""
        fused = self.fuse(torch.cat([branch(x) for branch in self.branches], dim=1))
        gate = self.gate(x)
        mean = gate.mean((2, 3), keepdim=True)
        deviation = gate.std((2, 3), keepdim=True) + 1e-9
        gate = 2 * (gate - mean) / deviation - 1
        mask = torch.sigmoid(5 * gate)
        mixed: Tensor = x * (1 - mask) + fused * mask
        return mixed


class Reference(nn.Module):
    """A `Network` computed plainly: the same images from the same weights, which are copied."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        generator = network.generator
        relu = nn.ReLU()
        self.front = nn.Sequential(
            *_plain(generator.stem), relu, *_plain(generator.down1), relu, *_plain(generator.down2), relu
        )
        self.blocks = nn.Sequential(*(PlainBlock(block) for block in generator.blocks))  # type: ignore[arg-type]
        twice = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.after = nn.Sequential(
            twice, *_plain(generator.up1.conv), relu, twice, *_plain(generator.up2.conv), relu, *_plain(generator.head)
        )
        self.eval()

    def forward(self, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Fill the holes: {"raw"} as `Network` does."""
        planes = torch.cat(((2 * image - 1) * (1 - mask) + mask, mask), dim=1)
        painted = torch.tanh(self.after(self.blocks(self.front(planes))))
        return {"raw": (painted + 1) / 2}
