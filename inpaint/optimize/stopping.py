"""When a search should end: windowed variance for noisy targets, pixels held out for holes.

Fitted to a noisy image, the network first paints the image and then the noise. In between its output rests for a
while, so the variance of recent outputs has a minimum (Wang et al. 2021, arXiv 2112.06074). Values are read from an
accelerator only every few iterations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

CHECK_EVERY = 5


class Stopper(ABC):
    """Follows a run, and waits for a value that has not improved on its minimum for `patience` iterations.

    `best` is the average as it was at the best iteration so far, None when that is not known.
    """

    def __init__(self, patience: int) -> None:
        if patience < 1:
            raise ValueError(f"patience must be at least 1 iteration, got {patience}")
        self.patience = patience
        self.best: Tensor | None = None
        self.best_iteration = 0
        self.lowest = float("inf")

    @abstractmethod
    def update(self, iteration: int, image: Tensor, average: Tensor | None) -> bool:
        """Return whether the search should end.

        Args:
            iteration: From 1.
            image: The newest output, (1, C, H, W).
            average: Of the outputs so far, None before it begins.
        """

    def waited(self, iteration: int, value: float, average: Tensor | None) -> bool:
        """Take a value into account, and return whether none was lower for long enough."""
        if value < self.lowest:
            self.lowest, self.best_iteration = value, iteration
            self.best = None if average is None else average.clone()
        return self.best_iteration > 0 and iteration - self.best_iteration >= self.patience


class MovingVariance(Stopper):
    """EMV: exponential mean m and variance v of the outputs; needs the memory of one image.

    d = x - m, m += a d, v = (1 - a)(v + a |d|^2), the squared norm summed over the image.

    Args:
        patience: Iterations to wait for a lower variance.
        step: a.
        start: Iterations before which nothing is decided.
    """

    def __init__(self, *, patience: int = 1000, step: float = 0.1, start: int = 100) -> None:
        super().__init__(patience)
        self.step = step
        self.start = start
        self.variance: Tensor | None = None
        self._mean: Tensor | None = None

    def update(self, iteration: int, image: Tensor, average: Tensor | None) -> bool:
        """See `Stopper`."""
        if self._mean is None or self.variance is None or self._mean.shape != image.shape:
            self._mean, self.variance = image.clone(), image.new_zeros(())
            return False
        off = image - self._mean
        self._mean = self._mean + self.step * off
        self.variance = (1 - self.step) * (self.variance + self.step * off.square().sum())
        if iteration <= self.start or iteration % CHECK_EVERY:
            return False
        return self.waited(iteration, float(self.variance), average)


class WindowVariance(Stopper):
    """WMV: the variance of the last `window` outputs, mean over pixels, kept up to date by running sums.

    Sums are float64, and recomputed once per window, so that rounding does not pile up.

    Args:
        window: Outputs.
        patience: Iterations to wait for a lower variance.
        limit_bytes: Memory of the window; outputs are averaged down until they fit.
    """

    def __init__(self, *, window: int = 100, patience: int = 1000, limit_bytes: int = 64_000_000) -> None:
        super().__init__(patience)
        if window < 2:
            raise ValueError(f"window must hold at least 2 outputs, got {window}")
        self.window = window
        self.limit_bytes = limit_bytes
        self.factor = 1
        self._shape: torch.Size | None = None
        self._seen = 0
        self._ring = self._sum = self._squares = torch.zeros(0)

    @property
    def variance(self) -> Tensor | None:
        """V = mean(S2 / W - (S1 / W)^2); None before the window is full."""
        if self._seen < self.window:
            return None
        mean = self._sum / self.window
        return (self._squares / self.window - mean.square()).mean()

    def update(self, iteration: int, image: Tensor, average: Tensor | None) -> bool:
        """See `Stopper`."""
        if image.shape != self._shape:
            self._begin(image)
        slot = self._seen % self.window
        new, old = self._reduced(image), self._ring[slot]
        self._sum += new.double() - old.double()
        self._squares += new.double().square() - old.double().square()
        self._ring[slot] = new
        self._seen += 1
        if slot == self.window - 1:
            exact = self._ring.double()
            self._sum, self._squares = exact.sum(dim=0), exact.square().sum(dim=0)
        variance = None if iteration % CHECK_EVERY else self.variance
        return variance is not None and self.waited(iteration, float(variance), average)

    def _begin(self, image: Tensor) -> None:
        self._shape, self._seen, self.factor = image.shape, 0, 1
        while self.window * self._reduced(image).numel() * 4 > self.limit_bytes and self.factor < 64:
            self.factor *= 2
        small = self._reduced(image)
        self._ring = torch.zeros(self.window, *small.shape, device=small.device)
        self._sum = torch.zeros(small.shape, dtype=torch.float64, device=small.device)
        self._squares = torch.zeros_like(self._sum)

    def _reduced(self, image: Tensor) -> Tensor:
        return image if self.factor == 1 else F.avg_pool2d(image, self.factor, ceil_mode=True)


class HoldOut(Stopper):
    """Stops when the average no longer comes closer to known pixels that the loss does not see.

    Args:
        error: Of an image (1, C, H, W) on the pixels held out; None when it is not known at that size.
        patience: Iterations to wait for a smaller error.
        start: Iterations before which nothing is decided.
        keep: Whether the best average is what comes out; not where the pixels held out are put back in a cooldown,
            after which the run is better than it was here.
    """

    def __init__(
        self, error: Callable[[Tensor], Tensor | None], *, patience: int = 500, start: int = 0, keep: bool = False
    ) -> None:
        super().__init__(patience)
        self.error = error
        self.start = start
        self.keep = keep

    def update(self, iteration: int, image: Tensor, average: Tensor | None) -> bool:
        """See `Stopper`."""
        if average is None or iteration < self.start or iteration % CHECK_EVERY:
            return False
        error = self.error(average)
        return error is not None and self.waited(iteration, float(error), average if self.keep else None)
