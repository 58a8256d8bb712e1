"""Sums over the features of images too large for memory, with gradients: block by block, in strips of rows.

Losses on features are mostly functions of sums over positions: of squared differences, of products of channels (Gram
matrices). Such sums never need the features of a whole image at once. Each block of a VGG is computed strip by strip,
with as many rows around a strip as its convolutions see, so that the sums are those of the whole image; only what
leaves a block by its pooling is kept, and everything within is computed once more in the backward pass. There each
strip adds its gradient to one map; recorded by torch, each would make a map of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

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
    if strip_bytes is not None and torch.is_grad_enabled() and images.requires_grad:
        names: list[str] = []
        found = _Recomputed.apply(images, network, reductions, strip_bytes, names)
        return dict(zip(names, found, strict=True))
    sums: dict[str, Tensor] = {}
    for _ in _blocks(network, images, reductions, strip_bytes, sums):
        pass
    return sums


def empty_map(like: Tensor, height: int) -> Tensor:
    """Return a map of other height, not filled, with the layout in memory of one (B, C, h, W)."""
    channels_last = like.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    shape = (*like.shape[:2], height, like.shape[3])
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=layout)


@dataclass(frozen=True)
class _Strip:
    """Rows of a block's input, and the wider part that they are computed from."""

    rows: slice
    seen: slice

    @property
    def inner(self) -> slice:
        """The rows within the part."""
        return slice(self.rows.start - self.seen.start, self.rows.stop - self.seen.start)


def _blocks(
    network: VGG,
    images: Tensor,
    reductions: Mapping[str, Reduction],
    strip_bytes: int | None,
    sums: dict[str, Tensor],
) -> Iterator[tuple[Stages, Tensor]]:
    """Add up `sums`, and yield each block with its input when that is done."""
    x = images
    for block in network.blocks(reductions):
        network.check_size(images, x, block)
        pooled = list[Tensor]()
        half = (x.shape[2] + network.ceil_mode) // 2
        whole, done = x.new_empty(0), 0
        for strip in _strips(block, x, strip_bytes):
            out, inside = _through(block, x[:, :, strip.seen], strip, reductions)
            for name, value in inside.items():
                sums[name] = sums[name] + value if name in sums else value
            if out.requires_grad or out.shape[2] in (0, half):
                pooled.append(out)
                continue
            if not done:  # one map from the first strip on: put together in the end, there would be two of it
                whole = empty_map(out, half)
            whole[:, :, done : done + out.shape[2]] = out
            done += out.shape[2]
        yield block, x
        x = whole if done else torch.cat(pooled, dim=2)


def _strips(block: Stages, x: Tensor, strip_bytes: int | None) -> Iterator[_Strip]:
    batch, _, height, width = x.shape
    reach = sum(isinstance(stage, nn.Conv2d) for _, stage in block)
    channels = CHANNELS[stride_of(block[0][0]).bit_length() - 1]
    row_bytes = batch * channels * width * x.element_size()
    rows = height if strip_bytes is None else max(strip_bytes // row_bytes, 16) // 2 * 2
    for start in range(0, max(height - 1, 1), rows):  # even, so that no two strips share a window of the pooling
        stop = height if start + rows >= height - 1 else start + rows
        yield _Strip(slice(start, stop), slice(max(start - reach, 0), stop + reach))


def _through(
    block: Stages, part: Tensor, strip: _Strip, reductions: Mapping[str, Reduction]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return what comes out of a block for a strip, and the sums within."""
    y, found, rows = part, dict[str, Tensor](), strip.rows
    for name, stage in block:
        if name.startswith("pool"):
            y = stage(y[:, :, strip.inner])
            if name in reductions:
                found[name] = reductions[name](y, slice(rows.start // 2, rows.start // 2 + y.shape[2]))
            return y, found
        y = stage(y)
        if name in reductions:
            found[name] = reductions[name](y[:, :, strip.inner], rows)
    return y[:, :, :0], found  # of the last block nothing else is needed


class _Recomputed(torch.autograd.Function):
    """The sums, of which the gradient is computed from the blocks' inputs alone, strip by strip."""

    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        network: VGG,
        reductions: Mapping[str, Reduction],
        strip_bytes: int,
        names: list[str],
    ) -> tuple[Tensor, ...]:
        sums: dict[str, Tensor] = {}
        ctx.blocks = list(_blocks(network, images, reductions, strip_bytes, sums))
        ctx.reductions, ctx.strip_bytes, ctx.names = reductions, strip_bytes, list(sums)
        names += sums
        return tuple(sums.values())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *passing: Tensor) -> tuple[Tensor, None, None, None, None]:
        wanted = dict(zip(ctx.names, passing, strict=True))
        deeper: Tensor | None = None  # the gradient of what leaves the block by its pooling
        while ctx.blocks:
            block, x = ctx.blocks.pop()
            gradient, done = torch.zeros_like(x), 0
            for strip in _strips(block, x, ctx.strip_bytes):
                part = x[:, :, strip.seen].detach().requires_grad_()
                with torch.enable_grad():
                    out, inside = _through(block, part, strip, ctx.reductions)
                of, along = list(inside.values()), [wanted[name] for name in inside]
                if deeper is not None:
                    of.append(out)
                    along.append(deeper[:, :, done : done + out.shape[2]])
                    done += out.shape[2]
                if of:
                    (found,) = torch.autograd.grad(of, part, along)
                    gradient[:, :, strip.seen] += found
            deeper = gradient
        assert deeper is not None
        return deeper, None, None, None, None
