"""Edges of photos as files beside them, found once instead of in every sample."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inpaint.data.sources import COMPANION_ENDING, FileSource
from inpaint.errors import InputError
from inpaint.images.edges import canny, gray_of
from inpaint.images.hed import check_installed, edge_probability
from inpaint.system.files import atomic_write

Detector: TypeAlias = Literal["hed", "canny"]
SIGMA_PX = 2.0  # of Canny's smoothing
_log = logging.getLogger("inpaint.data")


def edge_map(image: NDArray[np.uint8], by: Detector, *, longest_px: int) -> NDArray[np.uint8]:
    """Return the edges of an image (H, W, 3) as levels (H, W): HED's probability, or 255 where Canny finds one.

    longest_px: A longer side of a photo is reduced to it before edges are sought, and they are enlarged again.
    """
    height, width = image.shape[:2]
    factor = min(longest_px / max(height, width), 1.0)
    if factor < 1:
        across = (max(round(width * factor), 1), max(round(height * factor), 1))
        image = cv2.resize(image, across, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    found = edge_probability(image) if by == "hed" else canny(gray_of(image), SIGMA_PX).astype(np.float32)
    if factor < 1:
        found = cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)
    levels: NDArray[np.uint8] = np.rint(found * 255).astype(np.uint8)
    return levels


def write_edges(source: FileSource, by: Detector, *, longest_px: int) -> Iterator[str]:
    """Write NAME_edge.png beside every photo that has none, and yield what became of each: "written", "kept", "failed".

    Raises:
        MissingDependencyError: HED's weights are not installed.
    """
    if by == "hed":
        check_installed()
    for index in range(len(source)):
        try:
            source.companion_path(index)
        except InputError:
            yield _written(source, index, by, longest_px)
        else:
            yield "kept"


def _written(source: FileSource, index: int, by: Detector, longest_px: int) -> str:
    photo = source.base / source.names[index]
    try:
        found = edge_map(source.read(index), by, longest_px=longest_px)
    except InputError as error:
        _log.warning("left out: %s: %s", photo, error)
        return "failed"
    with atomic_write(photo.with_name(f"{photo.stem}{COMPANION_ENDING}.png")) as path:
        Image.fromarray(found).save(path, "PNG")
    return "written"
