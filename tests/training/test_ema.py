import pytest
import torch
from torch import nn

from inpaint.training.ema import Average


def network(value):
    layer = nn.BatchNorm1d(3)
    nn.init.constant_(layer.weight, value)
    return layer


def test_average_follows_the_recursion_of_its_own_weights():
    current = network(1.0)
    average = Average(current, decay=0.9)
    expected = 1.0
    for update in range(60):
        nn.init.constant_(current.weight, float(update % 7))
        average.update(current, update)
        keep = min(0.9, (1 + update) / (10 + update))
        expected = keep * expected + (1 - keep) * (update % 7)
    assert average.network.weight.tolist() == pytest.approx([expected] * 3, rel=1e-5)


def test_a_random_start_is_forgotten_early_in_a_short_run():
    average = Average(network(100.0), decay=0.9999)
    current = network(1.0)
    for update in range(50):
        average.update(current, update)
    assert average.network.weight[0].item() == pytest.approx(1.0, abs=0.01)


def test_buffers_are_copied_not_averaged():
    current = network(1.0)
    average = Average(current, decay=0.9)
    current.running_mean.fill_(5.0)
    current.num_batches_tracked.fill_(7)
    average.update(current, 0)
    assert average.network.running_mean.tolist() == [5.0] * 3
    assert average.network.num_batches_tracked.item() == 7


def test_average_never_trains():
    average = Average(network(1.0), decay=0.9).train()
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.parameters())


def test_without_decay_the_average_is_a_copy():
    current, average = network(3.0), Average(network(1.0), decay=None)
    average.follow(current)
    assert torch.equal(average.network.weight, current.weight)
