"""The two fills of OpenCV: fast marching after Telea, and its Navier-Stokes variant.

Both march inwards from the border of the hole and give each pixel a weighted mean of the known pixels within a radius;
neither continues a slope. They are quick previews, good for thin holes. OpenCV's "Navier-Stokes" is not the equation of
Bertalmio et al. 2001, only its idea of following isophotes.

What OpenCV does differently from the papers, and silently, was measured with version 5.0; what follows from it here:
color only in 8 bit, so deeper images go channel by channel in 16 bit; nothing known means nothing happens, so that is
refused; Telea reads the hole's content where the hole touches the border, so the hole is filled before with
Navier-Stokes, which does not. Telea also divides the gradient's share by its own length, so that every step inwards
adds up to 1.4 levels, 12 in the middle of a wide hole in a flat surface: it therefore always marches in 16 bit, where
that is a twentieth of a level, and is clipped to the colors around the hole, which makes flat surfaces exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from inpaint.classical.options import STENCIL_PX, MarchingOptions
from inpaint.classical.ranges import clip_to_range
from inpaint.fills.array_fill import ArrayFill, Context, HoleArray, ImageArray
from inpaint.images.photo import to_uint8
from inpaint.images.regions import components

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Marked = npt.NDArray[np.uint8]

EIGHT_BIT_TOLERANCE = 1e-3  # of a level; float32 carries k / 255 to 2e-5 of a level


def navier_stokes(pixels: Pixels, hole: Marked, *, radius: int = 3) -> Pixels:
    """Fill pixels (H, W, 3), uint8 or uint16, where hole (H, W) is not 0; known pixels are returned unchanged.

    The content of the hole is not read. At least one pixel must be known.
    """
    known_mean = pixels[hole == 0].mean(axis=0).round().astype(pixels.dtype)
    blank = np.where(hole[..., None] != 0, known_mean, pixels)
    return _by_opencv(blank, hole, radius, cv2.INPAINT_NS)


def telea(pixels: Pixels, hole: Marked, *, radius: int = 3) -> Pixels:
    """Fill as `navier_stokes` does, with Telea's weights."""
    deep = navier_stokes(pixels, hole, radius=radius)
    if pixels.dtype == np.uint8:
        deep = deep.astype(np.uint16) * np.uint16(257)
    deep = _by_opencv(deep, hole, radius, cv2.INPAINT_TELEA)
    labels, _ = components(hole != 0, gap_px=STENCIL_PX)
    clip_to_range(deep, np.where(hole != 0, labels, 0))
    return to_uint8(deep) if pixels.dtype == np.uint8 else deep


def _by_opencv(pixels: Pixels, hole: Marked, radius: int, method: int) -> Pixels:
    """Run OpenCV in color for 8 bit, else channel by channel, which is the same march on the same mask."""
    if pixels.dtype == np.uint8:
        return np.asarray(cv2.inpaint(pixels, hole, radius, method), dtype=np.uint8)
    channels = [
        cv2.inpaint(np.ascontiguousarray(pixels[..., channel]), hole, radius, method)
        for channel in range(pixels.shape[-1])
    ]
    return np.stack(channels, axis=-1).astype(np.uint16)


class _OpenCVFill(ArrayFill):
    """One of the two, in 8 bit if that is all the image has, else in 16."""

    capabilities = MarchingOptions.capabilities
    options: MarchingOptions
    _march: ClassVar[Callable[..., Pixels]]

    def __init__(self, options: MarchingOptions | None = None) -> None:
        self.options = options or MarchingOptions()
        # Pixels so far away count, and their distance to the hole, which may be another hole's border.
        reach_px = 2 * self.options.radius + 2
        self.capabilities = replace(self.capabilities, context_px=max(reach_px, self.capabilities.context_px or 0))

    def paint(self, image: ImageArray, hole: HoleArray, context: Context) -> ImageArray:
        """Round to levels, march, and scale back."""
        eighth = image * 255
        pixels: Pixels
        if np.abs(eighth - eighth.round()).max() < EIGHT_BIT_TOLERANCE:
            levels, pixels = 255, eighth.round().astype(np.uint8)
        else:
            levels, pixels = 65535, (image * 65535).round().astype(np.uint16)
        filled = type(self)._march(pixels, hole.astype(np.uint8), radius=self.options.radius)
        return filled.astype(np.float64) / levels


class Telea(_OpenCVFill):
    """Telea's fast marching fill ("An Image Inpainting Technique Based on the Fast Marching Method", 2004)."""

    name = "telea"
    _march = staticmethod(telea)


class NavierStokes(_OpenCVFill):
    """OpenCV's fast marching along isophotes (after Bertalmio, Bertozzi and Sapiro 2001)."""

    name = "navier_stokes"
    _march = staticmethod(navier_stokes)
