"""Edge maps of photos: Canny's detector as EdgeConnect uses it, blind to holes if told so.

Nazeri et al., "EdgeConnect", 2019 (arXiv 1901.00212), section 4.2; the constants are those of the authors' program.
scikit-image's detector is the definition here: OpenCV's smooths differently, or not at all, and finds other edges.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from inpaint import seeds
from inpaint.images.photo import BT709, luma
from inpaint.images.planes import Bytes, PlaneMaker
from inpaint.system.extras import import_alone

LOW, HIGH = 0.1, 0.2  # thresholds of the gradient of a gray image in [0, 1]


def canny(gray: NDArray[np.float64], sigma_px: float, *, known: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Return the edges (H, W) of a gray image.

    Args:
        gray: (H, W) in [0, 1].
        sigma_px: Deviation of the Gaussian that smooths it first.
        known: (H, W); edges are sought there only, and what lies elsewhere has no influence, not even a NaN. Pixels at
            the border of the image or beside an unknown one are never edges.
    """
    feature = import_alone("skimage.feature", package="scikit-image", purpose="finding edges")
    if known is not None:
        gray = np.where(known, gray, 0.0)
    edges: NDArray[np.bool_] = feature.canny(gray, sigma=sigma_px, low_threshold=LOW, high_threshold=HIGH, mask=known)
    return edges


def gray_of(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the gray image (H, W) in [0, 1] in which edges are sought, of bytes (H, W, 3)."""
    return luma(image / 255, BT709)


class Sketch(PlaneMaker):
    """A sketch that a user might draw in the hole: Canny's edges, or a file beside the photo, bright = edge.

    Args:
        source: canny, or file for NAME_edge.png beside NAME.jpg (KEY.edge.png in a shard).
        sigma_px: Range of Canny's smoothing, from which every sample draws.
        threshold: Of a file's values in [0, 1]; above it is an edge (0.6 in the public code).
    """

    purpose = seeds.SKETCH
    source: Literal["canny", "file"] = "canny"
    sigma_px: tuple[float, float] = (1.0, 3.0)
    threshold: float = Field(0.6, ge=0, lt=1)

    @field_validator("sigma_px")
    @classmethod
    def _rising(cls, pair: tuple[float, float]) -> tuple[float, float]:
        if not 0 < pair[0] <= pair[1]:
            raise ValueError(f"must be two positive numbers, the smaller first, got {pair[0]} and {pair[1]}")
        return pair

    @property
    def needs_companion(self) -> bool:
        """Whether sketches come from files."""
        return self.source == "file"

    def make(self, image: Bytes, mask: Bytes, *, companion: Bytes | None, rng: np.random.Generator | None) -> Bytes:
        """Return the sketch (H, W), 1 = edge, inside the hole only."""
        if companion is not None:
            sketch = companion > self.threshold * 255
        else:
            sigma_px = sum(self.sigma_px) / 2 if rng is None else rng.uniform(*self.sigma_px)
            sketch = canny(gray_of(image), sigma_px)
        return sketch * mask


class Edges(PlaneMaker):
    """Canny's edges of the whole image, the hole's included: what a network that completes edges learns from.

    Args:
        sigma_px: Deviation of the smoothing.
        range_px: For training, a whole number of pixels drawn for every sample from this range, both ends included,
            instead of sigma_px.
    """

    purpose = seeds.EDGES
    sigma_px: float = Field(2.0, gt=0)
    range_px: tuple[int, int] | None = None
    known_only: ClassVar[bool] = False

    @field_validator("range_px")
    @classmethod
    def _rising(cls, pair: tuple[int, int] | None) -> tuple[int, int] | None:
        if pair is not None and not 1 <= pair[0] <= pair[1]:
            raise ValueError(f"must be two whole numbers of at least 1, the smaller first, got {pair[0]} and {pair[1]}")
        return pair

    def make(self, image: Bytes, mask: Bytes, *, companion: Bytes | None, rng: np.random.Generator | None) -> Bytes:
        """Return edges (H, W), 1 = edge.

        A mirrored image has the mirrored edges, to the pixel: they may as well be found after the flip as before it.
        """
        sigma_px = self.sigma_px
        if rng is not None and self.range_px is not None:
            sigma_px = float(rng.integers(*self.range_px, endpoint=True))
        return canny(gray_of(image), sigma_px, known=mask == 0 if self.known_only else None).astype(np.uint8)


class KnownEdges(Edges):
    """Canny's edges of the known pixels alone, whatever the hole holds."""

    known_only = True
