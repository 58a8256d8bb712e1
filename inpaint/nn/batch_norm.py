"""Batch normalization behind a convolution, folded into it when training is over."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.nn import winograd
from inpaint.nn.inference import Prepared
from inpaint.nn.padding import PaddedConv2d, pad


def scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return what a batch norm with stored statistics does to each channel: y = scale x + shift, float64 (C,)."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
    return scale, norm.bias.detach().double() - norm.running_mean.double() * scale


def learns(layer: nn.Module) -> bool:
    """Return whether a layer's parameters get gradients now, so that nothing computed from them before may be used."""
    return torch.is_grad_enabled() and any(parameter.requires_grad for parameter in layer.parameters())


class ConvNorm(Prepared):
    """A convolution, plain or transposed, then batch norm, then an activation.

    Args:
        conv: The convolution.
        slope: Of the activation below 0: 0 is ReLU, None no activation.
    """

    prepared = ("kernel", "shift", "factors")

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d, *, slope: float | None = 0.0) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels)
        self.slope = slope
        one = ((3, 3), (1, 1), (1, 1))
        self._by_tiles = (
            isinstance(conv, PaddedConv2d)
            and conv.border == "reflect"
            and (conv.kernel_size, conv.stride, conv.dilation) == one
        )
        self.kernel: Tensor | None
        self.shift: Tensor | None
        self.factors: Tensor | None
        for name in self.prepared:
            self.register_buffer(name, None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to (B, outputs, H', W')."""
        if self.kernel is None or self.shift is None or learns(self):
            return self._activated(self.norm(self.conv(x)))
        if self._by_tiles and winograd.pays_for(x):
            return self._activated(self._tiled(x, self.kernel) + self.shift.view(-1, 1, 1))
        return self._activated(self._convolved(x, self.kernel, self.shift))

    def exactly(self, x: Tensor) -> Tensor:
        """Do the same in the type of x, where the layer's own is narrower: for a network in half precision."""
        if self.norm.weight.dtype == x.dtype:
            same: Tensor = self(x)
            return same
        ready = None if self.kernel is None or self.shift is None else (self.kernel, self.shift)
        kernel, shift = ready or self._folded()
        return self._activated(self._convolved(x, kernel.to(x.dtype), shift.to(x.dtype)))

    def _tiled(self, x: Tensor, kernel: Tensor) -> Tensor:
        """Convolve with fewer multiplications; kernels are transformed once, where they are used so."""
        if self.factors is None:
            with torch.inference_mode(False), torch.no_grad():
                self.factors = winograd.transformed_kernels(kernel)
        return winograd.outputs(winograd.transformed_tiles((x,)) @ self.factors, (len(x), *x.shape[-2:]))

    def _activated(self, y: Tensor) -> Tensor:
        if self.slope is None:
            return y
        return F.leaky_relu(y, self.slope) if self.slope else F.relu(y, inplace=not torch.is_grad_enabled())

    def _convolved(self, x: Tensor, kernel: Tensor, shift: Tensor) -> Tensor:
        conv = self.conv
        if isinstance(conv, nn.ConvTranspose2d):
            around, more = conv.padding, conv.output_padding
            assert not isinstance(around, str)
            return F.conv_transpose2d(x, kernel, shift, conv.stride, around, more)
        if isinstance(conv, PaddedConv2d):
            return F.conv2d(pad(x, conv.around(x), mode=conv.border), kernel, shift, conv.stride, 0, conv.dilation)
        return F.conv2d(x, kernel, shift, conv.stride, conv.padding, conv.dilation)

    @torch.no_grad()
    def prepare_for_inference(self) -> None:
        """Fold the batch norm into the kernels."""
        kernel, shift = self._folded()
        kernel = kernel.to(self.conv.weight).contiguous(memory_format=torch.channels_last)
        self.factors = None
        self.kernel, self.shift = kernel, shift.to(self.conv.weight)

    def _folded(self) -> tuple[Tensor, Tensor]:
        """Return kernels and shifts with the batch norm in them, float64."""
        scale, shift = scale_and_shift(self.norm)
        outputs = (1, -1, 1, 1) if isinstance(self.conv, nn.ConvTranspose2d) else (-1, 1, 1, 1)
        if self.conv.bias is not None:
            shift = shift + self.conv.bias.double() * scale
        return self.conv.weight.double() * scale.view(outputs), shift
