"""GLCIC's completion network and its context discriminator (Iizuka, Simo-Serra and Ishikawa, SIGGRAPH 2017).

Two halvings, dilated convolutions at a quarter of the size, two doublings. The discriminator looks at the whole image
and at a window of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.errors import InputError
from inpaint.losses.base import Discriminator, DiscriminatorOutput
from inpaint.models.base import InpaintNetwork, Rear
from inpaint.models.glcic.config import Config
from inpaint.models.glcic.layers import Layer
from inpaint.nn.narrow import NarrowConv2d
from inpaint.nn.padding import PaddedConv2d
from inpaint.nn.random import drawing_from

PLANES = 4  # the image with a filled hole, and the mask
RATES = (2, 4, 8, 16)  # dilations


class Generator(nn.Module):
    """From planes (B, 4, H, W) to what the last layer gives, (B, 3, H, W); sides must be multiples of 4."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        w = config.width

        def conv(inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, rate: int = 1) -> Layer:
            bias = config.order == "relu_norm"
            layer = PaddedConv2d(inputs, outputs, kernel, stride=stride, dilation=rate, bias=bias)
            return Layer(layer, order=config.order)

        def doubling(inputs: int, outputs: int) -> Layer:
            bias = config.order == "relu_norm"
            return Layer(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=bias), order=config.order)

        self.encoder = nn.Sequential(
            conv(PLANES, w, 5),
            conv(w, 2 * w, stride=2),  # (B, 2 width, H/2, W/2)
            conv(2 * w, 2 * w),
            conv(2 * w, 4 * w, stride=2),  # (B, 4 width, H/4, W/4)
            conv(4 * w, 4 * w),
            conv(4 * w, 4 * w),
        )
        self.dilated = nn.Sequential(*(conv(4 * w, 4 * w, rate=rate) for rate in RATES))
        self.decoder = nn.Sequential(
            conv(4 * w, 4 * w),
            conv(4 * w, 4 * w),
            doubling(4 * w, 2 * w),  # (B, 2 width, H/2, W/2)
            conv(2 * w, 2 * w),
            doubling(2 * w, w),  # (B, width, H, W)
            conv(w, max(w // 2, 1)),
        )
        self.head = NarrowConv2d(max(w // 2, 1), 3, 3)

    def layers(self) -> Iterator[Layer]:
        """Yield the layers before the last, in the order in which they compute."""
        for part in (self.encoder, self.dilated, self.decoder):
            for layer in part:
                assert isinstance(layer, Layer)
                yield layer

    def rear(self, x: Tensor) -> Tensor:
        """Paint from what the encoder returned."""
        painted: Tensor = self.head(self.decoder(self.dilated(x)))
        return painted

    def forward(self, planes: Tensor) -> Tensor:
        """Do both."""
        return self.rear(self.encoder(planes))


class Network(InpaintNetwork):
    """GLCIC on images in [0, 1]; its state dict has the prefix `generator.`."""

    def __init__(self, config: Config, *, seed: int = 0) -> None:
        super().__init__(config)
        with drawing_from(seed):
            self.generator = Generator(config)

    @property
    def minimum_px(self) -> int:
        """Smallest side that `forward` accepts."""
        return 4

    def forward(self, image: Tensor, mask: Tensor, **planes: Tensor) -> dict[str, Tensor]:
        """Fill the holes: {"raw"} (B, 3, H, W) on our scale.

        image: (B, 3, H, W) in [0, 1], not read in the hole. mask: (B, 1, H, W), 1 = hole. H and W must be multiples of
        4; raises InputError otherwise.
        """
        return {"raw": self._colors(self.generator(self._planes(image, mask))).to(image.dtype)}

    def split(self, image: Tensor, mask: Tensor, **planes: Tensor) -> tuple[tuple[Tensor, ...], Rear]:
        """Return what the first dilated convolution reads, and what paints from it."""

        def paint(features: Sequence[Tensor]) -> Tensor:
            return self._colors(self.generator.rear(features[0])).to(image.dtype)

        return (self.generator.encoder(self._planes(image, mask)),), paint

    def parts(self, image: Tensor, mask: Tensor) -> dict[str, Callable[[], object]]:
        """Return encoder, dilated convolutions and decoder as tasks of their own."""
        generator, planes = self.generator, self._planes(image, mask)
        x = generator.encoder(planes)
        y = generator.dilated(x)
        return {
            "encoder": lambda: generator.encoder(planes),
            "dilated": lambda: generator.dilated(x),
            "decoder": lambda: generator.head(generator.decoder(y)),
        }

    def _planes(self, image: Tensor, mask: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        if height % 4 or width % 4:
            raise InputError(f"GLCIC needs sides that are multiples of 4, got {height}x{width}")
        # The hole is overwritten, not multiplied by zero: no arithmetic may carry a NaN of it anywhere.
        mean = image.new_tensor(self.config.mean).view(-1, 1, 1)
        filled = torch.where(mask > 0.5, mean, image)
        return torch.cat((in_range(filled, self.config), mask.to(image.dtype)), dim=1)

    def _colors(self, painted: Tensor) -> Tensor:
        """Return what the last layer gave on our scale, in float32 at least."""
        painted = painted.to(torch.promote_types(painted.dtype, torch.float32))
        if self.config.output == "sigmoid":
            painted = painted.sigmoid()
        return (painted + 1) / 2 if self.config.value_range == "pm1" else painted

    @classmethod
    def discriminators(cls, config: Config, *, seed: int = 0) -> dict[str, Discriminator]:
        """Build the context discriminator."""
        with drawing_from(seed + 1):
            return {"discriminator": ContextDiscriminator(config)}


def in_range(image: Tensor, config: Config) -> Tensor:
    """Return an image (B, 3, H, W) in [0, 1] as both networks take it."""
    if config.value_range == "centered":
        return image - image.new_tensor(config.mean).view(-1, 1, 1)
    return 2 * image - 1 if config.value_range == "pm1" else image


# The discriminator ---------------------------------------------------------------------------------------------------


class Branch(nn.Module):
    """From an image (B, 3, S, S), S fixed, to features (B, F): convolutions of stride 2, a fully connected layer."""

    def __init__(self, config: Config, side: int, convs: int) -> None:
        super().__init__()
        width, bias = config.discriminator.width, config.order == "relu_norm"
        widths = [3, *(width * min(2**number, 8) for number in range(convs))]
        self.convs = nn.Sequential(
            *(
                Layer(PaddedConv2d(before, after, 5, stride=2, bias=bias), order=config.order)
                for before, after in pairwise(widths)
            )
        )
        for _ in range(convs):
            side = -(-side // 2)
        self.linear = nn.Linear(widths[-1] * side**2, config.discriminator.features)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features."""
        return F.relu(self.linear(self.convs(x).flatten(1)))


class ContextDiscriminator(Discriminator):
    """One number for the whole image and a window of it (paper section 3.3)."""

    inputs = (Discriminator.IMAGE, "mask")

    def __init__(self, config: Config) -> None:
        super().__init__()
        options = config.discriminator
        self.config = config
        self.whole_px, self.window_px = options.sides
        self.local = Branch(config, self.window_px, options.local_convs)
        self.whole = Branch(config, self.whole_px, options.global_convs)
        self.last = nn.Linear(2 * options.features, 1)

    def forward(self, image: Tensor, mask: Tensor) -> DiscriminatorOutput:
        """Return logits (B, 1), higher = more real, and the features of window and whole image, (B, F) each.

        Args:
            image: (B, 3, S, S) in [0, 1], S the side that it is trained on, whose window then lies around the hole; or
                (B, 4, S, S), where the last plane is 1 in the window.
            mask: (B, 1, S, S), 1 = hole.
        """
        if tuple(image.shape[-2:]) != (self.whole_px, self.whole_px):
            raise InputError(
                f"GLCIC's discriminator reads images of {self.whole_px}x{self.whole_px}, got "
                f"{image.shape[-2]}x{image.shape[-1]}"
            )
        colors, window = image[:, :3], image[:, 3:]
        corners = first_places(window) if window.shape[1] else around_hole(mask, self.window_px)
        x = in_range(colors, self.config)
        features = (self.local(cut(x, corners, self.window_px)), self.whole(x))
        return DiscriminatorOutput(self.last(torch.cat(features, dim=1)), features)


def first_places(mask: Tensor) -> Tensor:
    """Return the first row and the first column of each mask (B, 1, H, W) that hold a 1: (B, 2); 0 for an empty one."""
    inside = mask > 0.5
    return torch.cat([inside.any(dim=axis).long().argmax(dim=-1) for axis in (-1, -2)], dim=1)


def around_hole(mask: Tensor, side: int) -> Tensor:
    """Return upper left corners (B, 2), row and column, of windows whose center is that of the hole's bounding box.

    A window that would not lie within the image is moved there. Without a hole it lies in the middle.

    mask: (B, 1, H, W), 1 = hole.
    """
    size = mask.new_tensor(mask.shape[-2:]).long()
    first, after = first_places(mask), size - first_places(mask.flip((-2, -1)))
    return ((first + after - side + 1) // 2).clamp_min(0).minimum(size - side)


def anywhere(size: tuple[int, int], side: int, *, count: int, device: torch.device) -> Tensor:
    """Draw upper left corners (count, 2) of windows in images of a height and width, from torch's global generator."""
    ends = [length - side + 1 for length in size]
    return torch.stack([torch.randint(end, (count,), device=device) for end in ends], dim=1)


def cut(image: Tensor, corners: Tensor, side: int) -> Tensor:
    """Return the windows (B, C, side, side) of images (B, C, H, W) with these upper left corners (B, 2)."""
    places = torch.arange(side, device=image.device)
    rows, columns = (corners[:, axis, None] + places for axis in (0, 1))
    number = torch.arange(len(image), device=image.device).view(-1, 1, 1)
    pieces: Tensor = image.permute(0, 2, 3, 1)[number, rows[:, :, None], columns[:, None]]
    return pieces.permute(0, 3, 1, 2)


def windows(size: tuple[int, int], corners: Tensor, side: int) -> Tensor:
    """Return planes (B, 1, H, W) that are True in the windows with these upper left corners (B, 2)."""
    within = [
        (places >= corner[:, None]) & (places < corner[:, None] + side)
        for places, corner in zip((torch.arange(n, device=corners.device) for n in size), corners.T, strict=True)
    ]
    found: Tensor = within[0][:, :, None] & within[1][:, None]
    return found[:, None]
