"""Each epoch is a permutation and shards stay together; slices of global batches are disjoint, complete, resumable."""

from __future__ import annotations

import pickle
from itertools import chain

import numpy as np
import pytest

from inpaint import seeds
from inpaint.data.order import EpochOrder, IterationSampler, validation_batches
from inpaint.errors import UsageError


@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(5), [4, 1, 7, 2, 3]).astype(np.int32)])
def test_every_photo_comes_exactly_once_per_epoch(groups):
    order = EpochOrder(17, seed=3, groups=groups, window=2)
    for epoch in range(4):
        assert sorted(order.permutation(epoch).tolist()) == list(range(17))


def test_epochs_and_seeds_differ_and_repeat_themselves():
    orders = {(seed, epoch): tuple(EpochOrder(50, seed=seed).permutation(epoch)) for seed in (0, 1) for epoch in (0, 1)}
    assert len(set(orders.values())) == 4
    assert tuple(EpochOrder(50, seed=1).permutation(1)) == orders[1, 1]


def test_first_places_are_spread_evenly_over_the_photos():
    firsts = [int(EpochOrder(4, seed=seed).permutation(0)[0]) for seed in range(400)]
    # 400 draws among 4: 100 each with a standard deviation of 8.7.
    assert np.bincount(firsts, minlength=4).min() > 65


def test_a_window_reads_only_its_own_shards_and_mixes_them():
    groups = np.repeat(np.arange(6, dtype=np.int32), 20)
    order = EpochOrder(120, seed=0, groups=groups, window=2)
    for epoch in range(3):
        shards = groups[order.permutation(epoch)]
        windows = [set(shards[start : start + 40].tolist()) for start in range(0, 120, 40)]
        assert [len(window) for window in windows] == [2, 2, 2]
        assert set.union(*windows) == set(range(6))
        # Mixed: the shard changes often inside a window of two.
        assert np.count_nonzero(np.diff(shards[:40])) > 8
    assert groups[order.permutation(0)].tolist() != groups[order.permutation(1)].tolist()


def test_an_order_pickles_without_its_permutations():
    order = EpochOrder(100_000, seed=0)
    first = order.permutation(0)
    data = pickle.dumps(order)
    assert len(data) < 1000
    assert np.array_equal(pickle.loads(data).permutation(0), first)


def test_generators_of_different_purposes_and_numbers_differ_even_for_seed_zero():
    drawn = [
        seeds.generator(0, purpose, number).random()
        for purpose in (seeds.ORDER, seeds.PIXELS, seeds.MASK)
        for number in (0, 1, 2, 2**33)
    ]
    assert len(set(drawn)) == len(drawn)


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


def test_a_process_may_be_left_without_validation_photos():
    assert validation_batches(2, batch_size=4, rank=2, world_size=3) == []
