"""Gated convolution (Yu et al., "Free-Form Image Inpainting with Gated Convolution", eq. 2 and 3).

Features a and gates g come from one convolution with twice the channels, in the order [a; g]:
y = activation(a) * sigmoid(g). A convolution decides so at every place how much of a feature counts, where a partial
convolution only knows hole or no hole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from inpaint.nn.inference import Prepared, block_bytes
from inpaint.nn.padding import PaddedConv2d, PaddingMode, pad
from inpaint.nn.plain import HasPlainForm

Activation: TypeAlias = Literal["elu", "relu", "leaky_relu", "none"]
SLOPE = 0.2  # of the leaky ReLU, below 0

# Without gradients on a CPU, outputs above WHOLE_BYTES (features and gates) are computed in strips of STRIP_BYTES for
# each thread: such memory is used again and stays in the cache, where larger blocks come fresh from the system, page by
# page, each time.
WHOLE_BYTES = 16 * 2**20
STRIP_BYTES = 2 * 2**20


def gated(x: Tensor, *, activation: Activation = "elu", plain: bool = False) -> Tensor:
    """Return activation(a) * sigmoid(g) for x = [a; g] (B, 2C, H, W).

    plain: by PyTorch's own operators alone, as a graph that is exported needs it.

    Example:
        >>> gated(torch.tensor([2.0, 0.0]).view(1, 2, 1, 1)).item()
        1.0
    """
    feature, gate = x.chunk(2, dim=1)  # (B, C, H, W) each
    if not plain and x.is_cpu and x.stride(1) == 1 and not torch.compiler.is_compiling():
        return cast(Tensor, _GatedApart.apply(x, activation))
    if activation == "elu":
        feature = F.elu(feature)
    elif activation == "relu":
        feature = F.relu(feature)
    elif activation == "leaky_relu":
        feature = F.leaky_relu(feature, SLOPE)
    return feature * gate.sigmoid()


class _GatedApart(torch.autograd.Function):
    """The same on a CPU in channels_last, each half in memory of its own, see `_activated`.

    The gradient is computed from x alone, so that nothing else is kept for it.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, activation: Activation) -> Tensor:
        ctx.save_for_backward(x)
        ctx.activation = activation
        feature, gate = x.chunk(2, dim=1)
        return _activated(feature, activation).mul_(_apart(gate).sigmoid_())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        feature, gate = x.chunk(2, dim=1)
        activated, open_share = _activated(feature, ctx.activation), _apart(gate).sigmoid_()
        by_feature = grad * open_share
        # d sigmoid = s (1 - s); both halves of the gradient have grad * s in common.
        by_gate = torch.addcmul(by_feature, by_feature, open_share, value=-1).mul_(activated)
        if ctx.activation == "elu":
            by_feature.mul_(activated.clamp_(max=0).add_(1))  # exp(a) for a < 0, else 1
        elif ctx.activation == "relu":
            by_feature.mul_(activated > 0)
        elif ctx.activation == "leaky_relu":
            by_feature.mul_(torch.where(activated > 0, 1.0, SLOPE))
        return torch.cat((by_feature, by_gate), dim=1), None


def _apart(half: Tensor) -> Tensor:
    return half.clone(memory_format=torch.channels_last)


def _activated(feature: Tensor, activation: Activation) -> Tensor:
    """Return activation(a) in memory of its own, for one half of a tensor in channels_last.

    There a half is C numbers of every 2C. Functions such as the exponential and the sigmoid cost four to five times
    the copy on a CPU: vector instructions take 32 float32 at a time, and what is left of a row of, say, 24 goes one
    number at a time. So only the simplest arithmetic reads the half in place.
    """
    if activation == "elu" and feature.dtype in (torch.float32, torch.float64):
        # max(a, exp(min(a, 0)) - 1) takes less time than expm1, and differs from it by one rounding of numbers near 1.
        below = torch.clamp(feature, max=0).exp_().sub_(1)
        return torch.maximum(feature, below, out=below)
    feature = _apart(feature)
    if activation == "none":
        return feature
    if activation == "leaky_relu":
        return F.leaky_relu_(feature, SLOPE)
    return F.elu_(feature) if activation == "elu" else feature.relu_()


def _strips(
    x: Tensor, rows: int, *, extent: int, stride: int, sides: tuple[int, int, int, int]
) -> Iterator[tuple[slice, Tensor]]:
    """Yield strips of the output of a convolution: their rows, and what of x (B, C, H, W) they see, zeros included.

    extent: rows that one row of output sees. sides: zeros around x, (left, right, top, bottom).
    """
    left, right, top, bottom = sides
    height = (x.shape[2] + top + bottom - extent) // stride + 1
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        first, last = start * stride - top, (stop - 1) * stride - top + extent  # last is excluded
        zeros = (left, right, max(-first, 0), max(last - x.shape[2], 0))
        part = x[:, :, max(first, 0) : min(last, x.shape[2])]
        yield slice(start, stop), F.pad(part, zeros) if any(zeros) else part


def upsampling_kernels(weight: Tensor) -> Tensor:
    """Return four 2 x 2 kernels that do to x what a 3 x 3 kernel does to x with every pixel repeated 2 x 2.

    Kernel rows that fall on one pixel are added: even output rows see rows y - 1, y; odd ones y, y + 1.

    Args:
        weight: (O, I, 3, 3).

    Returns:
        (4 * O, I, 2, 2): for phases (row, column) of the output (0, 0), (0, 1), (1, 0) and (1, 1).
    """

    def along(kernel: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        first, middle, last = torch.split(kernel, 1, dim)
        return torch.cat((first, middle + last), dim), torch.cat((first + middle, last), dim)

    wide = weight.to(torch.promote_types(weight.dtype, torch.float32))  # half precision is rounded once, after adding
    return torch.cat([phase for rows in along(wide, 2) for phase in along(rows, 3)]).to(weight.dtype)


class GatedConv2d(PaddedConv2d, Prepared, HasPlainForm):
    """Gated convolution; weight (2 * features, in_channels, kernel, kernel).

    Args:
        in_channels: Channels that come in.
        features: Channels that go out.
        kernel: Side of the kernel, odd.
        stride: Step between outputs.
        dilation: Step within the kernel.
        padding: What lies beyond the border.
        activation: Of the features.
        upsample: Repeat every pixel 2 x 2 before the convolution.
    """

    prepared = ("phases",)

    def __init__(
        self,
        in_channels: int,
        features: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        padding: PaddingMode = "zero",
        activation: Activation = "elu",
        upsample: bool = False,
    ) -> None:
        super().__init__(in_channels, 2 * features, kernel, stride=stride, dilation=dilation, padding=padding)
        self.activation: Activation = activation
        self.upsample = upsample
        self.phases: Tensor | None
        self.register_buffer("phases", None, persistent=False)

    def prepare_for_inference(self) -> None:
        """Compute the kernels of the upsampling once."""
        if self.upsample and (self.kernel_size, self.stride, self.dilation) == ((3, 3), (1, 1), (1, 1)):
            self.phases = upsampling_kernels(self.weight.detach())

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, in_channels, H, W) to (B, features, ceil(H / stride), ceil(W / stride)), or twice H and W."""
        if self.phases is not None and not torch.is_grad_enabled() and not self.plain:
            return self._upsampled(x, self.phases)
        if self.upsample:
            x = F.interpolate(x, scale_factor=2, mode="nearest")  # (B, in_channels, 2H, 2W)
        rows = None if self.plain else self._strip_rows(x)
        if rows is not None:
            return self._in_strips(x, rows)
        return self.gate(super().forward(x))

    def gate(self, both: Tensor) -> Tensor:
        """Return what the layer makes of features and gates [a; g], (B, 2 features, H, W)."""
        return gated(both, activation=self.activation, plain=self.plain)

    def _strip_rows(self, x: Tensor) -> int | None:
        """Return how many rows of output to compute at a time; None: all, as with gradients or on a GPU."""
        if torch.is_grad_enabled() or not x.is_cpu or self.border not in ("zero", "same_tf"):
            return None
        stride = self.stride[0]
        height, width = -(-x.shape[2] // stride), -(-x.shape[3] // stride)
        row = x.shape[0] * self.out_channels * width * x.element_size()
        return None if height * row <= WHOLE_BYTES else max(block_bytes(STRIP_BYTES) // row, 1)

    def _in_strips(self, x: Tensor, rows: int) -> Tensor:
        """Convolve and gate strip by strip, for borders of zeros."""
        stride, dilation = self.stride[0], self.dilation[0]
        size = (x.shape[0], self.out_channels // 2, -(-x.shape[2] // stride), -(-x.shape[3] // stride))
        out = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        left, right, top, bottom = self.around(x)
        inside = left if left == right else 0  # zeros that the convolution itself can add
        sides = (left - inside, right - inside, top, bottom)
        extent = dilation * (self.kernel_size[0] - 1) + 1
        for part_rows, part in _strips(x, rows, extent=extent, stride=stride, sides=sides):
            both = F.conv2d(part, self.weight, self.bias, stride, (0, inside), dilation)
            out[:, :, part_rows] = self.gate(both)
        return out

    def _upsampled(self, x: Tensor, phases: Tensor) -> Tensor:
        """Compute each phase of the output from the small map: 4 of 9 multiplications."""
        batch, _, height, width = x.shape
        size = (batch, self.out_channels // 2, 2 * height, 2 * width)
        out = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        whole = self.border not in ("zero", "same_tf")
        if whole:
            # One place beyond the border, every mirroring of the large map repeats the border pixel.
            parts = [(slice(0, height), pad(x, (1, 1, 1, 1), mode="replicate"))]
        else:
            rows = self._strip_rows(x) or height
            parts = list(_strips(x, rows, extent=3, stride=1, sides=(0, 0, 1, 1)))
        for strip, part in parts:
            for number, kernel in enumerate(phases.chunk(4)):
                row, column = divmod(number, 2)
                both = F.conv2d(part, kernel, self.bias, padding=(0, 0 if whole else 1))
                both = both[..., row : row + strip.stop - strip.start, column : column + width]
                out[:, :, 2 * strip.start + row : 2 * strip.stop : 2, column::2] = self.gate(both)
        return out

    def extra_repr(self) -> str:
        """Add activation and upsampling to what a convolution shows of itself."""
        return f"{super().extra_repr()}, activation={self.activation}, upsample={self.upsample}"


Initialization: TypeAlias = Literal["glorot", "kaiming"]


def initialize_(module: nn.Module, how: Initialization = "glorot") -> None:
    """Give every convolution below `module` random weights and zero biases.

    Draws from torch's global generator: call it inside `drawing_from`.

    Args:
        module: The network.
        how: glorot: uniform, the default of TensorFlow; kaiming: normal, by the inputs, with the gain of ReLU.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            if how == "glorot":
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
