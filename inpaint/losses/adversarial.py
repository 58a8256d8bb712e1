"""Losses by a discriminator: adversarial ones on logits of any shape, and feature matching."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from inpaint.errors import ConfigError
from inpaint.losses.base import (
    AdversarialTerm,
    DiscriminatorOutput,
    MatchingTerm,
    Norm,
    Record,
    at_least_float32,
    distance,
)


class Hinge(AdversarialTerm):
    """Hinge loss of SN-PatchGAN (DeepFillv2, arXiv 1806.03589, section 3.3).

    Discriminator: (mean max(0, 1 - D(x)) + mean max(0, 1 + D(G))) / 2, the halves as in the official program.
    Generator: - mean D(G).
    sigmoid: as EraseNet's program has it, for comparisons: of the sigmoid of logits, which the hinge never cuts off,
    with the means inside of the hinges and no halves.
    """

    kind: Literal["hinge"] = "hinge"
    sigmoid: bool = False

    def generator_loss(self, fake: Tensor) -> Tensor:
        """Return - mean D(G)."""
        return -(fake.sigmoid() if self.sigmoid else fake).mean()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return half the sum of both hinge terms."""
        if self.sigmoid:
            return F.relu(1 - real.sigmoid().mean()) + F.relu(1 + fake.sigmoid().mean())
        return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())


class NonSaturating(AdversarialTerm):
    """The original adversarial loss with the generator's non-saturating side (Goodfellow et al. 2014), on logits.

    Discriminator: (mean -ln s(D(x)) + mean -ln(1 - s(D(G)))) / 2 with s the sigmoid, the halves as in EdgeConnect.
    Generator: mean -ln s(D(G)). This is the binary cross entropy of s(D), never infinite. halves: false is the whole
    sum, as in StyleGAN2; what the discriminator's penalties weigh beside it depends on that.
    """

    kind: Literal["nsgan"] = "nsgan"
    halves: bool = True

    def generator_loss(self, fake: Tensor) -> Tensor:
        """Return the cross entropy of the generator's images with the label "real"."""
        return F.softplus(-fake).mean()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return half the sum of both cross entropies, or all of it."""
        return (0.5 if self.halves else 1.0) * (F.softplus(-real).mean() + F.softplus(fake).mean())


class MaskedNonSaturating(AdversarialTerm):
    """The non-saturating loss in which generated patches outside the hole count as real (LaMa, 2109.07161, eq. 3).

    Discriminator: mean [-ln s(D(x)) - m ln(1 - s(D(G))) - (1 - m) ln s(D(G))] with s the sigmoid and m the mask at the
    size of the logits; no halves, as in the authors' program. Generator: mean -ln s(D(G)) over all patches.
    patches: how the mask is brought to that size. nearest: one pixel for each patch, as in the program; max: 1 where a
    patch's share of the mask has any hole, nearer to the paper's words.
    """

    kind: Literal["masked_nsgan"] = "masked_nsgan"
    patches: Literal["nearest", "max"] = "nearest"

    def generator_loss(self, fake: Tensor) -> Tensor:
        """Return the cross entropy of the generator's images with the label "real"."""
        return F.softplus(-fake).mean()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the sum of both cross entropies for images that are all hole."""
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def discriminator_loss_around(self, real: Tensor, fake: Tensor, mask: Tensor) -> Tensor:
        """Return the sum of both cross entropies; logits must be (B, 1, h, w)."""
        hole = mask.to(fake.dtype)
        if self.patches == "nearest":
            hole = F.interpolate(hole, fake.shape[-2:], mode="nearest")
        else:
            hole = F.adaptive_max_pool2d(hole, fake.shape[-2:])
        of_fake = hole * F.softplus(fake) + (1 - hole) * F.softplus(-fake)
        return F.softplus(-real).mean() + of_fake.mean()


class LeastSquares(AdversarialTerm):
    """Least squares with labels 1 and 0 (LSGAN, arXiv 1611.04076).

    Discriminator: (mean (D(x) - 1)^2 + mean D(G)^2) / 2. Generator: mean (D(G) - 1)^2. sigmoid: take that of the logits
    first, as EdgeConnect's program does; Pluralistic's does not.
    """

    kind: Literal["lsgan"] = "lsgan"
    sigmoid: bool = False

    def generator_loss(self, fake: Tensor) -> Tensor:
        """Return the squared distance of the outputs from 1."""
        return (self._output(fake) - 1).square().mean()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return half the sum of both squared distances."""
        return 0.5 * ((self._output(real) - 1).square().mean() + self._output(fake).square().mean())

    def _output(self, logits: Tensor) -> Tensor:
        return logits.sigmoid() if self.sigmoid else logits


class SoftMaskPatch(AdversarialTerm):
    """Least squares at every pixel, with labels that fade into the hole (SM-PatchGAN of AOT-GAN, arXiv 2104.01431).

    The logits (B, 1, h, w) are enlarged to the mask's size, bilinear with corners aligned; m is the mask, b(m) the mask
    blurred by a Gaussian of `sigma_px` cut off at `radius_px`, 0 beyond the border. Discriminator: mean (D(x) - 1)^2 +
    mean (D(G) - 1 + b(m))^2. Generator: sum m (D(G) - 1)^2 / sum m, over the global batch.
    origin: as the authors' program has it, for comparisons: the discriminator's labels the other way round, real 0 and
    hole b(m), while the generator is still asked for 1, and everywhere.
    """

    kind: Literal["sm_gan"] = "sm_gan"
    sigma_px: float = Field(10.0, gt=0)
    radius_px: int = Field(35, ge=0)
    origin: bool = False

    def generator_loss(self, fake: Tensor) -> Tensor:
        """Return the squared distance from 1 for images that are all hole."""
        return (fake - 1).square().mean()

    def generator_loss_around(self, fake: Tensor, record: Record) -> Tensor:
        """Return the squared distance from 1 in the hole; an empty hole gives 0."""
        mask = record["mask"].to(fake.dtype)
        distances = (_enlarged(fake, mask) - 1).square()
        if self.origin:
            return distances.mean()
        share = record["hole_share"].to(fake.dtype)
        smallest = torch.finfo(torch.float32).eps  # below one pixel of a large batch: no hole
        return (mask * distances).mean() * torch.where(share > smallest, 1 / share.clamp_min(smallest), 0.0)

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the sum of both squared distances from the labels inside of a hole."""
        real_label, fake_label = (0, 1) if self.origin else (1, 0)
        return (real - real_label).square().mean() + (fake - fake_label).square().mean()

    def discriminator_loss_around(self, real: Tensor, fake: Tensor, mask: Tensor) -> Tensor:
        """Return the sum of both squared distances; logits must be (B, 1, h, w)."""
        mask = mask.to(fake.dtype)
        soft = blurred(mask, self.sigma_px, self.radius_px)
        real_label, fake_label = (torch.zeros_like(soft), soft) if self.origin else (torch.ones_like(soft), 1 - soft)
        of_real = (_enlarged(real, mask) - real_label).square().mean()
        return of_real + (_enlarged(fake, mask) - fake_label).square().mean()


def _enlarged(logits: Tensor, mask: Tensor) -> Tensor:
    return F.interpolate(logits, mask.shape[-2:], mode="bilinear", align_corners=True)


def blurred(mask: Tensor, sigma_px: float, radius_px: int) -> Tensor:
    """Return a mask (B, 1, H, W) blurred by a Gaussian of 2 radius + 1 places a side, 0 beyond the border."""
    places = torch.arange(-radius_px, radius_px + 1, device=mask.device, dtype=mask.dtype)
    weights = torch.exp(-places.square() / (2 * sigma_px**2))
    weights = weights / weights.sum()
    rows = F.conv2d(mask, weights.view(1, 1, -1, 1), padding=(radius_px, 0))
    return F.conv2d(rows, weights.view(1, 1, 1, -1), padding=(0, radius_px))


class Wasserstein(AdversarialTerm):
    """Wasserstein distance with a gradient penalty (WGAN-GP, arXiv 1704.00028).

    Discriminator: mean D(G) - mean D(x) + penalty * E[(|grad D| / slope - 1)^2]. Generator: - mean D(G).
    penalty: weight of the gradient penalty, see `losses/gradient_penalty.py`. region: `hole` takes the gradient inside
    the hole only, as DeepFill and SC-FEGAN do, since a completed image equals the real one elsewhere. slope: 2 asks for
    the gradient that is 1 where colors reach from -1 to 1.
    """

    kind: Literal["wgan_gp"] = "wgan_gp"
    penalty: float = Field(10.0, ge=0)
    region: Literal["all", "hole"] = "all"
    slope: float = Field(1.0, gt=0)

    def generator_loss(self, fake: Tensor) -> Tensor:
        """Return - mean D(G)."""
        return -fake.mean()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the negative distance estimate, without the penalty."""
        return fake.mean() - real.mean()


class FeatureMatching(MatchingTerm):
    """Sum over a discriminator's layers of the mean distance between features (pix2pixHD, arXiv 1711.11585, eq. 4).

    layers: numbers of the features, from 0; null = all; `scores` = the logits themselves, as in Pluralistic.
    norm: mean absolute or mean squared difference.
    """

    kind: Literal["feature_matching"] = "feature_matching"
    layers: tuple[int, ...] | Literal["scores"] | None = None
    norm: Norm = "l1"

    def __call__(self, fake: DiscriminatorOutput, real: DiscriminatorOutput) -> Tensor:
        """Return the sum over layers.

        Raises ConfigError when the discriminator returns no such features.
        """
        pairs = zip(self._chosen(fake), self._chosen(real), strict=True)
        return sum(
            (distance(at_least_float32(f) - at_least_float32(r.detach()), self.norm).mean() for f, r in pairs),
            fake.logits.new_zeros(()),
        )

    def _chosen(self, output: DiscriminatorOutput) -> tuple[Tensor, ...]:
        if self.layers == "scores":
            return (output.logits,)
        count = len(output.features)
        if not count:
            raise ConfigError(f"discriminator '{self.discriminator}' returns no features; valid: layers=scores")
        numbers = range(count) if self.layers is None else self.layers
        for number in numbers:
            if not 0 <= number < count:
                raise ConfigError(f"layers: '{self.discriminator}' has the features 0 to {count - 1}, not {number}")
        return tuple(output.features[number] for number in numbers)
