"""Masks and training samples as tasks to be measured."""

import numpy as np
import pytest

from inpaint.benchmark.rates import data_task, mask_sides, mask_tasks
from inpaint.data.config import DataConfig
from inpaint.errors import ConfigError
from inpaint.masks import names


def test_every_kind_is_drawn_at_the_size_that_it_is_made_for():
    sides = mask_sides()
    assert list(sides) == names()
    assert (sides["lama_thick_512"], sides["lama_thick_256"], sides["deepfill"]) == (512, 256, 256)
    assert set(mask_sides(64).values()) == {64}
    assert mask_sides(kinds=["half", "comodgan_512"]) == {"half": 256, "comodgan_512": 512}
    with pytest.raises(ConfigError, match=r"unknown mask 'centr' .did you mean 'center'"):
        mask_sides(kinds=["half", "centr"])


def test_each_run_of_a_task_draws_another_mask():
    task = mask_tasks({"box": 24}, seed=1)["box"]
    first, second = task(), task()
    assert first.shape == second.shape == (24, 24)
    assert not np.array_equal(first, second)


def test_each_run_of_a_task_makes_the_next_sample(photo_folder):
    task = data_task(DataConfig(root=str(photo_folder), size=24, masks="box"))
    samples = [task() for _ in range(3)]
    assert [tuple(sample["image"].shape) for sample in samples] == [(3, 24, 24)] * 3
    assert not np.array_equal(samples[0]["image"], samples[1]["image"])
