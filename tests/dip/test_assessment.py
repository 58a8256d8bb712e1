"""What a restoration says against its own answer, and when it says nothing."""

from dataclasses import replace

import numpy as np
import pytest
import skimage.restoration
import torch

import inpaint
from inpaint.dip.analysis import noise_deviation
from inpaint.dip.assessment import time_text
from inpaint.dip.building import Builder, Problem
from inpaint.dip.options import DipOptions, FillOptions, seconds_of
from inpaint.dip.planning import Plan, course
from inpaint.dip.presets import PRESETS
from inpaint.dip.restoring import restore
from inpaint.dip.solving import _pace
from inpaint.errors import InputError
from inpaint.images.photo import photo_of_array
from inpaint.optimize.base import TraceRow
from inpaint.pipeline import fill_photo
from smooth import strokes, waves


def square():
    mask = torch.zeros(1, 1, 40, 48)
    mask[..., 10:30, 12:36] = 1
    return mask


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("task", ["inpaint", "denoise", "flash"])
def test_gradients_that_are_off_around_it_change_nothing(around, task):
    image, mask = waves(24, 32), strokes(24, 32) if task == "inpaint" else None
    flash = image.flip(-1) if task == "flash" else None
    options = DipOptions(iterations=3, width=4)
    plain = restore(task, image, mask, flash=flash, options=options).image
    with around():
        found = restore(task, image.clone(), mask, flash=flash, options=options).image
    assert torch.equal(found, plain)
    marked = restore(task, image.clone().requires_grad_(), mask, flash=flash, options=options).image
    assert torch.equal(marked, plain)
    assert not marked.requires_grad


def test_a_course_that_was_cut_short_is_said_with_the_time_that_would_do():
    options = DipOptions(iterations=12, width=8)
    (text, *_) = restore("inpaint", waves(40, 48), strokes(40, 48), options=options).warnings
    assert text.startswith("it was asked for 12 of the 6,001 iterations of the preset text; a budget of ")
    assert text.endswith(" would do")
    (text, *_) = restore("inpaint", waves(40, 48), strokes(40, 48), options=DipOptions(budget=0.3)).warnings
    assert text.startswith("the budget had room for ")
    assert seconds_of(text.partition(" would do")[0].rpartition(" ")[2]) > 10


@pytest.mark.parametrize(("hole", "name"), [(strokes(40, 48), "biharmonic"), (square(), "patch")])
def test_at_the_default_budget_the_fill_that_does_better_is_proposed(hole, name, monkeypatch):
    monkeypatch.setattr(FillOptions, "budget_s", lambda self, device: 0.3 if self.budget == "auto" else 90.0)
    texts = restore("inpaint", waves(40, 48), hole).warnings
    assert f"the model {name} is as good or better on average at such a budget, in a second" in texts
    patient = DipOptions(budget="90s", iterations=3, width=4)
    assert not any("on average" in text for text in restore("inpaint", waves(40, 48), hole, options=patient).warnings)


@pytest.mark.parametrize(
    ("iterations", "told"), [(1, "1 iteration told"), (2, "1 iteration told"), (4, "3 iterations")]
)
def test_an_estimate_from_few_iterations_says_so(iterations, told):
    options = DipOptions(iterations=iterations, width=8)
    (text, *_) = restore("inpaint", waves(40, 48), strokes(40, 48), options=options).warnings
    assert f" would do, roughly: {told}" in text


def test_the_first_iteration_which_takes_longer_does_not_tell_the_pace():
    class Result:
        trace = tuple(
            TraceRow(run=1, iteration=done, elapsed_s=seconds, loss=0.0, lr=0.1)
            for done, seconds in ((1, 8.0), (51, 33.0), (61, 38.0))
        )

    assert _pace(Result()) == (0.5, 60)


def test_a_whole_course_that_fits_says_nothing():
    options = DipOptions(iterations=course(PRESETS["library"], 40 * 48), width=32, lr=0.01)
    assert restore("inpaint", waves(40, 48), square(), options=options, seed=1).warnings == ()


def test_a_fill_that_is_no_better_than_the_mean_color_says_so():
    found = restore("inpaint", waves(40, 48), square(), options=DipOptions(iterations=1, width=4))
    assert any("no better than the mean color" in text for text in found.warnings)


def test_a_fill_that_ended_in_its_coarse_part_is_compared_as_well():
    options = DipOptions(iterations=1, width=4, coarse=True)
    found = restore("inpaint", waves(72, 80), square().repeat(1, 1, 2, 2)[..., :72, :80], options=options)
    assert found.parts[0].result.best.shape[-2:] == (36, 40)
    assert any("no better than the mean color" in text for text in found.warnings)


@pytest.mark.parametrize("task", ["super-resolve", "flash"])
def test_an_answer_that_does_not_fit_its_photo_says_so(task):
    image = waves(24, 32)
    flash = image.flip(-1) if task == "flash" else None
    short, long = (
        restore(task, image, flash=flash, options=DipOptions(iterations=iterations, width=16, factor=2)).warnings
        for iterations in (1, 80)
    )
    assert any("it does not fit the photo: " in text for text in short)
    assert not any("fit" in text for text in long)


def test_a_surface_that_is_almost_flat_is_no_reason_to_warn():
    image = 0.5 + 0.002 * (waves(40, 48) - 0.5)
    texts = restore("inpaint", image, square(), options=DipOptions(iterations=200, width=16)).warnings
    assert not any("mean color" in text or "rim" in text for text in texts)


def test_the_average_of_restarts_is_compared_at_pixels_that_none_of_them_saw():
    builder = Builder(
        Problem(task="denoise", preset="jpeg", target=waves(24, 32)), DipOptions(), torch.device("cpu"), seed=3
    )
    plan = Plan(width=4, scale=1.0, iterations=1)
    first, second = (builder.objective(plan, seed).observations[0] for seed in (3, 4))
    assert torch.equal(first.held_out, second.held_out)
    assert not torch.equal(first.z, second.z)


def test_a_denoised_image_that_is_worse_than_its_input_says_so_and_names_what_is_better():
    noise = 0.02 * torch.randn(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    noisy = (waves(48, 48) + noise).clamp(0, 1)
    texts = restore("denoise", noisy, options=DipOptions(iterations=5, width=8)).warnings
    assert any("further from the clean photo than the input" in text for text in texts)
    (advice,) = (text for text in texts if "non-local means comes closer" in text)
    given = {"skimage": skimage, "image": noisy[0].permute(1, 2, 0).numpy()}
    better = torch.from_numpy(eval(advice.partition("in a second: ")[2], given)).permute(2, 0, 1)[None]
    assert (better - waves(48, 48)).square().mean() < (noisy - waves(48, 48)).square().mean()


ONE = torch.zeros(1, 1, 40, 48)
ONE[..., 20, 20] = 1
CORNER = torch.zeros(1, 1, 40, 48)
CORNER[..., :20, 30:] = 1
MOST = torch.ones(1, 1, 40, 48)
MOST[..., :2, :] = 0
FEW = torch.ones(1, 1, 40, 48)
FEW[..., ::12, ::12] = 0


@pytest.mark.parametrize("runs", [1, 2])
@pytest.mark.parametrize("mask", [ONE, CORNER, MOST, FEW])
@pytest.mark.parametrize("gray", [True, False])
def test_whatever_the_hole_an_unfinished_fill_says_so(mask, gray, runs):
    image = waves(40, 48)
    image = image.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1) if gray else image
    texts = restore("inpaint", image, mask, options=DipOptions(iterations=2, width=4, runs=runs)).warnings
    assert texts[0].startswith("it was asked for 2 of the ")
    assert any("mean color" in text or "rim" in text for text in texts)


def test_the_noise_of_a_channel_is_estimated():
    rng = np.random.default_rng(0)
    image = waves(96, 96)[0].permute(1, 2, 0).numpy()
    for deviation in (0.02, 0.1):
        noisy = (image + rng.normal(0, deviation, image.shape)).astype(np.float32)
        assert noise_deviation(noisy) == pytest.approx(deviation, rel=0.1)


def test_small_images_have_shorter_courses_where_their_fill_would_only_get_worse():
    library, text = PRESETS["library"], PRESETS["text"]
    assert course(library, 704 * 448) == course(library, 1e7) == library.iterations
    assert 300 < course(library, 128 * 128) < 400
    assert course(text, 128 * 128) == text.iterations


def test_uncertainty_is_zero_where_pixels_are_known():
    mask = strokes(24, 32)
    options = DipOptions(iterations=220, width=8, langevin=True)
    found = restore("inpaint", waves(24, 32), mask, options=options)
    assert (found.uncertainty[mask == 0] == 0).all()
    assert (found.uncertainty[mask == 1] > 0).all()
    assert "\n" not in repr(found) + repr(found.parts[0]) + repr(found.parts[0].result)


def test_a_fill_carries_its_warnings_and_infer_names_the_photo(make_photo, caplog):
    image, mask = waves(24, 32), strokes(24, 32)
    fills = inpaint.load("dip", device="cpu", iterations=2, width=4).fill(image, mask, samples=2)
    assert all(fill.warnings[0].startswith("it was asked for 2 of the ") for fill in fills)
    hole = np.zeros((40, 56), bool)
    hole[10:14, 15:40] = True
    inpaint.fill(make_photo(40, 56), hole, model="dip", device="cpu", iterations=2, width=4)
    assert "image: it was asked for 2 of the 6,001 iterations of the preset text; a budget of " in caplog.text


def test_every_page_of_a_photo_says_what_speaks_against_its_fill(make_photo, caplog):
    page = photo_of_array(make_photo(24, 32))
    hole = strokes(24, 32)[0, 0].numpy() == 1
    fill_photo(replace(page, pages=(page,)), hole, inpaint.load("dip", device="cpu", iterations=2, width=4))
    for number in (1, 2):
        assert f": image {number} of 2: it was asked for 2 of the " in caplog.text


@pytest.mark.parametrize("seed", [-1, 1.5, None, "1"])
def test_other_seeds_are_refused(seed):
    with pytest.raises(InputError, match="seed must be an integer from 0"):
        restore("denoise", waves(16, 20), seed=seed)


def test_times_are_rounded_up_to_what_a_budget_takes():
    assert [time_text(seconds) for seconds in (0.1, 61, 91, 3601, 5401)] == ["10s", "70s", "2m", "61m", "2h"]
