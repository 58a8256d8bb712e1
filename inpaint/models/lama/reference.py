"""LaMa in the plain arithmetic of the public program: what tests and speed measurements compare with.

Batch norm by itself, a convolution for each pair of local and global channels, real and imaginary planes interleaved,
all in the layout of the input. Shares weights and configuration with a `Network`, which are copied, and nothing else.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.models.lama.network import Generator, Network
from inpaint.nn.batch_norm import ConvNorm
from inpaint.nn.fourier import FourierConv, FourierUnit, LocalFourierUnit, SpectralTransform
from inpaint.nn.padding import PaddedConv2d


def _interleaved(planes: Tensor) -> Tensor:
    """Return rows [all real; all imaginary] as real and imaginary in turns."""
    real, imaginary = planes.chunk(2)
    return torch.stack((real, imaginary), dim=1).flatten(0, 1)


class PlainConvNorm(nn.Module):
    """A convolution, batch norm and an activation, one after the other."""

    def __init__(self, layer: ConvNorm) -> None:
        super().__init__()
        conv = layer.conv
        self.slope = layer.slope
        bias = conv.bias is not None
        if isinstance(conv, nn.ConvTranspose2d):
            self.conv: nn.Module = nn.ConvTranspose2d(
                conv.in_channels, conv.out_channels, 3, 2, padding=1, output_padding=1, bias=bias
            )
        else:
            self.conv = _plain_conv(conv)
        self.norm = nn.BatchNorm2d(conv.out_channels)
        self.to(conv.weight)
        self.conv.load_state_dict(conv.state_dict())
        self.norm.load_state_dict(layer.norm.state_dict())

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) as `ConvNorm` does."""
        y: Tensor = self.norm(self.conv(x))
        return y if self.slope is None else F.leaky_relu(y, self.slope) if self.slope else F.relu(y)


def _plain_conv(conv: nn.Conv2d) -> nn.Conv2d:
    """Return torch's own convolution that pads as ours does, without its weights."""
    kernel = conv.kernel_size[0]
    mirrored = isinstance(conv, PaddedConv2d) and conv.border == "reflect"
    return nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        kernel,
        conv.stride[0],
        kernel // 2,
        bias=conv.bias is not None,
        padding_mode="reflect" if mirrored else "zeros",
    )


def _copied(conv: nn.Conv2d) -> nn.Conv2d:
    plain = _plain_conv(conv).to(conv.weight)
    plain.load_state_dict(conv.state_dict())
    return plain


class PlainFourierUnit(nn.Module):
    """The Fourier unit with planes that alternate between real and imaginary."""

    def __init__(self, unit: FourierUnit) -> None:
        super().__init__()
        self.mix = PlainConvNorm(unit.mix)
        with torch.no_grad():
            conv, norm = self.mix.conv, self.mix.norm
            assert isinstance(conv, nn.Conv2d)
            conv.weight.copy_(_interleaved(_interleaved(conv.weight).transpose(0, 1)).transpose(0, 1))
            for part in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                assert part is not None
                part.copy_(_interleaved(part.clone()))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) as `FourierUnit` does."""
        batch, channels, height, width = x.shape
        z = torch.fft.rfft2(x, norm="ortho")
        planes = torch.stack((z.real, z.imag), dim=-1)  # (B, C, H, K, 2)
        planes = planes.permute(0, 1, 4, 2, 3).contiguous().view(batch, 2 * channels, height, -1)
        planes = self.mix(planes).view(batch, channels, 2, height, -1).permute(0, 1, 3, 4, 2).contiguous()
        z = torch.complex(planes[..., 0], planes[..., 1])
        back: Tensor = torch.fft.irfft2(z, s=(height, width), norm="ortho")
        return back


class PlainLocalFourierUnit(nn.Module):
    """A Fourier unit on the quarters of the map."""

    def __init__(self, unit: LocalFourierUnit) -> None:
        super().__init__()
        self.unit = PlainFourierUnit(unit.unit)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) as `LocalFourierUnit` does."""
        channels, height, width = x.shape[1] // 4, x.shape[2] // 2, x.shape[3] // 2
        first = x[:, :channels]
        left = torch.cat((first[:, :, :height, :width], first[:, :, height:, :width]), dim=1)
        right = torch.cat((first[:, :, :height, width:], first[:, :, height:, width:]), dim=1)
        mixed = self.unit(torch.cat((left, right), dim=1))
        row = torch.cat((mixed, mixed), dim=-1)
        return torch.cat((row, row), dim=-2)


class PlainSpectralTransform(nn.Module):
    """The spectral transform, layer by layer."""

    def __init__(self, layer: SpectralTransform) -> None:
        super().__init__()
        self.reduce = PlainConvNorm(layer.reduce)
        self.unit = PlainFourierUnit(layer.unit)
        self.local_unit = None if layer.local_unit is None else PlainLocalFourierUnit(layer.local_unit)
        self.expand = _copied(layer.expand)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) as `SpectralTransform` does."""
        x = self.reduce(x)
        y = x + self.unit(x)
        if self.local_unit is not None:
            y = y + self.local_unit(x)
        expanded: Tensor = self.expand(y)
        return expanded


class PlainFourierConv(nn.Module):
    """A fast Fourier convolution, layer by layer."""

    def __init__(self, layer: FourierConv) -> None:
        super().__init__()
        self.local_to_local, self.local_to_global = _copied(layer.local_to_local), _copied(layer.local_to_global)
        self.global_to_local = None if layer.global_to_local is None else _copied(layer.global_to_local)
        self.spectral = None if layer.spectral is None else PlainSpectralTransform(layer.spectral)
        norms = []
        for norm in (layer.local_norm, layer.global_norm):
            norms.append(nn.BatchNorm2d(norm.num_features).to(norm.weight))
            norms[-1].load_state_dict(norm.state_dict())
        self.local_norm, self.global_norm = norms

    def forward(self, x: Tensor, x_global: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map local and global channels as `FourierConv` does."""
        local, beyond = self.local_to_local(x), self.local_to_global(x)
        if x_global is not None:
            assert self.global_to_local is not None
            assert self.spectral is not None
            local, beyond = local + self.global_to_local(x_global), beyond + self.spectral(x_global)
        return F.relu(self.local_norm(local)), F.relu(self.global_norm(beyond))


class Reference(nn.Module):
    """A `Network` computed plainly: the same images from the same weights, which are copied."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        generator: Generator = network.generator
        self.before = nn.ModuleList(
            _plain(layer) for layer in (generator.stem, generator.down1, generator.down2, generator.down3)
        )
        self.blocks = nn.ModuleList(
            nn.ModuleList(_plain(layer) for _, layer in block.named_children()) for block in generator.blocks
        )
        self.after = nn.ModuleList(_plain(layer) for layer in (generator.up1, generator.up2, generator.up3))
        self.head = _copied(generator.head)
        self.eval()

    def forward(self, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Fill the holes: {"raw"} as `Network` does."""
        features: tuple[Tensor, ...] = (torch.cat((image * (1 - mask), mask), dim=1),)
        for layer in self.before:
            features = _several(layer(*features))
        for block in self.blocks:
            found = features
            for layer in block:  # type: ignore[attr-defined]
                found = _several(layer(*found))
            features = tuple(x + y for x, y in zip(features, found, strict=True))
        x = torch.cat(features, dim=1)
        for layer in self.after:
            x = layer(x)
        return {"raw": torch.sigmoid(self.head(x))}


def _plain(layer: nn.Module) -> nn.Module:
    if isinstance(layer, FourierConv):
        return PlainFourierConv(layer)
    assert isinstance(layer, ConvNorm)
    return PlainConvNorm(layer)


def _several(features: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return features if isinstance(features, tuple) else (features,)
