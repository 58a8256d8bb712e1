"""How a prior computes: the fast way that is usual here, and the published one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from inpaint.dip.decoder import Decoder, DecoderOptions
from inpaint.dip.options import SkipOptions
from inpaint.dip.skip import Skip


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """One way of computing.

    Args:
        dtype: Of the maps.
        channels_last: Their layout.
        plain: In the published order, with idle biases.
        fused: Adam in one kernel.
    """

    dtype: torch.dtype = torch.float32
    channels_last: bool = False
    plain: bool = True
    fused: bool = False

    def network(self, options: SkipOptions | DecoderOptions, *, seed: int) -> nn.Module:
        """Return the network with weights of that seed; all kinds of arithmetic start from the same weights."""
        if isinstance(options, DecoderOptions):
            return Decoder(options, seed=seed)
        return Skip(options, seed=seed, bias=self.plain, plain=self.plain)


EXACT = Arithmetic()
"""float32, maps channel by channel, biases everywhere, Adam's plain loop: what the notebooks compute."""


def fast(device: torch.device) -> Arithmetic:
    """Return what loses nothing and is fastest there: bfloat16 where the hardware computes in it."""
    return Arithmetic(
        dtype=torch.bfloat16 if computes_bfloat16(device) else torch.float32,
        channels_last=device.type != "mps",
        plain=False,
        fused=device.type in ("cpu", "cuda"),
    )


def computes_bfloat16(device: torch.device) -> bool:
    """Return whether bfloat16 is faster than float32 there, by what the hardware says of itself."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    try:
        found = torch.cpu.get_capabilities()
    except AttributeError:  # an older torch does not say
        return False
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))
