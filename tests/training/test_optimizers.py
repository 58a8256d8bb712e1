import itertools

import pytest
import torch
from torch import nn

from inpaint.training.config import OptimizerConfig, ScheduleConfig
from inpaint.training.optimizers import build_optimizer, rate_factor


def test_linear_and_cosine_start_at_one_and_end_at_final():
    for kind in ("linear", "cosine"):
        schedule = ScheduleConfig(kind=kind, final=0.1)
        assert rate_factor(schedule, 0, 100) == 1.0
        assert rate_factor(schedule, 100, 100) == pytest.approx(0.1)
        assert rate_factor(schedule, 50, 100) == pytest.approx(0.55)


def test_rates_never_rise_after_the_warm_up():
    for kind in ("constant", "linear", "cosine", "step"):
        schedule = ScheduleConfig(kind=kind, warmup=10, every=20)
        factors = [rate_factor(schedule, i, 100) for i in range(10, 101)]
        assert factors[0] == 1.0
        assert all(later <= earlier for earlier, later in itertools.pairwise(factors))


def test_warm_up_grows_in_even_steps():
    factors = [rate_factor(ScheduleConfig(warmup=4), i, 100) for i in range(5)]
    assert factors == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_step_halves_at_its_interval():
    schedule = ScheduleConfig(kind="step", every=10, factor=0.5)
    assert [rate_factor(schedule, i, 100) for i in (0, 9, 10, 29, 30)] == [1, 1, 0.5, 0.25, 0.125]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("sgd", torch.optim.SGD),
        ("adadelta", torch.optim.Adadelta),
    ],
)
def test_optimizers_take_their_options(kind, expected):
    optimizer = build_optimizer(OptimizerConfig(kind=kind, lr=0.5), [nn.Parameter(torch.zeros(2))])
    assert type(optimizer) is expected
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_the_first_step_of_adadelta_is_that_of_its_paper():
    """ADADELTA (arXiv 1212.5701, algorithm 1): the root of eps over the root of (1 - rho) g^2 + eps, times g."""
    weight = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    gradient = torch.tensor([3.0, 1e-4], dtype=torch.float64)
    weight.grad = gradient.clone()
    build_optimizer(OptimizerConfig(kind="adadelta", lr=1.0, rho=0.8, eps=1e-6), [weight]).step()
    step = gradient * (1e-6 / (0.2 * gradient.square() + 1e-6)).sqrt()
    assert torch.allclose(weight.detach(), torch.tensor([1.0, -2.0], dtype=torch.float64) - step, rtol=0, atol=1e-15)
