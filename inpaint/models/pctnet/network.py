"""PCT-Net (Guerreiro, Nakazawa, Stenger, CVPR 2023): a network at a fixed small size, a color transform at full size.

A U-Net reads the composite and its mask at the working size and predicts the numbers of a color transform for every
pixel, and how much of its result is taken. Both are enlarged to the image's size and applied there, so that no detail
of the image is lost whatever its size. The U-Net with attentions for foreground and background is that of iS2AM
(Sofiiuk et al., WACV 2021), which the authors' program builds upon.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.models.base import InpaintNetwork
from inpaint.models.pctnet.config import Config
from inpaint.models.pctnet.transform import ColorTransform
from inpaint.nn.batch_norm import ConvNorm
from inpaint.nn.random import drawing_from

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colors: what the network reads and transforms is (color - MEAN) / STD."""
BLUR_PX, BLUR_SIGMA = 7, 1.0  # of the mask, at each size of features
SHARPNESS = 3.0  # the attention map is sigmoid(3 x)
START = 0.01  # times the usual weights of the last layer: the first transforms are nearly the identity
LEAST_GATE = 8  # features inside a channel attention, where a sixteenth of those it reads are fewer


class Predicted(NamedTuple):
    """What the U-Net predicts: numbers (B, N, h, w), and how much of the transform is taken (B, 1, h, w) in [0, 1]."""

    numbers: Tensor
    attention: Tensor


class ConvReLU(nn.Module):
    """A 3 x 3 convolution and ReLU."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W)."""
        return F.relu(self.conv(x))


def _layer(before: int, after: int, *, norm: bool, bias: bool = True) -> nn.Module:
    return ConvNorm(nn.Conv2d(before, after, 3, padding=1, bias=bias)) if norm else ConvReLU(before, after)


class ChannelGate(nn.Module):
    """Weighs each channel by what its mean and its maximum over all places say."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(2 * channels, max(channels // 16, LEAST_GATE))
        self.widen = nn.Linear(max(channels // 16, LEAST_GATE), channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to the same shape."""
        pooled = torch.cat((x.mean(dim=(2, 3)), x.amax(dim=(2, 3))), dim=1)  # (B, 2C)
        weights = torch.sigmoid(self.widen(F.relu(self.narrow(pooled))))
        return weights[..., None, None] * x


class SeparateAttention(nn.Module):
    """Attention of its own for foreground and background, told apart by the blurred mask (iS2AM, section 3.2).

    The authors' program draws the blur's kernel at random by the initialization of its layers, and files hold it;
    here it is Gaussian, unless weights bring another.
    """

    blur: Tensor

    def __init__(self, channels: int, *, ratio: float) -> None:
        super().__init__()
        inner = max(int(ratio * channels), 1)
        self.background, self.foreground, self.both = (ChannelGate(channels) for _ in range(3))
        self.learned = nn.Sequential(
            _layer(channels, inner, norm=True, bias=False), _layer(inner, channels, norm=True, bias=False)
        )
        self.register_buffer("blur", gaussian())

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map x (B, C, h, w); mask (B, 1, H, W) at any size, 1 = foreground."""
        small = F.interpolate(mask, x.shape[-2:], mode="bilinear", align_corners=True)
        inside = F.conv2d(small, self.blur, padding=BLUR_PX // 2)
        foreground = self.learned(self.foreground(x)) + self.both(x)
        mixed: Tensor = inside * foreground + (1 - inside) * self.background(x)
        return mixed


def gaussian() -> Tensor:
    """Return the kernel of the mask's blur, (1, 1, 7, 7), of sum 1."""
    places = torch.arange(BLUR_PX, dtype=torch.float64) - BLUR_PX // 2
    line = torch.exp(-0.5 * (places / BLUR_SIGMA) ** 2)
    kernel = torch.outer(line, line)
    return (kernel / kernel.sum()).float()[None, None]


class Down(nn.Sequential):
    """Two convolutions at one size on the way down."""

    def __init__(self, before: int, after: int, *, norm: bool) -> None:
        super().__init__(_layer(before, after, norm=norm), _layer(after, after, norm=norm))


class Up(nn.Module):
    """Doubling, joined with the features of that size from the way down, attention perhaps, and two convolutions."""

    def __init__(self, before: int, after: int, *, attention: float | None) -> None:
        super().__init__()
        self.widen = ConvReLU(before, after)
        self.attention = None if attention is None else SeparateAttention(2 * after, ratio=attention)
        self.convs = nn.Sequential(_layer(2 * after, after, norm=True), _layer(after, after, norm=True))

    def forward(self, x: Tensor, skip: Tensor, mask: Tensor) -> Tensor:
        """Map x (B, C, h, w) and skip (B, C', 2h, 2w) to (B, C', 2h, 2w)."""
        x = self.widen(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True))
        x = torch.cat((skip, x), dim=1)
        if self.attention is not None:
            x = self.attention(x, mask)
        found: Tensor = self.convs(x)
        return found


class UNet(nn.Module):
    """From a composite and its mask at the working size to the numbers of a color transform."""

    def __init__(self, config: Config, transform: ColorTransform) -> None:
        super().__init__()
        widths = [min(config.width * 2**number, config.widest) for number in range(config.depth)]
        self.down = nn.ModuleList(
            Down(before, after, norm=number >= config.norm_from)
            for number, (before, after) in enumerate(zip((4, *widths), widths, strict=False))
        )
        self.up = nn.ModuleList(
            Up(before, after, attention=config.attention_ratio if number >= config.attention_from else None)
            for number, (before, after) in enumerate(zip(widths[:0:-1], widths[-2::-1], strict=True))
        )
        self.attention = nn.Conv2d(widths[0], 1, 1)
        self.numbers = nn.Conv2d(widths[0], transform.count, 1)
        initialize_(self)
        with torch.no_grad():
            assert self.numbers.bias is not None
            self.numbers.weight.mul_(START)
            self.numbers.bias.copy_(transform.identity(MEAN, STD))

    def forward(self, image: Tensor, mask: Tensor) -> Predicted:
        """Predict from image (B, 3, h, w), normalized, and mask (B, 1, h, w), 1 = foreground."""
        x, skips = torch.cat((image, mask), dim=1), []
        for number, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if number else x)
            skips.append(x)
        for block, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            x = block(x, skip, mask)
        return Predicted(self.numbers(x), torch.sigmoid(SHARPNESS * self.attention(x)))


def initialize_(network: nn.Module) -> None:
    """Draw weights as the program does (Glorot's normal distribution of gain sqrt(2)) and set biases to 0.

    The last layer is then made to predict nearly the identity; the program begins near black.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_normal_(layer.weight, gain=2**0.5)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class Network(InpaintNetwork):
    """PCT-Net on images in [0, 1]; its only role is `generator`."""

    def __init__(self, config: Config, *, seed: int = 0) -> None:
        super().__init__(config)
        self.transform = ColorTransform(config.transform, offset=config.offset)
        with drawing_from(seed):
            self.generator = UNet(config, self.transform)

    def forward(self, image: Tensor, mask: Tensor, **planes: Tensor) -> dict[str, Tensor]:
        """Harmonize composites (B, 3, H, W) in [0, 1]; mask (B, 1, H, W), 1 = what was pasted: {"raw"}."""
        return {"raw": self.harmonized(image, self.predict(image, mask))}

    def predict(self, image: Tensor, mask: Tensor) -> Predicted:
        """Return what the U-Net makes of composites and masks of any size, at the working size."""
        size = (self.config.working_px, self.config.working_px)
        small, inside = (resized(plane, size) for plane in (image, mask.to(image.dtype)))
        found: Predicted = self.generator(normalized(small), inside)
        return found

    def harmonized(self, image: Tensor, predicted: Predicted) -> Tensor:
        """Apply what was predicted to composites (B, 3, H, W) in [0, 1], at their size; as large, and not clamped."""
        wide = image.to(torch.promote_types(image.dtype, torch.float32))
        size = wide.shape[-2:]
        numbers, attention = (plane.to(wide.dtype) for plane in predicted)
        colors = self.transform(normalized(wide), lambda some: enlarged(numbers[:, some], size))
        if self.config.clamp:
            colors = colors.clamp(0, 1)
        return torch.lerp(wide, colors, enlarged(attention, size)).to(image.dtype)


def normalized(image: Tensor) -> Tensor:
    """Return images (B, 3, H, W) in [0, 1] by ImageNet's mean and deviation."""
    mean, std = (image.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return (image - mean) / std


def resized(plane: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a plane (B, C, H, W) at another size, by the four nearest pixels as OpenCV's linear interpolation."""
    return F.interpolate(plane, size, mode="bilinear", align_corners=False)


def enlarged(plane: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return a predicted plane (B, C, h, w) at the image's size, by cubic interpolation as the program does."""
    return F.interpolate(plane, tuple(size), mode="bicubic", align_corners=False)
