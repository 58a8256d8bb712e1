"""Deep Image Prior as an objective: a network paints one image from a fixed input, and is compared with the data.

theta* = argmin E(f_theta(z); x0), the answer is f_theta*(z) (Ulyanov, Vedaldi, Lempitsky 2018, arXiv 1711.10925).
Written per task: E compares with known pixels only, with the whole noisy image, or with an image reduced in size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint import seeds
from inpaint.optimize.base import Evaluation, StepInfo

NOISE_SCALE = 0.1  # of the uniform input noise


def noise_input(channels: int, height: int, width: int, *, seed: int) -> Tensor:
    """Return z (1, C, H, W), uniform in [0, 0.1), drawn on the CPU so that every device gets the same."""
    draw = torch.Generator().manual_seed(seeds.integer(seed, seeds.INPUT, 0))
    return NOISE_SCALE * torch.rand(1, channels, height, width, generator=draw)


def meshgrid_input(height: int, width: int) -> Tensor:
    """Return (1, 2, H, W): column / (W - 1) and row / (H - 1), both 0 to 1."""
    rows, columns = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return torch.stack((columns, rows)).unsqueeze(0)


def masked_mse(painted: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean squared error sum w (p - t)^2 / (C sum w) as a scalar; without weights the plain mean.

    The paper divides by all pixels; dividing by the known ones only rescales, and lets images be compared.

    Args:
        painted, target: (B, C, H, W).
        weights: (B, 1, H, W), 1 = known.
    """
    off = (painted - target).square()
    if weights is None:
        return off.mean()
    return (off * weights).sum() / (weights.sum() * off.shape[1]).clamp_min(1e-12)


def total_variation(image: Tensor, *, eps: float = 1e-3) -> Tensor:
    """Return the mean over pixels of sqrt(dx^2 + dy^2 + eps^2), smooth where the image (B, C, H, W) is flat.

    A mean, so that its weight carries over between sizes.
    """
    dx = image[..., :-1, 1:] - image[..., :-1, :-1]
    dy = image[..., 1:, :-1] - image[..., :-1, :-1]
    return (dx.square() + dy.square() + eps * eps).sqrt().mean()


@dataclass(frozen=True, kw_only=True)
class Observation:
    """The data at one scale.

    Args:
        z: The network's input, (1, C, h, w).
        size: (H, W) of the image that is painted.
        target: What is compared with, after `downsample` if there is one.
        weights: (1, 1, H, W), 1 = known; None = everything.
        held_out: (1, 1, H, W), 1 = known, but kept from the loss until the cooldown.
        downsample: From the size that is painted to the target's.
    """

    z: Tensor
    size: tuple[int, int]
    target: Tensor
    weights: Tensor | None = None
    held_out: Tensor | None = None
    downsample: Callable[[Tensor], Tensor] | None = None

    @cached_property
    def search_weights(self) -> Tensor | None:
        """The weights before the cooldown."""
        if self.held_out is None:
            return self.weights
        return (1 - self.held_out) if self.weights is None else self.weights * (1 - self.held_out)


@dataclass
class PriorObjective:
    """Masked MSE of what a network paints, perhaps with total variation.

    Args:
        network: From z to an image.
        observations: Full scale first; a second one, of half the size, serves the first `coarse` share of the run.
        seed: Of the perturbations.
        noise: Deviation of the perturbation of z, drawn anew in every iteration.
        tv: Weight of the total variation.
        coarse: Share of the run.
        dtype: Of the network's arithmetic; errors are float32.
        channels_last: Memory layout of its maps.
    """

    network: nn.Module
    observations: Sequence[Observation]
    _: KW_ONLY
    seed: int = 0
    noise: float = 0.0
    tv: float = 0.0
    coarse: float = 0.0
    dtype: torch.dtype = torch.float32
    channels_last: bool = False

    def parameters(self) -> list[nn.Parameter]:
        """Return the network's weights."""
        return list(self.network.parameters())

    def evaluate(self, step: StepInfo) -> Evaluation:
        """Paint from the perturbed input and compare."""
        coarse = step.progress < self.coarse and not step.cooldown
        data = self.observations[-1 if coarse else 0]
        painted = self.paint(data, self._perturbed(data.z, step.iteration))
        weights = data.weights if step.cooldown else data.search_weights
        compared = painted if data.downsample is None else data.downsample(painted)
        mse = masked_mse(compared, data.target, weights)
        loss = mse if self.tv == 0 else mse + self.tv * total_variation(painted)
        return Evaluation(loss=loss, image=painted.detach(), mse=mse.detach())

    def paint(self, data: Observation, z: Tensor) -> Tensor:
        """Return the image (1, C, *data.size), float32."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        painted: Tensor = self.network(z.to(self.dtype, memory_format=layout))
        return painted[..., : data.size[0], : data.size[1]]

    def held_out_mse(self, image: Tensor) -> Tensor | None:
        """Return the error on the pixels held out; None at another scale or where there are none."""
        data = self.observations[0]
        if data.held_out is None or image.shape[-2:] != data.target.shape[-2:]:
            return None
        weights = data.held_out if data.weights is None else data.held_out * data.weights
        return masked_mse(image, data.target, weights)

    def _perturbed(self, z: Tensor, iteration: int) -> Tensor:
        if self.noise == 0:
            return z
        draw = torch.Generator(z.device).manual_seed(seeds.integer(self.seed, seeds.PERTURBATION, iteration))
        batch, channels, height, width = z.shape
        if self.channels_last:
            # Drawn in the order of memory: ten times faster than into a permuted layout.
            noise = torch.randn(batch, height, width, channels, generator=draw, device=z.device).permute(0, 3, 1, 2)
        else:
            noise = torch.randn(z.shape, generator=draw, device=z.device)
        return torch.add(z, noise, alpha=self.noise)


def halved(image: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Return image and weights at half the size, see `shrunk`."""
    return shrunk(image, weights, (-(-image.shape[-2] // 2), -(-image.shape[-1] // 2)))


def shrunk(image: Tensor, weights: Tensor | None, size: tuple[int, int]) -> tuple[Tensor, Tensor | None]:
    """Return image (1, C, H, W) and weights (1, 1, H, W) at a smaller size: means over the known part of each area.

    A pixel is known there when half of its area is, or as much as of the whole image, of which less may be; where
    nothing is, its value is 0.
    """
    if weights is None:
        return F.adaptive_avg_pool2d(image, size), None
    share = F.adaptive_avg_pool2d(weights, size)
    values = F.adaptive_avg_pool2d(image * weights, size) / share.clamp_min(1e-6)
    return values, (share >= share.mean().mul(0.99).clamp_max(0.5)).to(weights.dtype)
