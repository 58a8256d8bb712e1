"""Pluralistic: an encoder that finds a distribution of latent codes, and a generator that paints from one of them.

Zheng et al., "Pluralistic Image Completion", CVPR 2019 (arXiv 1903.04227), and the official program, whose names the
layers carry. Two paths share encoder and generator in training: the reconstructive one sees what the hole really holds
(`posterior`), the generative one must do without (`prior`).

Inside, images lie in [-1, 1], and a masked pixel is 0; the encoder does not see the mask. Every convolution is
spectrally normalized along its first axis, transposed ones too, except the attention's query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.errors import InputError
from inpaint.losses import base
from inpaint.models.base import Encoding, SamplingNetwork
from inpaint.models.pluralistic.blocks import (
    OutputBlock,
    ResBlock,
    SelfAttention,
    ShortLongAttention,
    StartBlock,
    UpBlock,
)
from inpaint.models.pluralistic.config import MULTIPLE_PX, Config
from inpaint.nn.inference import prepare_for_inference
from inpaint.nn.padding import pad_to
from inpaint.nn.random import drawing_from
from inpaint.nn.spectral import normalized_in_full_precision, spectrally_normalized
from inpaint.weights.graphs import NOISE, GraphInput

QUERY_GAIN = 0.02  # of the query's orthogonal start: attention begins almost even


@dataclass(frozen=True)
class EncodedPaths:
    """What the encoder finds: features of the masked image; mean and deviation of the latents on both paths."""

    features: list[Tensor]
    prior: tuple[Tensor, Tensor]
    posterior: tuple[Tensor, Tensor] | None


class Encoder(nn.Module):
    """From a masked image (B, 3, H, W) to features of five sizes and distributions of latents at 1/32."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        w, widest, heads = config.width, 4 * config.width, 2 * config.latent
        self.block0 = StartBlock(3, w)
        self.encoder0 = ResBlock(w, 2 * w, w, down=True)
        self.encoder1 = ResBlock(2 * w, widest, 2 * w, down=True)
        self.encoder2 = ResBlock(widest, widest, down=True)
        self.encoder3 = ResBlock(widest, widest, down=True)
        for number in range(6):
            setattr(self, f"infer_prior{number}", ResBlock(widest, widest))
        self.prior = ResBlock(widest, heads, widest)
        self.posterior = ResBlock(widest, heads, widest)
        _start(self, config)

    def features(self, x: Tensor) -> list[Tensor]:
        """Return the features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size, not activated."""
        found = [self.block0(x)]
        for number in range(4):
            found.append(getattr(self, f"encoder{number}")(found[-1]))
        return found

    def prior_of(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and deviation of the latents of a masked image from its last features, (B, latent, h, w)."""
        for number in range(6):
            features = getattr(self, f"infer_prior{number}")(features)
        return self._distribution(self.prior(features))

    def posterior_of(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and deviation of the latents of a hole's content from its last features, (B, latent, h, w)."""
        return self._distribution(self.posterior(features))

    def _distribution(self, heads: Tensor) -> tuple[Tensor, Tensor]:
        """Split into means and deviations, in at least float32 also under autocast."""
        with torch.autocast(heads.device.type, enabled=False):
            mu, spread = heads.to(torch.promote_types(heads.dtype, torch.float32)).chunk(2, dim=1)
            return mu, F.softplus(spread)

    def forward(self, x: Tensor, content: Tensor | None = None) -> EncodedPaths:
        """Read masked images x (B, 3, H, W) and, in training, what their holes really hold, in one batch."""
        with normalized_in_full_precision(self.modules()):
            if content is None:
                features = self.features(x)
                return EncodedPaths(features, self.prior_of(features[-1]), None)
            both = [part.chunk(2) for part in self.features(torch.cat((x, content)))]
            features, hidden = [part[0] for part in both], both[-1][1]
            return EncodedPaths(features, self.prior_of(features[-1]), self.posterior_of(hidden))


class Generator(nn.Module):
    """From latents and the encoder's features to images of four sizes."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        w, widest = config.width, 4 * config.width
        self.generator = ResBlock(config.latent, widest)
        self.decoder0 = UpBlock(widest, widest, widest)
        self.decoder1 = UpBlock(widest, widest, widest)
        self.attn1 = ShortLongAttention(widest)
        self.out1 = OutputBlock(widest)
        self.decoder2 = UpBlock(widest + 3, widest, widest)
        self.out2 = OutputBlock(widest)
        self.decoder3 = UpBlock(widest + 3, 2 * w, 2 * w)
        self.out3 = OutputBlock(2 * w)
        self.decoder4 = UpBlock(2 * w + 3, w, w)
        self.out4 = OutputBlock(w)
        _start(self, config)

    def forward(self, z: Tensor, deepest: Tensor, eighth: Tensor, known: Tensor) -> list[Tensor]:
        """Paint from latents z (B, latent, h, w) at 1/32 and the encoder's features at 1/32 and 1/8.

        known: (B, 1, 4h, 4w), 1 = known, soft at edges. Returns images (B, 3, ., .) in (-1, 1) of 1/8, 1/4, 1/2 and
        the whole size.
        """
        with normalized_in_full_precision(self.modules()):
            x = deepest + self.generator(z)
            x = self.decoder1(self.decoder0(x))  # (B, 4w, H/8, W/8)
            x = self.attn1(x, eighth, known)
            images = [self.out1(x)]
            for number in (2, 3, 4):
                x = torch.cat((x, images[-1].to(x.dtype)), dim=1)
                x = getattr(self, f"decoder{number}")(x)
                images.append(getattr(self, f"out{number}")(x))
        return images


class Network(SamplingNetwork):
    """Pluralistic on images in [0, 1]; its state dict has the prefixes `encoder.` and `generator.`."""

    discriminator_names: ClassVar = {"gen": "discriminator", "rec": "discriminator_rec"}

    def __init__(self, config: Config, *, seed: int = 0) -> None:
        super().__init__(config)
        with drawing_from(seed):
            self.encoder = Encoder(config)
            self.generator = Generator(config)

    @property
    def minimum_px(self) -> int:
        """Smallest side: one place of the deepest map."""
        return MULTIPLE_PX

    def graph_inputs(self) -> tuple[GraphInput, ...]:
        """Return the noise that latents are drawn with."""
        return (GraphInput(name=NOISE, channels=self.config.latent, scale=MULTIPLE_PX),)

    def encode(self, image: Tensor, mask: Tensor) -> Encoding:  # type: ignore[override]
        """Find the distribution of latents; image (B, 3, H, W) in [0, 1], not read in the hole, mask (B, 1, H, W).

        H and W must be multiples of 32; raises InputError otherwise.
        """
        found: EncodedPaths = self.encoder(masked(image, mask))
        mu, sigma = found.prior
        return Encoding(mu=mu, sigma=sigma, context=self.context(found.features, mask))

    def context(self, features: list[Tensor], mask: Tensor) -> dict[str, Tensor]:
        """Return what decoding needs besides the latents."""
        return {"deepest": features[-1], "eighth": features[2], "known": known_at_eighth(mask)}

    def decode(self, encoding: Encoding, z: Tensor) -> dict[str, Tensor]:
        """Paint from latents z (B, latent, H/32, W/32): "raw" and the smaller images, on our scale, not clamped."""
        return self.paint(z, encoding.context)

    def paint(self, z: Tensor, context: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Do the same from a context alone."""
        images = self.generator(z.to(context["deepest"].dtype), **context)
        exact = torch.promote_types(z.dtype, torch.float32)  # half precision under autocast
        names = ("scale_1_8", "scale_1_4", "scale_1_2", "raw")
        half = z.new_full((), 0.5, dtype=exact)
        # (y + 1) / 2 in one pass over memory.
        return {name: torch.add(half, image.to(exact), alpha=0.5) for name, image in zip(names, images, strict=True)}

    def forward(  # type: ignore[override]
        self, image: Tensor, mask: Tensor, z: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Fill the holes from latents z, the mean of their distribution when there are none."""
        encoding = self.encode(image, mask)
        return self.decode(encoding, encoding.mu if z is None else z)

    def parts(self, image: Tensor, mask: Tensor) -> dict[str, Callable[[], object]]:
        """Return encoder, generator and discriminator as tasks for measuring their speed."""
        discriminator = self.discriminators(self.config)["discriminator"].to(image)
        prepare_for_inference(discriminator.eval())
        discriminator.to(memory_format=torch.channels_last)
        encoding = self.encode(image, mask)
        return {
            "encoder": lambda: self.encode(image, mask),
            "generator": lambda: self.decode(encoding, encoding.mu),
            "discriminator": lambda: discriminator(image),
        }

    @classmethod
    def discriminators(cls, config: Config, *, seed: int = 0) -> dict[str, base.Discriminator]:
        """Build those of the generative and of the reconstructive path."""
        with drawing_from(seed + 1):
            return {"discriminator": Discriminator(config), "discriminator_rec": Discriminator(config)}


def masked(image: Tensor, mask: Tensor) -> Tensor:
    """Return an image of [0, 1] in [-1, 1] with 0 in the hole; what the hole holds is not read, NaN neither."""
    height, width = image.shape[-2:]
    if height % MULTIPLE_PX or width % MULTIPLE_PX or min(height, width) < MULTIPLE_PX:
        raise InputError(f"Pluralistic needs sides that are multiples of {MULTIPLE_PX}, got {height}x{width}")
    return (2 * image - 1).masked_fill(mask > 0.5, 0.0)


def known_at_eighth(mask: Tensor) -> Tensor:
    """Return where an image is known, 1 = known, at 1/8 of the size, interpolated with aligned corners."""
    height, width = mask.shape[-2:]
    return F.interpolate(1 - mask, (height // 8, width // 8), mode="bilinear", align_corners=True)


class Discriminator(base.Discriminator):
    """A logit for every patch of an image; features of all sizes on the way."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        w, widest = config.width, 4 * config.width
        self.block0 = StartBlock(3, w)
        self.encoder0 = ResBlock(w, 2 * w, w, down=True)
        self.encoder1 = ResBlock(2 * w, widest, 2 * w, down=True)
        self.attn2 = SelfAttention(widest)
        self.encoder2 = ResBlock(widest, widest, down=True)
        self.encoder3 = ResBlock(widest, widest, down=True)
        self.block1 = ResBlock(widest, widest)
        self.conv = nn.Conv2d(widest, 1, 3)
        _start(self, config)

    def forward(self, image: Tensor) -> base.DiscriminatorOutput:
        """Return logits (B, 1, H/32 - 2, W/32 - 2) of images (B, 3, H, W) in [0, 1], and the features before them.

        Where a side is below 96, the last features are mirrored to 3 places, so that there is one logit along it.
        """
        height, width = image.shape[-2:]
        if min(height, width) < MULTIPLE_PX:
            raise InputError(f"the discriminator needs sides of at least {MULTIPLE_PX}, got {height}x{width}")
        with normalized_in_full_precision(self.modules()):
            features = [self.block0(2 * image - 1)]
            for name in ("encoder0", "encoder1", "attn2", "encoder2", "encoder3", "block1"):
                features.append(getattr(self, name)(features[-1]))
            last = F.leaky_relu(features[-1], 0.1)
            last = pad_to(last, max(last.shape[-2], 3), max(last.shape[-1], 3))
            return base.DiscriminatorOutput(self.conv(last), tuple(features))


def _start(network: nn.Module, config: Config) -> None:
    """Give all convolutions their initial weights, then normalize all but the attention's query."""
    for name, layer in list(network.named_modules()):
        if not isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            continue
        query = name.endswith("query_conv")
        if query or config.initialization == "orthogonal":
            nn.init.orthogonal_(layer.weight, gain=QUERY_GAIN if query else 1.0)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        if not query:
            spectrally_normalized(layer, dim=0)
