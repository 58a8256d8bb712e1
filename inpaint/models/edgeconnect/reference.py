"""EdgeConnect in the plain arithmetic of the authors' program: what tests and speed measurements compare with.

Every step an operation of its own, in the layout of its input: mirroring, convolution with its bias, instance
normalization, ReLU; spectral norms divided out in every pass. Shares weights and configuration with a `Network`, and
the edge detector, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from inpaint.models.edgeconnect.network import Generator, Network, ResidualBlock


class PlainConv(nn.Module):
    """A convolution of the network: mirrored border, weight over its spectral norm, bias."""

    def __init__(self, layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.up = isinstance(layer, nn.ConvTranspose2d)
        self.stride, self.dilation = layer.stride[0], layer.dilation[0]
        self.mirrored = layer.padding_mode == "reflect"
        padding = layer.padding
        assert not isinstance(padding, str)
        self.around = padding[0]
        self.bias = None if layer.bias is None else nn.Parameter(layer.bias.detach().clone())
        self.left: Tensor | None
        self.right: Tensor | None
        left = right = None
        if parametrize.is_parametrized(layer, "weight"):
            state = layer.state_dict()
            self.weight = nn.Parameter(state["parametrizations.weight.original"].clone())
            left, right = (state[f"parametrizations.weight.0._{side}"].clone() for side in "uv")
        else:
            self.weight = nn.Parameter(layer.weight.detach().clone())
        self.register_buffer("left", left)
        self.register_buffer("right", right)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) as the layer does."""
        weight: Tensor = self.weight
        if self.left is not None and self.right is not None:
            rows = weight.permute(1, 0, 2, 3) if self.up else weight
            weight = weight / torch.dot(self.left, torch.mv(rows.reshape(rows.shape[0], -1), self.right))
        if self.up:
            return F.conv_transpose2d(x, weight, self.bias, self.stride, self.around)
        if self.mirrored:
            x = F.pad(x, (self.around,) * 4, mode="reflect")
        return F.conv2d(x, weight, self.bias, self.stride, 0 if self.mirrored else self.around, self.dilation)


class PlainBlock(nn.Module):
    """A residual block of the network."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        assert isinstance(block, ResidualBlock)
        self.conv1, self.conv2 = PlainConv(block.conv1), PlainConv(block.conv2)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to the same shape."""
        return x + F.instance_norm(self.conv2(torch.relu(F.instance_norm(self.conv1(x)))))


class PlainGenerator(nn.Module):
    """One of both generators; returns what the last convolution gives."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.down = nn.ModuleList(PlainConv(layer) for layer in (generator.conv1, generator.conv2, generator.conv3))
        self.blocks = nn.ModuleList(PlainBlock(block) for block in generator.blocks)
        self.up = nn.ModuleList(PlainConv(layer) for layer in (generator.deconv1, generator.deconv2))
        self.head = PlainConv(generator.head)

    def forward(self, planes: Tensor) -> Tensor:
        """Map planes (B, inputs, H, W) to (B, outputs, H, W)."""
        x = planes
        for layer in self.down:
            x = torch.relu(F.instance_norm(layer(x)))
        for block in self.blocks:
            x = block(x)
        for layer in self.up:
            x = torch.relu(F.instance_norm(layer(x)))
        painted: Tensor = self.head(x)
        return painted


class Reference(nn.Module):
    """A `Network` with both generators computed plainly: the same images from the same weights, which are copied."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.config = network.config
        self.derive = network.derive
        assert network.edge_generator is not None
        assert network.inpaint_generator is not None
        self.edge_generator = PlainGenerator(network.edge_generator)
        self.inpaint_generator = PlainGenerator(network.inpaint_generator)

    def edges(self, gray: Tensor, canny: Tensor, mask: Tensor) -> Tensor:
        """Complete edges as `Network.edges` does."""
        planes = torch.cat((gray * (1 - mask) + mask, canny * (1 - mask), mask), dim=1)
        return torch.sigmoid(self.edge_generator(planes))

    def paint(self, image: Tensor, edges: Tensor, mask: Tensor) -> Tensor:
        """Paint along edges as `Network.paint` does."""
        planes = [image * (1 - mask) + mask, edges, *([mask] if self.config.mask_channel else [])]
        painted: Tensor = self.inpaint_generator(torch.cat(planes, dim=1))
        return (torch.tanh(painted) + 1) / 2

    def forward(self, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Fill the holes: {"raw", "edges"} as `Network` does, for sides it accepts; the hole must hold numbers."""
        derived = self.derive(image, mask)
        edges = self._completed_edges(derived["gray"], derived["canny"], mask)
        return {"raw": self.paint(image, edges, mask), "edges": edges}

    def _completed_edges(self, gray: Tensor, canny: Tensor, mask: Tensor) -> Tensor:
        completed = self.edges(gray, canny, mask)
        return completed * mask + canny * (1 - mask) if self.config.composite_edges else completed

    def parts(self, image: Tensor, mask: Tensor) -> dict[str, Callable[[], object]]:
        """Return each stage as a task with its inputs prepared, for measuring; and both in a row."""
        derived = self.derive(image, mask)
        gray, canny = derived["gray"], derived["canny"]
        return {
            "edge": lambda: self.edges(gray, canny, mask),
            "inpaint": lambda: self.paint(image, canny, mask),
            "stages": lambda: self.paint(image, self._completed_edges(gray, canny, mask), mask),
        }
