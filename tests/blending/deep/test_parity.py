"""What the authors' program (owenzlz/DeepImageBlending) computed, in float64."""

import pytest
import torch

from inpaint.blending.deep.origin import (
    FirstStage,
    SecondStage,
    binned_match,
    laplacian,
    shifted,
    style_targets,
    to_bytes,
    wanted_gradients,
)
from inpaint.nn.vgg import VGG
from inpaint.optimize.base import StepInfo
from inpaint.optimize.loop import optimize
from inpaint.optimize.stages import ORIGINS_LOOP

SINGLE, RUN = 1e-9, 1e-6  # largest difference, as a share of the largest value
NOW = StepInfo(iteration=0, progress=0.0)


def apart(got, expected):
    expected = torch.as_tensor(expected)
    return float((got.detach() - expected).abs().max() / expected.abs().max())


@pytest.fixture(scope="module")
def cases(parity):
    return {name: torch.as_tensor(array) for name, array in parity.cases("owenzlz").items()}


@pytest.fixture(scope="module")
def network(parity, tmp_path_factory):
    files = parity.write("vgg16", tmp_path_factory.mktemp("vgg16"))
    return VGG("vgg16", weights=next(str(file) for file in files if "random" not in file.name)).double()


def picture(array):
    return array.permute(2, 0, 1)[None].double()


@pytest.fixture
def scene(cases):
    """Source, target and mask in the target's frame, and where the source lies."""
    target, side = picture(cases["target"]), cases["source"].shape[0]
    starts = [int(center) - side // 2 for center in cases["position_xy"]]
    box = tuple(slice(start, start + side) for start in starts)
    source, mask = torch.zeros_like(target), torch.zeros_like(target[:, :1])
    source[(..., *box)] = picture(cases["source"])
    mask[(..., *box)] = (cases["mask"].reshape(side, side, -1)[..., 0] > 0).double()
    return {"source": source, "target": target, "mask": mask, "box": box}


def first_stage(network, scene, z):
    return FirstStage(network=network, z=z.clone()[None].requires_grad_(), **scene)


def gradient(value, of):
    return torch.autograd.grad(value, of, retain_graph=True)[0][0]


def test_the_mask_and_the_wanted_gradients_are_the_programs(cases, scene):
    assert torch.equal(scene["mask"][0, 0], (cases["canvas_mask"] > 0).double())
    wanted = wanted_gradients(scene["source"], scene["target"], scene["mask"])
    assert apart(wanted[0], cases["gt_gradient"]) <= SINGLE


def test_the_laplacian_of_a_paraboloid_is_constant_inside():
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(7.0), indexing="ij")
    assert torch.equal(laplacian((x**2 + 3 * y**2)[None, None])[0, 0, 1:-1, 1:-1], torch.full((3, 5), -8.0))


@pytest.mark.slow
def test_style_targets_are_the_programs(cases, scene, network):
    assert apart(shifted(scene["target"])[0, :, :4, :4], cases["target_shifted_corner"]) <= SINGLE
    grams = style_targets(network, scene["target"])
    assert apart(grams["relu1_2"][0], cases["target_gram_relu1_2"]) <= SINGLE
    for layer in ("relu1_2", "relu2_2", "relu3_3", "relu4_3"):
        assert apart(grams[layer][0].diagonal(), cases[f"target_gram_{layer}_diag"]) <= SINGLE


@pytest.mark.slow
def test_terms_and_gradients_of_the_first_stage_are_the_programs(cases, scene, network):
    for number, name in ((1, "z0"), (3, "pass1_x_3")):
        stage = first_stage(network, scene, cases[name])
        terms = stage.terms()
        for term, theirs in {"gradient": "grad", "style": "style", "content": "content", "tv": "tv"}.items():
            assert apart(terms[term], cases[f"pass1_terms_{theirs}_loss"][number - 1]) <= SINGLE
            if number == 3:
                expected = cases[f"pass1_gradient_{theirs}_loss_at_3"]
                assert apart(gradient(terms[term], stage.z), expected) <= SINGLE
        loss = stage.evaluate(NOW).loss
        assert apart(loss, cases["pass1_losses"][number - 1]) <= SINGLE
        if number == 1:
            assert apart(gradient(loss, stage.z), cases["pass1_grad_1"]) <= SINGLE


@pytest.mark.slow
def test_the_gradient_of_the_second_stage_is_the_programs(cases, scene, network):
    start = picture(cases["pass1_blend_u8"])
    stage = SecondStage(network=network, x=start.requires_grad_(), target=scene["target"])
    loss = stage.evaluate(NOW).loss
    assert apart(loss, cases["pass2_losses"][0]) <= SINGLE
    assert apart(gradient(loss, stage.x), cases["pass2_grad_1"]) <= SINGLE
    assert not cases["pass2_terms_content_loss"].any()


@pytest.mark.slow
def test_both_stages_run_as_the_programs_do(cases, scene, network):
    stage = first_stage(network, scene, cases["z0"])
    states = record(stage, stage.z, cases["pass1_evaluations"])
    for number in (2, 3, 5, 10, 20):
        assert apart(states[number - 1][0], cases[f"pass1_x_{number}"]) <= RUN
    assert apart(stage.z[0].clamp(0, 255), cases["pass1_clamped"]) <= RUN
    with torch.no_grad():
        stage.z.clamp_(0, 255)
    joined = to_bytes(stage.composite())
    assert torch.equal(joined, picture(cases["pass1_blend_u8"]))
    second = SecondStage(network=network, x=joined.requires_grad_(), target=scene["target"])
    states = record(second, second.x, cases["pass2_evaluations"])
    for number in (2, 3, 5, 10):
        assert apart(states[number - 1][0], cases[f"pass2_x_{number}"]) <= RUN
    assert apart(second.x[0].clamp(0, 255), cases["pass2_final"]) <= RUN
    assert torch.equal(to_bytes(second.x), picture(cases["pass2_u8"]))


def record(stage, variable, evaluations):
    """The variable at every evaluation."""
    states, evaluate = [], stage.evaluate

    def recorded(step):
        states.append(variable.detach().clone())
        return evaluate(step)

    stage.evaluate = recorded
    optimize(stage, ORIGINS_LOOP.model_copy(update={"iterations": int(evaluations)}))
    return states


@pytest.mark.parametrize("kind", ["", "_negative"])
def test_binned_histograms_are_matched_as_by_the_program(cases, kind):
    source = cases[f"hist_source{kind}"].requires_grad_()
    matched = binned_match(source.detach(), cases["hist_template"])
    assert apart(matched, cases[f"hist_torch{kind}"]) <= SINGLE
    loss = (source - matched).norm()
    assert apart(loss, cases[f"hist_loss{kind}"]) <= SINGLE
    assert apart(torch.autograd.grad(loss, source)[0], cases[f"hist_grad{kind}"]) <= SINGLE


@pytest.mark.slow
def test_histogram_losses_of_the_network_are_the_programs(cases, scene, network):
    layers = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
    with torch.no_grad():
        own, given = (network(shifted(image), layers) for image in (cases["pass1_x_5"][None], scene["target"]))
        matched = [binned_match(own[layer][0], given[layer][0]) for layer in layers]
    losses = torch.stack([(own[layer][0] - found).norm() for layer, found in zip(layers, matched, strict=True)])
    assert apart(losses, cases["hist_network_loss"]) <= SINGLE
    assert apart(losses.mean(), cases["hist_network_loss_mean"]) <= SINGLE
    assert apart(matched[-1].mean(dim=(1, 2)), cases["hist_network_matched_relu4_3_mean"]) <= SINGLE
