"""Which photograph a sample number means: one seeded permutation per epoch."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from inpaint import seeds

_KEPT = 2  # permutations in memory: a batch may straddle two epochs


class EpochOrder:
    """Sample n is position n % count of epoch n // count; each epoch is a permutation of its own of all photographs.

    With `groups` (the shard of each photograph) an epoch permutes the shards, then the photographs within each window
    of `window` shards, so that reading stays near a few files while every photograph still comes exactly once.
    """

    def __init__(self, count: int, *, seed: int, groups: NDArray[np.int32] | None = None, window: int = 16) -> None:
        self.count = count
        self.seed = seed
        self.groups = groups
        self.window = window
        self._kept: OrderedDict[int, NDArray[np.int64]] = OrderedDict()

    def locate(self, number: int) -> tuple[int, int]:
        """Return (epoch, position) of sample `number`."""
        return divmod(number, self.count)

    def permutation(self, epoch: int) -> NDArray[np.int64]:
        """Return the order of epoch `epoch`: (count,) photograph numbers."""
        if epoch not in self._kept:
            self._kept[epoch] = self._draw(epoch)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[epoch]

    def _draw(self, epoch: int) -> NDArray[np.int64]:
        rng = seeds.generator(self.seed, seeds.ORDER, epoch)
        if self.groups is None:
            return rng.permutation(self.count)
        by_shard = np.argsort(self.groups, kind="stable")
        starts = np.flatnonzero(np.diff(self.groups[by_shard], prepend=-1))
        shards = np.split(by_shard, starts[1:])
        order = rng.permutation(len(shards))
        windows = [
            np.concatenate([shards[shard] for shard in order[start : start + self.window]])
            for start in range(0, len(order), self.window)
        ]
        return np.concatenate([rng.permutation(window) for window in windows])

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": OrderedDict()}
