"""What a run can say of its own answer: how far it came, and how it compares where the answer is known.

The measure are pixels that the loss did not see, and for a hole also its rim, where a bad fit shows as a seam.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from skimage.restoration import denoise_nl_means
from torch import Tensor

from inpaint.dip.analysis import noise_deviation
from inpaint.dip.building import Problem
from inpaint.dip.objective import Observation, masked_mse
from inpaint.images.mask_rules import Hole
from inpaint.images.regions import Region
from inpaint.optimize.base import OptimizeResult

RIM_PX = 3  # known pixels around a hole that a fill has to meet
FIT_SHARE = 0.5  # of the variance around the mean color that a fit may leave
INVISIBLE = (8 / 255) ** 2  # mean squared error that no eye finds
ROUNDING = (1 / 255) ** 2
TIMED = 10  # iterations that tell their pace; fewer may be off by a lot
COMPARED_PX = 256  # side of the part on which non-local means are tried
STRENGTHS = (0.5, 0.8, 1.2)  # of non-local means, in deviations of the noise


@dataclass(frozen=True, kw_only=True)
class Course:
    """How far a run came.

    Args:
        iterations: That it did.
        whole: Of its preset's course.
        whole_s: Estimate of the seconds that the whole course takes with the best network.
        timed: Iterations on which the estimate rests.
        quicker: The fill without learning that is no worse on average at such a budget; None where none is known.
    """

    iterations: int
    whole: int
    whole_s: float
    timed: int
    quicker: str | None

    def remarks(self, preset: str, result: OptimizeResult) -> list[str]:
        """Return what is to be said of the time that a run had: its course, and what does better in less."""
        texts = self._cut_short(preset, result)
        if self.quicker is not None and result.reason != "interrupted":
            texts.append(f"the model {self.quicker} is as good or better on average at such a budget, in a second")
        return texts

    def _cut_short(self, preset: str, result: OptimizeResult) -> list[str]:
        """Return what is to be said of a run that ended before its course did, by its budget or by request."""
        if result.reason not in ("budget", "finished") or self.iterations >= self.whole:
            return []
        why = "the budget had room for" if result.reason == "budget" else "it was asked for"
        text = (
            f"{why} {self.iterations:,} of the {self.whole:,} iterations of the preset {preset}; "
            f"a budget of {time_text(self.whole_s)} would do"
        )
        if self.timed < TIMED:
            text += f", roughly: {self.timed} iteration{'s' * (self.timed > 1)} told the pace"
        return [text]


def remarks_on(problem: Problem, data: Observation, result: OptimizeResult) -> list[str]:
    """Return what is to be said against an answer, a sentence each; none where nothing is.

    Args:
        problem: What was given.
        data: What was compared with, at the working size.
        result: What came out, at that size.
    """
    # A run that ended in its coarse part has an image of half the size.
    best, searched = (_of_size(image, data.size) for image in (result.best, result.searched))
    if problem.task == "denoise":
        return _on_denoising(data, best)
    if problem.hole is None or data.weights is None:
        return _on_fitting(data, best)
    return _on_filling(data, data.weights, best, searched)


def _on_filling(data: Observation, known: Tensor, best: Tensor, searched: Tensor) -> list[str]:
    """Compare with the mean color of what is known, and look at the rim."""
    target = data.target
    rim = _rim(known)
    plain = _mean_color(target, known)
    unseen, painted = (rim, best) if data.held_out is None else (data.held_out * known, searched)
    own, mean = (float(masked_mse(image, target, unseen)) for image in (painted, plain))
    if own > INVISIBLE and own >= mean:
        return [f"it is no better than the mean color (at known pixels {_db(own)}, the mean color {_db(mean)})"]
    seam, spread = (float(masked_mse(image, target, rim)) for image in (best, plain))
    if seam > max(FIT_SHARE * spread, INVISIBLE):
        return [f"it does not fit its rim: {255 * math.sqrt(seam):.0f} of 255 levels off, which shows as a seam"]
    return []


def _on_fitting(data: Observation, best: Tensor) -> list[str]:
    """Look at what is left of the photo where all of it was fitted, at the size of the photo."""
    target = data.target
    painted = best if data.downsample is None else data.downsample(best)
    off, spread = (float(masked_mse(image, target, None)) for image in (painted, _mean_color(target)))
    if off > max(FIT_SHARE * spread, INVISIBLE):
        return [f"it does not fit the photo: {255 * math.sqrt(off):.0f} of 255 levels off"]
    return []


def _on_denoising(data: Observation, best: Tensor) -> list[str]:
    """Compare with the noise of the image, and with non-local means.

    At a pixel that the loss did not see, the answer's squared error to the noisy value is that to the clean value and
    the noise's variance, so the answer is worse than its input where it is above twice the variance.
    """
    target, unseen = data.target, data.held_out
    noise = noise_deviation(target[0].permute(1, 2, 0).cpu().numpy())
    # Where all was seen, what a fit leaves is less than its error: it says so only where it is certain.
    weights = torch.ones_like(target[:, :1]) if unseen is None else unseen
    own = float(masked_mse(best, target, weights))
    found = []
    if own > max(2 * noise**2, ROUNDING):
        found.append(
            f"it is further from the clean photo than the input, whose noise is about {255 * noise:.0f} of 255 levels "
            f"(off by {255 * math.sqrt(own):.0f} at pixels held out): keep the input, or give it more time"
        )
    if unseen is not None:
        part = (..., *_middle(target.shape[-2], target.shape[-1]).slices)
        here = float(masked_mse(best[part], target[part], unseen[part]))
        other, strength = _non_local_means(target[part], unseen[part], noise)
        if other < here:
            found.append(
                f"non-local means comes closer to the pixels held out ({_db(other)}, this {_db(here)}), in a second: "
                f"skimage.restoration.denoise_nl_means(image, 5, 6, h={strength:.3f}, channel_axis=-1)"
            )
    return found


def _non_local_means(target: Tensor, unseen: Tensor, noise: float) -> tuple[float, float]:
    """Return the best squared error of non-local means at the unseen pixels, which it does not see, and its strength.

    Args:
        target: (1, C, H, W).
        unseen: (1, 1, H, W), 1 = not to be seen.
        noise: Deviation.
    """
    seen = 1 - unseen
    box = torch.ones(1, 1, 3, 3, device=target.device)
    around = F.conv2d((target * seen).transpose(0, 1), box, padding=1).transpose(0, 1)
    count = F.conv2d(seen, box, padding=1)
    blind = torch.where(unseen == 1, around / count.clamp_min(1), target)
    image = blind[0].permute(1, 2, 0).cpu().numpy()  # (H, W, C)
    errors = {}
    for strength in (share * max(noise, 1 / 255) for share in STRENGTHS):
        smooth = denoise_nl_means(image, 5, 6, h=strength, channel_axis=-1)
        answer = torch.from_numpy(np.asarray(smooth, np.float32).reshape(image.shape)).permute(2, 0, 1)[None].to(target)
        errors[strength] = float(masked_mse(answer, target, unseen))
    best = min(errors, key=lambda strength: errors[strength])
    return errors[best], best


def _mean_color(target: Tensor, known: Tensor | None = None) -> Tensor:
    """Return an image (1, C, H, W) of the mean color of what is known."""
    known = torch.ones_like(target[:, :1]) if known is None else known
    mean = (target * known).sum(dim=(-2, -1), keepdim=True) / known.sum().clamp_min(1)  # (1, C, 1, 1)
    return mean.expand_as(target)


def _of_size(image: Tensor, size: tuple[int, int]) -> Tensor:
    return image if tuple(image.shape[-2:]) == size else F.interpolate(image, size=size, mode="bicubic")


def _rim(known: Tensor) -> Tensor:
    """Return (1, 1, H, W), 1 = known and close to the hole."""
    hole: Hole = (known[0, 0] == 0).cpu().numpy()
    near = cv2.dilate(hole.astype(np.uint8), np.ones((2 * RIM_PX + 1,) * 2, np.uint8))
    return torch.from_numpy(near).to(known)[None, None] * known


def _middle(height: int, width: int) -> Region:
    """Return the part in the middle on which non-local means are tried."""
    (top, bottom), (left, right) = (
        (max(0, side // 2 - COMPARED_PX // 2), min(side, side // 2 + COMPARED_PX // 2)) for side in (height, width)
    )
    return Region(top, bottom, left, right)


def _db(mse: float) -> str:
    return f"{-10 * math.log10(max(mse, 1e-10)):.1f} dB"


def time_text(seconds: float) -> str:
    """Return a time, rounded up, as budgets are written.

    Example:
        >>> time_text(12.3), time_text(200.0), time_text(9000.0)
        ('20s', '4m', '2.5h')
    """
    if seconds <= 90:
        return f"{10 * math.ceil(seconds / 10)}s"
    if seconds <= 5400:
        return f"{math.ceil(seconds / 60)}m"
    return f"{math.ceil(seconds / 1800) / 2:g}h"
