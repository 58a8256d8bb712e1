"""The base of fills that compute with NumPy, on the CPU and without torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from inpaint.errors import InputError
from inpaint.fills.base import BaseFill, Painted, mapped
from inpaint.fills.request import Clock, ImageSeed, Request
from inpaint.types import Fill, Guidance, ProgressCallback, Seed

if TYPE_CHECKING:
    from torch import Tensor

ImageArray: TypeAlias = npt.NDArray[np.float64]
"""(H, W, 3) in [0, 1]."""
HoleArray: TypeAlias = npt.NDArray[np.bool_]
"""(H, W), True = hole."""
Report: TypeAlias = Callable[[float], None]
"""Told the share of an image that is done, 0 to 1; raises StopFill when the caller has had enough."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a method is told of the one image that it paints: its seed, the sample, and where progress is reported."""

    seed: ImageSeed
    sample: int
    clock: Clock

    def generator(self) -> np.random.Generator:
        """Return the generator of this sample's random numbers."""
        return self.seed.generator(self.sample)

    def report(self, share: float) -> None:
        """Say which share of this image is done, 0 to 1; raises StopFill when the caller has had enough."""
        self.clock.report(share)


class ArrayFill(BaseFill):
    """Paints one image after the other. Results are float32; raw is the image itself outside the hole."""

    @abstractmethod
    def paint(self, image: ImageArray, hole: HoleArray, context: Context) -> ImageArray:
        """Return the image (H, W, 3) painted; only its hole is used.

        Args:
            image: (H, W, 3) in [0, 1], 0 in the hole, so that the hole's content cannot be read.
            hole: (H, W), not empty; all of the image only where the capabilities allow that.
            context: Seed and progress. When `context.report` raises StopFill, the best so far may be returned.
        """

    def paint_all(self, request: Request) -> Iterator[Painted]:
        """Paint unit by unit; an image without a hole is its own answer."""
        for image, hole, seed in zip(request.image, request.hole, request.seeds, strict=True):
            for sample in range(request.draws):
                raw = image
                if hole.any():
                    known = np.where(hole, 0.0, image).transpose(1, 2, 0).astype(np.float64, order="C")  # (H, W, 3)
                    painted = self.paint(known, hole[0], Context(seed=seed, sample=sample, clock=request.clock))
                    raw = np.where(hole, painted.transpose(2, 0, 1).astype(np.float32), image)
                yield {"raw": raw[None]}

    def fill_arrays(
        self,
        image: npt.NDArray[Any],
        mask: npt.NDArray[Any] | None,
        *,
        guidance: Mapping[str, npt.NDArray[Any]] | None = None,
        samples: int = 1,
        seed: Seed = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Fill[npt.NDArray[Any]]]:
        """Fill arrays (B, H, W, C) as `Inpainter.fill` says."""
        fills = self.answer(
            channels_first(image),
            None if mask is None else channels_first(mask),
            guidance={name: channels_first(plane) for name, plane in (guidance or {}).items()},
            samples=samples,
            seed=seed,
            progress=progress,
        )
        return [mapped(fill, channels_last) for fill in fills]

    def fill(
        self,
        image: Tensor,
        mask: Tensor | None,
        *,
        guidance: Guidance | None = None,
        samples: int = 1,
        seed: Seed = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Fill]:
        """Fill a batch as `Inpainter.fill` says; results lie on the image's device."""
        import torch

        for plane in (mask, *(guidance or {}).values()):
            if plane is not None and plane.device != image.device:
                raise InputError(f"image and masks must be on one device, got {image.device} and {plane.device}")
        fills = self.answer(
            image.detach().cpu().numpy(),
            None if mask is None else mask.detach().cpu().numpy(),
            guidance={name: plane.detach().cpu().numpy() for name, plane in (guidance or {}).items()},
            samples=samples,
            seed=seed,
            progress=progress,
        )
        return [mapped(fill, lambda plane: torch.from_numpy(plane).to(image.device)) for fill in fills]


def channels_first(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return (B, H, W, C) as (B, C, H, W). Raises InputError for another number of axes."""
    if plane.ndim != 4:
        raise InputError(f"arrays must have shape (B, H, W, C), got {plane.shape}")
    return plane.transpose(0, 3, 1, 2)


def channels_last(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return (B, C, H, W) as (B, H, W, C); arrays of other axes as they are."""
    return plane.transpose(0, 2, 3, 1) if plane.ndim == 4 else plane
