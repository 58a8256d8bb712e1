"""3 x 3 convolutions with a quarter of the multiplications (Winograd's F(4 x 4, 3 x 3); Lavin and Gray 2016).

Tiles of 6 x 6 places, each 4 places on, are multiplied by a fixed matrix; then every one of their 36 numbers is a
matrix product of its own over channels; another fixed matrix turns the sums into 4 x 4 outputs. 2.25 multiplications
for each output and pair of channels instead of 9. The result is that of the convolution up to rounding, in float32 a
few times as much as a convolution's: not for half precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

OUT = 4  # places of a tile's output along a side
IN = OUT + 2  # of its input
TILES = 128  # computed at once by each thread in `convolved`: of 256 channels, 5 MB
POINTS = (0.0, 2**-0.5, -(2**-0.5), 2**0.5, -(2**0.5))
"""Where polynomials are compared, beside infinity: symmetric and near 1, so that rounding stays small."""


def pays_for(x: Tensor) -> bool:
    """Return whether maps like x are convolved so: on a CPU and in full precision, where no gradient is needed.

    Compilers and exporters get the convolution itself.
    """
    full = x.dtype in (torch.float32, torch.float64)
    recorded = torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return x.is_cpu and full and not torch.is_grad_enabled() and not recorded


@cache
def _matrices() -> tuple[Tensor, Tensor, Tensor]:
    """Return what turns kernels (9 numbers), tiles (36) and products (36) into products' factors and outputs, float64.

    Along one side, with points p: output = A^T [(G kernel) (B^T tile)], by Toom and Cook's interpolation, transposed.
    """
    kernel, tile, output = np.zeros((IN, 3)), np.zeros((IN, IN)), np.zeros((OUT, IN))
    for row, point in enumerate(POINTS):
        others = [other for other in POINTS if other != point]
        kernel[row] = point ** np.arange(3) / np.prod([point - other for other in others])
        tile[row, : IN - 1] = np.poly(others)[::-1]
        output[:, row] = point ** np.arange(OUT)
    kernel[-1, -1] = output[-1, -1] = 1
    tile[-1] = np.poly(POINTS)[::-1]
    found = (torch.from_numpy(np.kron(side, side)) for side in (kernel, tile, output))
    return next(found), next(found), next(found)


def transformed_kernels(weight: Tensor) -> Tensor:
    """Return the kernels (O, I, 3, 3) as factors of the products, (36, I, O), rounded once."""
    kernel, _, _ = _matrices()
    found = kernel.to(weight.device) @ weight.double().permute(2, 3, 1, 0).reshape(9, -1)
    return found.view(IN * IN, weight.shape[1], weight.shape[0]).to(weight.dtype)


def transformed_tiles(parts: Sequence[Tensor]) -> Tensor:
    """Return the tiles of several maps (B, C, H, W), one after the other along the channels: (36, tiles, channels).

    The maps are mirrored by one place, without repeating the border, before they are cut; H and W are at least 2.
    """
    return _transformed(_bordered(parts, mirrored=True))


def _bordered(parts: Sequence[Tensor], *, mirrored: bool) -> Tensor:
    """Return the maps beside each other with one more place around, and zeros up to whole tiles: (B, H', W', C)."""
    batch, _, height, width = parts[0].shape
    rows, columns = -(-height // OUT), -(-width // OUT)
    padded = parts[0].new_empty(batch, OUT * rows + 2, OUT * columns + 2, sum(part.shape[1] for part in parts))
    for outside in (padded[:, :1], padded[:, height + 1 :], padded[:, :, :1], padded[:, :, width + 1 :]):
        outside.zero_()
    start = 0
    for part in parts:
        stop = start + part.shape[1]
        padded[:, 1 : height + 1, 1 : width + 1, start:stop] = part.permute(0, 2, 3, 1)
        start = stop
    if mirrored:
        padded[:, 0], padded[:, height + 1] = padded[:, 2], padded[:, height - 1]
        padded[:, :, 0], padded[:, :, width + 1] = padded[:, :, 2], padded[:, :, width - 1]
    return padded


def _transformed(padded: Tensor) -> Tensor:
    """Cut a bordered map (B, H', W', C) into tiles and transform them: (36, tiles, C)."""
    tiles = padded.unfold(1, IN, OUT).unfold(2, IN, OUT)  # (B, rows, columns, C, 6, 6)
    tiles = tiles.permute(4, 5, 0, 1, 2, 3).reshape(IN * IN, -1)
    _, tile, _ = _matrices()
    return (tile.to(tiles) @ tiles).view(IN * IN, -1, padded.shape[-1])


def outputs(products: Tensor, size: Sequence[int]) -> Tensor:
    """Return the map (B, O, H, W), channels last in memory, from products (36, tiles, O); size: B, H, W."""
    batch, height, width = size
    rows, columns = -(-height // OUT), -(-width // OUT)
    _, _, output = _matrices()
    found = output.to(products) @ products.flatten(1)
    found = found.view(OUT, OUT, batch, rows, columns, -1).permute(2, 3, 0, 4, 1, 5)
    whole = found.reshape(batch, OUT * rows, OUT * columns, -1)
    return whole[:, :height, :width].permute(0, 3, 1, 2)


def convolved(parts: Sequence[Tensor], factors: Tensor, bias: Tensor, *, mirrored: bool) -> Tensor:
    """Return a whole convolution of several maps, rows of tiles after rows, so that all numbers stay in the cache.

    Args:
        parts: (B, C, H, W) each, one after the other along the channels.
        factors: Of the kernels, from `transformed_kernels`.
        bias: (O,).
        mirrored: Whether the border is mirrored, which needs sides of at least 2; else zeros lie around the maps.

    Returns:
        (B, O, H, W), channels last in memory.
    """
    batch, _, height, width = parts[0].shape
    rows, columns, count = -(-height // OUT), -(-width // OUT), factors.shape[-1]
    padded = _bordered(parts, mirrored=mirrored)
    _, _, output = _matrices()
    whole = padded.new_empty(batch, OUT * rows, OUT * columns, count)
    step = max(1, TILES * torch.get_num_threads() // (batch * columns))
    for top in range(0, rows, step):
        here = min(step, rows - top)
        products = _transformed(padded[:, OUT * top : OUT * (top + here) + 2]) @ factors
        found = (output.to(products) @ products.flatten(1)).view(OUT, OUT, batch, here, columns, count)
        place = whole[:, OUT * top : OUT * (top + here)].view(batch, here, OUT, columns, OUT, count)
        torch.add(found.permute(2, 3, 0, 4, 1, 5), bias, out=place)
    return whole[:, :height, :width].permute(0, 3, 1, 2)


def frozen_convolution(x: Tensor, factors: Tensor, backward_factors: Tensor, bias: Tensor) -> Tensor:
    """Return a convolution with zeros around, whose gradient is computed the same way; kernels get none.

    Args:
        x: (B, C, H, W).
        factors: Of the kernels, from `transformed_kernels`.
        backward_factors: Of the kernels turned by half, inputs and outputs exchanged.
        bias: (O,).
    """
    found: Tensor = _FrozenConvolution.apply(x, factors, backward_factors, bias)
    return found


def turned(weight: Tensor) -> Tensor:
    """Return the kernels (I, O, 3, 3) of the convolution that takes gradients back through one (O, I, 3, 3)."""
    return weight.flip(2, 3).transpose(0, 1)


class _FrozenConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factors: Tensor, backward_factors: Tensor, bias: Tensor) -> Tensor:
        ctx.backward_factors = backward_factors
        return convolved([x], factors, bias, mirrored=False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *passing: Tensor) -> tuple[Tensor, None, None, None]:
        factors = ctx.backward_factors
        return convolved(passing, factors, factors.new_zeros(factors.shape[-1]), mirrored=False), None, None, None
