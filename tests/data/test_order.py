"""Each pass is a permutation; shards stay together; names survive packing."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inpaint import seeds
from inpaint.data.names import Names
from inpaint.data.order import EpochOrder


@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(5), [4, 1, 7, 2, 3]).astype(np.int32)])
def test_every_photograph_comes_exactly_once_per_pass(groups):
    order = EpochOrder(17, seed=3, groups=groups, window=2)
    for turn in range(4):
        assert sorted(order.permutation(turn).tolist()) == list(range(17))


def test_passes_and_seeds_differ_and_repeat_themselves():
    orders = {(seed, turn): tuple(EpochOrder(50, seed=seed).permutation(turn)) for seed in (0, 1) for turn in (0, 1)}
    assert len(set(orders.values())) == 4
    assert tuple(EpochOrder(50, seed=1).permutation(1)) == orders[1, 1]


def test_first_places_are_spread_evenly_over_the_photographs():
    firsts = [int(EpochOrder(4, seed=seed).permutation(0)[0]) for seed in range(400)]
    # 400 draws among 4: 100 each with a standard deviation of 8.7.
    assert np.bincount(firsts, minlength=4).min() > 65


def test_a_window_reads_only_its_own_shards_and_mixes_them():
    groups = np.repeat(np.arange(6, dtype=np.int32), 20)
    order = EpochOrder(120, seed=0, groups=groups, window=2)
    for turn in range(3):
        shards = groups[order.permutation(turn)]
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


@given(st.lists(st.text()))
def test_names_survive_packing(names):
    packed = Names.of(names)
    assert [packed[index] for index in range(len(packed))] == names


def test_a_name_outside_the_list_is_an_index_error():
    with pytest.raises(IndexError, match="name 2 of 2"):
        Names.of(["a", "b"])[2]
