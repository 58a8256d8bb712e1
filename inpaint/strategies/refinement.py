"""Refining a fill from coarse to fine by optimizing the network's features.

Kulshreshtha, Pugh and Jiddi, "Feature Refinement to Improve High Resolution Image Inpainting", 2022 (arXiv 2206.13644),
as in LaMa's public program. At the coarsest size the network fills as always. At every finer size its features half
way are changed until what it paints agrees with the known pixels and, reduced, with the size before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.errors import UsageError
from inpaint.fills.base import Painted, TensorFill
from inpaint.fills.request import Request
from inpaint.models.feedforward import FeedForward, evaluating
from inpaint.optimize.base import Evaluation, IntermediateResult, StepInfo, gradients_on
from inpaint.optimize.guard import GuardOptions
from inpaint.optimize.loop import LoopOptions, optimize
from inpaint.optimize.schedule import CooldownOptions
from inpaint.strategies.options import StrategyOptions
from inpaint.strategies.scaling import Scales, reduced_plane
from inpaint.types import Inpainter

MOST_SCALES = 3
SIGMA = 1.0  # of the blur before an image is halved, with a kernel of 5
EROSION_PX = 15  # diameter of the disc by which the hole of the size before is eroded
ALMOST = 1e-8  # a reduced mask is binary but for so much
NARROW = "the hole is too narrow to compare sizes in it: only known pixels have refined it"


class RefinedFill(TensorFill):
    """Fills with a network whose features are refined from coarse to fine.

    Args:
        inner: A fill with a network that offers its features.
        options: `refine_iterations`, `refine_lr` and `refine_min_side` are read.

    Raises:
        UsageError: What fills has no features to refine.
    """

    steps = 1000

    def __init__(self, inner: Inpainter, options: StrategyOptions) -> None:
        if not isinstance(inner, FeedForward):
            raise UsageError(f"refine: {inner.name} has no features that could be refined; leave it out")
        if inner.dtype not in (torch.float32, torch.float64):
            raise UsageError(
                f"refine: features are refined in float32 or float64, not in {inner.dtype}; leave out dtype"
            )
        self.inner, self.strategy = inner, options
        self.name, self.capabilities = inner.name, inner.capabilities

    def details(self) -> Mapping[str, object]:
        """Return what fills."""
        return {"inner": self.inner}

    def result_type(self, x: Tensor) -> Tensor:
        """Return x as the network's fill returns it."""
        return self.inner.result_type(x)

    def paint_all(self, request: Request) -> Iterator[Painted]:
        """Refine image by image."""
        for number in range(len(request.image)):
            part = slice(number, number + 1)
            image, mask = request.image[part], request.hole[part].to(request.image.dtype)
            planes = {name: plane[part] for name, plane in request.guidance.items()}
            raw, warnings = self._refined(image, mask, planes, request)
            request.warnings[number] = warnings
            yield {"raw": raw}

    def _refined(
        self, image: Tensor, mask: Tensor, planes: Mapping[str, Tensor], request: Request
    ) -> tuple[Tensor, tuple[str, ...]]:
        """Return what is painted in one image (1, 3, H, W), and what is to be said against it."""
        coarsest, *finer = reversed(pyramid(image.masked_fill(mask > 0, 0.0), mask, self._scales(image)))
        raw, before = self._plain(*coarsest, planes), coarsest
        total = sum(level.numel() for level, _ in finer)
        done, narrow = 0.0, False
        for level in finer:
            reference = torch.where(before[1] > 0, raw.clamp(0, 1), before[0])
            share = level[0].numel() / total

            def report(step: IntermediateResult, done: float = done, share: float = share) -> None:
                request.clock.report(done + share * step.done / step.total)

            objective = Agreement(self.inner, *level, self._reduced(level[0], planes), reference)
            narrow |= objective.inside is None
            raw, before = self._optimized(objective, report), level
            done += share
            if request.clock.stopped and level is not finer[-1]:
                return self._plain(*finer[-1], planes), ()
        return raw, (NARROW,) if narrow else ()

    def _reduced(self, image: Tensor, planes: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return planes (1, C, H, W) by name at an image's size."""
        (height, width), taken = image.shape[-2:], self.capabilities.guidance
        return {name: reduced_to((height, width), plane, taken[name].scales) for name, plane in planes.items()}

    def _plain(self, image: Tensor, mask: Tensor, planes: Mapping[str, Tensor]) -> Tensor:
        (fill,) = self.inner.fill(image, mask, guidance=self._reduced(image, planes))
        return fill.raw

    def _scales(self, image: Tensor) -> int:
        """Return how many sizes there are, each half of the one before."""
        least = self.strategy.refine_min_side or 2 * (self.capabilities.trained_px or 256)
        doublings = round(max(0.0, math.log2(min(image.shape[-2:]) / least)))
        return min(1 + doublings, MOST_SCALES)

    def _optimized(self, objective: Agreement, report: Callable[[IntermediateResult], None]) -> Tensor:
        options = LoopOptions(
            iterations=self.strategy.refine_iterations,
            lr=self.strategy.refine_lr,
            averaging=None,
            cooldown=CooldownOptions(share=0),
            guard=GuardOptions(divergence_db=None),
        )
        with gradients_on(), evaluating(self.inner.network):
            return optimize(objective, options, callback=report).image


class Agreement:
    """How far what the network paints from its features is from the known pixels, and from the size before.

    Args:
        fill: With the network; the features are those of image and mask.
        image: (1, 3, H, W) in [0, 1], 0 in the hole.
        mask: (1, 1, H, W).
        planes: By name.
        reference: (1, 3, H // 2, W // 2), what was completed at the size before.

    Attributes:
        inside: Where the size before is compared, (1, 1, h, w) bool; None where its hole is too narrow.
    """

    def __init__(
        self, fill: FeedForward, image: Tensor, mask: Tensor, planes: Mapping[str, Tensor], reference: Tensor
    ) -> None:
        features = fill.features(image, mask, planes)
        with gradients_on():
            self._features = [feature.detach().clone().requires_grad_() for feature in features.values]
        self._rear, self._crop = features.paint, features.crop
        self._image, self._known, self._reference = features.image, features.mask < 0.5, reference
        inside = eroded(mask, reference.shape[-2:])
        self.inside = inside if bool(inside.any()) else None

    def parameters(self) -> Sequence[Tensor]:
        """Return the features."""
        return self._features

    def evaluate(self, step: StepInfo) -> Evaluation:
        """Paint from the features and compare."""
        painted = self._rear(self._features)  # (1, 3, H, W), with what was padded
        loss = masked_mean((painted - self._image).abs(), self._known)
        own = self._crop(painted)
        if self.inside is not None:
            loss = loss + masked_mean((halved(own) - self._reference).abs(), self.inside)
        return Evaluation(loss=loss, image=own.detach())


def reduced_to(size: tuple[int, int], plane: Tensor, scales: Scales) -> Tensor:
    """Return a plane (1, C, H, W) at a size, at most its own."""
    if plane.shape[-2:] == size:
        return plane
    if scales == "values":
        return F.interpolate(plane, size, mode="area").clamp(0, 1)
    small = reduced_plane(plane[0].permute(1, 2, 0).cpu().float().numpy(), size, scales)
    return torch.from_numpy(small).permute(2, 0, 1)[None].to(plane)


def masked_mean(values: Tensor, where: Tensor) -> Tensor:
    """Return the mean over the pixels that are True, and over channels; 0 where none is."""
    selected = where.expand_as(values)
    return torch.where(selected, values, 0.0).sum() / selected.sum().clamp_min(1)


def halved(image: Tensor) -> Tensor:
    """Return images (B, C, H, W) at half the size, rounded down: blurred, then interpolated."""
    return F.interpolate(blurred(image), [side // 2 for side in image.shape[-2:]], mode="bilinear", align_corners=False)


def blurred(image: Tensor) -> Tensor:
    """Return images (B, C, H, W) blurred by a Gaussian of 5 x 5 and deviation 1, mirrored at the border."""
    place = torch.arange(-2, 3, dtype=image.dtype, device=image.device)
    weights = torch.exp(-(place**2) / (2 * SIGMA**2))
    weights = weights / weights.sum()
    channels = image.shape[1]
    padded = F.pad(image, (2, 2, 2, 2), mode="reflect")
    across = F.conv2d(padded, weights.view(1, 1, 1, 5).expand(channels, 1, 1, 5), groups=channels)
    return F.conv2d(across, weights.view(1, 1, 5, 1).expand(channels, 1, 5, 1), groups=channels)


def pyramid(image: Tensor, mask: Tensor, scales: int) -> list[tuple[Tensor, Tensor]]:
    """Return image and mask at each size, the largest first; a smaller hole holds every place that any hole reaches.

    The hole's content is 0 at every size, so that it is not read.
    """
    levels = [(image, mask)]
    while len(levels) < scales:
        image, mask = levels[-1]
        hole = halved(mask) >= ALMOST
        # The hole grows by what the blur has mixed with its 0.
        levels.append((halved(image).masked_fill(hole, 0.0).clamp(0, 1), hole.to(mask.dtype)))
    return levels


def eroded(mask: Tensor, size: Sequence[int]) -> Tensor:
    """Return the inside of a hole (1, 1, H, W) at half the size, (1, 1, h, w) bool: away from its border."""
    small = F.interpolate(mask, list(size), mode="bilinear", align_corners=False) >= 1 - ALMOST
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (EROSION_PX, EROSION_PX))
    inside = cv2.erode(small[0, 0].cpu().numpy().astype(np.uint8), disc)
    return torch.from_numpy(inside > 0)[None, None].to(mask.device)
