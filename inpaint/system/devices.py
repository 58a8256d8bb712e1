"""Which device to compute on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inpaint.errors import UsageError, unknown

if TYPE_CHECKING:
    import torch


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """Return the device of that name; "auto" is the first accelerator there is, else the CPU.

    Raises UsageError for a device that does not exist here.
    """
    import torch

    if str(device) == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    present = ["cpu", *(["mps"] if torch.backends.mps.is_available() else [])]
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    present += ["cuda"] * (count > 0) + [f"cuda:{number}" for number in range(count)]
    if str(device) not in present:
        raise UsageError(unknown("device", str(device), ["auto", *present]))
    return torch.device(device)
