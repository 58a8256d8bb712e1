"""Pluralistic in the plain arithmetic of the papers' program: what tests and speed measurements compare with.

Weights are normalized anew in every pass, with one power iteration on the vectors left by the last one; convolutions
come before the means over 2 x 2 cells; transposed convolutions are two; attention products are taken one by one.
In the layout of its input; shares weights and configuration with a `Network`, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from inpaint.models.pluralistic.network import Network
from inpaint.nn.spectral import stored_weight


class PlainConv(nn.Module):
    """A convolution of the network, transposed with `up`, normalized in every pass if the network's is."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.up = isinstance(layer, nn.ConvTranspose2d)
        self.weight = nn.Parameter(stored_weight(layer).detach().contiguous().clone())
        self.bias = nn.Parameter(layer.get_parameter("bias").detach().clone())
        self.normalized = parametrize.is_parametrized(layer, "weight")
        if self.normalized:
            self.register_buffer("u", layer.get_buffer("parametrizations.weight.0._u").clone())

    def normal_weight(self) -> Tensor:
        """Return the weight divided by its spectral norm, after one power iteration."""
        if not self.normalized:
            return self.weight
        matrix = self.weight.reshape(self.weight.shape[0], -1)
        v = matrix.T @ self.get_buffer("u")
        v = v / (v.norm() + 1e-12)
        u = matrix @ v
        u = u / (u.norm() + 1e-12)
        self.get_buffer("u").copy_(u)
        normal: Tensor = self.weight / (u @ (matrix @ v))
        return normal

    def forward(self, x: Tensor, *, padding: int | None = None) -> Tensor:
        """Convolve; the size stays, or doubles."""
        weight = self.normal_weight()
        if self.up:
            return F.conv_transpose2d(x, weight, self.bias, stride=2, padding=1, output_padding=1)
        return F.conv2d(x, weight, self.bias, padding=weight.shape[-1] // 2 if padding is None else padding)


class PlainBlock(nn.Module):
    """A block of the network, of any of its kinds."""

    def __init__(self, block: nn.Module, kind: Literal["start", "res", "down", "up"], slope: float = 0.1) -> None:
        super().__init__()
        self.kind = kind
        self.slope = slope
        self.layers = nn.ModuleDict(
            {name: PlainConv(layer) for name, layer in block.named_children() if name in ("conv1", "conv2", "bypass")}
        )
        for name in ("norm1", "norm2"):
            norm = getattr(block, name, None)
            if norm is not None:
                plain = nn.InstanceNorm2d(len(norm.weight), affine=True).to(norm.weight)
                plain.load_state_dict(norm.state_dict())
                self.layers[name] = plain

    def _activated(self, x: Tensor, norm: str) -> Tensor:
        return F.leaky_relu(self.layers[norm](x) if norm in self.layers else x, self.slope)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) as the network's block does."""
        conv1, conv2, bypass = (self.layers[name] for name in ("conv1", "conv2", "bypass"))
        inner = conv1(x if self.kind == "start" else self._activated(x, "norm1"))
        inner = conv2(self._activated(inner, "norm2"))
        if self.kind == "start":
            shortcut: Tensor = bypass(F.avg_pool2d(x, 2))
            return F.avg_pool2d(inner, 2) + shortcut
        if self.kind == "down":
            return F.avg_pool2d(inner, 2) + F.avg_pool2d(bypass(x), 2)
        out: Tensor = inner + bypass(x)
        return out


class PlainAttention(nn.Module):
    """Attention of features to themselves, and to the encoder's where there are any."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.query = PlainConv(layer.get_submodule("query_conv"))
        self.gamma = nn.Parameter(layer.get_parameter("gamma").detach().clone())
        self.model: nn.Module | None = None
        if hasattr(layer, "alpha"):
            self.alpha = nn.Parameter(layer.get_parameter("alpha").detach().clone())
            self.model = PlainBlock(layer.get_submodule("model"), "res", slope=0.01)

    def forward(self, x: Tensor, encoded: Tensor | None = None, known: Tensor | None = None) -> Tensor:
        """Map x (B, C, H, W) to the same size; encoded (B, C, H, W), known (B, 1, H, W)."""
        batch, channels, height, width = x.shape
        query = self.query(x).view(batch, -1, height * width)
        weights = torch.bmm(query.permute(0, 2, 1), query).softmax(dim=-1)  # (B, n, n)

        def mixed(values: Tensor) -> Tensor:
            flat = values.reshape(batch, channels, height * width)
            return torch.bmm(flat, weights.permute(0, 2, 1)).view(batch, channels, height, width)

        short = self.gamma * mixed(x) + x
        if self.model is None or encoded is None or known is None:
            return short
        long = self.alpha * (1 - known) * mixed(encoded) + known * encoded
        out: Tensor = self.model(torch.cat((short, long), dim=1))
        return out


class PlainDiscriminator(nn.Module):
    """A discriminator computed plainly, for images with sides of at least 96."""

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.start = PlainBlock(discriminator.get_submodule("block0"), "start")
        self.before, self.behind = (
            nn.Sequential(*(PlainBlock(discriminator.get_submodule(f"encoder{number}"), "down") for number in numbers))
            for numbers in ((0, 1), (2, 3))
        )
        self.attention = PlainAttention(discriminator.get_submodule("attn2"))
        self.last = PlainBlock(discriminator.get_submodule("block1"), "res")
        self.conv = PlainConv(discriminator.get_submodule("conv"))

    def forward(self, image: Tensor) -> Tensor:
        """Score images (B, 3, H, W) in [0, 1]."""
        x = self.last(self.behind(self.attention(self.before(self.start(2 * image - 1)))))
        scores: Tensor = self.conv(F.leaky_relu(x, 0.1), padding=0)
        return scores


class Reference(nn.Module):
    """A `Network` computed plainly: the same images from the same weights, which are copied."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.config = network.config
        encoder, generator = network.encoder, network.generator
        self.start = PlainBlock(encoder.block0, "start")
        self.down = nn.ModuleList(PlainBlock(encoder.get_submodule(f"encoder{n}"), "down") for n in range(4))
        self.prior = nn.Sequential(
            *(PlainBlock(encoder.get_submodule(f"infer_prior{number}"), "res") for number in range(6)),
            PlainBlock(encoder.prior, "res"),
        )
        self.latent = PlainBlock(generator.generator, "res")
        self.up = nn.ModuleList(PlainBlock(generator.get_submodule(f"decoder{n}"), "up") for n in range(5))
        self.attention = PlainAttention(generator.attn1)
        self.out = nn.ModuleList(
            PlainConv(generator.get_submodule(f"out{n}").get_submodule("conv1")) for n in (1, 2, 3, 4)
        )

    def encode(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return mean and deviation of the latents and the features of five sizes."""
        features = [self.start(torch.where(mask > 0.5, torch.zeros_like(image), 2 * image - 1))]
        for block in self.down:
            features.append(block(features[-1]))
        mu, spread = self.prior(features[-1]).chunk(2, dim=1)
        return mu, F.softplus(spread), features

    def decode(self, z: Tensor, features: list[Tensor], mask: Tensor) -> dict[str, Tensor]:
        """Paint from latents."""
        size = (mask.shape[-2] // 8, mask.shape[-1] // 8)
        known = F.interpolate(1 - mask, size, mode="bilinear", align_corners=True)
        x = features[-1] + self.latent(z)
        x = self.attention(self.up[1](self.up[0](x)), features[2], known)
        images: list[Tensor] = []
        for number, out in enumerate(self.out):
            if images:
                x = self.up[number + 1](torch.cat((x, images[-1]), dim=1))
            edged = F.pad(F.leaky_relu(x, 0.1), (1, 1, 1, 1), mode="reflect")
            images.append(out(edged, padding=0).tanh())
        names = ("scale_1_8", "scale_1_4", "scale_1_2", "raw")
        return {name: (image + 1) / 2 for name, image in zip(names, images, strict=True)}

    def forward(self, image: Tensor, mask: Tensor, z: Tensor | None = None) -> dict[str, Tensor]:
        """Fill the holes as `Network` does, for sides it accepts."""
        mu, _, features = self.encode(image, mask)
        return self.decode(mu if z is None else z, features, mask)

    def parts(self, image: Tensor, mask: Tensor) -> dict[str, Callable[[], object]]:
        """Return encoder, generator and discriminator as tasks for measuring their speed."""
        discriminator = PlainDiscriminator(Network.discriminators(self.config)["discriminator"]).to(image)
        mu, _, features = self.encode(image, mask)
        return {
            "encoder": lambda: self.encode(image, mask),
            "generator": lambda: self.decode(mu, features, mask),
            "discriminator": lambda: discriminator(image),
        }
