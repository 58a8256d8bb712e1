"""EraseNet's generator and discriminator (Liu et al., IEEE TIP 2020, "EraseNet: End-to-End Text Removal in the Wild").

An encoder of five halvings serves two decoders: one paints the image without text, at three sizes, the other finds the
text. A second network refines what was painted. The network reads the whole image and no mask.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.errors import InputError
from inpaint.losses.base import Discriminator, DiscriminatorOutput
from inpaint.models.base import Encoded, InpaintNetwork
from inpaint.models.erasenet.config import Config
from inpaint.nn.batch_norm import learns, scale_and_shift
from inpaint.nn.inference import Prepared
from inpaint.nn.random import drawing_from
from inpaint.nn.spectral import normalized_in_full_precision, spectrally_normalized

SLOPE = 0.2
DILATIONS = (2, 4, 8, 16)


def leaky(x: Tensor) -> Tensor:
    """Return leaky ReLU of x, in place where there are no gradients."""
    return F.leaky_relu(x, SLOPE, inplace=not torch.is_grad_enabled())


def conv(inputs: int, outputs: int, side: int, *, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """Return a convolution with spectral norm that keeps the size, or halves it."""
    padding = (side - 1) // 2 * dilation
    return spectrally_normalized(nn.Conv2d(inputs, outputs, side, stride, padding, dilation))


def up(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    """Return a transposed convolution with spectral norm that doubles the size exactly."""
    return spectrally_normalized(nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1))


class Residual(Prepared):
    """Two convolutions and a shortcut, batch norm behind their sum, ReLU; the size is kept, or halved.

    Prepared for inference, the batch norm is part of the last convolution and of the shortcut.
    """

    prepared = ("kernel", "shift", "beside")

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        stride = 1 if inputs == outputs else 2
        self.conv1 = nn.Conv2d(inputs, inputs, 3, stride, 1)
        self.conv2 = nn.Conv2d(inputs, outputs, 3, 1, 1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if stride == 2 else None
        self.norm = nn.BatchNorm2d(outputs)
        self.kernel: Tensor | None
        self.shift: Tensor | None
        self.beside: Tensor | None  # kernel of the shortcut, or what an unchanged one is multiplied by
        for name in self.prepared:
            self.register_buffer(name, None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, inputs, H, W) to (B, outputs, H, W), or to half of that size."""
        inplace = not torch.is_grad_enabled()
        y = F.relu(self.conv1(x), inplace=inplace)
        if self.kernel is None or self.beside is None or learns(self):
            return F.relu(self.norm(self.conv2(y) + (x if self.shortcut is None else self.shortcut(x))))
        y = F.conv2d(y, self.kernel, self.shift, padding=1)
        if self.shortcut is None:
            # Exporters, which run with gradients, write the fused one in float32 whatever the network computes in.
            return F.relu(torch.addcmul(y, x, self.beside) if inplace else y + x * self.beside, inplace=inplace)
        return F.relu(y + F.conv2d(x, self.beside, stride=2), inplace=inplace)

    @torch.no_grad()
    def prepare_for_inference(self) -> None:
        """Fold the batch norm."""
        scale, shift = scale_and_shift(self.norm)
        rows, like = scale.view(-1, 1, 1, 1), self.conv2.weight
        assert self.conv2.bias is not None
        bias = self.conv2.bias.double()
        if self.shortcut is None:
            self.beside = scale.view(1, -1, 1, 1).to(like)
        else:
            assert self.shortcut.bias is not None
            bias = bias + self.shortcut.bias.double()
            self.beside = (self.shortcut.weight.double() * rows).to(like).contiguous(memory_format=torch.channels_last)
        self.kernel = (like.double() * rows).to(like).contiguous(memory_format=torch.channels_last)
        self.shift = (bias * scale + shift).to(like)


class Lateral(Prepared):
    """What the decoder gets of the encoder: four convolutions in a row, without an activation between them.

    Prepared for inference, the last two, the second of which reads single pixels, are one of half the work.
    """

    prepared = ("kernel", "shift")

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, channels, 1)
        self.widen = nn.Conv2d(channels, 2 * channels, 3, padding=1)
        self.wide = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1)
        self.back = nn.Conv2d(2 * channels, channels, 1)
        self.kernel: Tensor | None
        self.shift: Tensor | None
        for name in self.prepared:
            self.register_buffer(name, None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, channels, H, W) to the same shape."""
        x = self.widen(self.narrow(x))
        if self.kernel is None or self.shift is None or learns(self):
            found: Tensor = self.back(self.wide(x))
            return found
        return F.conv2d(x, self.kernel, self.shift, padding=1)

    @torch.no_grad()
    def prepare_for_inference(self) -> None:
        """Multiply the kernels."""
        back, wide = self.back.weight.double().flatten(1), self.wide.weight.double()
        assert self.back.bias is not None
        assert self.wide.bias is not None
        kernel = torch.einsum("oc,cihw->oihw", back, wide)
        self.kernel = kernel.to(self.wide.weight).contiguous(memory_format=torch.channels_last)
        self.shift = (back @ self.wide.bias.double() + self.back.bias.double()).to(self.wide.weight)


class Generator(nn.Module):
    """From images (B, 3, H, W) in [0, 1], sides multiples of 32, to images without text and logits of where it is."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        w = config.width
        self.enter = nn.ModuleList((conv(3, w, 4, stride=2), conv(w, w, 3), conv(w, 2 * w, 4, stride=2)))
        widths = (2 * w, 2 * w, 2 * w, 4 * w, 4 * w, 8 * w, 8 * w, 16 * w, 16 * w)
        self.blocks = nn.ModuleList(Residual(before, after) for before, after in itertools.pairwise(widths))
        self.bottom = conv(16 * w, 16 * w, 1)
        self.ups = nn.ModuleList((up(16 * w, 8 * w), up(16 * w, 4 * w), up(8 * w, 2 * w), up(4 * w, w), up(2 * w, 3)))
        self.laterals = nn.ModuleList(Lateral(channels) for channels in (8 * w, 4 * w, 2 * w, w))
        self.image_1_4, self.image_1_2 = nn.Conv2d(2 * w, 3, 1), nn.Conv2d(w, 3, 1)
        self.mask_ups = nn.ModuleList((up(16 * w, 8 * w), up(8 * w, 4 * w), up(4 * w, 2 * w), up(2 * w, w)))
        self.mask_convs = nn.ModuleList((conv(8 * w, 4 * w, 3), conv(4 * w, 2 * w, 3), conv(2 * w, w, 3)))
        self.mask_head = nn.Conv2d(w, config.mask_planes, 1)
        self.refine = Refinement(config)

    def forward(self, image: Tensor, *, paint: bool = True, find: bool = True) -> dict[str, Tensor]:
        """Return what is asked for of a batch.

        Args:
            image: (B, 3, H, W) in [0, 1].
            paint: "raw", and before it "unet", "scale_1_2" and "scale_1_4", (B, 3, ...) on our scale.
            find: "mask_logits" (B, mask_planes, H, W), above 0 = text.
        """
        features = self.encode(image)
        found = self.painted(*features) if paint else {}
        return found | ({"mask_logits": self.logits(*features)} if find else {})

    def encode(self, image: Tensor) -> Encoded:
        """Return what both decoders read, from half the size to 1/16 of it twice."""
        with normalized_in_full_precision(self.enter):
            e1 = leaky(self.enter[1](leaky(self.enter[0](image))))  # (B, w, H/2, W/2)
            e2 = self.blocks[0](leaky(self.enter[2](e1)))  # (B, 2w, H/4, W/4)
        e3 = self.blocks[2](self.blocks[1](e2))  # (B, 4w, H/8, W/8)
        e4 = self.blocks[4](self.blocks[3](e3))  # (B, 8w, H/16, W/16)
        return e1, e2, e3, e4, self.blocks[5](e4)

    def painted(self, e1: Tensor, e2: Tensor, e3: Tensor, e4: Tensor, q: Tensor) -> dict[str, Tensor]:
        """Return what the first decoder and the refinement paint, from what `encode` returns."""
        with normalized_in_full_precision((self.bottom, *self.ups, *self.refine.normalized())):
            return self._painted(e1, e2, e3, e4, q)

    def logits(self, e1: Tensor, e2: Tensor, e3: Tensor, e4: Tensor, q: Tensor) -> Tensor:
        """Return the second decoder's logits, from what `encode` returns."""
        with normalized_in_full_precision((*self.mask_ups, *self.mask_convs)):
            return self._logits(e1, e2, e3, e4, q)

    def _painted(self, e1: Tensor, e2: Tensor, e3: Tensor, e4: Tensor, q: Tensor) -> dict[str, Tensor]:
        x = leaky(self.bottom(self.blocks[7](self.blocks[6](q))))  # (B, 16w, H/32, W/32)
        small: list[Tensor] = []
        for number, (layer, lateral, skip) in enumerate(zip(self.ups, self.laterals, (e4, e3, e2, e1), strict=False)):
            x = leaky(layer(x))
            if number >= 2:
                small.append((self.image_1_4, self.image_1_2)[number - 2](x))
            x = torch.cat((lateral(skip), x), dim=1)
        unet = leaky(self.ups[4](x))  # (B, 3, H, W)
        return {"raw": self.refine(unet, e1, e2), "unet": unet, "scale_1_2": small[1], "scale_1_4": small[0]}

    def _logits(self, e1: Tensor, e2: Tensor, e3: Tensor, e4: Tensor, q: Tensor) -> Tensor:
        x = leaky(self.mask_ups[0](torch.cat((q, e4), dim=1)))
        for layer, larger, skip in zip(self.mask_convs, self.mask_ups[1:], (e3, e2, e1), strict=True):
            x = leaky(larger(torch.cat((leaky(layer(x)), skip), dim=1)))
        logits: Tensor = self.mask_head(x)
        return logits


class Refinement(nn.Module):
    """The second network: two halvings, dilated convolutions, two doublings, all with spectral norm."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        w = config.width
        self.at_full = conv(3, w, 5)
        self.at_half = nn.ModuleList((conv(w, 2 * w, 4, stride=2), conv(2 * w, 2 * w, 3)))
        self.at_quarter = nn.ModuleList((conv(2 * w, 4 * w, 4, stride=2), conv(4 * w, 4 * w, 3), conv(4 * w, 4 * w, 3)))
        self.dilated = nn.ModuleList(conv(4 * w, 4 * w, 3, dilation=rate) for rate in DILATIONS)
        self.after = nn.ModuleList((conv(4 * w, 4 * w, 3), conv(4 * w, 4 * w, 3)))
        self.skip1, self.skip2 = nn.Conv2d(w, 2 * w, 1), nn.Conv2d(2 * w, 4 * w, 1)
        self.up1, self.conv1 = up(12 * w, 2 * w), conv(2 * w, 2 * w, 3)
        self.up2, self.conv2 = up(6 * w, w), conv(w, w // 2, 3)
        self.head = conv(w // 2, 3, 3)

    def forward(self, image: Tensor, e1: Tensor, e2: Tensor) -> Tensor:
        """Paint anew: image (B, 3, H, W), e1 and e2 of the encoder at half and at a quarter of the size."""
        r1 = _through(self.at_half, leaky(self.at_full(image)))
        r2 = _through(self.at_quarter, r1)
        x = _through(self.after, _through(self.dilated, r2))
        x = leaky(self.conv1(leaky(self.up1(torch.cat((x, r2, self.skip2(e2)), dim=1)))))
        x = leaky(self.conv2(leaky(self.up2(torch.cat((x, r1, self.skip1(e1)), dim=1)))))
        painted: Tensor = self.head(x)
        return painted

    def normalized(self) -> list[nn.Module]:
        """Return the layers with spectral norm."""
        stacks = (self.at_half, self.at_quarter, self.dilated, self.after)
        return [self.at_full, *itertools.chain(*stacks), self.up1, self.conv1, self.up2, self.conv2, self.head]


def _through(layers: nn.ModuleList, x: Tensor) -> Tensor:
    for layer in layers:
        x = leaky(layer(x))
    return x


class Network(InpaintNetwork):
    """EraseNet on images in [0, 1]; its state dict has the prefix `generator.`."""

    def __init__(self, config: Config, *, seed: int = 0) -> None:
        super().__init__(config)
        with drawing_from(seed):
            self.generator = Generator(config)

    @property
    def minimum_px(self) -> int:
        """Smallest side that `forward` accepts."""
        return 32

    def forward(self, image: Tensor, mask: Tensor, **planes: Tensor) -> dict[str, Tensor]:
        """Paint images without what contaminates them: "raw", "unet", "scale_1_2" and "scale_1_4", on our scale.

        image: (B, 3, H, W) in [0, 1]. mask: not read; what is painted is used in the hole. H and W must be multiples of
        32; raises InputError otherwise.
        """
        found = self.generator(self._checked(image), find=False)
        return {name: plane.to(image.dtype) for name, plane in found.items()}

    def find_mask(self, image: Tensor) -> Tensor:
        """Return the mean over the mask's planes of the logits' sigmoid, (B, 1, H, W)."""
        logits = self.generator(self._checked(image), paint=False)["mask_logits"]
        return found_map(logits).to(image.dtype)

    def find_and_encode(self, image: Tensor) -> tuple[Tensor, Encoded]:
        """Return the mask and the encoder's features."""
        encoded = self.generator.encode(self._checked(image))
        return found_map(self.generator.logits(*encoded)).to(image.dtype), encoded

    def paint_encoded(self, image: Tensor, mask: Tensor, encoded: Encoded, **planes: Tensor) -> dict[str, Tensor]:
        """Return what `forward` does."""
        painted = self.generator.painted(*encoded)
        return {name: plane.to(image.dtype) for name, plane in painted.items()}

    def _checked(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        if height % 32 or width % 32:
            raise InputError(f"EraseNet needs sides that are multiples of 32, got {height}x{width}")
        return image

    def parts(self, image: Tensor, mask: Tensor) -> dict[str, Callable[[], object]]:
        """Return finding and painting as tasks of their own."""
        return {
            "find": lambda: self.generator(image, paint=False),
            "paint": lambda: self.generator(image, find=False),
        }

    @classmethod
    def discriminators(cls, config: Config, *, seed: int = 0) -> dict[str, Discriminator]:
        """Build the discriminator."""
        with drawing_from(seed + 1):
            return {"discriminator": TwoStacks(config)}


def found_map(logits: Tensor) -> Tensor:
    """Return how much each pixel is text, (B, 1, H, W), of logits (B, planes, H, W)."""
    return logits.sigmoid().mean(dim=1, keepdim=True)


class TwoStacks(Discriminator):
    """One stack of convolutions reads the image, another one what lies in the hole; one kernel joins them.

    Images smaller than the stacks and the kernel need, 256 pixels at six layers, get zeros around.
    """

    inputs = (Discriminator.IMAGE, "mask")

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, layers = config.discriminator.width, config.discriminator.layers
        sides = (3, width, 2 * width, *(4 * width,) * max(layers - 2, 0))[: layers + 1]
        self.whole, self.hole = (
            nn.ModuleList(conv(before, after, 4, stride=2) for before, after in itertools.pairwise(sides))
            for _ in range(2)
        )
        self.last = nn.Conv2d(2 * sides[-1], 1, 4)

    def forward(self, image: Tensor, mask: Tensor) -> DiscriminatorOutput:
        """Return logits (B, 1, H / 2^layers - 3, W / 2^layers - 3), or one, and each layer's output.

        image: (B, 3, H, W). mask: (B, 1, H, W), 1 = hole.
        """
        both, features = [_grown(image, 2 ** len(self.whole)), _grown(image * mask, 2 ** len(self.hole))], []
        with normalized_in_full_precision((*self.whole, *self.hole)):
            for layers in zip(self.whole, self.hole, strict=True):
                both = [F.leaky_relu(layer(x), SLOPE) for layer, x in zip(layers, both, strict=True)]
                features.append(torch.cat(both, dim=1))
        return DiscriminatorOutput(self.last(_grown(features[-1], 4)), tuple(features))


def _grown(x: Tensor, least: int) -> Tensor:
    """Return x with zeros around it where a side is shorter than `least`."""
    rows, cols = (max(least - side, 0) for side in x.shape[-2:])
    if not rows and not cols:
        return x
    return F.pad(x, (cols // 2, cols - cols // 2, rows // 2, rows - rows // 2))
