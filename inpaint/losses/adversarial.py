"""Adversarial losses on logits of any shape: patch discriminators give one for every patch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from inpaint.losses.base import AdversarialTerm


class Hinge(AdversarialTerm):
    """Hinge loss of SN-PatchGAN (DeepFillv2, arXiv 1806.03589, section 3.3).

    Discriminator: (mean max(0, 1 - D(x)) + mean max(0, 1 + D(G))) / 2, the halves as in the official program.
    Generator: - mean D(G).
    """

    kind: Literal["hinge"] = "hinge"

    def generator_loss(self, fake: Tensor) -> Tensor:
        """Return - mean D(G)."""
        return -fake.mean()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return half the sum of both hinge terms."""
        return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())


class NonSaturating(AdversarialTerm):
    """The original adversarial loss with the generator's non-saturating side (Goodfellow et al. 2014), on logits.

    Discriminator: (mean -ln s(D(x)) + mean -ln(1 - s(D(G)))) / 2 with s the sigmoid, the halves as in EdgeConnect.
    Generator: mean -ln s(D(G)). This is the binary cross entropy of s(D), never infinite.
    """

    kind: Literal["nsgan"] = "nsgan"

    def generator_loss(self, fake: Tensor) -> Tensor:
        """Return the cross entropy of the generator's images with the label "real"."""
        return F.softplus(-fake).mean()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return half the sum of both cross entropies."""
        return 0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())


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


class Wasserstein(AdversarialTerm):
    """Wasserstein distance with a gradient penalty (WGAN-GP, arXiv 1704.00028).

    Discriminator: mean D(G) - mean D(x) + penalty * E[(|grad D| - 1)^2]. Generator: - mean D(G).
    penalty: weight of the gradient penalty, see `losses/penalties.py`. region: `hole` takes the gradient inside the
    hole only, as DeepFill and SC-FEGAN do, since a completed image equals the real one elsewhere.
    """

    kind: Literal["wgan_gp"] = "wgan_gp"
    penalty: float = Field(10.0, ge=0)
    region: Literal["all", "hole"] = "all"

    def generator_loss(self, fake: Tensor) -> Tensor:
        """Return - mean D(G)."""
        return -fake.mean()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the negative distance estimate, without the penalty."""
        return fake.mean() - real.mean()
