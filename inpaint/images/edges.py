"""Edge maps of photographs: Canny's detector as EdgeConnect uses it, blind to holes if told so.

Nazeri et al., "EdgeConnect", 2019 (arXiv 1901.00212), section 4.2; the constants are those of the authors' program.
scikit-image's detector is the definition here: OpenCV's smooths differently, or not at all, and finds other edges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from inpaint.options import Options

LUMA = (0.2125, 0.7154, 0.0721)  # ITU-R BT.709, rounded as in scikit-image
LOW, HIGH = 0.1, 0.2  # thresholds of the gradient of a gray picture in [0, 1]


class CannyOptions(Options):
    """How strongly pictures are smoothed before their edges are sought.

    sigma_px: the deviation of the Gaussian. range_px: for training, a whole number of pixels drawn for every sample
    from this range, both ends included, instead of sigma_px.
    """

    sigma_px: float = Field(2.0, gt=0)
    range_px: tuple[int, int] | None = None

    @field_validator("range_px")
    @classmethod
    def _rising(cls, pair: tuple[int, int] | None) -> tuple[int, int] | None:
        if pair is not None and not 1 <= pair[0] <= pair[1]:
            raise ValueError(f"must be two whole numbers of at least 1, the smaller first, got {pair[0]} and {pair[1]}")
        return pair

    def draw_px(self, rng: np.random.Generator) -> float:
        """Return the deviation for one training sample."""
        return self.sigma_px if self.range_px is None else float(rng.integers(*self.range_px, endpoint=True))


def luma(photo: NDArray[Any]) -> NDArray[np.float64]:
    """Return the gray picture (H, W) of colors (H, W, 3), on the same scale, in float64."""
    gray: NDArray[np.float64] = photo.astype(np.float64) @ np.array(LUMA)
    return gray


def canny(gray: NDArray[np.float64], sigma_px: float, *, known: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Return the edges (H, W) of a gray picture (H, W) in [0, 1].

    known: (H, W); edges are sought there only, and what lies elsewhere has no influence, not even a NaN. Pixels at the
    border of the picture or beside an unknown one are never edges.
    """
    from skimage import feature

    if known is not None:
        gray = np.where(known, gray, 0.0)
    edges: NDArray[np.bool_] = feature.canny(gray, sigma=sigma_px, low_threshold=LOW, high_threshold=HIGH, mask=known)  # type: ignore[no-untyped-call]
    return edges
