"""Sums over the features of images too large for memory, with gradients: block by block, in strips of rows.

Losses on features are mostly functions of sums over positions: of squared differences, of products of channels (Gram
matrices). Such sums never need the features of a whole image at once. Each block of a VGG is computed strip by strip,
with as many rows around a strip as its convolutions see, so that the sums are those of the whole image; only what
leaves a block by its pooling is kept, and everything within is computed once more in the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from inpaint.nn.vgg import CHANNELS, VGG, Stages, stride_of

Reduction: TypeAlias = Callable[[Tensor, slice], Tensor]
"""Takes some rows of a layer's features, (B, C, h, W), and which rows they are, and returns what is added up."""

STRIP_BYTES = 2**26  # of the largest map within a strip; a handful of maps exist at a time


def sums_by_strips(
    network: VGG, images: Tensor, reductions: Mapping[str, Reduction], *, strip_bytes: int | None = STRIP_BYTES
) -> dict[str, Tensor]:
    """Return the sum of each reduction over all rows of its layer.

    Args:
        network: Frozen.
        images: (B, 3, H, W), normalized as the network wants it.
        reductions: By layer; without randomness, since they run twice where gradients are recorded.
        strip_bytes: Size of one map of features within a strip; None: the whole image at once, nothing twice.

    Raises:
        InputError: The images are too small to reach the last layer.
    """
    sums: dict[str, Tensor] = {}
    x = images
    for block in network.blocks(reductions):
        network.check_size(images, x, block)
        batch, _, height, width = x.shape
        channels = CHANNELS[stride_of(block[0][0]).bit_length() - 1]
        row_bytes = batch * channels * width * x.element_size()
        rows = height if strip_bytes is None else max(strip_bytes // row_bytes, 16) // 2 * 2
        pooled = list[Tensor]()
        for start in range(0, max(height - 1, 1), rows):  # even, so that no two strips share a window of the pooling
            stop = height if start + rows >= height - 1 else start + rows
            out, inside = _strip(block, x, slice(start, stop), reductions, again=strip_bytes is not None)
            pooled.append(out)
            for name, value in inside.items():
                sums[name] = sums[name] + value if name in sums else value
        x = torch.cat(pooled, dim=2)
    return sums


def _strip(
    block: Stages, x: Tensor, rows: slice, reductions: Mapping[str, Reduction], *, again: bool
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return what comes out of a block for some rows of its input, and the sums within.

    With `again` everything is computed once more in the backward pass.
    """
    reach = sum(isinstance(stage, nn.Conv2d) for _, stage in block)
    first = max(rows.start - reach, 0)
    inner = slice(rows.start - first, rows.stop - first)

    def run(part: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        y, found = part, dict[str, Tensor]()
        for name, stage in block:
            if name.startswith("pool"):
                y = stage(y[:, :, inner])
                if name in reductions:
                    found[name] = reductions[name](y, slice(rows.start // 2, rows.start // 2 + y.shape[2]))
                return y, found
            y = stage(y)
            if name in reductions:
                found[name] = reductions[name](y[:, :, inner], rows)
        return y[:, :, :0], found  # of the last block nothing else is needed

    part = x[:, :, first : rows.stop + reach]
    if not (again and torch.is_grad_enabled() and x.requires_grad):
        return run(part)
    answer: tuple[Tensor, dict[str, Tensor]] = checkpoint(run, part, use_reentrant=False)
    return answer
