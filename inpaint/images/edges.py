"""Edge maps of photos: Canny's detector as EdgeConnect uses it, blind to holes if told so.

Nazeri et al., "EdgeConnect", 2019 (arXiv 1901.00212), section 4.2; the constants are those of the authors' program.
scikit-image's detector is the definition here: OpenCV's smooths differently, or not at all, and finds other edges.
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from inpaint import seeds
from inpaint.images import hand
from inpaint.images.hed import check_installed, edge_probability
from inpaint.images.photo import BT709, luma
from inpaint.images.planes import Bytes, PlaneMaker, checked_range
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


Detector: TypeAlias = Literal["canny", "hed", "file"]


class Sketch(PlaneMaker):
    """A sketch that a user might draw in the hole: the photo's edges, as they are found or as if drawn by hand.

    The defaults are the edges as they are found; `guidance.DRAWN_BY_HAND` has the rest. Validation takes the middle of
    sigma_px and small_px, moves and drops nothing, and is always given.

    Args:
        source: canny; hed, which people's drawings resemble more and which takes half a second of one core for 256 px;
            file for NAME_edge.png beside NAME.jpg (KEY.edge.png in a shard), bright = edge, as `inpaint edges` writes
            them. Of several each sample draws one, and validation has the first.
        sigma_px: Range of Canny's smoothing, from which every sample draws.
        threshold: Of HED's and a file's values in [0, 1]; above it is an edge (0.6 in the public code).
        thin: Lines of HED and files become one pixel wide; Canny's are, and others become so after they were moved.
        small_px: Range of the fewest pixels that a connected line has; smaller ones are left out.
        jitter_px: Range of the farthest that a line is moved along each axis.
        dropped: Range of the share of strokes that are left out.
        given: Share of samples that have a sketch at all.
    """

    purpose = seeds.SKETCH
    source: Detector | tuple[Detector, ...] = "canny"
    sigma_px: tuple[float, float] = (1.0, 3.0)
    threshold: float = Field(0.6, ge=0, lt=1)
    thin: bool = False
    small_px: tuple[int, int] = (0, 0)
    jitter_px: tuple[float, float] = (0.0, 0.0)
    dropped: tuple[float, float] = (0.0, 0.0)
    given: float = Field(1.0, ge=0, le=1)

    @field_validator("source")
    @classmethod
    def _some(cls, source: Detector | tuple[Detector, ...]) -> Detector | tuple[Detector, ...]:
        if not source:
            raise ValueError("must name at least one of canny, hed and file")
        return source

    @field_validator("sigma_px")
    @classmethod
    def _rising(cls, pair: tuple[float, float]) -> tuple[float, float]:
        if not 0 < pair[0] <= pair[1]:
            raise ValueError(f"must be two positive numbers, the smaller first, got {pair[0]} and {pair[1]}")
        return pair

    @field_validator("small_px", "jitter_px")
    @classmethod
    def _not_negative(cls, pair: tuple[float, float]) -> tuple[float, float]:
        return checked_range(pair)

    @field_validator("dropped")
    @classmethod
    def _shares(cls, pair: tuple[float, float]) -> tuple[float, float]:
        return checked_range(pair, most=1)

    @property
    def sources(self) -> tuple[Detector, ...]:
        """All sources that a sample may have."""
        return (self.source,) if isinstance(self.source, str) else self.source

    @property
    def needs_companion(self) -> bool:
        """Whether sketches come from files."""
        return "file" in self.sources

    def check(self) -> None:
        """Raise MissingDependencyError where HED is to be used and its weights are not installed."""
        if "hed" in self.sources:
            check_installed()

    def make(self, image: Bytes, mask: Bytes, *, companion: Bytes | None, rng: np.random.Generator | None) -> Bytes:
        """Return the sketch (H, W), 1 = line, inside the hole only."""
        if rng is not None and self.given < 1 and rng.random() >= self.given:
            return np.zeros_like(mask)
        source = self.sources[0]
        if rng is not None and len(self.sources) > 1:
            source = self.sources[rng.integers(len(self.sources))]
        lines = self._found(source, image, companion, rng)
        return self._as_drawn(lines, rng, thick=source != "canny") * mask

    def _found(
        self, source: Detector, image: Bytes, companion: Bytes | None, rng: np.random.Generator | None
    ) -> NDArray[np.bool_]:
        """Return the edges (H, W) as a detector finds them."""
        if source == "canny":
            return canny(gray_of(image), sum(self.sigma_px) / 2 if rng is None else rng.uniform(*self.sigma_px))
        if source == "hed":
            return edge_probability(image) > self.threshold
        assert companion is not None  # asked for by `needs_companion`
        bright: NDArray[np.bool_] = companion > self.threshold * 255
        return bright

    def _as_drawn(self, lines: NDArray[np.bool_], rng: np.random.Generator | None, *, thick: bool) -> NDArray[np.bool_]:
        """Return edges (H, W) as if they were drawn; thick: they may be wider than a pixel."""
        if rng is not None and self.jitter_px[1] > 0:
            lines, thick = hand.moved(lines, rng.uniform(*self.jitter_px), rng), True
        if self.thin and thick:
            lines = hand.thinned(lines)
        if self.small_px[1] > 0:
            least_px = sum(self.small_px) // 2 if rng is None else rng.integers(*self.small_px, endpoint=True)
            lines = hand.without_small(lines, int(least_px))
        if rng is not None and self.dropped[1] > 0:
            lines = hand.with_some_dropped(lines, rng.uniform(*self.dropped), rng)
        return lines


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
