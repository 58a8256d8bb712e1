"""What one iteration costs in products and in memory, so that size and width can be chosen before anything runs."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import torch

from inpaint.dip.decoder import DecoderOptions
from inpaint.dip.options import SkipOptions

# Forward, and backward towards inputs and weights.
PASSES = 3


def products(options: SkipOptions, height: int, width: int) -> int:
    """Return multiply-adds of one forward pass in the published order of computing."""
    return sum(count for count, _ in _layers(options, height, width))


def memory_bytes(options: SkipOptions | DecoderOptions, height: int, width: int, *, element_bytes: int = 4) -> int:
    """Estimate the memory of one iteration: every map that the backward pass reads again, and what works on them.

    A convolution keeps its (padded) input, a normalization its input, an activation its output.
    """
    if isinstance(options, DecoderOptions):
        return 6 * options.width * height * width * element_bytes
    kept = sum(values for _, values in _layers(options, height, width))
    return int(1.4 * kept * element_bytes) + 60_000_000


def available_bytes(device: torch.device) -> int | None:
    """Return how much memory is free there; None where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
    # What the system keeps of files is given up when it is needed.
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                free = max(free, 1024 * int(line.split()[1]))
    return free


def _layers(options: SkipOptions, height: int, width: int) -> list[tuple[int, int]]:
    """Return multiply-adds and values kept for the backward pass, layer by layer."""
    found: list[tuple[int, int]] = []
    ups = options.up or options.down
    skips, downs, ks = options.per_scale(options.skip), options.per_scale(options.kernel_down), options.kernel_skip
    up_kernels = options.per_scale(options.kernel_up)
    h, w, above = height, width, options.in_channels
    strides = options.downsample == "stride"
    for scale in range(options.depth):
        half_h, half_w = (h + 1) // 2, (w + 1) // 2
        here, below, wide, k = h * w, half_h * half_w, options.down[scale], downs[scale]
        first = below if strides else here
        found.append((above * wide * k * k * first, above * here + 2 * wide * first))
        found.append((wide * wide * k * k * below, 2 * wide * below))
        if skips[scale]:
            found.append((above * skips[scale] * ks * ks * here, 2 * skips[scale] * here))
        into = skips[scale] + (wide if scale == options.depth - 1 else ups[scale + 1])
        out = ups[scale]
        found.append((into * out * up_kernels[scale] ** 2 * here, (2 * into + 2 * out) * here))
        if options.pointwise:
            found.append((out * out * here, 2 * out * here))
        h, w, above = half_h, half_w, wide
    found.append((ups[0] * options.out_channels * height * width, ups[0] * height * width))
    return found
