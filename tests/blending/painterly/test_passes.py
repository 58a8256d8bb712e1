import pytest
import torch

from inpaint.blending.painterly.passes import (
    EXACT_FIRST,
    FIRST,
    SECOND,
    Canvas,
    Frame,
    Weights,
    first_pass,
    second_pass,
)
from inpaint.blending.painterly.running import worked_on
from inpaint.images.regions import Region
from inpaint.nn import vgg
from inpaint.nn.vgg_layers import Layers, Space, layer_masks
from inpaint.optimize.base import StepInfo
from inpaint.optimize.layered import LayeredObjective

WEIGHTS = Weights(1.0, 5.0, 2.0, 3.0)


@pytest.fixture(scope="module")
def layers():
    """A VGG of the real depth, few channels wide."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg, "CHANNELS", (3, 4, 4, 5, 5))
        network = vgg.VGG("vgg16_caffe", weights="random", ceil_mode=True).double()
    return Layers(network, Space())


@pytest.fixture(scope="module")
def canvas(layers):
    draw = torch.Generator().manual_seed(0)
    painting = torch.rand(1, 3, 61, 430, generator=draw, dtype=torch.float64)
    tight = torch.zeros(61, 430, dtype=torch.float64)
    tight[30:40, 200:212] = 1
    loose = torch.zeros_like(tight)
    loose[28:43, 197:215] = 1
    pasted = torch.rand(1, 3, 61, 430, generator=draw, dtype=torch.float64)
    naive = torch.where(tight > 0, pasted, painting)
    space = layers.space
    return Canvas(naive=space.of(naive), painting=space.of(painting), tight=tight, loose=loose)


def objectives(layers, canvas, frame, *, exact):
    before = canvas.naive + 3 * torch.sin(torch.arange(430.0, dtype=torch.float64)) * canvas.loose
    yield first_pass(layers, canvas, frame, weights=EXACT_FIRST, exact=exact)
    yield second_pass(layers, canvas, frame, before, weights=WEIGHTS, exact=exact)


def evaluated(objective: LayeredObjective):
    objective.colors.grad = None
    loss = objective.evaluate(StepInfo(iteration=0, progress=0.0)).loss
    loss.backward()
    return float(loss.detach()), objective.colors.grad


def moved(objective: LayeredObjective):
    """Away from the start, where some gradients are 0."""
    with torch.no_grad():
        rows, columns = objective.colors.shape[-2:]
        waves = torch.sin(torch.arange(3 * rows * columns, dtype=torch.float64)).view(1, 3, rows, columns)
        objective.colors.add_(5 * waves * objective.mask)
    return objective


@pytest.mark.parametrize("exact", [False, True])
def test_a_part_of_the_image_has_the_gradient_of_the_whole(layers, canvas, exact):
    whole = Frame(region=Region.whole(canvas.size), whole=canvas.size)
    everything = objectives(layers, canvas, whole, exact=exact)
    for names, expected in zip((FIRST, SECOND), everything, strict=True):
        frame = worked_on(layers.network, canvas.loose, names)
        assert frame.region.size[1] < canvas.size[1]
        number = 0 if names is FIRST else 1
        objective = list(objectives(layers, canvas, frame, exact=exact))[number]
        with torch.no_grad():
            waves = 5 * torch.sin(torch.arange(430.0, dtype=torch.float64)) * canvas.loose
            expected.colors.add_(waves)
            objective.colors.add_(frame.part(waves, 1))
        _, gradient = evaluated(expected)
        _, part = evaluated(objective)
        assert gradient.abs().max() > 0
        assert torch.allclose(part, frame.part(gradient, 1), rtol=0, atol=1e-9 * float(gradient.abs().max()))
        outside = gradient.clone()
        frame.part(outside, 1).zero_()
        assert not outside.any()


def test_our_losses_have_the_gradient_that_differences_have(layers, canvas):
    for objective in objectives(layers, canvas, worked_on(layers.network, canvas.loose, FIRST), exact=False):
        moved(objective)
        _, gradient = evaluated(objective)
        direction = torch.cos(torch.arange(objective.colors.numel(), dtype=torch.float64)).view_as(objective.colors)
        direction = direction * objective.mask
        start, step, losses = objective.colors.detach().clone(), 1e-6, []
        for sign in (1, -1):
            with torch.no_grad():
                objective.colors.copy_(start + sign * step * direction)
            losses.append(evaluated(objective)[0])
        slope = (losses[0] - losses[1]) / (2 * step)
        assert slope == pytest.approx(float((gradient * direction).sum()), rel=1e-4)


def test_only_colors_in_the_mask_have_a_gradient(layers, canvas):
    frame = worked_on(layers.network, canvas.loose, FIRST)
    for exact in (False, True):
        for objective in objectives(layers, canvas, frame, exact=exact):
            _, gradient = evaluated(moved(objective))
            assert not (gradient * (objective.mask == 0)).any()
            assert (gradient * objective.mask).any()


def test_an_image_without_features_has_the_weights_as_its_losses(layers, canvas):
    for objective in objectives(layers, canvas, worked_on(layers.network, canvas.loose, FIRST), exact=False):
        blank = objective.pulls(blank=True)
        for loss in objective.losses:
            if loss.name == "smoothness":  # a blank image is smooth; what is pasted has the weight
                assert objective.values()[loss.name] * objective.scales[loss.name] == pytest.approx(loss.weight)
            else:
                assert float(blank[loss.name].value) * objective.scales[loss.name] == pytest.approx(loss.weight)


def test_only_the_chosen_part_of_the_painting_gives_its_style(layers, canvas):
    style = torch.zeros(61, 430, dtype=torch.bool)
    style[:, :160] = True
    other = canvas.painting.clone()
    other[..., 330:] = 0  # nothing of it is seen from the chosen part, nor from the object
    frame = worked_on(layers.network, canvas.loose, FIRST)
    gradients = []
    for painting in (canvas.painting, other):
        chosen = Canvas(naive=canvas.naive, painting=painting, tight=canvas.tight, loose=canvas.loose, style=style)
        objective = first_pass(layers, chosen, frame, weights=EXACT_FIRST, exact=False)
        gradients.append(evaluated(objective)[1])
    assert torch.allclose(*gradients, rtol=0, atol=1e-9)
    everywhere = first_pass(layers, canvas, frame, weights=EXACT_FIRST, exact=False)
    assert not torch.allclose(evaluated(everywhere)[1], gradients[0], rtol=0, atol=1e-9)


def test_masks_on_layers_are_above_0_where_a_layer_sees_the_mask(layers):
    mask = torch.zeros(40, 56, dtype=torch.float64)
    mask[19, 30] = 1
    one, other = (torch.zeros(1, 3, 40, 56, dtype=torch.float64) for _ in range(2))
    other[..., 19, 30] = 50
    masks = layer_masks(mask, layers.network, ("relu2_1", "relu4_1"))
    ours, theirs = (layers.features(colors, ("relu2_1", "relu4_1")) for colors in (one, other))
    for name, layer_mask in masks.items():
        changed = (ours[name] != theirs[name]).any(dim=1)[0]
        assert not changed[layer_mask == 0].any()
