"""Which sample numbers a process works on, from any iteration on, and which photo each number means."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from inpaint import seeds
from inpaint.errors import UsageError

_KEPT = 2  # permutations in memory: a batch may straddle two epochs


class EpochOrder:
    """Sample n is position n % count of epoch n // count; each epoch is a permutation of its own of all photos.

    With `groups` (the shard of each photo) an epoch permutes the shards, then the photos within each window of `window`
    shards, so that reading stays near a few files while every photo still comes exactly once.
    """

    def __init__(self, count: int, *, seed: int, groups: NDArray[np.int32] | None = None, window: int = 16) -> None:
        self.count = count
        self.seed = seed
        self.groups = groups
        self.window = window
        self._kept: OrderedDict[int, NDArray[np.int64]] = OrderedDict()

    def permutation(self, epoch: int) -> NDArray[np.int64]:
        """Return the order of epoch `epoch`: (count,) photo numbers."""
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


class IterationSampler(Sampler[list[int]]):
    """Yields one list of numbers per iteration: rank r's slice of [i * batch_size, (i + 1) * batch_size).

    batch_size is global; its `world_size` equal slices follow each other by rank. The only state is the iteration,
    which is `start_iteration` when iteration begins; set it before resuming. Raises UsageError when the ranks cannot
    share the batch equally.
    """

    def __init__(
        self, *, batch_size: int, max_iterations: int, rank: int = 0, world_size: int = 1, start_iteration: int = 0
    ) -> None:
        if batch_size % world_size:
            raise UsageError(f"batch_size={batch_size} cannot be shared equally by {world_size} processes")
        if not 0 <= rank < world_size:
            raise UsageError(f"rank={rank} must be at least 0 and below world_size={world_size}")
        self.batch_size = batch_size
        self.max_iterations = max_iterations
        self.rank = rank
        self.world_size = world_size
        self.start_iteration = start_iteration

    def __iter__(self) -> Iterator[list[int]]:
        share = self.batch_size // self.world_size
        for iteration in range(self.start_iteration, self.max_iterations):
            first = iteration * self.batch_size + self.rank * share
            yield list(range(first, first + share))

    def __len__(self) -> int:
        return max(self.max_iterations - self.start_iteration, 0)


def validation_batches(count: int, *, batch_size: int, rank: int = 0, world_size: int = 1) -> list[list[int]]:
    """Return the batches of rank r's share of `count` validation samples: every sample once over all ranks, none twice.

    A rank may have none: what is measured is summed over the ranks once, at the end.
    """
    mine = range(rank, count, world_size)
    return [list(mine[start : start + batch_size]) for start in range(0, len(mine), batch_size)]
