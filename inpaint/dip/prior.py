"""Deep Image Prior as an objective: a network painting one picture from a fixed input, and how far off the data it is.

theta* = argmin E(f_theta(z); x0), the answer is f_theta*(z) (Ulyanov, Vedaldi, Lempitsky 2018, arXiv 1711.10925).
Written per task: E compares with known pixels only, with the whole noisy picture, or with a picture reduced in size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.optimize.randomness import INPUT, PERTURBATION, generator
from inpaint.optimize.steps import Evaluation, Moment

NOISE_SCALE = 0.1  # of the uniform input noise


def noise_input(channels: int, height: int, width: int, *, seed: int) -> Tensor:
    """Return z (1, C, H, W), uniform in [0, 0.1), drawn on the CPU so that every device gets the same."""
    return NOISE_SCALE * torch.rand(1, channels, height, width, generator=generator(seed, INPUT))


def meshgrid_input(height: int, width: int) -> Tensor:
    """Return (1, 2, H, W): column / (W - 1) and row / (H - 1), both 0 to 1."""
    columns = torch.linspace(0, 1, width).expand(height, width)
    rows = torch.linspace(0, 1, height).unsqueeze(1).expand(height, width)
    return torch.stack((columns, rows)).unsqueeze(0).contiguous()


def total_variation(picture: Tensor, *, eps: float = 1e-3) -> Tensor:
    """Return the mean over pixels of sqrt(dx^2 + dy^2 + eps^2), smooth where the picture is flat.

    A mean, so that its weight carries over between sizes.
    """
    dx = picture[..., :-1, 1:] - picture[..., :-1, :-1]
    dy = picture[..., 1:, :-1] - picture[..., :-1, :-1]
    return (dx.square() + dy.square() + eps * eps).sqrt().mean()


def misfit(painted: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean squared error of (B, C, H, W), with weights (B, 1, H, W) sum w (p - t)^2 / (C sum w).

    The paper divides by all pixels; dividing by the known ones only rescales, and lets pictures be compared.
    """
    off = (painted - target).square()
    if weights is None:
        return off.mean()
    return (off * weights).sum() / (weights.sum() * off.shape[1]).clamp_min(1e-12)


@dataclass(frozen=True, kw_only=True)
class View:
    """The data at one scale.

    z: the network's input (1, C, h, w). size: of the picture that is painted, (H, W). target: what is compared with,
    after `reduce` if there is one. weights: (1, 1, H, W), 1 = known; None = everything. held: known pixels that the
    loss does not see until the run settles.
    """

    z: Tensor
    size: tuple[int, int]
    target: Tensor
    weights: Tensor | None = None
    held: Tensor | None = None
    reduce: Callable[[Tensor], Tensor] | None = None

    def searching(self) -> Tensor | None:
        """Return the weights during the search."""
        return self.weights if self.held is None or self.weights is None else self.weights * (1 - self.held)


class PictureFit:
    """The objective. views: full scale first; a second one serves the first `coarse` share of the run.

    noise: deviation of the perturbation of z, drawn anew in every iteration. tv: weight of the total variation. dtype:
    of the network's arithmetic; errors are float32. channels_last: memory layout of its maps.
    """

    def __init__(
        self,
        network: nn.Module,
        views: Sequence[View],
        *,
        seed: int = 0,
        noise: float = 0.0,
        tv: float = 0.0,
        coarse: float = 0.0,
        dtype: torch.dtype = torch.float32,
        channels_last: bool = False,
    ) -> None:
        self.network = network
        self.views = tuple(views)
        self.seed = seed
        self.noise = noise
        self.tv = tv
        self.coarse = coarse if len(self.views) > 1 else 0.0
        self.dtype = dtype
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self._searching = [view.searching() for view in self.views]

    def parameters(self) -> list[nn.Parameter]:
        """Return the network's weights."""
        return list(self.network.parameters())

    def evaluate(self, moment: Moment) -> Evaluation:
        """Paint from the perturbed input and compare."""
        number = 1 if moment.progress < self.coarse and not moment.settling else 0
        view = self.views[number]
        painted = self.paint(view, self._perturbed(view.z, moment.iteration))
        weights = view.weights if moment.settling else self._searching[number]
        seen = painted if view.reduce is None else view.reduce(painted)
        off = misfit(seen, view.target, weights)
        loss = off if self.tv == 0 else off + self.tv * total_variation(painted)
        return Evaluation(loss=loss, picture=painted.detach(), misfit=off.detach())

    def paint(self, view: View, z: Tensor) -> Tensor:
        """Return the picture (1, C, *view.size), float32."""
        painted: Tensor = self.network(z.to(self.dtype, memory_format=self.format))
        return painted[..., : view.size[0], : view.size[1]]

    def held_out_error(self, picture: Tensor) -> Tensor | None:
        """Return the mean squared error on the pixels held out; None at another scale or where there are none."""
        view = self.views[0]
        if view.held is None or view.weights is None or picture.shape[-2:] != view.target.shape[-2:]:
            return None
        return misfit(picture, view.target, view.held * view.weights)

    def _perturbed(self, z: Tensor, iteration: int) -> Tensor:
        if self.noise == 0:
            return z
        draw = generator(self.seed, PERTURBATION, iteration, device=z.device)
        batch, channels, height, width = z.shape
        if self.format is torch.channels_last:
            # Drawn in the order of memory: ten times faster than into a turned layout.
            noise = torch.randn(batch, height, width, channels, generator=draw, device=z.device).permute(0, 3, 1, 2)
        else:
            noise = torch.randn(z.shape, generator=draw, device=z.device)
        return torch.add(z, noise, alpha=self.noise)


def halved(picture: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Return picture (1, C, H, W) and weights (1, 1, H, W) at half the size: means over the known pixels of 2 x 2.

    A pixel is known there when at least half of its four are.
    """
    return shrunk(picture, weights, (-(-picture.shape[-2] // 2), -(-picture.shape[-1] // 2)))


def shrunk(picture: Tensor, weights: Tensor | None, size: tuple[int, int]) -> tuple[Tensor, Tensor | None]:
    """Return picture and weights at a smaller size: means over the known part of each pixel's area.

    A pixel is known there when at least half of its area is; where nothing is, its value is 0.
    """
    if weights is None:
        return F.adaptive_avg_pool2d(picture, size), None
    share = F.adaptive_avg_pool2d(weights, size)
    values = F.adaptive_avg_pool2d(picture * weights, size) / share.clamp_min(1e-6)
    return values, (share >= 0.5).to(weights.dtype)
