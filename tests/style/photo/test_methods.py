"""Both photographic methods on small images: regions, strength, budgets, seeds, sizes, and that a photo comes out."""

import numpy as np
import pytest
import torch

from inpaint.losses.matting import MattingLaplacian
from inpaint.nn.vgg import VGG
from inpaint.style.photo.finish import finished
from inpaint.style.photo.options import FinishOptions
from inpaint.style.table import STYLIZERS
from inpaint.types import StopFill, StylePart

QUICK = {"network": "vgg16", "weights": "random", "iterations": 2, "refine_iterations": 2, "radius_px": 66}


@pytest.fixture(scope="module", autouse=True)
def shallow_network():
    """All methods here share one network, which takes long to draw, and two of its layers, which do not take long."""
    network = VGG("vgg16", weights="random", ceil_mode=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inpaint.style.photo.method.VGG", lambda *given, **options: network)
        patch.setattr("inpaint.style.photo.objective.STYLE", ("relu1_1", "relu2_1"))
        patch.setattr("inpaint.style.photo.objective.CONTENT", "relu2_2")
        yield


def photo(seed, height=24, width=32):
    """Smooth colors with an edge and a little grain."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width] / max(height, width)
    image = np.stack((0.3 + 0.4 * rows, 0.6 - 0.3 * columns, 0.4 + 0.2 * rows * columns), axis=-1)
    image[:, width // 2 :] += 0.2 * rng.random(3)
    return (image + rng.normal(0, 0.01, image.shape)).clip(0, 1).astype(np.float32)


def energy(image, content):
    planes = [torch.from_numpy(each.astype(np.float64)).permute(2, 0, 1) for each in (image, content)]
    return float(MattingLaplacian(planes[1]).energies(planes[0]).sum())


@pytest.mark.parametrize(("name", "options"), [("photo", QUICK), ("photo_fast", {"mask_radius_px": 3})])
def test_only_the_part_s_place_changes_and_by_its_style(name, options):
    content, style = photo(0), photo(1) * np.float32(0.5)
    mask = np.zeros((24, 32), np.float32)
    mask[:, :16] = 1
    found = STYLIZERS.load(name, device="cpu", **options).stylize(content, [StylePart(style=style, content_mask=mask)])
    assert np.array_equal(found.image[:, 16:], content[:, 16:])
    assert np.abs(found.image[:, :16] - content[:, :16]).mean() > 0.005


@pytest.mark.parametrize(("name", "options"), [("photo", QUICK), ("photo_fast", {})])
def test_a_strength_of_zero_is_the_content(name, options):
    content = photo(0)
    options = options | {"strength": 0.0, "smoothing": "none"}
    found = STYLIZERS.load(name, device="cpu", **options).stylize(content, [StylePart(style=photo(1))])
    assert np.abs(found.image - content).max() < 1e-6


def test_the_fast_method_gives_each_region_the_colors_of_its_own():
    content = photo(0)
    left, right = np.full((8, 9, 3), 0.2, np.float32), np.full((8, 9, 3), 0.8, np.float32)
    masks = np.zeros((2, 24, 32), np.float32)
    masks[0, :, :16], masks[1, :, 16:] = 1, 1
    parts = [StylePart(style=style, content_mask=mask) for style, mask in zip((left, right), masks, strict=True)]
    found = STYLIZERS.load("photo_fast", mask_radius_px=2, radius_px=66).stylize(content, parts).image
    assert np.abs(found[:, :10] - 0.2).max() < 0.02
    assert np.abs(found[:, 22:] - 0.8).max() < 0.02


def test_the_finish_takes_away_texture_that_the_content_has_not():
    content = photo(0)
    painted = (0.8 * content + np.random.default_rng(2).normal(0, 0.1, content.shape)).clip(0, 1)
    for smoothing in ("guided", "bilateral"):
        smooth = finished(content, painted, FinishOptions(smoothing=smoothing, radius_px=110))
        assert energy(smooth, content) < 0.03 * energy(painted, content)
    assert np.array_equal(finished(content, painted, FinishOptions(smoothing="none")), painted)


def test_large_contents_are_optimized_reduced_and_finished_at_full_size():
    content = photo(0, 48, 80)
    method = STYLIZERS.load("photo", device="cpu", work_px=64, **QUICK)
    found = method.stylize(content, [StylePart(style=photo(1))])
    assert found.image.shape == content.shape
    assert found.details["scale"] == round(64 / 80, 4)
    assert found.aux["stylized"].shape == content.shape


def test_a_photograph_s_energy_is_lower_after_the_second_stage():
    content, parts = photo(0), [StylePart(style=photo(1))]
    options = QUICK | {"iterations": 5, "refine_iterations": 5, "photorealism": 10.0}
    found = STYLIZERS.load("photo", device="cpu", **options).stylize(content, parts)
    assert energy(found.aux["photorealistic"], content) < energy(found.aux["stylized"], content)


def test_noise_to_begin_with_comes_from_the_seed():
    method = STYLIZERS.load("photo", device="cpu", start="noise", **(QUICK | {"iterations": 1, "refine_iterations": 0}))
    first, again, other = (method.stylize(photo(0), [StylePart(style=photo(1))], seed=seed).image for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_content_smaller_than_a_window_stays_and_the_result_says_so():
    found = STYLIZERS.load("photo", device="cpu", **QUICK).stylize(photo(0, 2, 9), [StylePart(style=photo(1))])
    assert np.array_equal(found.image, photo(0, 2, 9))
    assert "less than 3 pixels" in found.warnings[0]


def test_a_stopped_run_returns_what_it_has_and_says_so():
    seen = []

    def stop(progress):
        seen.append(progress)
        raise StopFill

    method = STYLIZERS.load("photo", device="cpu", **QUICK)
    found = method.stylize(photo(0), [StylePart(style=photo(1))], progress=stop)
    assert len(seen) == 1
    assert seen[0].total == 4
    assert found.warnings == ("stopped before the end",)
    assert found.image.shape == (24, 32, 3)
