import numpy as np
import pytest
import scipy.linalg
import torch

from inpaint.style.gatys.losses import Wasserstein, absolute, gram, nine_points, partial_squares, spread
from inpaint.style.gatys.moments import Moments, moment_sums
from inpaint.style.gatys.presets import CHANNELS, WEIGHTS, content_factor, style_factor
from inpaint.style.gatys.terms import Content, StyleHistogram, unit_gradient

RNG = np.random.default_rng(0)


def features(channels, height, width, seed=0):
    draw = np.random.default_rng(seed)
    return draw.random((channels, height, width)) ** 2


def of(array, mask=None):
    tensor = torch.from_numpy(array)[None]
    weight = None if mask is None else torch.from_numpy(mask)[None, None]
    return Moments.of_sums(moment_sums(weight, tensor, slice(0, array.shape[1]), layer="relu1_1"))


def test_moments_are_numpys():
    array = features(3, 5, 7)
    flat, found = array.reshape(3, -1), of(array)
    np.testing.assert_allclose(found.mean, flat.mean(axis=1))
    np.testing.assert_allclose(found.covariance, np.cov(flat, bias=True), atol=1e-15)
    mask = RNG.random((5, 7))
    weighted = of(array, mask)
    np.testing.assert_allclose(weighted.mean, np.average(flat, axis=1, weights=mask.ravel()))
    np.testing.assert_allclose(weighted.covariance, np.cov(flat, aweights=mask.ravel(), bias=True), atol=1e-15)


def test_sums_of_rows_add_up():
    array, mask = torch.from_numpy(features(2, 6, 5))[None], torch.rand(1, 1, 6, 5).double()
    parts = [moment_sums(mask, array[:, :, rows], rows, layer="relu1_1") for rows in (slice(0, 4), slice(4, 6))]
    torch.testing.assert_close(sum(parts), moment_sums(mask, array, slice(0, 6), layer="relu1_1"))


@pytest.mark.parametrize("masked", [False, True])
def test_sums_have_their_gradient(masked):
    array = torch.from_numpy(features(3, 4, 5))[None].requires_grad_()
    mask = torch.from_numpy(RNG.random((1, 1, 4, 5))) if masked else None

    def sums(x):
        return moment_sums(mask, x, slice(0, 4), layer="relu1_1")

    assert torch.autograd.gradcheck(sums, (array,))
    assert torch.autograd.gradcheck(sums, (array.detach().to(memory_format=torch.channels_last).requires_grad_(),))


@pytest.mark.parametrize(("channels", "height", "width"), [(3, 4, 5), (8, 2, 9)])
def test_normalizations_are_the_formulas_of_their_papers(channels, height, width):
    own, style = features(channels, height, width), features(channels, height, width, seed=1)
    flats = [array.reshape(channels, -1) for array in (own, style)]
    places = height * width
    products = [flat @ flat.T for flat in flats]
    gatys = ((products[0] - products[1]) ** 2).sum() / (4 * channels**2 * places**2)
    mean = ((products[0] / (channels * places) - products[1] / (channels * places)) ** 2).mean()
    hw = ((products[0] / places - products[1] / places) ** 2).mean()
    for name, expected in {"gatys": gatys, "mean": mean, "hw": hw}.items():
        assert float(gram(of(own), of(style), normalization=name)) == pytest.approx(expected, rel=1e-12)
    squares = ((own - style) ** 2).sum()
    for name, expected in {"gatys": squares / 2, "mean": ((own - style) ** 2).mean()}.items():
        target = torch.from_numpy(style)[None]
        term = Content("relu1_1", target, content_factor(name, channels, places))
        total = term.sums(torch.from_numpy(own)[None], slice(0, height))
        assert float(term.value(total)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("channels", [64, 512])
def test_weights_of_one_normalization_are_those_of_another_by_a_factor(channels):
    # The fact sheet's relations at equal features: 4 / N^2 and 4 for the style, 2 / (N M) for the content.
    assert style_factor("mean", channels) / style_factor("gatys", channels) == pytest.approx(4 / channels**2)
    assert style_factor("hw", channels) / style_factor("gatys", channels) == pytest.approx(4)
    assert content_factor("mean", channels, 90) / content_factor("gatys", channels, 90) == pytest.approx(
        2 / (channels * 90)
    )
    # Gatys' own weights for Gram matrices per position are 1000 of the means.
    block = next(block for block, count in CHANNELS.items() if count == channels)
    own = WEIGHTS["hw"].of_style(f"relu{block}_1") * style_factor("hw", channels)
    assert own == pytest.approx(1e3 * style_factor("mean", channels))


def test_the_wasserstein_distance_is_that_of_scipys_roots():
    own, style = (of(features(4, 9, 8, seed)) for seed in (0, 1))
    a, b = (moments.covariance.numpy() + 1e-4 * np.eye(4) for moments in (own, style))
    root = scipy.linalg.sqrtm(b)
    shared = scipy.linalg.sqrtm(root @ a @ root)
    apart = np.trace(a + b - 2 * shared.real) / 4 + ((own.mean - style.mean) ** 2).mean().item()
    for exact in (False, True):
        assert float(Wasserstein(style, exact=exact)(own)) == pytest.approx(apart, rel=1e-6)
    assert abs(float(Wasserstein(own)(own))) < 1e-12


def test_the_wasserstein_distance_of_few_positions_has_a_gradient():
    given = torch.from_numpy(features(6, 2, 2)).requires_grad_()
    style = of(features(6, 1, 3, seed=1))

    def loss(x):
        return Wasserstein(style)(Moments.of_sums(moment_sums(None, x[None], slice(0, 2), layer="relu1_1")))

    assert torch.autograd.gradcheck(loss, (given,), eps=1e-7, atol=1e-4)


def test_spread_compares_means_and_deviations():
    own, style = features(3, 5, 7), features(3, 4, 6, seed=1)
    flats = [array.reshape(3, -1) for array in (own, style)]
    means, deviations = ([getattr(flat, name)(axis=1) for flat in flats] for name in ("mean", "std"))
    expected = ((means[0] - means[1]) ** 2).mean() + ((deviations[0] - deviations[1]) ** 2).mean()
    assert float(spread(of(own), of(style))) == pytest.approx(expected)


def test_variations_are_sums_over_neighbors():
    x = RNG.random((2, 4, 5))
    right, down = np.diff(x, axis=2), np.diff(x, axis=1)
    tensor = torch.from_numpy(x)[None]
    assert float(absolute(tensor)) == pytest.approx(np.abs(right).sum() + np.abs(down).sum())
    kept = (right[:, :-1] ** 2).sum() + (down[:, :, :-1] ** 2).sum()
    assert float(partial_squares(tensor)) == pytest.approx(kept / 2)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge")
    falling = ((padded[:, 1:, 1:] - padded[:, :-1, :-1]) ** 2).mean()
    rising = ((padded[:, 1:, :-1] - padded[:, :-1, 1:]) ** 2).mean()
    straight = ((right**2).sum() + (down**2).sum()) / x.size
    assert float(nine_points(tensor)) == pytest.approx(2 * (straight / 3 + (falling + rising) / 12))
    flat = torch.full((1, 3, 4, 5), 0.3)
    assert float(absolute(flat)) == float(partial_squares(flat)) == float(nine_points(flat)) == 0


def test_histograms_of_several_styles_are_mixed_by_rank():
    own, low, high = (torch.from_numpy(features(1, 2, 3, seed))[None] for seed in (0, 1, 2))
    term = StyleHistogram("relu1_1", [(0.25, low, None), (0.75, high, None)])
    total = term.sums(own, slice(0, 2))
    quantiles = 0.25 * low.flatten().sort().values + 0.75 * high.flatten().sort().values
    expected = (own.flatten().sort().values - quantiles).square().mean()
    assert float(term.value(total)) == pytest.approx(float(expected))


def test_a_unit_gradient_has_the_norm_of_its_weight():
    x = torch.from_numpy(features(2, 3, 4)).requires_grad_()
    (3.0 * unit_gradient(x, 3.0).square().sum()).backward()
    assert float(x.grad.abs().sum()) == pytest.approx(3.0, rel=1e-6)
    torch.testing.assert_close(x.grad / x.grad.abs().sum(), (x / x.sum()).detach())
