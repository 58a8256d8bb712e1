"""The plain arithmetic of the network, as public programs compute it, to compare speed and results with."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.models.image_transform import ConditionalNorm
from inpaint.models.multistyle.network import Network
from inpaint.nn import vgg


class Reference(nn.Module):
    """The same network in PyTorch's own layers, scales and shifts behind them; for sizes that are multiples of four."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.config = network.config
        generator = network.generator
        self.steps = nn.ModuleDict({name: _plain(conv) for name, conv in generator.convolutions.items()})  # type: ignore[arg-type]
        self.norms = nn.ModuleDict({name: PlainNorm(norm) for name, norm in generator.norms.items()})  # type: ignore[arg-type]

    def forward(self, image: Tensor, weights: Tensor) -> Tensor:
        """Paint images (B, 3, H, W) in [0, 1] by weights of the styles (B, N)."""
        x = vgg.normalized(image) if self.config.values == "imagenet" else image
        for name in ("conv1", "conv2", "conv3"):
            x = F.relu(self._step(name, x, weights))
        for number in range(1, self.config.blocks + 1):
            inner = F.relu(self._step(f"block{number}_1", x, weights))
            x = x + self._step(f"block{number}_2", inner, weights)
        for name in ("up1", "up2"):
            x = F.relu(self._step(name, F.interpolate(x, scale_factor=2, mode="nearest"), weights))
        return self._step("out", x, weights).sigmoid()

    def _step(self, name: str, x: Tensor, weights: Tensor) -> Tensor:
        found: Tensor = self.norms[name](self.steps[name](x), weights)
        return found


class PlainNorm(nn.Module):
    """Instance norm, then the scales and shifts that weights mix."""

    def __init__(self, norm: ConditionalNorm) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(norm.gamma.detach().clone()), nn.Parameter(norm.beta.detach().clone())
        self.norm = nn.InstanceNorm2d(norm.gamma.shape[1], affine=norm.shared is not None)
        if norm.shared is not None:
            self.norm.load_state_dict(norm.shared.state_dict())
        self.norm.to(norm.gamma)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """Normalize x (B, C, H, W)."""
        scale, shift = weights @ self.gamma, weights @ self.beta
        normalized: Tensor = self.norm(x)
        return scale[..., None, None] * normalized + shift[..., None, None]


def _plain(conv: nn.Conv2d) -> nn.Sequential:
    kernel = conv.kernel_size[0]
    plain = nn.Conv2d(conv.in_channels, conv.out_channels, kernel, conv.stride[0], bias=conv.bias is not None)
    plain.load_state_dict(conv.state_dict())
    return nn.Sequential(nn.ReflectionPad2d(kernel // 2), plain.to(conv.weight))
