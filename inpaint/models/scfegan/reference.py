"""SC-FEGAN in the plain arithmetic of the public program: what tests and speed measurements compare with.

Features and gates by separate convolutions, every kernel place at every size, normalization by torch's own pooling over
channels, all in the layout of the input. Shares weights and configuration with a `Network`, which are copied, and
nothing else.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.models.scfegan.layers import GatedUp, ResponseGatedConv2d
from inpaint.models.scfegan.network import Network


class PlainConv(nn.Module):
    """A gated convolution of the network."""

    def __init__(self, layer: ResponseGatedConv2d) -> None:
        super().__init__()
        self.kernel, self.stride, self.dilation = layer.kernel_size[0], layer.stride[0], layer.dilation[0]
        self.normalizes, self.activates = layer.norm is not None, layer.activation == "leaky_relu"
        self.weights = nn.ParameterList(part.detach().clone() for part in layer.weight.contiguous().chunk(2))
        assert layer.bias is not None
        self.biases = nn.ParameterList(part.detach().clone() for part in layer.bias.chunk(2))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) with even sides or a stride of 1."""
        around = self.dilation * (self.kernel - 1) - (self.stride - 1)
        first, second = around // 2, around - around // 2
        padded = F.pad(x, (first, second, first, second))
        feature, gate = (
            F.conv2d(padded, weight, bias, self.stride, 0, self.dilation)
            for weight, bias in zip(self.weights, self.biases, strict=True)
        )
        if self.normalizes:
            feature = F.local_response_norm(feature, size=11, alpha=11, beta=0.5, k=5e-5)
        if self.activates:
            feature = F.leaky_relu(feature, 0.2)
        return feature * torch.sigmoid(gate)


class PlainUp(nn.Module):
    """A gated transposed convolution of the network."""

    def __init__(self, layer: GatedUp) -> None:
        super().__init__()
        parts = 2 if layer.own else 1
        weight = layer.weight.detach().contiguous()
        assert layer.bias is not None
        self.weights = nn.ParameterList(part.clone() for part in weight.chunk(parts, dim=1))
        self.biases = nn.ParameterList(part.detach().clone() for part in layer.bias.chunk(parts))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to twice the size."""
        feature, *gate = (
            F.conv_transpose2d(x, weight, bias, stride=2)[..., 1:-2, 1:-2]
            for weight, bias in zip(self.weights, self.biases, strict=True)
        )
        activated = F.leaky_relu(feature, 0.2)
        return activated * torch.sigmoid(gate[0] if gate else activated)


class Reference(nn.Module):
    """A `Network` computed plainly: the same images from the same weights, which are copied."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.color_given, self.binary = network.config.color_given, network.noise == "binary"
        generator = network.generator
        self.down = nn.ModuleList(PlainConv(layer) for layer in generator.down)  # type: ignore[arg-type]
        self.middle = nn.ModuleList(PlainConv(layer) for layer in generator.middle)  # type: ignore[arg-type]
        self.up = nn.ModuleList(PlainUp(layer) for layer in generator.up)  # type: ignore[arg-type]
        self.merge = nn.ModuleList(PlainConv(layer) for layer in generator.merge)  # type: ignore[arg-type]
        self.eval()

    def forward(
        self,
        image: Tensor,
        mask: Tensor,
        *,
        sketch: Tensor | None = None,
        color: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Fill the holes: {"raw"} as `Network` does; the hole must hold numbers."""
        nothing = torch.zeros_like(mask)
        sketch = nothing if sketch is None else sketch
        color = torch.cat([nothing] * 4, dim=1) if color is None else color
        noise = nothing if noise is None else noise
        noise = (noise >= 1).to(image) if self.binary else noise
        given = (color[:, 3:] > 0).to(image)
        colors = (2 * color[:, :3] - 1) * given - (1 - given)
        parts = [(2 * image - 1) * (1 - mask), sketch * mask, colors * mask]
        parts += [*([given * mask] if self.color_given else []), mask, noise * mask]
        planes = torch.cat(parts, dim=1)
        x, beside = planes, [planes]
        for layer in self.down:
            x = layer(x)
            beside.append(x)
        for layer in self.middle:
            x = layer(x)
        beside.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat((beside.pop(), up(x)), dim=1))
        return {"raw": (torch.tanh(x) + 1) / 2}
