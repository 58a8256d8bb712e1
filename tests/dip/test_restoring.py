"""Restoring pictures: what every task returns, what stays as it was, what is chosen, and what is refused."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import inpaint
from inpaint.dip import solving
from inpaint.dip.arithmetic import EXACT, fast
from inpaint.dip.fill import DeepImagePrior, budget_of
from inpaint.dip.fill_options import FillOptions
from inpaint.dip.options import DipOptions
from inpaint.dip.prior import (
    PictureFit,
    View,
    halved,
    meshgrid_input,
    misfit,
    noise_input,
    shrunk,
    total_variation,
)
from inpaint.dip.restoring import restore
from inpaint.dip.skip import Skip, SkipOptions
from inpaint.errors import ConfigError, InpaintError, InputError, MaskError, UsageError
from inpaint.metrics import psnr, psnr_hole
from inpaint.optimize.loop import optimize
from inpaint.optimize.steps import LoopOptions, Moment
from inpaint.types import StopFill

CPU = torch.device("cpu")


def waves(height, width):
    """A smooth picture (1, 3, H, W)."""
    y, x = np.mgrid[0:height, 0:width] / 64
    planes = (0.5 + 0.3 * np.sin(6 * x + 2 * y), 0.5 + 0.3 * np.cos(5 * y), 0.5 + 0.2 * np.sin(4 * (x + y)))
    return torch.from_numpy(np.stack(planes)).float()[None]


def strokes(height, width):
    """A thin hole (1, 1, H, W)."""
    mask = torch.zeros(1, 1, height, width)
    mask[..., height // 3 : height // 3 + 3, 4 : width - 4] = 1
    mask[..., 4 : height - 4, width // 2 : width // 2 + 2] = 1
    return mask


def quick(**changes):
    return DipOptions(**{"iterations": 6, "width": 8, **changes})


def test_a_smooth_picture_is_continued_through_text():
    image, mask = waves(64, 64), strokes(64, 64)
    options = SkipOptions(in_channels=8, down=(16,) * 3, skip=4, upsample="nearest")
    network = Skip(options)
    view = View(z=noise_input(8, 64, 64, seed=0), size=(64, 64), target=image * (1 - mask), weights=1 - mask)
    outcome = optimize(PictureFit(network, [view], noise=0.03), LoopOptions(iterations=300, average=0.97))
    completed = torch.where(mask == 1, outcome.best, image)
    assert psnr_hole(completed, image, mask).item() > 30


@pytest.mark.parametrize("size", [(40, 56), (33, 47), (8, 70)])
@pytest.mark.parametrize("preset", [None, "vase", "missing-most"])
def test_known_pixels_stay_bit_for_bit_and_the_hole_is_painted(size, preset):
    image, mask = waves(*size), torch.zeros(1, 1, *size)
    mask[..., 2:6, 10:30] = 1
    marked = torch.where(mask == 1, torch.tensor(float("nan")), image)
    found = restore("inpaint", marked, mask, options=quick(preset=preset))
    hole = (mask == 1).expand_as(image)
    assert torch.equal(found.picture[~hole], image[~hole])
    assert found.picture.isfinite().all()
    assert 0 <= found.picture.min() <= found.picture.max() <= 1
    assert found.picture[hole].std() > 0


@pytest.mark.parametrize("exact", [False, True])
def test_the_same_seed_gives_the_same_picture_and_another_another(exact):
    image, mask = waves(40, 48), strokes(40, 48)
    one, same, other = (
        restore("inpaint", image, mask, options=quick(exact=exact), seed=seed).picture for seed in (3, 3, 4)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_what_was_in_the_hole_does_not_matter():
    image, mask = waves(40, 48), strokes(40, 48)
    one = restore("inpaint", image, mask, options=quick()).picture
    other = restore("inpaint", torch.where(mask == 1, 1.0, image), mask, options=quick()).picture
    assert torch.equal(one, other)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_super_resolution_has_the_size_and_comes_closer_to_the_small_picture(factor):
    small = waves(12, 17)
    seen = []
    options = quick(factor=factor, iterations=30)
    found = restore("super-resolve", small, options=options, watch=lambda step: seen.append(float(step.iterate.loss)))
    assert found.picture.shape == (1, 3, 12 * factor, 17 * factor)
    assert seen[-1] < seen[0]


def test_denoising_brings_the_picture_closer_to_the_clean_one():
    clean = waves(48, 48)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = (clean + 0.15 * noise).clamp(0, 1)
    found = restore("denoise", noisy, options=DipOptions(width=16, iterations=120))
    assert psnr(found.picture, clean).item() > psnr(noisy, clean).item() + 3
    assert not torch.equal(found.picture, noisy)


def test_white_noise_and_what_compression_leaves_get_their_presets():
    noise = 0.1 * torch.randn(1, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    noisy = (waves(32, 40) + noise).clamp(0, 1)
    blocky = torch.nn.functional.interpolate(waves(4, 5), scale_factor=8)
    names = [restore("denoise", each, options=quick(iterations=1)).parts[0].preset for each in (noisy, blocky)]
    assert names == ["denoise", "jpeg"]
    hurried = restore("denoise", noisy, options=quick(iterations=1), budget_s=30, device="cpu")
    assert hurried.parts[0].preset == "jpeg"


def test_the_flash_task_paints_from_the_picture_with_flash():
    dark = 0.3 * waves(24, 32)
    lit, other = waves(24, 32), waves(24, 32).flip(-1)
    one, two = (restore("flash", dark, flash=flash, options=quick()).picture for flash in (lit, other))
    assert one.shape == dark.shape
    assert not torch.allclose(one, two)


def test_a_gray_picture_stays_gray():
    gray = waves(32, 32)[:, :1].expand(-1, 3, -1, -1).contiguous()
    mask = (torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    picture = restore("restore", gray, mask, options=quick()).picture
    assert torch.equal(picture[:, :1].expand_as(picture), picture)


def test_langevin_sampling_gives_a_map_of_uncertainty():
    found = restore("denoise", waves(24, 32), options=quick(iterations=220, langevin=True))
    assert found.uncertainty.shape == (1, 1, 24, 32)
    assert found.uncertainty.min() >= 0
    assert found.uncertainty.max() > 0


@pytest.mark.parametrize("task", ["inpaint", "denoise"])
def test_a_run_too_short_for_samples_has_no_map_of_uncertainty(task):
    mask = strokes(24, 32) if task == "inpaint" else None
    assert restore(task, waves(24, 32), mask, options=quick(iterations=2, langevin=True)).uncertainty is None


def test_the_map_of_uncertainty_of_a_hole_covers_it():
    mask = strokes(24, 32)
    found = restore("inpaint", waves(24, 32), mask, options=quick(iterations=220, langevin=True))
    assert found.uncertainty[mask > 0.5].min() > 0


@pytest.mark.parametrize("task", ["inpaint", "denoise", "super-resolve"])
def test_the_deep_decoder_does_the_same_tasks(task):
    mask = strokes(40, 48) if task == "inpaint" else None
    found = restore(task, waves(40, 48), mask, options=quick(network="decoder", factor=2))
    assert found.picture.shape[-2:] == ((80, 96) if task == "super-resolve" else (40, 48))
    assert found.parts[0].depth == 5


def test_a_fill_that_is_stopped_returns_what_there_is():
    def watch(step):
        if step.iterate.done == 3:
            assert step.picture().shape == (1, 3, 40, 48)
            raise StopFill

    image, mask = waves(40, 48), strokes(40, 48)
    found = restore("inpaint", image, mask, options=quick(iterations=10_000), watch=watch)
    assert (found.reason, found.parts[0].outcome.iterations) == ("interrupted", 3)
    assert torch.equal(found.picture[..., 0, :], image[..., 0, :])


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
    assert torch.equal(found.picture[~hole], image[~hole])
    whole = restore("inpaint", image, mask, options=quick(crop=False, iterations=1))
    assert [part.region.size for part in whole.parts] == [(200, 420)]


def test_holes_that_were_not_reached_are_filled_plainly():
    image, mask = far_holes()

    def watch(step):
        raise StopFill

    found = restore("inpaint", image, mask, options=quick(), watch=watch)
    assert len(found.parts) == 1
    second = found.picture[..., 150:160, 390:400]
    assert second.std() > 0
    assert (second - image[..., 150:160, 390:400]).abs().mean() < 0.1


def test_a_picture_too_large_for_the_time_is_worked_on_smaller(monkeypatch):
    monkeypatch.setattr(solving._Work, "_seconds_per_iteration", lambda self, width, scale: 0.02 * scale)
    mask = torch.zeros(1, 1, 260, 260)
    mask[..., 60:200, 60:200] = 1
    found = restore("inpaint", waves(260, 260), mask, options=DipOptions(iterations=3), budget_s=3.0)
    assert found.parts[0].scale < 1
    assert found.picture.shape == (1, 3, 260, 260)


def test_running_out_of_memory_makes_the_working_picture_smaller_with_a_warning(monkeypatch, caplog):
    evaluate, sizes = PictureFit.evaluate, []

    def limited(self, moment):
        sizes.append(self.views[0].size)
        if self.views[0].size[0] > 50:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return evaluate(self, moment)

    monkeypatch.setattr(PictureFit, "evaluate", limited)
    image, mask = waves(96, 96), strokes(96, 96)
    found = restore("inpaint", image, mask, options=quick())
    assert sizes[0] == (96, 96)
    assert found.parts[0].scale == pytest.approx(0.49)
    assert "out of memory: working on at 70 % of the size" in caplog.text


def test_a_task_whose_size_is_given_says_what_would_fit(monkeypatch):
    def full(self, moment):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(PictureFit, "evaluate", full)
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
        ("inpaint", {}, MaskError, "the task inpaint needs a mask"),
        ("restore", {}, MaskError, "the task restore needs a mask"),
        ("inpaint", {"mask": torch.ones(1, 1, 16, 20)}, MaskError, "all hole"),
        ("inpaint", {"mask": torch.full((1, 1, 16, 20), 0.5)}, MaskError, "must be 0 .known. or 1"),
        ("denoise", {"mask": torch.zeros(1, 1, 16, 20)}, UsageError, "takes no mask"),
        ("flash", {}, UsageError, "needs the same scene taken with flash"),
        ("denoise", {"flash": waves(16, 20)}, UsageError, "takes no flash"),
        ("flash", {"flash": waves(16, 24)}, InputError, "24 x 16 pixels, the one without 20 x 16"),
        ("denoise", {"options": DipOptions(preset="text")}, UsageError, "for denoise: denoise, jpeg"),
    ],
)
def test_what_does_not_fit_is_refused(task, given, error, text):
    with pytest.raises(error, match=text):
        restore(task, waves(16, 20), **given)


def test_pictures_below_eight_pixels_are_refused():
    with pytest.raises(InputError, match="at least 8 pixels, got 7x20"):
        restore("denoise", waves(7, 20))


def test_one_color_is_continued_at_once():
    color = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1).expand(1, 3, 40, 48)
    found = restore("inpaint", torch.where(strokes(40, 48) == 1, 0.0, color), strokes(40, 48), budget_s=1000)
    assert torch.equal(found.picture, color)


def test_without_a_hole_nothing_is_done():
    image = waves(16, 20)
    found = restore("inpaint", image, torch.zeros(1, 1, 16, 20))
    assert torch.equal(found.picture, image)
    assert found.parts == ()


# The objective


def test_noise_and_meshgrid_are_as_published():
    z = noise_input(32, 40, 50, seed=1)
    assert z.shape == (1, 32, 40, 50)
    assert 0 <= z.min() <= z.max() < 0.1
    assert z.std().item() == pytest.approx(0.1 / 12**0.5, rel=0.02)
    assert torch.equal(z, noise_input(32, 40, 50, seed=1))
    grid = meshgrid_input(5, 9)[0]
    assert grid.shape == (2, 5, 9)
    assert torch.equal(grid[0, 2], torch.arange(9) / 8)
    assert torch.equal(grid[1, :, 3], torch.arange(5) / 4)


def test_the_misfit_counts_known_pixels_only():
    rng = np.random.default_rng(0)
    painted, target = rng.random((2, 1, 3, 5, 7))
    weights = (rng.random((1, 1, 5, 7)) < 0.6).astype(float)
    known = np.broadcast_to(weights == 1, painted.shape)
    expected = ((painted - target)[known] ** 2).mean()
    found = misfit(*(torch.from_numpy(each) for each in (painted, target, weights)))
    assert float(found) == pytest.approx(expected)


def test_total_variation_is_smooth_where_the_picture_is_flat_and_does_not_depend_on_size():
    flat = torch.full((1, 3, 6, 6), 0.5, requires_grad=True)
    total_variation(flat).backward()
    assert flat.grad.isfinite().all()
    slope = torch.arange(40.0).expand(1, 3, 30, 40) * 0.01
    assert total_variation(slope).item() == pytest.approx(0.01, rel=0.01)
    assert total_variation(slope[..., :12]).item() == pytest.approx(0.01, rel=0.01)


def small_fit(**changes):
    options = SkipOptions(in_channels=4, down=(6, 6), skip=2)
    view = View(z=noise_input(4, 16, 20, seed=0), size=(16, 20), target=waves(16, 20))
    return PictureFit(Skip(options), [view], **changes)


def test_the_input_is_perturbed_anew_in_every_iteration_and_repeatably():
    fit = small_fit(noise=0.05, seed=2)
    one, again, other = (fit.evaluate(Moment(iteration=k, progress=0.0)).picture for k in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    calm = [small_fit().evaluate(Moment(iteration=k, progress=0.0)).picture for k in (1, 2)]
    assert torch.equal(*calm)


def test_the_perturbation_has_its_deviation_in_both_layouts():
    for channels_last in (False, True):
        fit = small_fit(noise=0.05, channels_last=channels_last)
        z = fit.views[0].z
        off = fit._perturbed(z, 3) - z
        assert off.std().item() == pytest.approx(0.05, rel=0.05)
        assert off.mean().abs() < 0.005


def test_pixels_held_out_do_not_count_until_the_run_settles():
    view = small_fit().views[0]
    weights, held = torch.ones(1, 1, 16, 20), torch.zeros(1, 1, 16, 20)
    held[..., 4:7, 4:7] = 1
    target = torch.where(held == 1, 5.0, view.target)
    held_view = View(z=view.z, size=view.size, target=target, weights=weights, held=held)
    fit = PictureFit(small_fit().network, [held_view])
    searching = fit.evaluate(Moment(iteration=0, progress=0.0)).loss
    settling = fit.evaluate(Moment(iteration=0, progress=0.95, settling=True)).loss
    assert settling > searching + 0.1
    assert fit.held_out_error(view.target) == pytest.approx(float((5 - view.target[..., 4:7, 4:7]).square().mean()))


def test_pictures_are_made_smaller_by_what_is_known():
    picture = torch.arange(24.0).reshape(1, 1, 4, 6)
    weights = torch.ones(1, 1, 4, 6)
    weights[..., 0, 0] = 0
    weights[..., 2:, 4:] = 0
    weights[..., 2, 4] = 1
    small, known = halved(picture, weights)
    assert small[0, 0, 0].tolist() == pytest.approx([(1 + 6 + 7) / 3, (2 + 3 + 8 + 9) / 4, (4 + 5 + 10 + 11) / 4])
    assert known[0, 0].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert shrunk(picture, None, (2, 2))[0].shape == (1, 1, 2, 2)


def test_the_fast_arithmetic_starts_where_the_published_one_does():
    image, options = waves(64, 64), SkipOptions(in_channels=4, down=(16, 16), skip=4, upsample="nearest")
    losses = []
    for kind in (EXACT, fast(CPU)):
        view = View(z=noise_input(4, 64, 64, seed=0), size=(64, 64), target=image)
        fit = PictureFit(kind.network(options, seed=0), [view], dtype=kind.dtype, channels_last=kind.channels_last)
        losses.append(fit.evaluate(Moment(iteration=0, progress=0.0)).loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


# As a fill like any other


def test_dip_is_a_fill_by_name():
    model = inpaint.load("dip", device="cpu", iterations=4, width=8)
    image = torch.cat((waves(24, 32), waves(24, 32).flip(-1)))
    mask = torch.cat((strokes(24, 32), strokes(24, 32)))
    fills = model.fill(image, mask, samples=2, seed=1)
    hole = (mask == 1).expand_as(image)
    assert len(fills) == 2
    assert all(torch.equal(fill.completed[~hole], image[~hole]) for fill in fills)
    assert not torch.equal(fills[0].completed, fills[1].completed)
    alone = model.fill(image[:1], mask[:1], seed=1)[0]
    assert torch.equal(alone.completed, fills[0].completed[:1])


@pytest.mark.parametrize(("threads", "several"), [(1, True), (2, False)])
def test_several_pictures_are_filled_at_once_where_torch_has_one_thread(monkeypatch, threads, several):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert DeepImagePrior(device="cpu").capabilities.thread_safe == several


def test_fills_at_the_same_time_do_not_disturb_each_other():
    model = DeepImagePrior(FillOptions(iterations=6, width=8), device="cpu")
    image, mask = waves(24, 32), strokes(24, 32)

    def fill(seed):
        return model.fill(image, mask, seed=seed)[0].completed

    answers = []
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as pool:
            answers.append(list(pool.map(fill, range(3))))
    for alone, together in zip(*answers, strict=True):
        assert torch.equal(alone, together)


def test_progress_is_told_and_can_stop_the_fill():
    seen = []

    def progress(step):
        seen.append(step)
        raise StopFill

    model = DeepImagePrior(FillOptions(iterations=50_000, width=8), device="cpu")
    image, mask = waves(24, 32).repeat(2, 1, 1, 1), strokes(24, 32).repeat(2, 1, 1, 1)
    fill = model.fill(image, mask, progress=progress)[0]
    assert len(seen) == 1
    assert (seen[0].done <= 1000, seen[0].total) == (True, 2000)
    hole = (mask == 1).expand_as(image)
    assert torch.equal(fill.completed[~hole], image[~hole])
    assert fill.completed.isfinite().all()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"budget": "soon"}, "budget must be a time like 60s, 5m or 1h, or none; got 'soon'"),
        ({"budget": "-5s"}, "budget must be a time"),
        ({"preset": "vaze"}, "unknown preset 'vaze' \\(did you mean 'vase'"),
        ({"width": 2}, "width=2: must be .*at least 4"),
        ({"iterations": 0}, "iterations=0"),
        ({"color": 1}, "unknown option of dip 'color'"),
    ],
)
def test_options_that_cannot_be_are_refused(options, text):
    with pytest.raises((UsageError, ConfigError), match=text):
        inpaint.load("dip", **options)


def test_the_budget_is_automatic_where_nothing_else_was_asked_for():
    assert budget_of("auto", DipOptions(), CPU) == 60
    assert budget_of("auto", DipOptions(iterations=100), CPU) is None
    assert budget_of("auto", DipOptions(), torch.device("cuda")) is None
    assert budget_of("none", DipOptions(), CPU) is None
    assert budget_of("1.5m", DipOptions(exact=True), CPU) == 90
    assert budget_of(20, DipOptions(), CPU) == 20
