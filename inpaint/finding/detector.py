"""Lines of text by a network: PP-OCRv6's small detector, a differentiable binarization (Liao et al. 2020).

Its weights (10 MB, Apache-2.0) come in the wheel of `rapidocr`, whose code is not used: onnxruntime runs them here.
They expect BGR in [-1, 1] with sides that are multiples of 32 and a shorter side of at least 736, and answer with the
probability that a pixel lies in the inner part of a line. Of an image without any text they take whole surfaces for it
(the network has hardly seen such images), and of one that holds some they do not: so a known line of text is set below
every image, and what is found there is left out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.errors import MissingDependencyError
from inpaint.images.regions import Region
from inpaint.system.environment import cores
from inpaint.system.extras import import_optional, install_command

PURPOSE = "finding text"
WEIGHTS = "PP-OCRv6_det_small.onnx"
MULTIPLE_PX = 32
SHORTEST_PX, LONGEST_PX = 736, 2048
"""Sides of what the network sees: smaller photos are enlarged, larger ones looked at as a whole and in tiles."""
TILE_PX, OVERLAP_PX = 1024, 192
# Of the published program: lines grow by 1.6 times their area over their perimeter, and have 3 pixels at least.
UNCLIP, LEAST_PX = 1.6, 3
HIGHEST = 0.35
"""Height of a line, of the shorter side of the photo, above which it is none."""
KNOWN_TEXT, KNOWN_PX = "The quick brown fox", 96

Image = NDArray[np.uint8]
"""(H, W, 3), RGB."""


@dataclass(frozen=True, eq=False)
class Line:
    """A line of text.

    Args:
        corners: (4, 2), x and y in pixels of the photo.
        height_px: Of the line.
        scale: Of the image in which it was found, relative to the photo.
    """

    corners: NDArray[np.float64]
    height_px: float
    scale: float

    def mask(self, window: Region) -> NDArray[np.bool_]:
        """Return what of a window of the photo lies inside."""
        inside = np.zeros(window.size, np.uint8)
        cv2.fillConvexPoly(inside, np.round(self.corners - (window.left, window.top)).astype(np.int32), 1)
        return inside.astype(bool)

    def window(self, around_px: float, size: tuple[int, ...]) -> Region:
        """Return the bounding box, grown, within a photo of this size; empty where the line lies outside."""
        left, top = np.floor(self.corners.min(axis=0) - around_px).astype(int).clip(0, (size[1], size[0])).tolist()
        right, bottom = np.ceil(self.corners.max(axis=0) + around_px).astype(int).clip(0, (size[1], size[0])).tolist()
        return Region(top, bottom, left, right)


def find_lines(image: Image, sensitivity: float) -> list[Line]:
    """Return the lines of text of an image; one that is seen in several tiles comes several times.

    Args:
        image: (H, W, 3).
        sensitivity: 0 to 1.
    """
    height, width = image.shape[:2]
    whole = min(max(1.0, SHORTEST_PX / min(height, width)), LONGEST_PX / max(height, width))
    lines = _lines_of(image, whole, sensitivity)
    if whole < 1:
        for tile in _tiles(height, width):
            lines += _lines_of(image[tile.slices], 1.0, sensitivity, tile)
    return [line for line in lines if line.height_px <= HIGHEST * min(height, width)]


def text_remains(image: Image, line: Line, sensitivity: float) -> NDArray[np.bool_] | None:
    """Return what of the window of a line still lies in lines of text, looked at as it was found; None for nothing.

    Args:
        image: (H, W, 3), with the line removed.
        line: What was removed.
        sensitivity: 0 to 1.
    """
    window = line.window(2 * line.height_px + 16, image.shape)
    found = [again.mask(window) for again in _lines_of(image[window.slices], line.scale, sensitivity, window)]
    mask = line.mask(window)
    rest = np.logical_or.reduce([*found, np.zeros_like(mask)]) & mask
    return rest if np.count_nonzero(rest) > 0.15 * np.count_nonzero(mask) else None


def _tiles(height: int, width: int) -> Iterator[Region]:
    """Yield squares that cover the image and overlap, from top to bottom, then left to right."""
    step = TILE_PX - OVERLAP_PX
    for top in range(0, max(height - OVERLAP_PX, 1), step):
        for left in range(0, max(width - OVERLAP_PX, 1), step):
            yield Region(top, min(top + TILE_PX, height), left, min(left + TILE_PX, width))


def _lines_of(image: Image, scale: float, sensitivity: float, window: Region | None = None) -> list[Line]:
    """Return the lines in an image, or in a window of one, looked at in this scale."""
    height, width = image.shape[:2]
    sides = [max(MULTIPLE_PX, round(side * scale / MULTIPLE_PX) * MULTIPLE_PX) for side in (height, width)]
    probability = _probability(np.asarray(cv2.resize(image, (sides[1], sides[0])), np.uint8))
    ratio = np.array((width / sides[1], height / sides[0]))
    offset = (window.left, window.top) if window else (0, 0)
    # 0.3 and 0.5 at a sensitivity of 0.5, as published.
    inner, mean = 0.5 - 0.4 * sensitivity, 0.8 - 0.6 * sensitivity
    joined = cv2.dilate((probability > inner).astype(np.uint8), np.ones((2, 2), np.uint8))
    lines = []
    for contour in cv2.findContours(joined, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]:
        center, (a, b), angle = cv2.minAreaRect(contour)
        if min(a, b) < LEAST_PX:
            continue
        core = Line(np.asarray(cv2.boxPoints((center, (a, b), angle)), np.float64), min(a, b), scale)
        around = core.window(1, probability.shape)
        if 0 in around.size or probability[around.slices][core.mask(around)].mean() < mean:
            continue
        more = UNCLIP * a * b / (2 * (a + b))
        corners = cv2.boxPoints((center, (a + 2 * more, b + 2 * more), angle)) * ratio + offset
        lines.append(Line(corners, (min(a, b) + 2 * more) * float(ratio.mean()), scale))
    return lines


def _probability(image: Image) -> NDArray[np.float32]:
    """Return for every pixel (H, W) how likely it is of a line's inner part; sides are multiples of 32."""
    height, width = image.shape[:2]
    values = np.concatenate([image, _known_text(width)])[..., ::-1].astype(np.float32) / np.float32(127.5) - 1
    planes = np.ascontiguousarray(values.transpose(2, 0, 1)[None])  # (1, 3, H, W)
    with _LOCK:
        session = _session()
    (answer,) = session.run(None, {session.get_inputs()[0].name: planes})
    probability: NDArray[np.float32] = answer[0, 0, :height]
    return probability


def _known_text(width: int) -> Image:
    """Return a strip of this width with black words on white."""
    strip = np.full((KNOWN_PX, width, 3), 255, np.uint8)
    for left in range(16, width, 520):
        cv2.putText(strip, KNOWN_TEXT, (left, 60), cv2.FONT_HERSHEY_DUPLEX, 1.2, (0, 0, 0), 2, cv2.LINE_AA)
    return strip


_LOCK = threading.Lock()


@cache
def _session() -> Any:
    runtime = import_optional("text", "onnxruntime", purpose=PURPOSE)
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = cores(), 3
    return runtime.InferenceSession(str(weights_file()), options, providers=["CPUExecutionProvider"])


def weights_file() -> Path:
    """Return where the detector's weights lie.

    Raises:
        MissingDependencyError: The package that brings them is absent, or brings others.
    """
    spec = find_spec("rapidocr")
    path = Path(spec.origin).parent / "models" / WEIGHTS if spec and spec.origin else None
    if path is None or not path.is_file():
        raise MissingDependencyError(f"{PURPOSE} needs {WEIGHTS} of the package rapidocr: {install_command('text')}")
    return path
