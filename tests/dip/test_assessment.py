"""What a restoration says against its own answer, and when it says nothing."""

import numpy as np
import pytest
import torch

import inpaint
from inpaint.dip.analysis import noise_deviation
from inpaint.dip.assessment import time_text
from inpaint.dip.options import DipOptions, seconds_of
from inpaint.dip.planning import course
from inpaint.dip.presets import PRESETS
from inpaint.dip.restoring import restore
from inpaint.errors import InputError
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
    (text, *_) = restore("inpaint", waves(40, 48), strokes(40, 48), options=DipOptions(iterations=4, width=8)).warnings
    assert text.startswith("it was asked for 4 of the 6,001 iterations of the preset text; a budget of ")
    (text, *_) = restore("inpaint", waves(40, 48), strokes(40, 48), options=DipOptions(budget=0.3)).warnings
    assert text.startswith("the budget had room for ")
    assert seconds_of(text.removesuffix(" would do").rpartition(" ")[2]) > 10


def test_a_whole_course_that_fits_says_nothing():
    options = DipOptions(iterations=course(PRESETS["library"], 40 * 48), width=32, lr=0.01)
    assert restore("inpaint", waves(40, 48), square(), options=options, seed=1).warnings == ()


def test_a_fill_that_is_no_better_than_the_mean_color_says_so():
    found = restore("inpaint", waves(40, 48), square(), options=DipOptions(iterations=1, width=4))
    assert any("no better than the mean color" in text for text in found.warnings)


def test_a_denoised_image_that_is_worse_than_its_input_says_so_and_names_what_is_better():
    noise = 0.02 * torch.randn(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    noisy = (waves(48, 48) + noise).clamp(0, 1)
    texts = restore("denoise", noisy, options=DipOptions(iterations=5, width=8)).warnings
    assert any("further from the clean photo than the input" in text for text in texts)
    assert any("non-local means comes closer" in text for text in texts)


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


@pytest.mark.parametrize("seed", [-1, 1.5, None, "1"])
def test_other_seeds_are_refused(seed):
    with pytest.raises(InputError, match="seed must be an integer from 0"):
        restore("denoise", waves(16, 20), seed=seed)


def test_times_are_rounded_up_to_what_a_budget_takes():
    assert [time_text(seconds) for seconds in (0.1, 61, 91, 3601, 5401)] == ["10s", "70s", "2m", "61m", "2h"]
