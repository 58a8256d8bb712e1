"""The authors' program's own outputs: matches, masks, losses, gradients and runs of both passes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from inpaint.blending.painterly.histogram import Histogram, MatchedHistogram
from inpaint.blending.painterly.masks import blurred
from inpaint.blending.painterly.matching import consistent, nearest, set_mask, unit_vectors
from inpaint.blending.painterly.passes import (
    EXACT_FIRST,
    FIRST,
    SECOND,
    Canvas,
    Frame,
    Weights,
    first_pass,
    second_pass,
    style_mask,
)
from inpaint.blending.painterly.running import EXACT_RATES
from inpaint.blending.painterly.texture import smoothness_weight, texture
from inpaint.images.regions import Region
from inpaint.nn.vgg_layers import layer_masks, nearest_places, reduced
from inpaint.optimize.base import StepInfo
from inpaint.optimize.layer_terms import Content, MappedStyle, Smoothness
from inpaint.optimize.layered import LayeredObjective, Weighted
from inpaint.optimize.loop import optimize
from inpaint.optimize.stages import ORIGINS_LOOP

OURS = {"tv": "smoothness", "hist": "histogram"}


@pytest.fixture(scope="module")
def cases(parity):
    arrays = parity.cases("luanfujun_dph")
    return {name: torch.from_numpy(array) for name, array in arrays.items() if array.dtype.kind != "U"}


@pytest.fixture(scope="module")
def canvas(cases, layers):
    naive, painting = (image(cases, layers, name) for name in ("naive", "painting"))
    tight, loose = (cases[name].double() / 255 for name in ("tight_mask", "loose_mask"))
    return Canvas(naive=naive, painting=painting, tight=tight, loose=loose)


@pytest.fixture(scope="module")
def first(layers, canvas):
    return first_pass(layers, canvas, whole(canvas), weights=EXACT_FIRST, exact=True)


@pytest.fixture(scope="module")
def second(cases, layers, canvas):
    weights = Weights(1.0, *cases["pass2_weights"].tolist())
    before = image(cases, layers, "pass1_result")
    return second_pass(layers, canvas, whole(canvas), before, weights=weights, exact=True)


def image(cases, layers, name):
    return layers.space.of(cases[name].permute(2, 0, 1)[None].double() / 255)


def whole(canvas):
    return Frame(region=Region.whole(canvas.size), whole=canvas.size)


def apart(got, expected):
    return float((got - expected).abs().max() / expected.abs().max())


def columns_and_rows(matches, width):
    return torch.stack((matches % width, matches // width), dim=-1).to(torch.int16)


def evaluated(objective, colors):
    with torch.no_grad():
        objective.colors.copy_(colors)
    objective.colors.grad = None
    evaluation = objective.evaluate(StepInfo(iteration=0, progress=0.0))
    evaluation.loss.backward()
    return evaluation.loss.detach(), objective.colors.grad[0]


def test_masks_of_both_passes_on_the_layers(cases, layers, canvas):
    for number, names in ((1, FIRST), (2, SECOND)):
        for name, mask in layer_masks(canvas.loose, layers.network, names).items():
            stored = cases[f"pass1_mask_{name}" if number == 1 else f"pass2_layer_mask_{name}"]
            assert apart(mask, stored) < 1e-12, name


def test_matches_of_small_maps(cases):
    everywhere = torch.ones(7, 9, dtype=torch.bool)
    for limit_bytes in (1, 10**8):  # in strips of one row, and all at once
        options = {"limit_bytes": limit_bytes}
        found = nearest(cases["ops_a"], cases["ops_b"], everywhere, likeness="correlation", **options)
        assert torch.equal(columns_and_rows(found, 6), cases["ops_ncc_nnf"])
        found = nearest(cases["ops_a"], cases["ops_b2"], everywhere, likeness="cosine", **options)
        assert torch.equal(columns_and_rows(found, 9), cases["ops_nnf"])
    assert apart(unit_vectors(cases["ops_a"]), cases["ops_normalized"]) < 1e-12
    where = cases["ops_mask"] > 0
    refined = consistent(found, cases["ops_guide"], where)
    assert torch.equal(columns_and_rows(refined, 9), cases["ops_refined"])
    assert torch.equal(set_mask(refined, where, (7, 9)), cases["ops_set_mask"] > 0)


@pytest.mark.parametrize("name", ["all", "masked"])
def test_histograms_of_small_maps(cases, name):
    case = {key.removeprefix(f"ops_hist_{name}_"): value for key, value in cases.items()}
    inside, chosen = case["mask_input"] > 0, case["mask_style"] > 0
    histogram = Histogram.of(case["style"][:, chosen])
    assert apart(histogram.counts * (int(inside.sum()) / histogram.values), case["histogram"]) < 1e-12
    matched = case["input"].clone()
    matched[:, inside] = histogram.matched(case["input"][:, inside])
    assert apart(matched, case["matched"]) < 1e-12
    pull = MatchedHistogram(histogram, case["layer_mask"]).pull(case["input"])
    weight = 2.5  # in the program, of the norm
    assert apart(pull.gradient * weight / pull.gradient.norm(), case["grad"]) < 1e-7  # the program adds 1e-8
    assert apart(pull.value * weight * 2 / case["input"].numel(), case["loss"]) < 1e-12


def test_losses_of_small_maps_join_the_gradient_that_passes(cases):
    x, mask = cases["ops_x"], cases["ops_layer_mask"]
    content = Content(cases["ops_content_input"], mask, mask.numel())
    for term, name, weight in (
        (content, "content", 2.0),
        (MappedStyle(cases["ops_gram_target"], mask), "style", 3.0),
    ):
        pull = term.pull(x)
        own = pull.gradient * weight / (pull.gradient.norm() + 1e-8)
        assert apart((cases["ops_grad_output"] + own) * mask, cases[f"ops_{name}_grad"]) < 1e-12
        assert apart(pull.value * weight, cases[f"ops_{name}_loss"]) < 1e-12
    mask = cases["ops_tv_mask"]
    own = Smoothness(mask, last=False).pull(cases["ops_tv_input"]).gradient
    assert apart(own * mask / (own * mask).norm(), cases["ops_tv_grad"] / cases["ops_tv_grad"].norm()) < 1e-12


def test_the_first_pass(cases, layers, canvas, first):
    loss, gradient = evaluated(first, cases["pass1_x_1"])
    assert apart(loss, cases["pass1_loss_1"]) < 1e-9
    assert apart(gradient, cases["pass1_grad_1"]) < 1e-9
    with torch.no_grad():
        ours, painted = (layers.features(colors, FIRST) for colors in (canvas.naive, canvas.painting))
    for name in FIRST:
        everywhere = torch.ones(ours[name].shape[-2:], dtype=torch.bool)
        found = nearest(ours[name][0], painted[name][0], everywhere, likeness="correlation")
        assert torch.equal(columns_and_rows(found, everywhere.shape[1]), cases[f"pass1_nnf_{name}"]), name


def test_the_second_pass(cases, second):
    loss, gradient = evaluated(second, cases["pass2_x_1"])
    assert apart(loss, cases["pass2_loss_1"]) < 1e-9
    assert apart(gradient, cases["pass2_grad_1"]) < 1e-9
    _, gradient = evaluated(second, cases["pass2_test_x"])
    assert apart(gradient, cases["pass2_test_grad"]) < 1e-9


def test_what_the_painting_is_matched_with_in_the_second_pass(cases, layers, canvas):
    size = tuple(cases["pass2_nnf"].shape[:2])
    before = image(cases, layers, "pass1_result")
    with torch.no_grad():
        painted, ours = (layers.features(x, ("relu4_1",))["relu4_1"][0] for x in (canvas.painting, before))
    found = nearest(ours, painted, torch.ones(size, dtype=torch.bool), likeness="cosine")
    assert torch.equal(columns_and_rows(found, size[1]), cases["pass2_nnf"])
    guide = reduced(layers.space.back(canvas.painting)[0], size)
    assert apart(guide, cases["pass2_guide"]) < 1e-12
    tight = nearest_places(canvas.tight, size) > 0.1
    assert torch.equal(tight, cases["pass2_tight_small"] > 0)
    assert torch.equal(columns_and_rows(consistent(found, guide, tight), size[1]), cases["pass2_nnf_refined"])
    chosen = style_mask(layers, canvas, whole(canvas), before, painted)
    assert torch.equal(chosen, cases["pass2_set_mask"] > 0)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2])
def test_each_loss_and_its_gradient(cases, first, second, number):
    objective = (first, second)[number - 1]
    x = cases[f"pass{number}_test_x"]
    values = objective.values(x[None])
    for loss in objective.losses:
        stored = loss.name
        for theirs, ours in OURS.items():
            stored = stored.replace(ours, theirs)
        if loss.told:
            told = values[loss.name] * loss.weight * loss.told
            assert told == pytest.approx(float(cases[f"pass{number}_loss_{stored}"]), rel=1e-9), stored
        expected = cases[f"pass{number}_grad_{stored}"]
        _, gradient = evaluated(alone(objective, loss), x)
        assert apart(gradient, expected) < (1e-9 if expected.dtype == torch.float64 else 1e-7), stored


def alone(objective: LayeredObjective, chosen: Weighted) -> LayeredObjective:
    losses = [replace(loss, weight=loss.weight if loss is chosen else 0.0) for loss in objective.losses]
    return replace(objective, losses=losses)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2])
def test_runs(cases, first, second, number):
    objective = replace((first, second)[number - 1])  # from the start
    rate = EXACT_RATES["first" if number == 1 else "second"]
    losses = []
    options = ORIGINS_LOOP.model_copy(update={"iterations": 5, "lr": rate})
    optimize(objective, options, callback=lambda now: losses.append(float(now.loss)))
    assert apart(torch.tensor(losses, dtype=torch.float64), cases[f"pass{number}_losses"]) < 1e-6
    assert apart(objective.colors.detach()[0], cases[f"pass{number}_final"]) < 1e-6


def test_what_the_first_pass_saves(cases, layers):
    soft = torch.from_numpy(blurred(cases["tight_mask"].double().numpy() / 255, 7, 21.0))
    assert apart(soft, cases["tight_blurred"]) < 1e-12
    painting = image(cases, layers, "painting")[0]
    shown = layers.space.back((cases["pass1_saved_x"] * soft + painting * (1 - soft))[None])[0].clamp(0, 1)
    assert apart(shown, cases["pass1_saved"]) < 1e-12


def test_weights_of_the_second_pass_by_the_painting_s_noise(cases, layers):
    noise = texture(cases["painting"].permute(2, 0, 1).double() / 255)
    assert noise == pytest.approx(float(cases["pass2_noise"]), rel=1e-12)
    smooth, tau = smoothness_weight(noise), float(cases["pass2_tau"])
    expected = torch.tensor([tau, (10 - smooth) * tau, smooth * tau], dtype=torch.float64)
    assert apart(expected, cases["pass2_weights"]) < 1e-12
