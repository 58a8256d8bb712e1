"""The objective: its inputs, errors and perturbations, and images made smaller."""

import numpy as np
import pytest
import torch

from inpaint.dip.arithmetic import EXACT, fast
from inpaint.dip.objective import (
    Observation,
    PriorObjective,
    halved,
    masked_mse,
    meshgrid_input,
    noise_input,
    shrunk,
    total_variation,
)
from inpaint.dip.options import SkipOptions
from inpaint.dip.skip import Skip
from inpaint.optimize.base import StepInfo
from smooth import waves

CPU = torch.device("cpu")


def test_noise_and_meshgrid_are_as_published():
    z = noise_input(32, 40, 50, seed=1)
    assert z.shape == (1, 32, 40, 50)
    assert 0 <= z.min() <= z.max() < 0.1
    assert z.std().item() == pytest.approx(0.1 / 12**0.5, rel=0.02)
    assert torch.equal(z, noise_input(32, 40, 50, seed=1))
    grid = meshgrid_input(5, 9)[0]
    assert grid.shape == (2, 5, 9)
    assert torch.equal(grid[0, 2], torch.arange(9) / 8)
    assert torch.equal(grid[1, :, 3], torch.arange(5) / 4)


def test_the_masked_mse_counts_known_pixels_only():
    rng = np.random.default_rng(0)
    painted, target = rng.random((2, 1, 3, 5, 7))
    weights = (rng.random((1, 1, 5, 7)) < 0.6).astype(float)
    known = np.broadcast_to(weights == 1, painted.shape)
    expected = ((painted - target)[known] ** 2).mean()
    found = masked_mse(*(torch.from_numpy(each) for each in (painted, target, weights)))
    assert float(found) == pytest.approx(expected)


def test_total_variation_is_smooth_where_the_image_is_flat_and_does_not_depend_on_size():
    flat = torch.full((1, 3, 6, 6), 0.5, requires_grad=True)
    total_variation(flat).backward()
    assert flat.grad.isfinite().all()
    slope = torch.arange(40.0).expand(1, 3, 30, 40) * 0.01
    assert total_variation(slope).item() == pytest.approx(0.01, rel=0.01)
    assert total_variation(slope[..., :12]).item() == pytest.approx(0.01, rel=0.01)


def small_objective(**changes):
    options = SkipOptions(in_channels=4, down=(6, 6), skip=2)
    data = Observation(z=noise_input(4, 16, 20, seed=0), size=(16, 20), target=waves(16, 20))
    return PriorObjective(Skip(options), [data], **changes)


def test_the_input_is_perturbed_anew_in_every_iteration_and_repeatably():
    objective = small_objective(noise=0.05, seed=2)
    one, again, other = (objective.evaluate(StepInfo(iteration=k, progress=0.0)).image for k in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    unperturbed = [small_objective().evaluate(StepInfo(iteration=k, progress=0.0)).image for k in (1, 2)]
    assert torch.equal(*unperturbed)


def test_the_perturbation_has_its_deviation_in_both_layouts():
    for channels_last in (False, True):
        objective = small_objective(noise=0.05, channels_last=channels_last)
        z = objective.observations[0].z
        off = objective._perturbed(z, 3) - z
        assert off.std().item() == pytest.approx(0.05, rel=0.05)
        assert off.mean().abs() < 0.005


def test_pixels_held_out_do_not_count_until_the_cooldown():
    data = small_objective().observations[0]
    weights, held_out = torch.ones(1, 1, 16, 20), torch.zeros(1, 1, 16, 20)
    held_out[..., 4:7, 4:7] = 1
    target = torch.where(held_out == 1, 5.0, data.target)
    held_data = Observation(z=data.z, size=data.size, target=target, weights=weights, held_out=held_out)
    objective = PriorObjective(small_objective().network, [held_data])
    searching = objective.evaluate(StepInfo(iteration=0, progress=0.0)).loss
    cooling = objective.evaluate(StepInfo(iteration=0, progress=0.95, cooldown=True)).loss
    assert cooling > searching + 0.1
    assert objective.held_out_mse(data.target) == pytest.approx(float((5 - data.target[..., 4:7, 4:7]).square().mean()))


def test_images_are_made_smaller_by_what_is_known():
    image = torch.arange(24.0).reshape(1, 1, 4, 6)
    weights = torch.ones(1, 1, 4, 6)
    weights[..., 0, 0] = 0
    weights[..., 2:, 4:] = 0
    weights[..., 2, 4] = 1
    small, known = halved(image, weights)
    assert small[0, 0, 0].tolist() == pytest.approx([(1 + 6 + 7) / 3, (2 + 3 + 8 + 9) / 4, (4 + 5 + 10 + 11) / 4])
    assert known[0, 0].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert shrunk(image, None, (2, 2))[0].shape == (1, 1, 2, 2)


@pytest.mark.parametrize("every", [4, 7])
def test_scattered_pixels_that_are_few_are_known_in_a_smaller_image(every):
    weights = torch.zeros(1, 1, 32, 36)
    weights[..., ::every, ::every] = 1
    small, known = shrunk(torch.full((1, 3, 32, 36), 0.5), weights, (16, 18))
    assert known.sum() == weights.sum()
    assert (small * known == 0.5 * known).all()


def test_the_fast_arithmetic_starts_where_the_published_one_does():
    image, options = waves(64, 64), SkipOptions(in_channels=4, down=(16, 16), skip=4, upsample="nearest")
    losses = []
    for kind in (EXACT, fast(CPU)):
        data = Observation(z=noise_input(4, 64, 64, seed=0), size=(64, 64), target=image)
        objective = PriorObjective(
            kind.network(options, seed=0), [data], dtype=kind.dtype, channels_last=kind.channels_last
        )
        losses.append(objective.evaluate(StepInfo(iteration=0, progress=0.0)).loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
