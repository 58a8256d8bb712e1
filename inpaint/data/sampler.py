"""Which sample numbers a process works on: its slice of each global batch, from any iteration on."""

from __future__ import annotations

from collections.abc import Iterator

from torch.utils.data import Sampler

from inpaint.errors import UsageError


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
