"""Gated convolution (Yu et al., "Free-Form Image Inpainting with Gated Convolution", eq. 2 and 3).

Features a and gates g come from one convolution with twice the channels, in the order [a; g]:
y = activation(a) * sigmoid(g). A convolution decides so at every place how much of a feature counts, where a partial
convolution only knows hole or no hole.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.nn.padding import PaddedConv2d, PaddingMode

Activation: TypeAlias = Literal["elu", "relu", "none"]


def gated(x: Tensor, *, activation: Activation = "elu") -> Tensor:
    """Return activation(a) * sigmoid(g) for x = [a; g] (B, 2C, H, W)."""
    feature, gate = x.chunk(2, dim=1)  # (B, C, H, W) each
    if activation == "elu":
        feature = F.elu(feature)
    elif activation == "relu":
        feature = F.relu(feature)
    return feature * gate.sigmoid()


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

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, in_channels, H, W) to (B, features, ceil(H / stride), ceil(W / stride)), or twice H and W."""
        if self.upsample:
            x = F.interpolate(x, scale_factor=2, mode="nearest")  # (B, in_channels, 2H, 2W)
        return gated(super().forward(x), activation=self.activation)

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
