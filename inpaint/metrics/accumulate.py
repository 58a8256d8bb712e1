"""Means of the metrics over many pictures, in any batches, on any number of processes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from inpaint.errors import InputError
from inpaint.metrics.pixel import HOLE_ONLY, METRICS, measure


class HoleMetrics:
    """Running means per picture of every metric in METRICS.

    A picture without a hole counts for the whole-picture metrics only. With several processes, give `compute` the sum
    over processes (for example `lambda t: strategy.reduce(t, reduce_op="sum")`): pictures weigh the same wherever they
    were measured, so results do not depend on the number of processes as long as no picture is measured twice.
    """

    def __init__(self) -> None:
        self._state: Tensor | None = None

    def update(self, completed: Tensor, image: Tensor, mask: Tensor) -> None:
        """Measure a batch: pictures (B, 3, H, W) in [0, 1], mask (B, 1, H, W), 1 = hole."""
        measured = measure(completed.detach(), image.detach(), mask.detach())
        values = torch.stack(list(measured.values()))  # (M, B)
        # Counted by the hole, not by NaN: a model that paints NaN must not look good by being left out.
        has_hole = measured["hole_ratio"] > 0
        everywhere = torch.ones_like(has_hole)
        counted = torch.stack([has_hole if name in HOLE_ONLY else everywhere for name in measured])  # (M, B)
        new = torch.stack((torch.where(counted, values, 0).sum(dim=1), counted.sum(dim=1).to(values.dtype)))  # (2, M)
        self._state = new if self._state is None else self._state + new

    def state(self, device: torch.device | str | None = None) -> Tensor:
        """Return sums and counts, (2, M); zeros on `device` while nothing was measured. States add up."""
        if self._state is None:
            device = torch.device(device or "cpu")
            dtype = torch.float32 if device.type == "mps" else torch.float64
            return torch.zeros(2, len(METRICS), dtype=dtype, device=device)
        return self._state if device is None else self._state.to(device)

    def merge(self, state: Tensor) -> None:
        """Add the `state()` of another accumulator."""
        if tuple(state.shape) != (2, len(METRICS)):
            raise InputError(f"state must have shape (2, {len(METRICS)}), got {tuple(state.shape)}")
        self._state = state.clone() if self._state is None else self._state + state.to(self._state.device)

    def compute(
        self, reduce: Callable[[Tensor], Tensor] | None = None, *, device: torch.device | str | None = None
    ) -> dict[str, float]:
        """Return the mean of every metric; NaN where no picture counted.

        reduce: sums a tensor over all processes; it is called once, also by a process that measured nothing, whose
        zeros are made on `device`.
        """
        state = self.state(device)
        if reduce is not None:
            state = reduce(state.clone())
        sums, counts = state.cpu().double()
        return dict(zip(METRICS, (sums / counts).tolist(), strict=True))

    def reset(self) -> None:
        """Forget everything measured so far."""
        self._state = None
