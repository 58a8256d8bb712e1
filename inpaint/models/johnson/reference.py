"""The plain arithmetic of the network, as PyTorch's example computes it, to compare speed and results with."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.models.image_transform import AffineInstanceNorm
from inpaint.models.johnson.network import Network, to_unit, to_values


class Reference(nn.Module):
    """The same network with instance norm in PyTorch's own layers; for a size that is a multiple of four."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.config = network.config
        if (self.config.norm, self.config.upsampling, self.config.border) != ("instance", "nearest", "reflect"):
            raise ValueError("the plain arithmetic is that of instance norm, nearest neighbors and mirrored borders")
        convolutions, norms = network.generator.convolutions, network.generator.norms
        self.blocks = self.config.blocks
        self.steps = nn.ModuleDict({name: _plain(conv) for name, conv in convolutions.items()})  # type: ignore[arg-type]
        self.norms = nn.ModuleDict({name: _plain_norm(norm) for name, norm in norms.items()})  # type: ignore[arg-type]

    def forward(self, image: Tensor) -> Tensor:
        """Paint images (B, 3, H, W) in [0, 1]."""
        x = to_values(image, self.config)
        for name in ("conv1", "conv2", "conv3"):
            x = F.relu(self._step(name, x))
        for number in range(1, self.blocks + 1):
            x = x + self._step(f"block{number}_2", F.relu(self._step(f"block{number}_1", x)))
        for name in ("up1", "up2"):
            x = F.relu(self._step(name, F.interpolate(x, scale_factor=2, mode="nearest")))
        return to_unit(self.steps["out"](x), self.config)

    def _step(self, name: str, x: Tensor) -> Tensor:
        found: Tensor = self.norms[name](self.steps[name](x))
        return found


def _plain(conv: nn.Conv2d) -> nn.Sequential:
    kernel = conv.kernel_size[0]
    plain = nn.Conv2d(conv.in_channels, conv.out_channels, kernel, conv.stride[0])
    plain.load_state_dict(conv.state_dict())
    return nn.Sequential(nn.ReflectionPad2d(kernel // 2), plain.to(conv.weight))


def _plain_norm(norm: AffineInstanceNorm) -> nn.InstanceNorm2d:
    plain = nn.InstanceNorm2d(len(norm.weight), affine=True)
    plain.load_state_dict(norm.state_dict())
    return plain.to(norm.weight)
