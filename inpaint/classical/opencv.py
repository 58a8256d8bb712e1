"""The two fills of OpenCV: fast marching after Telea, and its Navier-Stokes variant.

Both march inwards from the border of the hole and give each pixel a weighted mean of the known pixels within a radius;
neither continues a slope. They are quick previews, good for thin holes. OpenCV's "Navier-Stokes" is not the equation of
Bertalmio et al. 2001, only its idea of following isophotes.

What OpenCV does differently from the papers, and silently, was measured with version 5.0; what follows from it here:
color only in 8 bit, so deeper pictures go channel by channel in 16 bit; never 0..1 floats, where Telea adds up to 1.4;
nothing known means nothing happens, so that is refused; Telea reads the hole's content where the hole touches the
border, so the hole is filled before with Navier-Stokes, which does not.
"""

from __future__ import annotations

import time

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inpaint.classical.mean import mean_color
from inpaint.errors import UsageError
from inpaint.inputs import check_fill
from inpaint.types import Fill, Guidance, Progress, ProgressCallback, Seed, StopFill, Traits

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Hole = npt.NDArray[np.uint8]

EIGHT_BIT_TOLERANCE = 1e-3  # of a level; float32 carries k / 255 to 2e-5 of a level


def navier_stokes(pixels: Pixels, hole: Hole, *, radius: int = 3) -> Pixels:
    """Fill pixels (H, W, 3), uint8 or uint16, where hole (H, W) is not 0; known pixels are returned unchanged.

    The content of the hole is not read. At least one pixel must be known.
    """
    known_mean = pixels[hole == 0].mean(axis=0).round().astype(pixels.dtype)
    blank = np.where(hole[..., None] != 0, known_mean, pixels)
    return _by_opencv(blank, hole, radius, cv2.INPAINT_NS)


def telea(pixels: Pixels, hole: Hole, *, radius: int = 3) -> Pixels:
    """Fill as `navier_stokes` does, with Telea's weights."""
    return _by_opencv(navier_stokes(pixels, hole, radius=radius), hole, radius, cv2.INPAINT_TELEA)


def _by_opencv(pixels: Pixels, hole: Hole, radius: int, method: int) -> Pixels:
    """Run OpenCV in color for 8 bit, else channel by channel, which is the same march on the same mask."""
    if pixels.dtype == np.uint8:
        return np.asarray(cv2.inpaint(pixels, hole, radius, method), dtype=np.uint8)
    channels = [
        cv2.inpaint(np.ascontiguousarray(pixels[..., channel]), hole, radius, method)
        for channel in range(pixels.shape[-1])
    ]
    return np.stack(channels, axis=-1).astype(np.uint16)


class _OpenCVFill:
    """A fill of the batch, image by image, on the CPU; results lie on the image's device as float32.

    radius: how far away, in pixels, known pixels count; 1 to 100, more only blurs.
    """

    name: str
    traits = Traits(trained=False, needs_known=True, smallest_px=1)

    def __init__(self, *, radius: int = 3) -> None:
        if not isinstance(radius, int) or not 1 <= radius <= 100:
            raise UsageError(f"radius must be an integer from 1 to 100, got {radius!r}")
        self.radius = radius

    def _paint(self, pixels: Pixels, hole: Hole) -> Pixels:
        raise NotImplementedError

    def fill(
        self,
        image: Tensor,
        mask: Tensor,
        *,
        guidance: Guidance | None = None,
        samples: int = 1,
        seed: Seed = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Fill]:
        """Fill a batch as `Inpainter.fill` says; all samples are the same fill, since nothing is drawn.

        raw equals completed: known pixels are kept by the method itself. `progress` counts images; when it asks to
        stop, the holes of the images not reached get their mean known color. Raises MaskError when an image has no
        known pixel.
        """
        check_fill(image, mask, guidance=guidance, samples=samples, seed=seed, traits=self.traits, name=self.name)
        image, hole = image.to(torch.float32), mask == 1
        painted: list[Tensor] = []
        started, stopped, batch = time.monotonic(), False, image.shape[0]
        for number, (picture, gap) in enumerate(zip(image, hole, strict=True), start=1):
            painted.append(mean_color(picture, gap).expand_as(picture) if stopped else self._one(picture, gap))
            if progress is not None and not stopped:
                elapsed_s = time.monotonic() - started
                try:
                    progress(Progress(done=number, total=batch, remaining_s=elapsed_s / number * (batch - number)))
                except StopFill:
                    stopped = True
        completed = torch.where(hole, torch.stack(painted), image)
        return [Fill(completed=completed, raw=completed, mask=hole.to(torch.float32))] * samples

    def _one(self, picture: Tensor, hole: Tensor) -> Tensor:
        """Fill one picture (3, H, W) where hole (1, H, W); in 8 bit if that is all the picture has, else in 16."""
        if not hole.any():
            return picture
        known = picture.masked_fill(hole, 0.0).movedim(0, -1).cpu().double().numpy()  # (H, W, 3)
        eighth = known * 255
        pixels: Pixels
        if np.abs(eighth - eighth.round()).max() < EIGHT_BIT_TOLERANCE:
            levels, pixels = 255, eighth.round().astype(np.uint8)
        else:
            levels, pixels = 65535, (known * 65535).round().astype(np.uint16)
        filled = self._paint(pixels, hole[0].cpu().numpy().astype(np.uint8))
        return torch.from_numpy(filled.astype(np.float64) / levels).movedim(-1, 0).to(picture)  # (3, H, W)


class Telea(_OpenCVFill):
    """Telea's fast marching fill ("An Image Inpainting Technique Based on the Fast Marching Method", 2004)."""

    name = "telea"

    def _paint(self, pixels: Pixels, hole: Hole) -> Pixels:
        return telea(pixels, hole, radius=self.radius)


class NavierStokes(_OpenCVFill):
    """OpenCV's fast marching along isophotes (after Bertalmio, Bertozzi and Sapiro 2001)."""

    name = "navier_stokes"

    def _paint(self, pixels: Pixels, hole: Hole) -> Pixels:
        return navier_stokes(pixels, hole, radius=self.radius)
