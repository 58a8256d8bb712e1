"""The U-Net in the plain arithmetic of public programs: what tests and speed measurements compare with.

Masks with as many planes as features, convolved with kernels of ones; concatenated maps at full size; batch norm by
itself. Slow on purpose and in the layout of its input; shares weights and configuration with a `Network`, nothing else.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.models.pconv.network import RANGES, Block, Network, blocks_of


class PlainBlock(nn.Module):
    """A layer of the network with a second convolution for its mask."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        conv = block.conv
        size = (conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0], conv.kernel_size[0] // 2)
        self.features = nn.Conv2d(*size, bias=conv.bias is not None)
        self.masks = nn.Conv2d(*size, bias=False)
        nn.init.ones_(self.masks.weight)
        self.norm = nn.Identity() if block.norm is None else nn.BatchNorm2d(conv.out_channels)
        self.slope = block.slope
        self.to(conv.weight)
        self.features.load_state_dict(conv.state_dict())
        if block.norm is not None:
            self.norm.load_state_dict(block.norm.state_dict())

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Map x and its mask, both (B, C, H, W), 1 = known, to the next two."""
        y = self.features(x * mask)
        bias = torch.zeros_like(y) if self.features.bias is None else self.features.bias.view(-1, 1, 1).expand_as(y)
        with torch.no_grad():
            sums = self.masks(mask)
        nothing = sums == 0
        window = self.features.weight[0].numel()
        y = (y - bias).mul_(window) / sums.masked_fill_(nothing, 1.0) + bias
        y = self.norm(y.masked_fill_(nothing, 0.0))
        if self.slope == 0:
            y = F.relu(y)
        elif self.slope is not None:
            y = F.leaky_relu(y, self.slope)
        return y, torch.ones_like(y).masked_fill_(nothing, 0.0)


class Reference(nn.Module):
    """A `Network` computed plainly: the same images from the same weights, which are copied."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.config = network.config
        self.encoder = nn.ModuleList(PlainBlock(block) for block in blocks_of(network.generator.encoder))
        self.decoder = nn.ModuleList(PlainBlock(block) for block in blocks_of(network.generator.decoder))
        self.eval()

    def forward(self, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Fill the holes: {"raw"} as `Network` does."""
        height, width = image.shape[-2:]
        multiple = 2**self.config.depth
        padding = (0, -width % multiple, 0, -height % multiple)
        mean, deviation = (image.new_tensor(values).view(3, 1, 1) for values in RANGES[self.config.value_range])
        x = F.pad((image - mean) / deviation, padding)
        known = F.pad(1 - mask.expand_as(image), padding)
        maps = [(x * known, known)]
        for block in self.encoder:
            maps.append(block(*maps[-1]))
        x, known = maps.pop()
        for block in reversed(self.decoder):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            known = F.interpolate(known, scale_factor=2, mode="nearest")
            skip, skip_known = maps.pop()
            x, known = block(torch.cat((x, skip), dim=1), torch.cat((known, skip_known), dim=1))
        return {"raw": x[..., :height, :width] * deviation + mean}
