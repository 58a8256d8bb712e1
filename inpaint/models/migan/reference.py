"""MI-GAN in the plain arithmetic of the public program: what tests and speed measurements compare with.

Filters are convolutions like any other, sizes are doubled by a grid of ones among zeros, activations are three passes,
all in the layout of the input. Shares weights and configuration with a `Network`, which are copied, and nothing else.
Images must have the sides of the network's resolution where noise is added, as there.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.models.migan.layers import Pointwise, SeparableConv
from inpaint.models.migan.network import Network


def _activated(y: Tensor, gain: float) -> Tensor:
    y = F.leaky_relu(y, 0.2) * (2**0.5 * gain)
    return y.clamp(-256 * gain, 256 * gain)


class _Filter(nn.Module):
    """The binomial filter on each channel, stored as the weights of a convolution."""

    def __init__(self, channels: int, divisor: float, like: Tensor) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]).to(like)
        self.register_buffer("weight", (taps[:, None] * taps / divisor).repeat(channels, 1, 1, 1))
        self.weight: Tensor

    def forward(self, x: Tensor, *, stride: int = 1) -> Tensor:
        """Filter x (B, C, H, W), without padding."""
        return F.conv2d(x, self.weight, stride=stride, groups=x.shape[1])


class PlainDouble(nn.Module):
    """Twice the size: each place four times, three of which become zero, then the filter."""

    def __init__(self, channels: int, like: Tensor) -> None:
        super().__init__()
        self.filter = _Filter(channels, 16.0, like)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to (B, C, 2 H, 2 W)."""
        height, width = x.shape[-2:]
        grid = torch.tensor([[1.0, 0.0], [0.0, 0.0]]).to(x).repeat(height, width)
        spread = F.interpolate(x, scale_factor=2, mode="nearest") * grid
        filtered: Tensor = self.filter(F.pad(spread, (2, 1, 2, 1)))
        return filtered


class PlainSeparable(nn.Module):
    """A separable convolution, step by step."""

    def __init__(self, layer: SeparableConv) -> None:
        super().__init__()
        self.gain = layer.gain
        depth, mix = layer.depth().detach().clone(), layer.mix().detach().clone()
        channels, outputs = depth.shape[0], mix.shape[0]
        self.depth = nn.Conv2d(channels, channels, 3, padding=1, groups=channels).to(depth)
        self.mix = nn.Conv2d(channels, outputs, 1, bias=False).to(mix)
        with torch.no_grad():
            self.depth.weight.copy_(depth)
            assert self.depth.bias is not None
            self.depth.bias.copy_(layer.bias)
            self.mix.weight.copy_(mix)
        self.downsample = _Filter(channels, 64.0, depth) if layer.size == "half" else None
        self.upsample = PlainDouble(outputs, depth) if layer.size == "double" else None
        stored = (layer.noise, layer.noise_strength)
        noise, strength = (None if value is None else value.detach().clone() for value in stored)
        self.register_buffer("noise", noise)
        self.register_buffer("noise_strength", strength)
        self.noise: Tensor | None
        self.noise_strength: Tensor | None

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) as `SeparableConv` does."""
        y = _activated(self.depth(x), self.gain)
        if self.downsample is not None:
            y = self.downsample(F.pad(y, (1, 1, 1, 1)), stride=2)
        y = self.mix(y)
        if self.upsample is not None:
            y = self.upsample(y)
        if self.noise is not None and self.noise_strength is not None:
            y = y.add(self.noise * self.noise_strength)
        return _activated(y, self.gain)


class _Colors(nn.Module):
    """A pointwise convolution."""

    def __init__(self, layer: Pointwise) -> None:
        super().__init__()
        kernel = layer.kernel().detach()
        self.conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], 1).to(kernel)
        with torch.no_grad():
            self.conv.weight.copy_(kernel)
            assert self.conv.bias is not None
            assert layer.bias is not None
            self.conv.bias.copy_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        y: Tensor = self.conv(x)
        return y


class _Pair(nn.Module):
    """The two separable convolutions of a block."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        first, second = block.get_submodule("conv1"), block.get_submodule("conv2")
        assert isinstance(first, SeparableConv)
        assert isinstance(second, SeparableConv)
        self.conv1, self.conv2 = PlainSeparable(first), PlainSeparable(second)

    def forward(self, x: Tensor, added: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return what the first makes, with `added`, and what the second makes of that."""
        y = self.conv1(x)
        y = y if added is None else y + added
        return y, self.conv2(y)


class Reference(nn.Module):
    """A `Network` computed plainly: the same images from the same weights, which are copied."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        generator = network.generator
        self.fromrgb = _Colors(generator.fromrgb)
        self.down = nn.ModuleList(_Pair(block) for block in generator.encoder.values())
        self.up = nn.ModuleList(_Pair(block) for block in generator.synthesis.values())
        self.torgb = nn.ModuleList(_Colors(block.torgb) for block in generator.synthesis.values())  # type: ignore[arg-type]
        self.upsample = PlainDouble(3, next(network.parameters()))
        self.eval()

    def forward(self, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Fill the holes: {"raw"} as `Network` does."""
        known = 1 - mask
        x = torch.cat((known - 0.5, (2 * image - 1) * known), dim=1)
        x = _activated(self.fromrgb(x), 1.0)
        features = []
        for pair in self.down:
            found, x = pair(x)
            features.append(found)
        picture: Tensor | None = None
        for pair, torgb in zip(self.up, self.torgb, strict=True):
            _, x = pair(x, features.pop())
            picture = torgb(x) if picture is None else self.upsample(picture) + torgb(x)
        assert picture is not None
        return {"raw": (picture + 1) / 2}
