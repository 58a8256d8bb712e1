"""How far the content of a completed image is from the original's, by a network that comes in a package."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.errors import InpaintError
from inpaint.metrics.accumulate import wide
from inpaint.metrics.base import Compared, ImageMeasure
from inpaint.metrics.extractors import lite0
from inpaint.nn.efficientnet import normalized


class ContentDistance(ImageMeasure):
    """One minus the cosine of features of EfficientNet-Lite0, averaged over positions, then over five scales.

    The features are the outputs of the network's last block at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image (16, 24, 40,
    112 and 320 channels, linear). Images keep their size and are mapped by (x - 127) / 128. Built like LPIPS (Zhang et
    al., 2018), but without weights fitted to what people said: it orders fills of one photo, its size has no meaning
    beside LPIPS, and it depends on the resolution.

    Args:
        weights: `public`, the path of a file that holds the same, or `random`, seeded, for tests and dry runs.
    """

    name, title = "content_distance", "content distance"
    better, low, high = "lower", 0.0, 2.0
    decimals = 4
    smallest_px = 32  # one position at the coarsest scale

    def __init__(self, weights: str = "public") -> None:
        self.weights = weights

    def missing(self) -> str | None:
        """Load the network; return why that is impossible."""
        try:
            lite0(torch.device("cpu"), self.weights)
        except InpaintError as error:
            return str(error)
        return None

    def values(self, compared: Compared) -> Tensor:
        """Look at one pair after the other: rounding in a network depends on the size of the batch."""
        network = lite0(compared.image.device, self.weights)
        pairs = zip(compared.completed, compared.image, strict=True)
        with torch.inference_mode():
            values = [_distance(network(normalized(torch.stack(pair).float())).scales) for pair in pairs]
        return torch.stack(values) if values else wide(compared.image.new_empty(0))


def _distance(scales: tuple[Tensor, ...]) -> Tensor:
    """Return the distance of the first image from the second, from features (2, C, h, w) of each scale."""
    distances = [1 - F.cosine_similarity(wide(x[0]), wide(x[1]), dim=0).mean() for x in scales]
    return torch.stack(distances).mean().clamp_min(0)
