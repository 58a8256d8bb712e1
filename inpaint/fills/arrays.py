"""The few operations on which NumPy arrays and torch tensors differ: what fills share is written once for both.

Nothing here imports torch: a tensor brings its own methods.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from inpaint.errors import InputError

Array: TypeAlias = Any
"""A NumPy array or a torch tensor."""


def is_array(x: object) -> bool:
    """Return whether this is a NumPy array of real numbers."""
    return isinstance(x, np.ndarray) and x.dtype.kind in "buif"


def is_tensor(x: object) -> bool:
    """Return whether this is a torch tensor of real numbers that lie one by one in memory."""
    torch = sys.modules.get("torch")  # where it was never imported, nobody has a tensor
    if torch is None or not isinstance(x, torch.Tensor):
        return False
    dense = x.layout == torch.strided and not x.is_nested
    return dense and not (x.is_meta or x.is_quantized or x.is_complex())


def as_array(x: Array) -> Array:
    """Return an array, or a tensor as one, without its gradient."""
    if isinstance(x, np.ndarray):
        return x
    here = x.detach().cpu()
    try:
        return here.numpy()
    except TypeError:  # a type that NumPy lacks, such as bfloat16
        return here.float().numpy()


def as_tensor(x: Array) -> Array:
    """Return a tensor without its gradient, or an array as one on the CPU."""
    import torch  # not for those who fill arrays by arrays

    # Writable, since torch warns of memory that is not.
    return torch.from_numpy(np.require(x, requirements=["C", "W"])) if isinstance(x, np.ndarray) else x.detach()


def channels_first(x: Array) -> Array:
    """Return an array (B, H, W, C) as (B, C, H, W). Raises InputError for another number of axes."""
    if x.ndim != 4:
        raise InputError(f"arrays must have shape (B, H, W, C), got {x.shape}")
    return x.transpose(0, 3, 1, 2)


def channels_last(x: Array) -> Array:
    """Return an array (B, C, H, W) as (B, H, W, C); arrays of other axes as they are."""
    return x.transpose(0, 2, 3, 1) if x.ndim == 4 else x


def is_floating(x: Array) -> bool:
    """Return whether the numbers are floating point."""
    return x.dtype.kind == "f" if isinstance(x, np.ndarray) else bool(x.is_floating_point())


def is_finite(x: Array) -> bool:
    """Return whether every number is finite."""
    return bool(np.isfinite(x).all() if isinstance(x, np.ndarray) else x.isfinite().all())


def where(condition: Array, a: Array, b: Array) -> Array:
    """Return `a` where the condition holds and `b` elsewhere; shapes broadcast."""
    return np.where(condition, a, b) if isinstance(condition, np.ndarray) else a.where(condition, b)


def masked_fill(x: Array, mask: Array, value: float) -> Array:
    """Return x with `value` where the mask is True."""
    return np.where(mask, x.dtype.type(value), x) if isinstance(x, np.ndarray) else x.masked_fill(mask, value)


def copied(x: Array) -> Array:
    """Return x in memory of its own."""
    return x.copy() if isinstance(x, np.ndarray) else x.clone()


def concatenate(parts: Sequence[Array]) -> Array:
    """Return the parts one after the other along the first axis; tensors in memory of their own."""
    if isinstance(parts[0], np.ndarray):
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
    whole = parts[0].new_empty((sum(len(part) for part in parts), *parts[0].shape[1:]))
    first = 0
    for part in parts:
        whole[first : first + len(part)] = part
        first += len(part)
    return whole


def single(x: Array) -> Array:
    """Return x in float32, itself where it is that already."""
    return x.astype(np.float32, copy=False) if isinstance(x, np.ndarray) else x.float()


def double(x: Array) -> Array:
    """Return x in float64, or in what is most precise on its device."""
    if isinstance(x, np.ndarray):
        return x.astype(np.float64)
    return x.float() if x.device.type == "mps" else x.double()


def like(x: Array, other: Array) -> Array:
    """Return x in the type, and on the device, of another array of its kind."""
    return x.astype(other.dtype) if isinstance(x, np.ndarray) else x.to(other)


def composited(image: Array, raw: Array, hole: Array) -> Array:
    """Return `raw`, clipped to [0, 1], in the hole and the image, bit for bit, elsewhere, in memory of its own."""
    completed = raw.clip(0, 1)
    if isinstance(completed, np.ndarray):
        np.copyto(completed, image, where=~hole)  # a large photo is in memory once less than with `where`
        return completed
    return completed.where(hole, image)


def _masked_sum(x: Array, mask: Array) -> Array:
    """Return the sum over the last two axes, kept, of x where the mask is True, precisely."""
    if isinstance(x, np.ndarray):
        return x.sum(axis=(-2, -1), dtype=np.float64, where=mask, keepdims=True)
    return masked_fill(double(x), ~mask, 0.0).sum(dim=(-2, -1), keepdim=True)


def mean_known(image: Array, hole: Array) -> Array:
    """Return the mean color of the known pixels of each image, (..., 3, 1, 1); mid gray where nothing is known.

    Args:
        image: (..., 3, H, W).
        hole: (..., 1, H, W), bool.
    """
    total = _masked_sum(image, ~hole)
    count = (~hole).sum(axis=(-2, -1), keepdims=True)
    return like(where(count > 0, total / count.clip(1), total + 0.5), image)
