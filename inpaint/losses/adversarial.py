"""Adversarial losses. Scores may have any shape: every entry is judged on its own (patch discriminators)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from inpaint.losses.base import AdversarialTerm


class Hinge(AdversarialTerm):
    """Hinge loss of SN-PatchGAN (DeepFillv2, arXiv 1806.03589, section 3.3).

    Discriminator: (mean max(0, 1 - D(x)) + mean max(0, 1 + D(G))) / 2, the halves as in the official program.
    Generator: - mean D(G).
    """

    kind: Literal["hinge"] = "hinge"

    def for_generator(self, fake: Tensor) -> Tensor:
        """Return - mean D(G)."""
        return -fake.mean()

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return half the sum of both hinge terms."""
        return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())
