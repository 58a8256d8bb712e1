"""The random numbers that a graph reads: those that PyTorch draws on a CPU from the same seed, made with NumPy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

BLOCK = 16  # numbers that PyTorch makes of each other


class TorchNormal:
    """Standard normal numbers as `torch.randn` draws them one call after the other, in float32, up to rounding.

    So a graph paints the samples that its network paints in PyTorch from the same seed.

    Args:
        seed: Of `torch.Generator.manual_seed`; its lowest 32 bits count, as there.
    """

    def __init__(self, seed: int) -> None:
        self._source = np.random.RandomState(seed & 0xFFFFFFFF)  # the same Mersenne Twister, started the same way
        self._kept: list[float] = []

    def draw(self, *shape: int) -> NDArray[np.float32]:
        """Return the next numbers."""
        count = math.prod(shape)
        if count < BLOCK:
            return np.array([self._one() for _ in range(count)], np.float32).reshape(shape)
        uniform = (self._words(count) & 0xFFFFFF) * 2.0**-24
        whole = count - count % BLOCK
        normal = np.concatenate([_in_blocks(uniform[:whole]), uniform[whole:]])
        if whole < count:  # the last 16 are drawn anew, whatever was made of some of them
            normal[-BLOCK:] = _in_blocks((self._words(BLOCK) & 0xFFFFFF) * 2.0**-24)
        return normal.astype(np.float32).reshape(shape)

    def _words(self, count: int) -> NDArray[np.int64]:
        return self._source.randint(0, 2**32, size=count, dtype=np.uint32).astype(np.int64)

    def _one(self) -> float:
        """Return one number: they are made in pairs of numbers of 53 bits, and the second of a pair is kept."""
        if self._kept:
            return self._kept.pop()
        high, low, high2, low2 = self._words(4).tolist()
        first, second = (((a << 32 | b) & (2**53 - 1)) * 2.0**-53 for a, b in ((high, low), (high2, low2)))
        radius, angle = math.sqrt(-2 * math.log1p(-second)), 2 * math.pi * first
        self._kept.append(radius * math.sin(angle))
        return radius * math.cos(angle)


def _in_blocks(uniform: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return normal numbers of uniform ones in [0, 1), in blocks of 16 (Box and Muller 1958)."""
    pairs = uniform.reshape(-1, 2, BLOCK // 2)
    radius, angle = np.sqrt(-2 * np.log(1 - pairs[:, 0])), 2 * np.pi * pairs[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)
