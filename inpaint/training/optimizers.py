"""Optimizers from their options, and learning rates as pure functions of the iteration: nothing to resume."""

from __future__ import annotations

import math

import torch
from torch import nn

from inpaint.training.config import OptimizerConfig, ScheduleConfig


def rate_factor(schedule: ScheduleConfig, iteration: int, max_iterations: int) -> float:
    """Return what the base learning rate is multiplied by in `iteration` (from 0)."""
    if iteration < schedule.warmup:
        return (iteration + 1) / (schedule.warmup + 1)
    if schedule.kind == "constant":
        return 1.0
    if schedule.kind == "step":
        return schedule.factor ** ((iteration - schedule.warmup) // schedule.every)
    done = min(1.0, (iteration - schedule.warmup) / max(1, max_iterations - schedule.warmup))
    falling = 1 - done if schedule.kind == "linear" else 0.5 * (1 + math.cos(math.pi * done))
    return schedule.final + (1 - schedule.final) * falling


def build_optimizer(settings: OptimizerConfig, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Build the optimizer that the options describe."""
    if settings.kind == "sgd":
        return torch.optim.SGD(
            parameters, lr=settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay
        )
    if settings.kind == "adadelta":
        return torch.optim.Adadelta(
            parameters, lr=settings.lr, rho=settings.rho, eps=settings.eps, weight_decay=settings.weight_decay
        )
    kind = torch.optim.Adam if settings.kind == "adam" else torch.optim.AdamW
    return kind(parameters, lr=settings.lr, betas=settings.betas, eps=settings.eps, weight_decay=settings.weight_decay)
