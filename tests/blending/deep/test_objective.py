import numpy as np
import pytest
import torch

from inpaint.blending.deep.features import SquaredDifference, StyleDifference
from inpaint.blending.deep.objective import BlendObjective, Surroundings, laplacian
from inpaint.blending.deep.options import DeepOptions, Stage
from inpaint.classical.poisson import blended
from inpaint.losses.histogram import histogram_matched
from inpaint.nn import comparing, vgg
from inpaint.nn.comparing import compared
from inpaint.nn.vgg import VGG, normalized
from inpaint.optimize.base import StepInfo

NOW = StepInfo(iteration=0, progress=0.0)
LAYERS = ("relu1_2", "relu2_1", "relu3_1")


@pytest.fixture(scope="module")
def network():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg, "CHANNELS", (4, 5, 6, 6, 6))
        return VGG("vgg16", weights="random").double()


@pytest.fixture
def surroundings(make_photo):
    source, target = (torch.from_numpy(make_photo(48, 64, seed)).permute(2, 0, 1)[None] / 255.0 for seed in (1, 2))
    mask = torch.zeros(1, 1, 48, 64)
    mask[..., 13:27, 22:41] = 1
    mask[..., 17:20, 25:31] = 0
    return Surroundings(source.double(), target.double(), mask.double(), target.double())


def objective(network, surroundings, *, start=None, kept=None, style_of="mask", **weights):
    options = DeepOptions(style_layers=LAYERS, style_of=style_of, weights="random")
    stage = Stage(**weights)
    start = surroundings.source if start is None else start
    return BlendObjective(network, surroundings, options, stage, start=start, content=kept)


def joined(surroundings):
    """The exact solution, as a tensor."""
    arrays = (image[0].permute(1, 2, 0).numpy() for image in (surroundings.source, surroundings.target))
    solved = blended(*arrays, surroundings.mask[0, 0].numpy() > 0, dtype=np.float64)
    return torch.from_numpy(solved).permute(2, 0, 1)[None]


def pooled(mask, step):
    return mask[0, 0].numpy().reshape(48 // step, step, 64 // step, step).mean(axis=(1, 3))


def gram(network, image, layer, weight=None):
    found = network(normalized(image), [layer])[layer][0].numpy()
    weight = np.ones(found.shape[1:]) if weight is None else weight
    return np.einsum("cyx,dyx,yx->cd", found, found, weight) / (len(found) * weight.sum())


def test_the_laplacian_adds_the_differences_to_the_neighbors_that_there_are():
    image = torch.rand(1, 1, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    plane = image[0, 0].numpy()
    for y in range(4):
        for x in range(5):
            near = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            expected = sum(plane[y, x] - plane[p] for p in near if 0 <= p[0] < 4 and 0 <= p[1] < 5)
            assert laplacian(image)[0, 0, y, x].item() == pytest.approx(expected)


def test_poissons_solution_has_the_sources_gradients(network, surroundings):
    term = objective(network, surroundings, gradient=1.0)
    assert term.terms(joined(surroundings))["gradient"] < 1e-20
    pasted = term.image()
    off = (laplacian(pasted) - laplacian(surroundings.source))[..., surroundings.mask[0, 0] > 0]
    assert term.terms(pasted)["gradient"].item() == pytest.approx(off.square().mean().item())


def test_the_total_variation_counts_the_pairs_that_touch_the_mask(network, surroundings):
    image, mask = surroundings.source, surroundings.mask[0, 0].numpy() > 0
    plane = image[0].numpy()
    across = np.abs(np.diff(plane, axis=2))[:, mask[:, 1:] | mask[:, :-1]].sum()
    down = np.abs(np.diff(plane, axis=1))[:, mask[1:] | mask[:-1]].sum()
    found = objective(network, surroundings, tv=1.0).terms(image)["tv"]
    assert found.item() == pytest.approx((across + down) / (3 * mask.sum()))


def test_the_style_is_that_of_the_mask_and_of_the_whole_target(network, surroundings):
    image = surroundings.source
    found = objective(network, surroundings, style=1.0).terms(image)["style"]
    expected = []
    for layer, step in zip(LAYERS, (1, 2, 4), strict=True):
        own = gram(network, image, layer, pooled(surroundings.mask, step))
        expected.append(np.square(own - gram(network, surroundings.target, layer)).mean())
    assert found.item() == pytest.approx(np.mean(expected), rel=1e-10)


def test_the_style_of_the_frame_is_that_of_the_target_where_nothing_was_changed(network, surroundings):
    framed = objective(network, surroundings, style=1.0, style_of="frame")
    assert framed.terms(surroundings.target)["style"] < 1e-25
    found = framed.terms(surroundings.source)["style"]
    grams = [[gram(network, image, layer) for image in (surroundings.source, surroundings.target)] for layer in LAYERS]
    assert found.item() == pytest.approx(np.mean([np.square(a - b).mean() for a, b in grams]), rel=1e-10)


def test_the_content_of_the_first_stage_is_that_of_the_source_alone(network, surroundings):
    term = objective(network, surroundings, content=1.0)
    assert term.terms(term.image())["content"] < 1e-25
    changed = joined(surroundings)
    mask = surroundings.mask
    own, real = (network(normalized(image) * mask, ["relu2_2"])["relu2_2"] for image in (changed, surroundings.source))
    expected = (own - real).square().sum() * 4 / (own.shape[1] * mask.sum())
    assert term.terms(changed)["content"].item() == pytest.approx(expected.item(), rel=1e-10)


def test_the_content_of_the_second_stage_is_the_first_ones_image_in_its_place(network, surroundings):
    first = joined(surroundings)
    term = objective(network, surroundings, start=first, kept=first, content=1.0, style=1.0)
    assert term.terms(first)["content"] < 1e-25
    own, real = (
        network(normalized(image), ["relu2_2"])["relu2_2"][0].numpy() for image in (surroundings.source, first)
    )
    weight = pooled(surroundings.mask, 2)
    expected = (np.square(own - real) * weight).sum() / (len(own) * weight.sum())
    assert term.terms(surroundings.source)["content"].item() == pytest.approx(expected, rel=1e-10)


def test_histograms_are_compared_in_the_mask_with_the_target(network, surroundings):
    found = objective(network, surroundings, histogram=1.0).terms(surroundings.source)["histogram"]
    expected = []
    for layer, step in zip(LAYERS, (1, 2, 4), strict=True):
        own, real = (network(normalized(i), [layer])[layer] for i in (surroundings.source, surroundings.target))
        weight = torch.from_numpy(pooled(surroundings.mask, step))
        off = own - histogram_matched(own, real, mask=weight > 0)
        expected.append(((off.square() * weight).sum() / (own.shape[1] * weight.sum())).item())
    assert found.item() == pytest.approx(np.mean(expected), rel=1e-10)


ALL = {"gradient": 2.0, "content": 3.0, "style": 5.0, "histogram": 7.0, "tv": 11.0}


def test_the_loss_is_the_weighted_sum_and_its_gradient_that_of_finite_differences(network, surroundings):
    term = objective(network, surroundings, start=joined(surroundings), **ALL | {"histogram": 0.0})
    loss = term.evaluate(NOW).loss
    assert loss.item() == pytest.approx(sum(ALL[name] * v.item() for name, v in term.terms(term.image()).items()))
    (gradient,) = torch.autograd.grad(loss, term.values)
    step = 1e-6
    direction = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            term.values += sign * step * direction
            ends.append(term.evaluate(NOW).loss.item())
            term.values -= sign * step * direction
    assert (gradient * direction).sum().item() == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4)


def test_only_pixels_in_the_mask_are_variables(network, surroundings):
    term = objective(network, surroundings, style=1.0)
    assert term.values.numel() == 3 * surroundings.mask.sum()
    outside = surroundings.mask.expand(1, 3, -1, -1) == 0
    assert torch.equal(term.image()[outside], surroundings.target[outside])
    assert torch.equal(term.image()[~outside], surroundings.source[~outside])


def test_the_best_state_is_kept(network, surroundings):
    term = objective(network, surroundings, gradient=1.0, start=joined(surroundings))
    good = term.evaluate(NOW).loss.item()
    kept = term.values.detach().clone()
    with torch.no_grad():
        term.values += 1
    term.evaluate(NOW)
    assert term.best_loss == good
    assert torch.equal(term.best, kept)


def test_the_same_pixels_are_evaluated_once(network, surroundings):
    term = objective(network, surroundings, gradient=1.0, start=joined(surroundings) + 0.1)
    first, again = (term.evaluate(NOW) for _ in range(2))
    assert term.evaluations == 1
    gradients = [torch.autograd.grad(found.loss, term.values)[0] for found in (first, again)]
    assert torch.equal(*gradients)
    assert gradients[0].any()
    with torch.no_grad():
        term.values[0] += 1
    assert term.evaluate(NOW).loss > again.loss
    assert term.evaluations == 2


def test_a_stage_without_weights_is_at_its_end(network, surroundings):
    term = objective(network, surroundings)
    loss = term.evaluate(NOW).loss
    assert loss.item() == 0
    assert not torch.autograd.grad(loss, term.values)[0].any()


def test_strips_give_the_same_terms_and_gradients(network, surroundings, monkeypatch):
    results = []
    for pixels, strip_bytes in ((2**20, None), (0, 1)):
        monkeypatch.setattr(comparing, "PIXELS_AT_ONCE", pixels)
        monkeypatch.setattr(comparing, "STRIP_BYTES", strip_bytes)
        term = objective(network, surroundings, start=joined(surroundings), content=1.0, style=1e4)
        loss = term.evaluate(NOW).loss
        results.append((loss.detach(), torch.autograd.grad(loss, term.values)[0]))
    for whole, strips in zip(*results, strict=True):
        torch.testing.assert_close(strips, whole, rtol=1e-9, atol=1e-12)


def test_the_same_part_of_a_larger_frame_has_the_same_style_and_content(network, make_photo):
    """What lies beyond the receptive field of the mask's features plays no part."""
    source, target = (torch.from_numpy(make_photo(144, 160, seed)).permute(2, 0, 1)[None] / 255.0 for seed in (1, 2))
    mask = torch.zeros(1, 1, 144, 160)
    mask[..., 70:81, 66:80] = 1
    frame = Surroundings(source.double(), target.double(), mask.double(), target.double())
    place = (..., slice(48, 112), slice(48, 112))
    part = Surroundings(frame.source[place], frame.target[place], frame.mask[place], frame.target)
    values = []
    for where in (frame, part):
        for content in (None, where.source):
            term = objective(network, where, kept=content, content=1.0, style=1.0)
            values.append({name: value.item() for name, value in term.terms(where.source * 0.9).items()})
    for whole, cut in zip(values[:2], values[2:], strict=True):
        assert cut == pytest.approx(whole, rel=1e-10)


def test_comparisons_of_one_layer_share_the_pass(network, surroundings):
    shown, calls = normalized(surroundings.source), []
    parts = [
        SquaredDifference("relu2_1", network(shown, ["relu2_1"])["relu2_1"] + 1, None, torch.tensor(48 * 64.0)),
        StyleDifference("relu2_1", torch.zeros(25, dtype=torch.float64), None),
    ]
    handle = network.stages["conv1_1"].register_forward_hook(lambda *_: calls.append(1))
    squares, style = compared(network, shown, parts)
    handle.remove()
    assert len(calls) == 1
    assert squares.item() == pytest.approx(1.0)
    assert style.item() == pytest.approx(np.square(gram(network, surroundings.source, "relu2_1")).mean())
