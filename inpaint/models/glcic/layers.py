"""The layer of GLCIC: a convolution, plain or transposed, with batch norm and ReLU behind it in either order.

Without gradients on a CPU, 3 x 3 convolutions take a quarter of the multiplications (Winograd). One of dilation d is as
many ordinary ones as there are places in a square of d x d: on every d-th row and column, beginning at each of them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.models.glcic.config import Order
from inpaint.nn import winograd
from inpaint.nn.batch_norm import learns, scale_and_shift
from inpaint.nn.inference import Prepared
from inpaint.nn.padding import PaddedConv2d

FEWEST = 128  # outputs of a convolution from which on tiles take less time


class Layer(Prepared):
    """A convolution padded by zeros, then batch norm and ReLU, or ReLU and batch norm.

    Prepared for inference, a batch norm before ReLU is part of the kernels. One behind ReLU is no part of the next
    kernels, since the zeros around its output are none before it.

    Args:
        conv: The convolution.
        order: Of what follows it.
    """

    prepared = ("kernel", "shift", "scale", "factors")

    def __init__(self, conv: PaddedConv2d | nn.ConvTranspose2d, *, order: Order) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels)
        self.norm_first = order == "norm_relu"
        self.by_tiles = conv.kernel_size == (3, 3) and conv.stride == (1, 1) and conv.out_channels >= FEWEST
        self.kernel: Tensor | None
        self.shift: Tensor | None
        self.scale: Tensor | None
        self.factors: Tensor | None
        for name in self.prepared:
            self.register_buffer(name, None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to (B, outputs, H', W')."""
        if self.kernel is None or self.shift is None or learns(self):
            y = self.conv(x)
            return F.relu(self.norm(y)) if self.norm_first else self.norm(F.relu(y))
        if self.norm_first:
            return F.relu(self._convolved(x, self.kernel, self.shift), inplace=not torch.is_grad_enabled())
        assert self.conv.bias is not None
        assert self.scale is not None
        y = F.relu(self._convolved(x, self.kernel, self.conv.bias), inplace=not torch.is_grad_enabled())
        return torch.addcmul(self.shift.view(-1, 1, 1), y, self.scale.view(-1, 1, 1))

    def _convolved(self, x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        conv = self.conv
        if isinstance(conv, nn.ConvTranspose2d):
            return F.conv_transpose2d(x, kernel, bias, stride=2, padding=1)
        if not self.by_tiles or not winograd.pays_for(x):
            left, _, top, _ = conv.around(x)
            return F.conv2d(x, kernel, bias, conv.stride, (top, left), conv.dilation)
        if self.factors is None:  # four times the memory of the kernels: computed where they are used
            with torch.inference_mode(False), torch.no_grad():
                self.factors = winograd.transformed_kernels(kernel)
        step = conv.dilation[0]
        y = winograd.convolved((apart(x, step),), self.factors, bias, mirrored=False)
        return together(y, step, (x.shape[-2], x.shape[-1]))

    @torch.no_grad()
    def prepare_for_inference(self) -> None:
        """Fold the batch norm into the kernels, or keep what it multiplies by and adds."""
        conv, (scale, shift) = self.conv, scale_and_shift(self.norm)
        kernel = conv.weight.double()
        if self.norm_first:
            kernel = kernel * scale.view((1, -1, 1, 1) if isinstance(conv, nn.ConvTranspose2d) else (-1, 1, 1, 1))
            if conv.bias is not None:
                shift = shift + conv.bias.double() * scale
        self.kernel = kernel.to(conv.weight).contiguous(memory_format=torch.channels_last)
        self.shift, self.scale = shift.to(conv.weight), scale.to(conv.weight)
        self.factors = None


def apart(x: Tensor, step: int) -> Tensor:
    """Return the places of x (B, C, H, W) that lie `step` apart as images of their own, (B step^2, C, H', W').

    Sides that are no multiple of the step are continued by zeros.
    """
    if step == 1:
        return x
    height, width = x.shape[-2:]
    x = F.pad(x, (0, -width % step, 0, -height % step))
    batch, channels, height, width = x.shape
    split = x.permute(0, 2, 3, 1).reshape(batch, height // step, step, width // step, step, channels)
    split = split.permute(0, 2, 4, 1, 3, 5).reshape(-1, height // step, width // step, channels)
    return split.permute(0, 3, 1, 2)


def together(x: Tensor, step: int, size: tuple[int, int]) -> Tensor:
    """Undo `apart` for images of this height and width."""
    if step == 1:
        return x
    count, channels, rows, columns = x.shape
    whole = x.permute(0, 2, 3, 1).reshape(count // step**2, step, step, rows, columns, channels)
    whole = whole.permute(0, 3, 1, 4, 2, 5).reshape(-1, rows * step, columns * step, channels)
    return whole[:, : size[0], : size[1]].permute(0, 3, 1, 2)
