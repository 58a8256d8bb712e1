"""Gated convolution (Yu et al., "Free-Form Image Inpainting with Gated Convolution", eq. 2 and 3).

Features a and gates g come from one convolution with twice the channels, in the order [a; g]:
y = activation(a) * sigmoid(g). A convolution decides so at every place how much of a feature counts, where a partial
convolution only knows hole or no hole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.nn.padding import PaddedConv2d, PaddingMode, pad

Activation: TypeAlias = Literal["elu", "relu", "none"]

# Without gradients on a CPU, outputs above WHOLE_BYTES (features and gates) are computed in strips of STRIP_BYTES: such
# memory is used again and stays in the cache, where larger blocks come fresh from the system, page by page, each time.
WHOLE_BYTES = 24 * 2**20
STRIP_BYTES = 8 * 2**20


def gated(x: Tensor, *, activation: Activation = "elu") -> Tensor:
    """Return activation(a) * sigmoid(g) for x = [a; g] (B, 2C, H, W)."""
    feature, gate = x.chunk(2, dim=1)  # (B, C, H, W) each
    if x.is_cpu and x.stride(1) == 1 and not (torch.is_grad_enabled() and x.requires_grad):
        return _gated_in_place(
            feature.clone(memory_format=torch.channels_last),
            gate.clone(memory_format=torch.channels_last),
            activation=activation,
        )
    if activation == "elu":
        feature = F.elu(feature)
    elif activation == "relu":
        feature = F.relu(feature)
    return feature * gate.sigmoid()


def _gated_in_place(feature: Tensor, gate: Tensor, *, activation: Activation) -> Tensor:
    """Do the same with both halves apart, in their memory.

    In channels_last, a half is C numbers of every 2C. On a CPU that costs four to five times the copy: vector
    instructions take 32 float32 at a time, and what is left of a row of, say, 24 goes one number at a time.
    """
    if activation == "elu":
        F.elu_(feature)
    elif activation == "relu":
        feature.relu_()
    return feature.mul_(gate.sigmoid_())


def _strips(x: Tensor, around: int, rows: int) -> Iterator[tuple[slice, Tensor, int]]:
    """Yield strips of x (B, C, H, W): their rows, these rows of x and `around` more on both sides, and how many of
    those a convolution must add as zeros: all where there is one strip only, else none.
    """
    height = x.shape[2]
    if rows >= height:
        yield slice(0, height), x, around
        return
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        above, below = max(around - start, 0), max(stop + around - height, 0)
        part = x[:, :, start - around + above : stop + around - below]
        yield slice(start, stop), F.pad(part, (0, 0, above, below)) if above or below else part, 0


def upsampling_kernels(weight: Tensor) -> Tensor:
    """Return four 2 x 2 kernels that do to x what a 3 x 3 kernel does to x with every pixel repeated 2 x 2.

    weight: (O, I, 3, 3). Returns (4 * O, I, 2, 2): for phases (row, column) of the output (0, 0), (0, 1), (1, 0) and
    (1, 1). Kernel rows that fall on one pixel are added: even output rows see rows y - 1, y; odd ones y, y + 1.
    """

    def along(kernel: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        first, middle, last = torch.split(kernel, 1, dim)
        return torch.cat((first, middle + last), dim), torch.cat((first + middle, last), dim)

    wide = weight.to(torch.promote_types(weight.dtype, torch.float32))  # half precision is rounded once, after adding
    return torch.cat([phase for rows in along(wide, 2) for phase in along(rows, 3)]).to(weight.dtype)


class GatedConv2d(PaddedConv2d):
    """Gated convolution with `features` outputs; weight (2 * features, in_channels, kernel, kernel).

    With `upsample`, every pixel is repeated 2 x 2 before the convolution.
    """

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
        """Compute the kernels of the upsampling once, for use without gradients, until `train()` is called.

        They are not part of the state dict. Call it again when weights change.
        """
        if self.upsample and (self.kernel_size, self.stride, self.dilation) == ((3, 3), (1, 1), (1, 1)):
            self.phases = upsampling_kernels(self.weight.detach())

    def train(self, mode: bool = True) -> Self:
        """Forget what was prepared for inference when training begins."""
        if mode:
            self.phases = None
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, in_channels, H, W) to (B, features, ceil(H / stride), ceil(W / stride)), or twice H and W."""
        if self.phases is not None and not torch.is_grad_enabled():
            return self._upsampled(x, self.phases)
        if self.upsample:
            x = F.interpolate(x, scale_factor=2, mode="nearest")  # (B, in_channels, 2H, 2W)
        if self.stride == (1, 1) and self._strip_rows(x) < x.shape[2]:
            return self._in_strips(x)
        return gated(super().forward(x), activation=self.activation)

    def _strip_rows(self, x: Tensor) -> int:
        """Return how many rows of output to compute at a time: all, except without gradients on a CPU."""
        height = x.shape[2]
        if torch.is_grad_enabled() or not x.is_cpu or self.border not in ("zero", "same_tf"):
            return height
        row = x.shape[0] * self.out_channels * x.shape[3] * x.element_size()
        return height if height * row <= WHOLE_BYTES else max(STRIP_BYTES // row, 1)

    def _in_strips(self, x: Tensor) -> Tensor:
        """Convolve and gate strip by strip, for borders of zeros."""
        dilation = self.dilation[0]
        around = dilation * (self.kernel_size[0] - 1) // 2
        size = (x.shape[0], self.out_channels // 2, *x.shape[2:])
        out = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        for rows, part, zeros in _strips(x, around, self._strip_rows(x)):
            both = F.conv2d(part, self.weight, self.bias, 1, (zeros, around), dilation)
            out[:, :, rows] = gated(both, activation=self.activation)
        return out

    def _upsampled(self, x: Tensor, phases: Tensor) -> Tensor:
        """Compute each phase of the output from the small map: 4 of 9 multiplications."""
        batch, _, height, width = x.shape
        size = (batch, self.out_channels // 2, 2 * height, 2 * width)
        out = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        whole = self.border not in ("zero", "same_tf")
        if whole:
            # One place beyond the border, every mirroring of the large map repeats the border pixel.
            parts = [(slice(0, height), pad(x, (1, 1, 1, 1), mode="replicate"), 0)]
        else:
            parts = list(_strips(x, 1, self._strip_rows(x)))
        for rows, part, zeros in parts:
            count = rows.stop - rows.start
            for number, kernel in enumerate(phases.chunk(4)):
                row, column = divmod(number, 2)
                both = F.conv2d(part, kernel, self.bias, padding=(zeros, 0 if whole else 1))
                both = both[..., row : row + count, column : column + width]
                out[:, :, 2 * rows.start + row : 2 * rows.stop : 2, column::2] = gated(both, activation=self.activation)
        return out

    def extra_repr(self) -> str:
        """Add activation and upsampling to what a convolution shows of itself."""
        return f"{super().extra_repr()}, activation={self.activation}, upsample={self.upsample}"


Initialization: TypeAlias = Literal["glorot", "kaiming"]


def initialize_(module: nn.Module, how: Initialization = "glorot") -> None:
    """Give every convolution below `module` random weights and zero biases.

    glorot: uniform, the default of TensorFlow; kaiming: normal, by the inputs, with the gain of ReLU. Draws from
    torch's global generator: call it inside `torch.random.fork_rng` with a seed.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            if how == "glorot":
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
