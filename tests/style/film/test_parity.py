"""The authors' program's own outputs: temporal losses, weights of earlier frames, and three frames of a film."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inpaint.images.flow import warped
from inpaint.nn.vgg import CAFFE_MEAN
from inpaint.optimize.base import StepInfo
from inpaint.optimize.loop import optimize
from inpaint.optimize.stages import ORIGINS_LOOP
from inpaint.style.film.origin import frame_objective
from inpaint.style.film.temporal import Temporal, long_term

MEAN = tuple(value / 256 for value in CAFFE_MEAN)


@pytest.fixture(scope="module")
def cases(parity):
    return parity.cases("manuelruder")


def apart(got, expected):
    return float(np.abs(np.asarray(got) - expected).max() / np.abs(expected).max())


def in_space(layers, image):
    """Of (H, W, 3) in [0, 1]."""
    return layers.space.of(torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None])


@pytest.fixture(scope="module")
def frames(cases, layers):
    """Objectives of the three frames, each from the saved ones before."""
    found = []
    for number in (1, 2, 3):
        reliable = {k: cases[f"reliable_{number}_{number - k}"] / 255 for k in (1, 2) if number > k}
        moved = {
            k: warped(
                cases[f"frame{number - k}_saved"].transpose(1, 2, 0) / 255,
                cases[f"flow_backward_{number}_{number - k}"],
                outside=MEAN,
            )
            for k in reliable
        }
        weights = long_term(list(reliable.values()), exact=True) if reliable else []
        earlier = [
            (in_space(layers, moved[k]), torch.from_numpy(weight)) for k, weight in zip(reliable, weights, strict=True)
        ]
        found.append(
            frame_objective(
                layers,
                in_space(layers, cases["frames"][number - 1] / 255),
                in_space(layers, cases["style"] / 255),
                earlier,
                start=torch.from_numpy(cases[f"frame{number}_x_1"])[None],
            )
        )
    return found


def test_weights_of_earlier_frames(cases):
    found = np.stack(long_term(list(cases["weights_in"]), exact=True))
    assert np.abs(found - cases["weights_closestFirst"]).max() < 1e-12
    first, second, third = long_term([np.full((1, 1), value) for value in (0.5, 0.6, 0.9)])
    assert (first.item(), second.item(), third.item()) == pytest.approx((0.5, 0.1, 0.0))


@pytest.mark.parametrize(("norm", "name"), [("l2", "mse"), ("huber", "smoothl1")])
def test_the_temporal_loss_and_its_gradient(cases, norm, name):
    x, target, weights = (torch.from_numpy(cases[f"loss_{each}"]) for each in ("x", "target", "weights"))
    theirs = Temporal(target, weights, norm=norm, through=False).pull(x)
    assert apart(1000 * theirs.value, cases[f"loss_{name}"]) < 1e-9
    assert apart(1000 * theirs.gradient, cases[f"loss_{name}_grad"] - cases["loss_grad_output"]) < 1e-9
    ours = Temporal(target, weights, norm=norm)
    variable = x.clone().requires_grad_()
    off = weights.sqrt() * (variable - target)
    value = off.square().mean() if norm == "l2" else torch.nn.functional.smooth_l1_loss(off, torch.zeros_like(off))
    value.backward()
    assert apart(ours.pull(x).gradient, variable.grad.numpy()) < 1e-12


@pytest.mark.parametrize("number", [2, 3])
def test_a_frame_begins_with_the_warped_one_before(cases, layers, number):
    saved = cases[f"frame{number - 1}_saved"].transpose(1, 2, 0) / 255
    moved = warped(saved, cases[f"flow_backward_{number}_{number - 1}"], outside=MEAN)
    assert apart(in_space(layers, moved)[0], cases[f"frame{number}_x_1"]) < 1e-6


@pytest.mark.parametrize("number", [1, 2, 3])
def test_losses_and_gradients_of_a_frame(cases, frames, number):
    objective = frames[number - 1]
    with torch.no_grad():
        objective.colors.copy_(torch.from_numpy(cases[f"frame{number}_x_1"])[None])
    evaluation = objective.evaluate(StepInfo(iteration=0, progress=0.0))
    evaluation.loss.backward()
    assert apart(evaluation.loss.detach(), cases[f"frame{number}_losses"][0]) < 1e-9
    assert apart(objective.colors.grad[0], cases[f"frame{number}_grad_1"]) < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 3])
def test_runs_of_a_frame(cases, layers, frames, number):
    objective = frames[number - 1]
    with torch.no_grad():
        objective.colors.copy_(torch.from_numpy(cases[f"frame{number}_x_1"])[None])
    losses, seen = [], []

    def keep(now):
        losses.append(float(now.loss))
        seen.append(layers.space.of(now.image)[0])

    optimize(objective, ORIGINS_LOOP.model_copy(update={"iterations": 5}), callback=keep)
    assert apart(np.array(losses), cases[f"frame{number}_losses"]) < 1e-6
    assert apart(seen[-1], cases[f"frame{number}_x_5"]) < 1e-6
