"""Feature matching: a generated image should give a discriminator the features that the real one gives it."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from inpaint.errors import ConfigError
from inpaint.losses.base import DiscriminatorOutput, MatchingTerm, Norm, at_least_float32, distance


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
