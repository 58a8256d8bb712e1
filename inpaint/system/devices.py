"""The devices that there are to compute on, by the names that `--device` takes. Cheap to import."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypedDict

from inpaint.errors import UsageError, unknown

if TYPE_CHECKING:
    import torch


class Accelerator(TypedDict):
    """One GPU. device: what `--device` takes."""

    device: str
    name: str
    memory_bytes: int


def accelerators() -> list[Accelerator]:
    """Return the CUDA devices that torch sees, in their order."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    properties = [torch.cuda.get_device_properties(number) for number in range(count)]
    return [
        {"device": f"cuda:{number}", "name": found.name, "memory_bytes": found.total_memory}
        for number, found in enumerate(properties)
    ]


def check_device_name(device: str) -> None:
    """Raise UsageError for what is no name of a device anywhere; whether it is here takes torch to find out."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise UsageError(unknown("device", device, ("auto", "cpu", "cuda", "cuda:1", "mps")))


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """Return the device of that name.

    Args:
        device: "auto" is the first accelerator there is, else the CPU; else "cpu", "mps", "cuda" or "cuda:NUMBER".

    Raises:
        UsageError: There is no such device here.

    Example:
        >>> resolve_device("cpu")
        device(type='cpu')
    """
    import torch

    mps, count = torch.backends.mps.is_available(), torch.cuda.device_count() if torch.cuda.is_available() else 0
    present = [*["cuda"] * (count > 0), *["mps"] * mps, "cpu", *(f"cuda:{number}" for number in range(count))]
    name = present[0] if str(device) == "auto" else str(device)
    if name not in present:
        raise UsageError(unknown("device", name, ["auto", *present]))
    return torch.device(name)


def device_name(device: torch.device) -> str:
    """Return a device with its model, "cuda (NVIDIA H100)", so that times of two kinds of GPU are not taken for one."""
    import torch

    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
