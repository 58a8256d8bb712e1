import numpy as np
import pytest

from inpaint import seeds

PURPOSES = {name: value for name, value in vars(seeds).items() if isinstance(value, seeds.Purpose)}


def test_a_step_has_the_numbers_that_it_always_had():
    assert seeds.generator(3, seeds.MASK, 5).integers(2**62) == np.random.default_rng((3, 5, 3)).integers(2**62)
    iteration = np.random.SeedSequence((7, 11, 1)).generate_state(1, np.uint64)[0]
    assert seeds.integer(7, seeds.ITERATION, 11, 1) == int(iteration)
    noise = np.random.SeedSequence((9, 4, 3)).generate_state(1, np.uint64)[0]
    assert seeds.integer(4, seeds.PERTURBATION, 9) == int(noise >> np.uint64(1))
    assert seeds.generator((4, 2), seeds.DRAW, 1).random() == np.random.default_rng((4, 2, 1)).random()


@pytest.mark.parametrize("order", ["pis", "isp"])
def test_purposes_of_one_order_never_share_a_seed(order):
    drawn = {
        (name, seed, index): seeds.integer(seed, purpose, index)
        for name, purpose in PURPOSES.items()
        if purpose.order == order
        for seed in range(12)
        for index in range(12)
    }
    assert len(set(drawn.values())) == len(drawn)


def test_an_image_of_a_batch_never_gets_the_seed_of_a_step_of_another():
    steps = {seeds.integer(7, purpose, 0) for name, purpose in PURPOSES.items() if purpose.order == "isp"}
    images = {seeds.integer(7, seeds.IMAGE, number) for number in range(1, 20)}
    assert not steps & images


def test_a_name_always_means_the_same_word_and_another_name_another():
    assert seeds.named("evaluation mask deepfill") == seeds.named("evaluation mask deepfill")
    assert seeds.named("a") != seeds.named("b")
    assert 0 <= seeds.named("") < 2**64
