"""Probabilistic context normalization: both forms, what it does to statistics, and what it leaves alone."""

import pytest
import torch

from inpaint.nn.context_norm import ContextNorm, Regions


def sample(*, soft=False, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    x = 2 * torch.randn(2, 6, 9, 11, generator=generator, dtype=dtype) + 1
    hole = torch.rand(2, 1, 9, 11, generator=generator, dtype=dtype)
    return x, Regions.of(hole if soft else (hole < 0.4).to(dtype))


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("balance", [None, 0.5])
@pytest.mark.parametrize("statistics", ["weighted", "authors", "xyfjason"])
def test_the_fast_form_is_the_plain_one(statistics, balance, soft):
    torch.manual_seed(0)
    norm = ContextNorm(6, balance=balance, reduction=2, statistics=statistics).double()
    x, regions = sample(soft=soft)
    x.requires_grad_()
    results = []
    for plain in (False, True):
        norm.plain = plain
        y = norm(x, regions)
        results.append((y, *torch.autograd.grad(y.square().sum(), x)))
    for fast, slow in zip(*results, strict=True):
        assert torch.allclose(fast, slow, rtol=0, atol=1e-9)


def test_the_hole_gets_the_statistics_of_what_is_known_and_the_rest_stays():
    x, regions = sample()
    y, hole = ContextNorm(6, balance=1.0)(x, regions), regions.hole.expand_as(x) == 1
    assert torch.equal(y[~hole], x[~hole])
    for image in range(2):
        for channel in range(6):
            inside = y[image, channel][hole[image, channel]]
            known = x[image, channel][~hole[image, channel]]
            assert inside.mean().item() == pytest.approx(known.mean().item(), abs=1e-9)
            assert inside.std(correction=0).item() == pytest.approx(known.std(correction=0).item(), rel=1e-4)


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("statistics", ["weighted", "authors", "xyfjason"])
def test_empty_and_full_masks_and_constant_features_give_finite_numbers(statistics, value):
    norm = ContextNorm(6, balance=0.5, statistics=statistics)
    regions = Regions.of(torch.full((2, 1, 9, 11), value))
    x = torch.full((2, 6, 9, 11), 3.0)
    assert torch.isfinite(norm(x, regions)).all()
    if value == 0:
        assert torch.equal(norm(x, regions), x)


def test_a_halved_mask_keeps_every_second_pixel_from_the_first():
    hole = torch.zeros(1, 1, 4, 6)
    hole[..., 2, 4] = 1
    half = Regions.of(hole).halved()
    assert half.hole.shape == (1, 1, 2, 3)
    assert half.hole[..., 1, 2] == 1
    assert half.area.flatten().tolist() == [1, 5]


def test_features_that_hardly_differ_in_the_hole_are_normalized_as_exactly_with_half_precision_around_it():
    generator = torch.Generator().manual_seed(0)
    x = 8 + 0.01 * torch.randn(2, 6, 16, 16, generator=generator)
    regions, norm = Regions.of((torch.rand(2, 1, 16, 16, generator=generator) < 0.4).float()), ContextNorm(6, balance=1)
    with torch.autocast("cpu", torch.bfloat16):
        under = norm(x, regions)
    assert torch.equal(under, norm(x, regions))


def test_differences_in_a_hole_that_is_nearly_flat_grow_tenfold_at_most():
    x, regions = sample()
    hole = regions.hole.expand_as(x) == 1
    inside, flat = hole[0, 0], torch.where(hole, 1 + 1e-3 * x, x)
    for plain in (False, True):
        norm = ContextNorm(6, balance=1.0)
        norm.plain = plain
        grown = norm(flat, regions)[0, 0][inside].std() / flat[0, 0][inside].std()
        assert float(grown) == pytest.approx(10)
