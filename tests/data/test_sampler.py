"""Slices of global batches: disjoint over ranks, complete, and resumable at any iteration."""

from __future__ import annotations

from itertools import chain

import pytest

from inpaint.data.sampler import IterationSampler, validation_batches
from inpaint.errors import UsageError


def batches(rank=0, world_size=1, start=0, iterations=5):
    return list(
        IterationSampler(
            batch_size=6, max_iterations=iterations, rank=rank, world_size=world_size, start_iteration=start
        )
    )


def joined(lists):
    return list(chain.from_iterable(lists))


@pytest.mark.parametrize("world_size", [2, 3, 6])
def test_the_slices_of_all_ranks_are_the_batch_of_one_process(world_size):
    whole = batches()
    ranks = [batches(rank, world_size) for rank in range(world_size)]
    for iteration, batch in enumerate(whole):
        assert joined(mine[iteration] for mine in ranks) == batch  # in order, so disjoint as well
    assert joined(whole) == list(range(30))


def test_resuming_yields_the_batches_that_were_still_to_come():
    assert batches(start=2) == batches()[2:]


def test_the_start_may_be_set_after_construction_and_length_counts_what_is_left():
    sampler = IterationSampler(batch_size=2, max_iterations=4)
    sampler.start_iteration = 3
    assert list(sampler) == [[6, 7]]
    assert len(sampler) == 1
    sampler.start_iteration = 9
    assert list(sampler) == []
    assert len(sampler) == 0


def test_a_batch_that_the_processes_cannot_share_is_refused():
    with pytest.raises(UsageError, match=r"batch_size=6 cannot be shared equally by 4 processes"):
        batches(world_size=4)


@pytest.mark.parametrize("count", [3, 7, 8, 16, 25])
@pytest.mark.parametrize("batch_size", [1, 4, 8])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_validation_samples_are_shared_once_each(count, batch_size, world_size):
    ranks = [validation_batches(count, batch_size=batch_size, rank=r, world_size=world_size) for r in range(world_size)]
    numbers = joined(joined(mine) for mine in ranks)
    assert sorted(numbers) == list(range(count))
    assert all(1 <= len(batch) <= batch_size for mine in ranks for batch in mine)


def test_a_process_may_be_left_without_validation_photographs():
    assert validation_batches(2, batch_size=4, rank=2, world_size=3) == []
