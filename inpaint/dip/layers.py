"""Convolutions, normalization and resampling for networks that are fitted to a single image.

Weights are float32; every layer computes in the dtype of what it is given, so that a whole network runs in bfloat16
without a copy of its weights. Normalization always takes the statistics of the image at hand: a network that is
fitted to one image has no others, and running averages change its output by up to 0.45.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.dip.options import Activation, Border, Upsampling
from inpaint.nn.padding import pad


class Convolution(nn.Module):
    """A convolution with an odd kernel, stride 1 or 2, whose output has ceil(side / stride) positions.

    Weights and biases start uniform in +-1/sqrt(inputs of a place), PyTorch's default. A bias is drawn even where none
    is kept, so that networks with and without start from the same weights.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        stride: int = 1,
        bias: bool = False,
        border: Border = "reflect",
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, got {kernel}")
        bound = (in_channels * kernel * kernel) ** -0.5
        self.weight = nn.Parameter(_uniform((out_channels, in_channels, kernel, kernel), bound, generator))
        shift = _uniform((out_channels,), bound, generator)
        self.bias = nn.Parameter(shift) if bias else None
        self.stride = stride
        self.border: Border = border

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (B, C, H, W)."""
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return convolve(x, self.weight, bias=bias, stride=self.stride, border=self.border)


def convolve(x: Tensor, weight: Tensor, *, bias: Tensor | None = None, stride: int = 1, border: Border) -> Tensor:
    """Convolve x (B, C, H, W) with a weight of any floating dtype (O, C, k, k), continued at the border as said."""
    around = weight.shape[-1] // 2
    weight = weight.to(x.dtype)
    if around == 0 or border == "zero":
        return F.conv2d(x, weight, bias, stride, around)
    return F.conv2d(pad(x, (around,) * 4, mode=border), weight, bias, stride)


def enlarge_and_convolve(x: Tensor, weight: Tensor, *, mode: Upsampling, border: Border) -> Tensor:
    """Return what a 3 x 3 convolution makes of x (B, C, H, W) enlarged twofold: (B, O, 2H, 2W).

    Equal pixels share products: enlarging by nearest neighbor and convolving is a transposed convolution with stride 2
    and the kernel's sums in a 4 x 4 kernel, 4 products per place instead of 9. Bilinear enlarging is nearest neighbor
    blurred with (1, 2, 1) / 4 both ways, and a blur may as well come last, channel by channel. At the border the
    enlarged map is continued by its last pixel: after nearest neighbor that is also what mirroring does, after
    bilinear it differs from mirroring there. `zero` is for nearest neighbor only.
    """
    summed = _summed(weight, flip=True).to(x.dtype).transpose(0, 1)  # (C, O, 4, 4)
    if mode == "nearest" and border == "zero":
        return F.conv_transpose2d(x, summed, stride=2, padding=1)
    x = pad(x, (1, 1, 1, 1), mode="replicate")
    if mode == "nearest":
        return F.conv_transpose2d(x, summed, stride=2, padding=3)
    if border == "zero":
        raise ValueError("bilinear enlarging cannot be followed by zeros here")
    sharp = F.conv_transpose2d(x, summed, stride=2, padding=2)  # (B, O, 2H + 2, 2W + 2)
    taps = torch.tensor((0.25, 0.5, 0.25), device=x.device)
    blur = torch.outer(taps, taps).to(x.dtype).expand(weight.shape[0], 1, 3, 3)
    return F.conv2d(sharp, blur, groups=weight.shape[0])


def convolve_and_halve(x: Tensor, weight: Tensor, *, border: Border) -> Tensor:
    """Return the means over 2 x 2 pixels of what a k x k convolution makes of x (B, C, H, W), H and W even.

    One convolution with stride 2 and a kernel larger by 1, which needs (k + 1)^2 products per place instead of 4 k^2.
    """
    around = weight.shape[-1] // 2
    summed = (_summed(weight) / 4).to(x.dtype)  # (O, C, k + 1, k + 1)
    return F.conv2d(pad(x, (around,) * 4, mode=border), summed, stride=2)


def _summed(weight: Tensor, *, flip: bool = False) -> Tensor:
    """Return weight (O, C, k, k), turned half round if `flip`, summed over 2 x 2 places: (O, C, k + 1, k + 1).

    As one matrix product: adding four shifted copies took longer than the convolution of a small map.
    """
    k = weight.shape[-1]
    shift = torch.zeros(k, k + 1, device=weight.device, dtype=weight.dtype)
    shift.diagonal().fill_(1)
    shift.diagonal(1).fill_(1)
    if flip:
        shift = shift.flip(0)
    return (weight.flatten(2) @ torch.kron(shift, shift)).view(*weight.shape[:2], k + 1, k + 1)


class Normalization(nn.Module):
    """Batch normalization by the statistics of the image itself, always, with a learned scale and shift."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, channels: slice = slice(None)) -> Tensor:
        """Normalize x (B, C, H, W), which may be only these `channels` of what the layer normalizes."""
        return F.batch_norm(x, None, None, self.weight[channels], self.bias[channels], training=True)


def activate(x: Tensor, kind: Activation) -> Tensor:
    """Apply the activation, in the memory of x where it needs no second copy for the gradient."""
    if kind == "leaky_relu":
        return F.leaky_relu(x, 0.2, inplace=True)
    if kind == "swish":
        return F.silu(x)
    return F.elu(x, inplace=True) if kind == "elu" else x


def lanczos_taps(factor: int, lobes: int) -> Tensor:
    """Return the 2 * lobes * factor taps (float64, sum 1) that reduce a side by `factor`, pixel areas aligned.

    Tap i lies at d = (i - (L - 1) / 2) / factor and weighs sinc(d) sinc(d / lobes) (phase 0.5 of the public code).
    """
    length = 2 * lobes * factor
    distance = (torch.arange(length, dtype=torch.float64) - (length - 1) / 2) / factor
    weights = torch.sinc(distance) * torch.sinc(distance / lobes)
    return weights / weights.sum()


class LanczosDownsampler(nn.Module):
    """Reduce images by an integer factor with the Lanczos kernel of 2 or 3 lobes; nothing in it is learned.

    Separable, channel by channel, border pixels repeated; a side of S pixels becomes floor(S / factor). Constants keep
    their value.
    """

    taps: Tensor

    def __init__(self, factor: int, *, lobes: int = 2) -> None:
        super().__init__()
        if factor < 2 or lobes not in (2, 3):
            raise ValueError(f"factor must be at least 2 and lobes 2 or 3, got {factor} and {lobes}")
        self.factor = factor
        self.register_buffer("taps", lanczos_taps(factor, lobes).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, C, H, W) reduced to (B, C, H // factor, W // factor)."""
        channels, taps = x.shape[1], self.taps.to(x.dtype)
        around = (len(taps) - self.factor) // 2
        # symmetric amounts leave no remainder: L - factor = (2 lobes - 1) factor, odd only where factor is odd
        after = len(taps) - self.factor - around
        x = pad(x, (around, after, around, after), mode="replicate")
        x = F.conv2d(x, taps.view(1, 1, -1, 1).expand(channels, 1, -1, 1), stride=(self.factor, 1), groups=channels)
        return F.conv2d(x, taps.view(1, 1, 1, -1).expand(channels, 1, 1, -1), stride=(1, self.factor), groups=channels)


def _uniform(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(shape, generator=generator) * 2 - 1) * bound
