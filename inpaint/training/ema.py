"""Exponential moving average of networks."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Average(nn.Module):
    """A frozen copy of a network whose parameters follow the trained ones.

    The share kept at update n (from 0) is min(decay, (1 + n) / (10 + n)): a short run is not dominated by its random
    start. Buffers (running statistics, power-iteration vectors) are copied. With decay None the copy follows exactly.
    """

    def __init__(self, network: nn.Module, decay: float | None) -> None:
        super().__init__()
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    def keep(self, updates: int) -> float:
        """Return the share of the average that survives the update after `updates` earlier ones."""
        return 0.0 if self.decay is None else min(self.decay, (1 + updates) / (10 + updates))

    @torch.no_grad()
    def update(self, network: nn.Module, updates: int) -> None:
        """Move towards the parameters of `network`; `updates` counts the earlier calls."""
        share = 1 - self.keep(updates)
        averaged: list[Tensor] = list(self.network.parameters())
        current: list[Tensor] = list(network.parameters())
        if averaged:
            torch._foreach_lerp_(averaged, current, share)
        self._copy_buffers(network)

    @torch.no_grad()
    def follow(self, network: nn.Module) -> None:
        """Copy the parameters of `network` as they are."""
        for averaged, current in zip(self.network.parameters(), network.parameters(), strict=True):
            averaged.copy_(current)
        self._copy_buffers(network)

    def _copy_buffers(self, network: nn.Module) -> None:
        for averaged, current in zip(self.network.buffers(), network.buffers(), strict=True):
            averaged.copy_(current)

    def train(self, mode: bool = True) -> Average:
        """Stay in evaluation mode: an average is only ever used to fill."""
        return super().train(False)
