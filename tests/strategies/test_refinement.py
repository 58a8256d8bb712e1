"""Refinement from coarse to fine: its pieces against OpenCV and closed forms, the whole on the models that offer it."""

import cv2
import numpy as np
import pytest
import torch

from inpaint.errors import UsageError
from inpaint.models.feedforward import FeedForward
from inpaint.registry import table
from inpaint.registry.loading import described, load
from inpaint.strategies import refinement
from inpaint.strategies.options import StrategyOptions
from inpaint.strategies.refinement import Agreement, RefinedFill, eroded, halved, masked_mean, pyramid
from inpaint.strategies.wrapper import StrategicFill
from inpaint.types import StopFill

REFINABLE = [name for name in table.models() if table.capabilities(name).refinable]


def scene(height=96, width=112, seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.nn.functional.interpolate(
        torch.rand(1, 3, 6, 7, generator=generator), (height, width), mode="bilinear"
    )
    mask = torch.zeros(1, 1, height, width)
    mask[..., 20:80, 24:90] = 1
    return image, mask


@pytest.fixture
def make(lively):
    """`make(name)` returns the fill of a small network of that model with lively weights."""

    def build(name, dtype=torch.float32, **fields):
        kind = table.config_class(name)
        config = kind.model_validate({**kind.SMALL, **fields})
        return FeedForward(lively(table.network_class(name)(config)).eval(), name=name, dtype=dtype)

    return build


def test_halving_blurs_as_opencv_and_takes_the_mean_of_four():
    image = torch.rand(1, 3, 20, 26, generator=torch.Generator().manual_seed(0))
    array = image[0].permute(1, 2, 0).numpy()
    soft = cv2.GaussianBlur(array, (5, 5), 1.0, borderType=cv2.BORDER_REFLECT_101)
    expected = cv2.resize(soft, (13, 10), interpolation=cv2.INTER_LINEAR)
    assert halved(image)[0].permute(1, 2, 0).numpy() == pytest.approx(expected, abs=1e-5)


def test_a_hole_grows_from_size_to_size_and_nothing_of_its_content_leaves_it():
    image, mask = scene()
    sizes = [tuple(level.shape[-2:]) for level, _ in pyramid(image, mask, 3)]
    assert sizes == [(96, 112), (48, 56), (24, 28)]
    for content in (0.0, 1.0):
        for (level, hole), (other, _) in zip(
            pyramid(image.masked_fill(mask > 0, content), mask, 3)[1:], pyramid(image, mask, 3)[1:], strict=True
        ):
            assert torch.equal(level, other)
            assert hole.mean() >= mask.mean()
            assert not level[hole.expand_as(level) > 0].any()


def test_the_inside_is_the_hole_of_half_the_size_without_a_rim_of_seven():
    mask = torch.zeros(1, 1, 100, 120)
    mask[..., 20:80, 30:110] = 1
    inside = eroded(mask, (50, 60))[0, 0]
    rows, columns = np.nonzero(inside.numpy())
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (17, 32, 22, 47)
    assert not eroded(torch.nn.functional.pad(torch.ones(1, 1, 20, 20), (40, 40, 40, 40)), (50, 50)).any()
    assert eroded(torch.ones(1, 1, 40, 40), (20, 20)).all()  # the border of the image is no rim


def test_a_mean_over_some_pixels_counts_channels():
    values = torch.arange(12.0).view(1, 3, 2, 2)
    where = torch.tensor([[True, False], [False, False]])[None, None]
    assert masked_mean(values, where).item() == (0 + 4 + 8) / 3
    assert masked_mean(values, where & False).item() == 0


@pytest.mark.parametrize("name", REFINABLE)
def test_the_two_halves_of_a_network_paint_what_the_whole_paints(name, make):
    fill = make(name, dtype=torch.float64)  # whose rounding no lively weights make large
    image, mask = scene(37, 91)
    image[mask.expand_as(image) > 0] = float("nan")
    features = fill.features(image, mask)
    painted = features.crop(features.paint(features.values))
    assert torch.allclose(painted, fill.fill(image, mask)[0].raw, atol=1e-9)


@pytest.mark.parametrize("name", REFINABLE)
def test_refining_brings_fine_and_coarse_closer_and_keeps_known_pixels(name, make):
    image, mask = scene()
    fill = make(name)
    options = StrategyOptions(refine=True, refine_min_side=40, refine_iterations=4, refine_lr=0.02)
    refined = RefinedFill(fill, options)
    reports = []
    (result,) = refined.fill(image, mask, progress=reports.append)
    assert torch.equal(result.completed[mask.expand_as(image) == 0], image[mask.expand_as(image) == 0])
    assert not result.warnings
    assert [step.done for step in reports] == sorted(step.done for step in reports)
    _, (coarse, coarse_hole) = pyramid(image.masked_fill(mask > 0, 0), mask, 2)
    reference = torch.where(coarse_hole > 0, fill.fill(coarse, coarse_hole)[0].raw.clamp(0, 1), coarse)
    inside = eroded(mask, (48, 56))

    def difference(raw):
        known = masked_mean((raw - image).abs(), mask == 0)
        return (known + masked_mean((halved(raw) - reference).abs(), inside)).item()

    assert difference(result.raw) < difference(fill.fill(image, mask)[0].raw)


def test_the_last_of_fifteen_passes_is_the_answer_after_fourteen_steps(make, monkeypatch):
    calls = []
    original = Agreement.evaluate

    def counted(self, step):
        calls.append([feature.detach().clone() for feature in self.parameters()])
        return original(self, step)

    monkeypatch.setattr(Agreement, "evaluate", counted)
    image, mask = scene()
    fill = make("edgeconnect")
    (result,) = RefinedFill(fill, StrategyOptions(refine=True, refine_min_side=40)).fill(image, mask)
    assert len(calls) == 15
    features = fill.features(image, mask)
    assert torch.equal(calls[0][0], features.values[0])
    with torch.no_grad():
        last = features.crop(features.paint(calls[-1]))
    assert torch.allclose(result.raw, last, atol=1e-6)


def test_photos_of_the_size_that_the_network_knows_have_one_size_and_are_filled_as_ever(make):
    image, mask = scene()
    fill = make("pconv")
    (result,) = RefinedFill(fill, StrategyOptions(refine=True)).fill(image, mask)
    assert torch.equal(result.completed, fill.fill(image, mask)[0].completed)


def test_a_narrow_hole_is_refined_by_known_pixels_alone_and_says_so(make):
    image, mask = scene()
    mask[:] = 0
    mask[..., 20:30, 24:90] = 1
    (result,) = RefinedFill(make("pconv"), StrategyOptions(refine=True, refine_min_side=40)).fill(image, mask)
    assert result.warnings == (refinement.NARROW,)
    assert result.completed.isfinite().all()


def test_who_stops_gets_a_fill_of_the_whole_size(make):
    image, mask = scene()

    def stop(step):
        raise StopFill

    fill = make("pconv")
    (result,) = RefinedFill(fill, StrategyOptions(refine=True, refine_min_side=20)).fill(image, mask, progress=stop)
    assert torch.equal(result.completed, fill.fill(image, mask)[0].completed)


def test_a_strategy_refines_part_by_part_and_says_so(make):
    image, mask = scene()
    fill = StrategicFill(make("pconv"), StrategyOptions(refine=True, refine_min_side=40, refine_iterations=2))
    (result,) = fill.fill(image, mask)
    assert result.strategy == "auto, 112 x 96 px, refined"
    assert torch.equal(result.completed[mask.expand_as(image) == 0], image[mask.expand_as(image) == 0])


def test_fills_without_features_and_half_precision_are_refused(make):
    for ask in (load, described):
        with pytest.raises(UsageError, match="refine: telea has no features that could be refined"):
            ask("telea", refine=True)
    network = make("pconv").network
    with pytest.raises(UsageError, match=r"in float32 or float64, not in torch\.bfloat16"):
        RefinedFill(FeedForward(network, name="pconv", dtype=torch.bfloat16), StrategyOptions(refine=True))
