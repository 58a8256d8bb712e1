"""Restoring images: what every task returns, what stays as it was, what is chosen, and what is refused."""

import pytest
import torch

from inpaint.dip import solving
from inpaint.dip.objective import Observation, PriorObjective, noise_input
from inpaint.dip.options import DipOptions, SkipOptions
from inpaint.dip.restoring import restore
from inpaint.dip.skip import Skip
from inpaint.errors import InpaintError, InputError, MaskError, UsageError
from inpaint.metrics import psnr
from inpaint.optimize.averaging import AveragingOptions
from inpaint.optimize.loop import LoopOptions, optimize
from inpaint.types import StopFill
from smooth import strokes, waves


def quick(**changes):
    return DipOptions(**{"iterations": 6, "width": 8, **changes})


@pytest.mark.slow
def test_a_smooth_image_is_continued_through_text():
    image, mask = waves(64, 64), strokes(64, 64)
    options = SkipOptions(in_channels=8, down=(16,) * 3, skip=4, upsample="nearest")
    network = Skip(options)
    data = Observation(z=noise_input(8, 64, 64, seed=0), size=(64, 64), target=image * (1 - mask), weights=1 - mask)
    result = optimize(
        PriorObjective(network, [data], noise=0.03), LoopOptions(iterations=300, averaging=AveragingOptions(decay=0.97))
    )
    completed = torch.where(mask == 1, result.best, image)
    assert psnr(completed, image, mask).item() > 30


@pytest.mark.parametrize("size", [(40, 56), (33, 47), (8, 70)])
@pytest.mark.parametrize("preset", [None, "vase", "missing-most"])
def test_known_pixels_stay_bit_for_bit_and_the_hole_is_painted(size, preset):
    image, mask = waves(*size), torch.zeros(1, 1, *size)
    mask[..., 2:6, 10:30] = 1
    marked = torch.where(mask == 1, torch.tensor(float("nan")), image)
    found = restore("inpaint", marked, mask, options=quick(preset=preset))
    hole = (mask == 1).expand_as(image)
    assert torch.equal(found.image[~hole], image[~hole])
    assert found.image.isfinite().all()
    assert 0 <= found.image.min() <= found.image.max() <= 1
    assert found.image[hole].std() > 0


@pytest.mark.parametrize("exact", [False, True])
def test_the_same_seed_gives_the_same_image_and_another_another(exact):
    image, mask = waves(40, 48), strokes(40, 48)
    one, same, other = (
        restore("inpaint", image, mask, options=quick(exact=exact), seed=seed).image for seed in (3, 3, 4)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_what_was_in_the_hole_does_not_matter():
    image, mask = waves(40, 48), strokes(40, 48)
    one = restore("inpaint", image, mask, options=quick()).image
    other = restore("inpaint", torch.where(mask == 1, 1.0, image), mask, options=quick()).image
    assert torch.equal(one, other)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_super_resolution_has_the_size_and_comes_closer_to_the_small_image(factor):
    small = waves(12, 17)
    seen = []
    options = quick(factor=factor, iterations=30)
    found = restore(
        "super-resolve", small, options=options, callback=lambda step: seen.append(float(step.intermediate.loss))
    )
    assert found.image.shape == (1, 3, 12 * factor, 17 * factor)
    assert seen[-1] < seen[0]


def test_denoising_brings_the_image_closer_to_the_clean_one():
    clean = waves(48, 48)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = (clean + 0.15 * noise).clamp(0, 1)
    found = restore("denoise", noisy, options=DipOptions(width=16, iterations=120))
    assert psnr(found.image, clean).item() > psnr(noisy, clean).item() + 3
    assert not torch.equal(found.image, noisy)


def test_white_noise_and_what_compression_leaves_get_their_presets():
    noise = 0.1 * torch.randn(1, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    noisy = (waves(32, 40) + noise).clamp(0, 1)
    blocky = torch.nn.functional.interpolate(waves(4, 5), scale_factor=8)
    names = [restore("denoise", each, options=quick(iterations=1)).parts[0].preset for each in (noisy, blocky)]
    assert names == ["denoise", "jpeg"]
    hurried = restore("denoise", noisy, options=quick(iterations=1, budget=30), device="cpu")
    assert hurried.parts[0].preset == "jpeg"


def test_the_flash_task_paints_from_the_image_with_flash():
    dark = 0.3 * waves(24, 32)
    lit, other = waves(24, 32), waves(24, 32).flip(-1)
    one, two = (restore("flash", dark, flash=flash, options=quick()).image for flash in (lit, other))
    assert one.shape == dark.shape
    assert not torch.allclose(one, two)


def test_a_gray_image_stays_gray():
    gray = waves(32, 32)[:, :1].expand(-1, 3, -1, -1).contiguous()
    mask = (torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    image = restore("restore", gray, mask, options=quick()).image
    assert torch.equal(image[:, :1].expand_as(image), image)


def test_langevin_sampling_gives_a_map_of_uncertainty():
    found = restore("denoise", waves(24, 32), options=quick(iterations=220, langevin=True))
    assert found.uncertainty.shape == (1, 1, 24, 32)
    assert found.uncertainty.min() >= 0
    assert found.uncertainty.max() > 0


@pytest.mark.parametrize("task", ["inpaint", "denoise"])
def test_a_run_too_short_for_samples_has_no_map_of_uncertainty(task):
    mask = strokes(24, 32) if task == "inpaint" else None
    assert restore(task, waves(24, 32), mask, options=quick(iterations=2, langevin=True)).uncertainty is None


@pytest.mark.parametrize("task", ["inpaint", "denoise", "super-resolve"])
def test_the_deep_decoder_does_the_same_tasks(task):
    mask = strokes(40, 48) if task == "inpaint" else None
    found = restore(task, waves(40, 48), mask, options=quick(network="decoder", factor=2))
    assert found.image.shape[-2:] == ((80, 96) if task == "super-resolve" else (40, 48))
    assert found.parts[0].depth == 5


def test_a_fill_that_is_stopped_returns_what_there_is():
    def callback(step):
        if step.intermediate.done == 3:
            assert step.image().shape == (1, 3, 40, 48)
            raise StopFill

    image, mask = waves(40, 48), strokes(40, 48)
    found = restore("inpaint", image, mask, options=quick(iterations=10_000), callback=callback)
    assert (found.reason, found.parts[0].result.iterations) == ("interrupted", 3)
    assert torch.equal(found.image[..., 0, :], image[..., 0, :])


def far_holes():
    image, mask = waves(200, 420), torch.zeros(1, 1, 200, 420)
    mask[..., 20:30, 20:30] = 1
    mask[..., 150:160, 390:400] = 1
    return image, mask


def test_holes_far_apart_are_worked_on_one_by_one():
    image, mask = far_holes()
    found = restore("inpaint", image, mask, options=quick())
    assert len(found.parts) == 2
    assert all(part.region.area < 0.3 * 200 * 420 for part in found.parts)
    hole = (mask == 1).expand_as(image)
    assert torch.equal(found.image[~hole], image[~hole])
    whole = restore("inpaint", image, mask, options=quick(crop=False, iterations=1))
    assert [part.region.size for part in whole.parts] == [(200, 420)]


def test_holes_that_were_not_reached_are_filled_plainly():
    image, mask = far_holes()

    def callback(step):
        raise StopFill

    found = restore("inpaint", image, mask, options=quick(), callback=callback)
    assert len(found.parts) == 1
    second = found.image[..., 150:160, 390:400]
    assert second.std() > 0
    assert (second - image[..., 150:160, 390:400]).abs().mean() < 0.1


def test_a_image_too_large_for_the_time_is_worked_on_smaller(monkeypatch):
    monkeypatch.setattr(solving, "_seconds_per_iteration", lambda builder, seed, width, scale: 0.02 * scale)
    mask = torch.zeros(1, 1, 260, 260)
    mask[..., 60:200, 60:200] = 1
    found = restore("inpaint", waves(260, 260), mask, options=DipOptions(iterations=3, budget=3.0))
    assert found.parts[0].scale < 1
    assert found.image.shape == (1, 3, 260, 260)


def test_running_out_of_memory_makes_the_working_image_smaller_with_a_warning(monkeypatch, caplog):
    evaluate, sizes = PriorObjective.evaluate, []

    def limited(self, step):
        sizes.append(self.observations[0].size)
        if self.observations[0].size[0] > 50:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return evaluate(self, step)

    monkeypatch.setattr(PriorObjective, "evaluate", limited)
    image, mask = waves(96, 96), strokes(96, 96)
    found = restore("inpaint", image, mask, options=quick())
    assert sizes[0] == (96, 96)
    assert found.parts[0].scale == pytest.approx(0.49)
    assert "out of memory: working on at 70 % of the size" in caplog.text


def test_a_task_whose_size_is_given_says_what_would_fit(monkeypatch):
    def full(self, step):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(PriorObjective, "evaluate", full)
    with pytest.raises(InpaintError, match="not enough memory to paint 64 x 40 pixels with 8 channels; about 45 x 28"):
        restore("denoise", waves(40, 64), options=quick())


def test_before_it_begins_the_memory_is_looked_at(monkeypatch, caplog):
    monkeypatch.setattr(solving, "available_bytes", lambda device: 100_000_000)
    monkeypatch.setattr(solving, "memory_bytes", lambda options, h, w, *, element_bytes: 4000 * h * w)
    with pytest.raises(
        InpaintError, match=r"400 x 200 pixels need more memory than the 0.1 GB that are free; about \d+ x"
    ):
        restore("denoise", waves(200, 400), options=quick())
    found = restore("inpaint", waves(200, 400), strokes(200, 400), options=quick(crop=False))
    assert found.parts[0].scale == 0.5
    assert "do not fit into memory at full width: working at 50 %" in caplog.text


@pytest.mark.parametrize(
    ("task", "given", "error", "text"),
    [
        ("inpaint", {}, UsageError, "the task inpaint needs a mask"),
        ("restore", {}, UsageError, "the task restore needs a mask"),
        ("inpaint", {"mask": torch.ones(1, 1, 16, 20)}, MaskError, "all hole"),
        ("inpaint", {"mask": torch.full((1, 1, 16, 20), 0.5)}, MaskError, "must be 0 .known. or 1"),
        ("denoise", {"mask": torch.zeros(1, 1, 16, 20)}, UsageError, "takes no mask"),
        ("flash", {}, UsageError, "needs a flash image: the same scene taken with flash"),
        ("denoise", {"flash": waves(16, 20)}, UsageError, "takes no flash"),
        ("flash", {"flash": waves(16, 24)}, InputError, "24 x 16 pixels, the one without 20 x 16"),
        (
            "denoise",
            {"options": DipOptions(preset="text")},
            UsageError,
            "'text' is for inpaint; for denoise: denoise, jpeg",
        ),
        (
            "flash",
            {"flash": waves(16, 20), "options": DipOptions(network="decoder")},
            UsageError,
            "needs the network skip",
        ),
        ("denoize", {}, UsageError, "unknown task 'denoize' .did you mean 'denoise'"),
        (3, {}, UsageError, "unknown task '3'"),
        ("denoise", {"options": {"iterations": 3}}, InputError, "options must be DipOptions, got {iterations: 3}"),
        ("denoise", {"device": "tpu"}, UsageError, "unknown device 'tpu'"),
        ("denoise", {"spent_s": "1"}, InputError, "spent_s must be a number of at least 0, got '1'"),
        ("denoise", {"callback": 3}, InputError, "callback must be a function, got 3"),
        ("flash", {"flash": "lit.png"}, InputError, "flash must be a dense torch tensor"),
    ],
)
def test_what_does_not_fit_is_refused(task, given, error, text):
    with pytest.raises(error, match=text):
        restore(task, waves(16, 20), **given)


def test_images_below_eight_pixels_are_refused():
    with pytest.raises(InputError, match="at least 8 pixels, got 7x20"):
        restore("denoise", waves(7, 20))


def test_one_color_is_continued_at_once():
    color = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1).expand(1, 3, 40, 48)
    mask = strokes(40, 48)
    found = restore("inpaint", torch.where(mask == 1, 0.0, color), mask, options=DipOptions(budget=1000))
    assert found.parts == ()
    assert torch.equal(found.image, color)


def test_a_rectangle_of_one_color_in_a_photo_of_many_is_continued_at_once():
    image, mask = far_holes()
    image[..., 120:, 360:] = 0.25
    found = restore("inpaint", image, mask, options=quick())
    assert len(found.parts) == 1
    assert found.parts[0].region.right < 360
    assert (found.image[..., 150:160, 390:400] == 0.25).all()


def test_without_a_hole_nothing_is_done():
    image = waves(16, 20)
    found = restore("inpaint", image, torch.zeros(1, 1, 16, 20))
    assert torch.equal(found.image, image)
    assert found.parts == ()
