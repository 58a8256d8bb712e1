"""EraseNet in the plain arithmetic of the public program: what tests and speed measurements compare with.

Weights are divided by their spectral norms in every pass, batch norms and the convolutions of the lateral connections
are computed one by one, all in the layout of the input. Shares weights with a `Network`, which are copied, and nothing
else.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.models.erasenet.network import Network

NORMED = "parametrizations.weight"


class Plain(nn.Module):
    """A convolution, or a transposed one, whose weight is divided by its spectral norm where the layer's is."""

    def __init__(self, layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.transposed = isinstance(layer, nn.ConvTranspose2d)
        self.stride, self.dilation = layer.stride[0], layer.dilation[0]
        self.padding = int(layer.padding[0])
        state = layer.state_dict()
        self.bias = nn.Parameter(state["bias"].clone())
        self.normed = f"{NORMED}.original" in state
        self.weight = nn.Parameter(state[f"{NORMED}.original" if self.normed else "weight"].clone())
        if self.normed:
            self.register_buffer("u", state[f"{NORMED}.0._u"].clone())
            self.register_buffer("v", state[f"{NORMED}.0._v"].clone())

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W)."""
        weight: Tensor = self.weight
        if self.normed:
            rows = weight.transpose(0, 1) if self.transposed else weight
            weight = weight / torch.dot(self.get_buffer("u"), torch.mv(rows.flatten(1), self.get_buffer("v")))
        if self.transposed:
            return F.conv_transpose2d(x, weight, self.bias, stride=2, padding=1, output_padding=1)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation)


class Reference(nn.Module):
    """A `Network` computed plainly: the same images and masks from the same weights, which are copied."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        generator = network.generator
        kinds = (nn.Conv2d, nn.ConvTranspose2d)
        layers = {name: layer for name, layer in generator.named_modules() if isinstance(layer, kinds)}
        self.layers = nn.ModuleDict({name.replace(".", "/"): Plain(layer) for name, layer in layers.items()})
        self.norms = nn.ModuleList(nn.BatchNorm2d(block.norm.num_features) for block in generator.blocks)  # type: ignore[union-attr, arg-type]
        for mine, block in zip(self.norms, generator.blocks, strict=True):
            mine.to(generator.mask_head.weight).load_state_dict(block.norm.state_dict())  # type: ignore[union-attr]
        self.eval()

    def _conv(self, name: str, x: Tensor) -> Tensor:
        found: Tensor = self.layers[name.replace(".", "/")](x)
        return found

    def _leaky(self, name: str, x: Tensor) -> Tensor:
        return F.leaky_relu(self._conv(name, x), 0.2)

    def _block(self, number: int, x: Tensor) -> Tensor:
        front = f"blocks.{number}"
        y = self._conv(f"{front}.conv2", F.relu(self._conv(f"{front}.conv1", x)))
        shortcut = f"{front}.shortcut"
        y = y + (self._conv(shortcut, x) if shortcut.replace(".", "/") in self.layers else x)
        return F.relu(self.norms[number](y))

    def _lateral(self, number: int, x: Tensor) -> Tensor:
        for part in ("narrow", "widen", "wide", "back"):
            x = self._conv(f"laterals.{number}.{part}", x)
        return x

    def forward(self, image: Tensor, mask: Tensor, *, find: bool = False) -> dict[str, Tensor]:
        """Return what the generator of a `Network` does; the mask is not read. find: "mask_logits", too."""
        e1 = self._leaky("enter.1", self._leaky("enter.0", image))
        e2 = self._block(0, self._leaky("enter.2", e1))
        e3 = self._block(2, self._block(1, e2))
        e4 = self._block(4, self._block(3, e3))
        q = self._block(5, e4)
        x = self._leaky("bottom", self._block(7, self._block(6, q)))
        small = {}
        for number, skip in enumerate((e4, e3, e2, e1)):
            x = self._leaky(f"ups.{number}", x)
            if number >= 2:
                name = ("1_4", "1_2")[number - 2]
                small[f"scale_{name}"] = self._conv(f"image_{name}", x)
            x = torch.cat((self._lateral(number, skip), x), dim=1)
        unet = self._leaky("ups.4", x)
        painted = {"raw": self._refined(unet, e1, e2), "unet": unet, **small}
        if not find:
            return painted
        m = self._leaky("mask_ups.0", torch.cat((q, e4), dim=1))
        for number, skip in enumerate((e3, e2, e1)):
            m = torch.cat((self._leaky(f"mask_convs.{number}", m), skip), dim=1)
            m = self._leaky(f"mask_ups.{number + 1}", m)
        return painted | {"mask_logits": self._conv("mask_head", m)}

    def _refined(self, unet: Tensor, e1: Tensor, e2: Tensor) -> Tensor:
        x = self._leaky("refine.at_full", unet)
        for number in range(2):
            x = self._leaky(f"refine.at_half.{number}", x)
        r1 = x
        for number in range(3):
            x = self._leaky(f"refine.at_quarter.{number}", x)
        r2 = x
        for number in range(4):
            x = self._leaky(f"refine.dilated.{number}", x)
        for number in range(2):
            x = self._leaky(f"refine.after.{number}", x)
        x = self._leaky("refine.up1", torch.cat((x, r2, self._conv("refine.skip2", e2)), dim=1))
        x = self._leaky("refine.conv1", x)
        x = self._leaky("refine.up2", torch.cat((x, r1, self._conv("refine.skip1", e1)), dim=1))
        return self._conv("refine.head", self._leaky("refine.conv2", x))
