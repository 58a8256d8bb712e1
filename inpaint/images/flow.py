"""Optical flow between frames of a film: estimating it, files, warping by it, and where it can be trusted.

A flow is (H, W, 2) float32: what is at (y, x) of one frame is at (y + flow[..., 1], x + flow[..., 0]) of the other. A
flow from the present frame to an earlier one, the backward flow, says where to fetch each pixel of the present.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InputError
from inpaint.system.files import atomic_write, missing

Flow: TypeAlias = NDArray[np.float32]
Trust: TypeAlias = NDArray[np.float64]
"""(H, W) in [0, 1]: how far what a flow fetches belongs to a pixel."""

FLO_TAG = 202021.25  # the first four bytes of Middlebury's .flo files spell PIEH
LEAST_DIS_PX = 16  # of a side, below which DIS finds nothing
SMOOTH_DEVIATION, SMOOTH_TAPS = 0.8, 5
EDGE, EDGE_FLOOR = 0.01, 0.002  # of a motion boundary: squared gradients of the flow, by its squared length
GAP, GAP_FLOOR = 0.01, 0.5  # of a disocclusion: squared distance after going there and back


def flow_between(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Flow:
    """Return where the pixels of one frame are in another, by DIS (Kroeger et al., ECCV 2016) of OpenCV.

    Args:
        first, second: (H, W, 3), RGB. Frames with a side below 16 pixels have the flow 0.
    """
    if min(first.shape[:2]) < LEAST_DIS_PX:
        return np.zeros((*first.shape[:2], 2), np.float32)
    gray = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (first, second)]
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # type: ignore[attr-defined, unused-ignore]
    return np.asarray(dis.calc(gray[0], gray[1], None), np.float32)


def read_flow(path: str | os.PathLike[str]) -> Flow:
    """Read a .flo file of Middlebury's format.

    Raises:
        InputError: It cannot be read, or is none.
    """
    if reason := missing(path):
        raise InputError(f"cannot read '{path}': {reason}")
    data = Path(path).read_bytes()
    head = np.frombuffer(data[:12].ljust(12, b"\0"), "<i4")
    width, height = int(head[1]), int(head[2])
    whole = 12 + 8 * width * height
    if np.frombuffer(data[:4].ljust(4, b"\0"), "<f4")[0] != np.float32(FLO_TAG) or len(data) != whole or width < 1:
        raise InputError(f"'{path}' is no .flo file: it has {len(data)} bytes, which do not begin or end as one does")
    return np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2).astype(np.float32)


def write_flow(path: Path, flow: Flow) -> None:
    """Write a flow as a .flo file, whole or not at all.

    Raises:
        WriteError: It cannot be written.
    """
    height, width = flow.shape[:2]
    head = np.array([FLO_TAG], "<f4").tobytes() + np.array([width, height], "<i4").tobytes()
    with atomic_write(path) as temporary:
        temporary.write_bytes(head + np.ascontiguousarray(flow, "<f4").tobytes())


def warped(image: NDArray[Any], flow: Flow, *, outside: tuple[float, ...] | None = None) -> NDArray[np.float64]:
    """Return an earlier frame moved to the present one, bilinearly.

    Args:
        image: (H, W, C), the earlier frame.
        flow: From the present frame to it.
        outside: The color of what comes from outside of the frame; None: the frame's nearest pixel.
    """
    height, width = flow.shape[:2]
    rows, columns = _places(flow)
    top, left = np.floor(rows).clip(0, height - 1), np.floor(columns).clip(0, width - 1)
    down, right = (rows.clip(0, height - 1) - top)[..., None], (columns.clip(0, width - 1) - left)[..., None]
    y, x = top.astype(np.intp), left.astype(np.intp)
    below, beside = np.minimum(y + 1, height - 1), np.minimum(x + 1, width - 1)
    wide = np.asarray(image, np.float64)
    found: NDArray[np.float64] = (
        wide[y, x] * (1 - down) * (1 - right)
        + wide[y, beside] * (1 - down) * right
        + wide[below, x] * down * (1 - right)
        + wide[below, beside] * down * right
    )
    if outside is not None:
        off = (rows < 0) | (rows > height - 1) | (columns < 0) | (columns > width - 1)
        found[off] = outside
    return found


def sharply_warped(image: NDArray[Any], flow: Flow) -> NDArray[np.float32]:
    """Return an earlier frame moved to the present one by Lanczos' filter, which keeps detail when repeated.

    Bilinear interpolation blurs what is moved again in every frame. What comes from outside of the frame is its nearest
    pixel.

    Args:
        image: (H, W, 3), the earlier frame.
        flow: From the present frame to it.
    """
    rows, columns = (each.astype(np.float32) for each in _places(flow))
    wide = np.asarray(image, np.float32)
    moved = cv2.remap(wide, columns, rows, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved.clip(wide.min(), wide.max()), np.float32)


def trust(flow: Flow, back: Flow) -> Trust:
    """Return where a flow can be trusted, with soft edges.

    Args:
        flow: From the present frame to another.
        back: From that one to the present.
    """
    marks = 255.0 * consistency(flow, back)
    smooth = cv2.GaussianBlur(marks, (SMOOTH_TAPS, SMOOTH_TAPS), SMOOTH_DEVIATION, borderType=cv2.BORDER_REFLECT)
    return np.asarray(smooth.clip(0, 255) / 255, np.float64)


def consistency(flow: Flow, back: Flow) -> NDArray[np.int8]:
    """Return 1 where going there and back ends near the start, -1 at disocclusions, 0 at motion boundaries and outside.

    Sundaram, Brox and Keutzer, "Dense Point Trajectories by GPU-Accelerated Large Displacement Optical Flow" (ECCV
    2010); numbers as in Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos" (GCPR 2016).

    Args:
        flow: From the present frame to another.
        back: From that one to the present.

    Returns:
        (H, W).
    """
    height, width = flow.shape[:2]
    rows, columns = _places(flow)
    outside = (rows < 0) | (np.floor(rows) + 1 >= height) | (columns < 0) | (np.floor(columns) + 1 >= width)
    wide = flow.astype(np.float64)
    returned = warped(back, flow)
    lengths = (wide**2).sum(axis=2), (returned**2).sum(axis=2)
    lost = ((wide + returned) ** 2).sum(axis=2) >= GAP * (lengths[0] + lengths[1]) + GAP_FLOOR
    padded = np.pad(wide, ((1, 1), (1, 1), (0, 0)), mode="symmetric")
    across, along = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2, (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    boundary = (across**2 + along**2).sum(axis=2) > EDGE * lengths[0] + EDGE_FLOOR
    found = np.where(lost, np.int8(-1), np.where(boundary, np.int8(0), np.int8(1)))
    return np.where(outside, np.int8(0), found)


def _places(flow: Flow) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rows and columns in the other frame."""
    rows, columns = np.indices(flow.shape[:2], np.float64)
    return rows + flow[..., 1], columns + flow[..., 0]
