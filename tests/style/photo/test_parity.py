"""The authors' program's own outputs: label masks, losses, gradients and runs of both stages, and what it saves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from inpaint.losses.matting import MattingLaplacian
from inpaint.nn.vgg_layers import layer_masks
from inpaint.optimize.base import StepInfo
from inpaint.optimize.loop import optimize
from inpaint.optimize.stages import ORIGINS_LOOP
from inpaint.style.photo.finish import finished
from inpaint.style.photo.objective import EXACT, STYLE, Region, photo_objective, style_terms
from inpaint.style.photo.options import FinishOptions


@pytest.fixture(scope="module")
def cases(parity):
    arrays = parity.cases("luanfujun_dpst")
    return {name: array if array.dtype.kind == "U" else torch.from_numpy(array) for name, array in arrays.items()}


@pytest.fixture(scope="module")
def regions(cases, layers):
    style = image(cases, layers, "style")
    colors = dict(zip(cases["color_names"], cases["color_rgb"], strict=True))
    return [
        Region(mask=labeled(cases["content_seg"], color), style=style, style_mask=labeled(cases["style_seg"], color))
        for color in (colors[name] for name in cases["labels_used"])
    ]


@pytest.fixture(scope="module")
def stages(cases, layers, regions):
    content = image(cases, layers, "content")
    laplacian = MattingLaplacian(cases["content"].permute(2, 0, 1).double() / 255)
    styles = style_terms(layers, content, regions, strength=1.0, weight=EXACT.style, exact=True)
    everywhere = torch.ones(content.shape[-2:], dtype=torch.float64)
    options = {"mask": everywhere, "exact": True}
    return [
        photo_objective(
            layers, content, styles, laplacian, weights=weights, start=cases[f"stage{number}_x_1"][None], **options
        )
        for number, weights in ((1, replace(EXACT, photorealism=0.0)), (2, EXACT))
    ]


def image(cases, layers, name):
    return layers.space.of(cases[name].permute(2, 0, 1)[None].double() / 255)


def labeled(picture, color):
    return ((picture.double() - color.double()).abs() <= 0.1 * 255).all(dim=2).double()


def apart(got, expected):
    return float((got - expected).abs().max() / expected.abs().max())


def evaluated(objective, colors):
    with torch.no_grad():
        objective.colors.copy_(colors)
    objective.colors.grad = None
    evaluation = objective.evaluate(StepInfo(iteration=0, progress=0.0))
    evaluation.loss.backward()
    return evaluation.loss.detach(), objective.colors.grad[0]


def test_label_masks_on_the_layers_and_targets(cases, layers, regions, stages):
    for number, region in enumerate(regions):
        masks = layer_masks(region.mask, layers.network, STYLE)
        for name in STYLE:
            expected = cases[f"content_masks_{name}"][number]
            limit = 1e-12 if expected.dtype == torch.float64 else 1e-6
            assert float((masks[name] - expected).abs().max()) < limit, name
    for loss in stages[0].losses:
        if loss.name.startswith("style_"):
            layer, number = loss.layer, int(loss.name.rsplit("_", 1)[1])
            expected = cases[f"target_gram_{layer}_diag"][number]
            scale = cases[f"target_gram_{layer}_diag"].abs().max()
            assert float((loss.term.target.diag() - expected).abs().max() / scale) < 1e-9, loss.name


@pytest.mark.parametrize("number", [1, 2])
def test_losses_and_gradients(cases, stages, number):
    loss, gradient = evaluated(stages[number - 1], cases[f"stage{number}_x_1"])
    assert apart(loss, cases[f"stage{number}_loss_1"]) < 1e-9
    assert apart(gradient, cases[f"stage{number}_grad_1"]) < 1e-9


def test_photorealism_alone(cases, stages):
    (loss,) = (loss for loss in stages[1].losses if loss.name == "photorealism")
    pull = loss.term.pull(cases["stage2_x_1"])
    assert apart(pull.gradient, cases["stage2_grad_matting_before_lambda"]) < 1e-7


@pytest.mark.slow
@pytest.mark.parametrize("name", ["content", "tv", "relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"])
def test_each_loss_of_the_second_stage(cases, stages, name):
    chosen = [loss for loss in stages[1].losses if loss.name == name or loss.name.startswith(f"style_{name}_")]
    if name == "tv":
        chosen = [loss for loss in stages[1].losses if loss.name == "smoothness"]
    value, gradient = evaluated(replace(stages[1], losses=chosen), cases["stage2_x_1"])
    stored = name if name in ("content", "tv") else f"style_{name}"
    if f"stage2_loss_{stored}" in cases:
        assert apart(value, cases[f"stage2_loss_{stored}"]) < 1e-9
    if f"stage2_grad_{stored}" in cases:
        expected = cases[f"stage2_grad_{stored}"]
        assert apart(gradient, expected) < (1e-9 if expected.dtype == torch.float64 else 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2])
def test_runs(cases, stages, number):
    objective = replace(stages[number - 1])  # from the start
    losses = []
    seen = []

    def keep(now):
        losses.append(float(now.loss))
        seen.append(objective.layers.space.of(now.image)[0])

    optimize(objective, ORIGINS_LOOP.model_copy(update={"iterations": 5}), callback=keep)
    assert apart(torch.tensor(losses, dtype=torch.float64), cases[f"stage{number}_losses"]) < 1e-6
    for iteration in (2, 5):
        assert apart(seen[iteration - 1], cases[f"stage{number}_x_{iteration}"]) < 1e-6


def test_what_the_second_stage_saves(cases, layers):
    options = FinishOptions(smoothing="bilateral", radius_px=74, edge=0.05)  # 7 pixels for a longest side of 66
    content = cases["content"].numpy() / 255
    shown = layers.space.back(cases["best_saved_x"][None])[0].permute(1, 2, 0).numpy()
    found = finished(content, shown, options)
    expected = cases["best_saved_at_3"].permute(1, 2, 0).numpy()
    assert np.abs(found - expected).max() / np.abs(expected).max() < 1e-4
