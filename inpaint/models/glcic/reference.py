"""GLCIC in the plain arithmetic of public programs: what tests and speed measurements compare with.

Torch's own convolutions, batch norm and ReLU, one after the other, in the layout of the input. Shares weights and
configuration with a `Network`, which are copied, and nothing else.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from inpaint.models.glcic.layers import Layer
from inpaint.models.glcic.network import Network


def _plain(conv: nn.Conv2d | nn.ConvTranspose2d) -> nn.Module:
    """Return torch's own convolution with the same weights."""
    inputs, outputs, bias = conv.in_channels, conv.out_channels, conv.bias is not None
    kernel, stride, dilation = conv.kernel_size[0], conv.stride[0], conv.dilation[0]
    made: nn.Module
    if isinstance(conv, nn.ConvTranspose2d):
        made = nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding=1, bias=bias)
    else:
        padding = dilation * (kernel // 2)
        made = nn.Conv2d(inputs, outputs, kernel, stride, padding=padding, dilation=dilation, bias=bias)
    made = made.to(conv.weight)
    made.load_state_dict(conv.state_dict())
    return made


def _steps(layer: Layer, *, norm_first: bool) -> list[nn.Module]:
    norm = copy.deepcopy(layer.norm)
    return [_plain(layer.conv), *((norm, nn.ReLU()) if norm_first else (nn.ReLU(), norm))]


class Reference(nn.Module):
    """A `Network` computed plainly: the same images from the same weights, which are copied."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.config = network.config
        norm_first = self.config.order == "norm_relu"
        steps = [step for layer in network.generator.layers() for step in _steps(layer, norm_first=norm_first)]
        self.layers = nn.Sequential(*steps, _plain(network.generator.head))
        self.eval()

    def forward(self, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Fill the holes: {"raw"} as `Network` does."""
        mean = torch.tensor(self.config.mean, dtype=image.dtype, device=image.device).view(3, 1, 1)
        x = image * (1 - mask) + mean * mask
        if self.config.value_range == "centered":
            x = x - mean
        elif self.config.value_range == "pm1":
            x = 2 * x - 1
        y = self.layers(torch.cat((x, mask), dim=1))
        if self.config.output == "sigmoid":
            y = torch.sigmoid(y)
        return {"raw": (y + 1) / 2 if self.config.value_range == "pm1" else y}
