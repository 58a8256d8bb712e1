"""How much several fills of one image differ, for models that answer with more than one."""

from __future__ import annotations

import torch
from torch import Tensor

from inpaint.metrics.base import Compared, ImageMeasure, RegionMeasure


class Diversity(ImageMeasure):
    """The mean of a distance over all pairs of an image's fills.

    Zheng et al., "Pluralistic image completion", 2019 (arXiv 1903.04227), section 4.3, after Zhu et al., "Toward
    multimodal image-to-image translation", 2017: LPIPS with AlexNet, of the whole completed image and of the hole. The
    hole's is here the mean over its pixels (`LPIPS`), where the paper blanks the known pixels. Fills of noise differ
    most: to be read beside what the fills are worth.

    Args:
        distance: Of whole images or the hole; nothing else is said by `hole` and `title`.
    """

    better = "higher"
    needs = frozenset({"samples"})

    def __init__(self, distance: RegionMeasure) -> None:
        self.distance = distance
        self.name, self.title = f"diversity_{distance.name}", f"diversity {distance.title}"
        self.low, self.high = distance.low, distance.high
        self.decimals, self.scale = distance.decimals, distance.scale
        self.smallest_px = distance.smallest_px

    def missing(self) -> str | None:
        """Say what the distance lacks."""
        return self.distance.missing()

    def values(self, compared: Compared) -> Tensor:
        """Average the distances of all pairs."""
        hole = compared.hole if self.distance.hole else None
        return torch.stack([self.distance.of_pair(pair, hole) for pair in compared.sample_pairs]).mean(dim=0)

    def counts(self, compared: Compared) -> Tensor:
        """Leave out what the distance leaves out."""
        return super().counts(compared) & self.distance.counts(compared)
