"""What a training would cost before it begins: parameters, memory, hardware."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from inpaint.training.config import LoopConfig

if TYPE_CHECKING:
    from inpaint.training.gan import GanModule

GB = 1024**3


def parameters(module: GanModule) -> dict[str, int]:
    """Return the number of trained parameters by role."""
    return {role: sum(p.numel() for p in network.parameters()) for role, network in module.roles().items()}


def memory_bytes(module: GanModule, *, size_px: int, samples: int) -> int:
    """Estimate the memory of one device, from what one sample leaves behind for the backward pass.

    samples: how many are computed at once. Counts weights, gradients, two moments of Adam, averaged networks and the
    tensors that autograd keeps; temporary buffers of the library come on top. One gray sample is computed for it.
    """
    weights = sum(parameters(module).values()) * 4
    kept = _kept_bytes(module, size_px)
    if module.loop.trainer.precision != "32-true":
        kept //= 2
    averaged = sum(p.numel() for p in module.network.parameters()) * 4
    return 4 * weights + averaged + kept * samples


def hardware_lines(loop: LoopConfig) -> list[str]:
    """Return what the training would run on."""
    accelerator, count = device_count(loop)
    if accelerator == "cuda":
        found = [torch.cuda.get_device_properties(number) for number in range(count)]
        names = ", ".join(f"{device.name} ({device.total_memory / GB:.0f} GB)" for device in found)
    elif accelerator == "mps":
        names = "Apple GPU"
    else:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        names = f"CPU, {cores} cores, {loop.trainer.threads or torch.get_num_threads()} threads"
    processes = count * loop.trainer.num_nodes
    return [f"{names}; {processes} process{'es' if processes > 1 else ''}, {loop.trainer.precision}"]


def device_count(loop: LoopConfig) -> tuple[str, int]:
    """Return the kind of accelerator and how many of them one node would use, as Lightning chooses them."""
    wanted = loop.trainer.accelerator
    if wanted in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        available = torch.cuda.device_count()
        return "cuda", available if loop.trainer.devices == "auto" else min(loop.trainer.devices, available)
    kind = "mps" if wanted in ("auto", "gpu", "mps") and torch.backends.mps.is_available() else "cpu"
    return kind, 1 if loop.trainer.devices == "auto" else loop.trainer.devices


def _kept_bytes(module: GanModule, size_px: int) -> int:
    """Return the bytes that autograd keeps for one sample."""
    seen: dict[int, Tensor] = {}

    def note(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            seen.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    planes = {"image": 3, "mask": 1, **dict.fromkeys(module.planes, 1)}
    batch = {name: torch.full((1, channels, size_px, size_px), 0.5) for name, channels in planes.items()}
    batch["mask"] = torch.zeros(1, 1, size_px, size_px)
    batch["mask"][..., : size_px // 2, : size_px // 2] = 1
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        record = {**module.predict(batch), "hole_share": batch["mask"].mean()}
        losses = [module.generator_losses(record)[0]]
        if module.losses.adversarial:
            losses.append(module.discriminator_losses(record)[0])
    # `seen` holds the tensors themselves: a memory that were freed could lend its address to the next.
    return sum(tensor.untyped_storage().nbytes() for tensor in seen.values())
