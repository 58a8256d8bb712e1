import cv2
import numpy as np
import pytest
import torch

from inpaint.classical.opencv import NavierStokes, Telea, navier_stokes, telea
from inpaint.classical.options import MarchingOptions
from inpaint.errors import InputError, MaskError, UsageError
from inpaint.registry.loading import load
from inpaint.types import Inpainter, StopFill

FILLS = [Telea, NavierStokes]
pytestmark = pytest.mark.filterwarnings("error")


def center_hole(height=40, width=56, size=20):
    mask = torch.zeros(1, 1, height, width)
    mask[..., 10 : 10 + size, 16 : 16 + size] = 1
    return mask


def photo_batch(make_photo, batch=2, height=40, width=56):
    pixels = np.stack([make_photo(height, width, seed) for seed in range(batch)])
    return torch.from_numpy(pixels).movedim(-1, 1).float() / 255


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("depth", ["8 bit", "16 bit"])
@pytest.mark.parametrize("place", ["inside", "corner", "edge", "all but one pixel"])
def test_constants_are_reproduced(fill, depth, place):
    value = 128 / 255 if depth == "8 bit" else 0.123456
    image, mask = torch.full((1, 3, 20, 28), value), torch.zeros(1, 1, 20, 28)
    window = {
        "inside": (slice(5, 12), slice(6, 20)),
        "corner": (slice(0, 9), slice(0, 12)),
        "edge": (slice(4, 20), slice(19, 28)),
        "all but one pixel": (slice(0, 20), slice(0, 28)),
    }[place]
    mask[(0, 0, *window)] = 1
    if place == "all but one pixel":
        mask[0, 0, 3, 4] = 0
    # What OpenCV reads in the hole, if it does, is far from the constant.
    (result,) = fill().fill(image.masked_fill(mask > 0, 0.0), mask)
    assert (result.completed - value).abs().max() <= 0.1 / 255


@pytest.mark.parametrize("value", [0, 30, 128, 254])
@pytest.mark.parametrize("levels", [255, 65535])
def test_a_wide_hole_in_a_flat_surface_keeps_its_level(value, levels):
    # OpenCV's own Telea is 12 levels off in the middle of this hole.
    pixels, hole = np.full((256, 256, 3), value * (levels // 255)), np.zeros((256, 256), np.uint8)
    hole[60:200, 60:200] = 1
    pixels = pixels.astype(np.uint8 if levels == 255 else np.uint16)
    assert np.array_equal(telea(pixels, hole), pixels)


def test_removed_text_leaves_no_ghost_on_a_page_that_holds_dark_things_too():
    page = np.full((120, 400, 3), (245, 244, 240), np.uint8)
    hole = np.zeros((120, 400), np.uint8)
    cv2.putText(hole, "Watermark", (20, 80), cv2.FONT_HERSHEY_SIMPLEX, 2.2, 1, 9)
    page[(hole == 0) & (np.indices(hole.shape)[0] < 8)] = 10  # so near that its colors are in the hole's range
    away = np.indices(hole.shape)[0] > 60
    filled = telea(page, hole).astype(int)
    assert np.abs(filled - page)[away].max() <= 1


@pytest.mark.parametrize("noise", [1, 3])
def test_the_mean_of_a_noisy_surface_is_kept(noise):
    rng = np.random.default_rng(0)
    pixels = (90 + rng.integers(-noise, noise + 1, (160, 160, 3))).astype(np.uint8)
    hole = np.zeros((160, 160), np.uint8)
    hole[30:130, 30:130] = 1
    assert abs(telea(pixels, hole)[hole > 0].mean() - 90) < 0.75 * noise


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("depth", [255, 4095])
def test_a_ramp_is_bridged_but_not_continued(fill, depth):
    # OpenCV's fills average: over a 20 pixel hole in a ramp of 255 levels they are off by about 30, not more.
    ramp = (torch.linspace(0, 1, 64) * depth).round() / depth
    image, mask = ramp.expand(1, 3, 40, 64).contiguous(), center_hole(40, 64)
    (result,) = fill().fill(image, mask)
    error = (result.completed - image).abs().max().item()
    assert 10 / 255 < error < 40 / 255
    # Nothing but means of known pixels, which are at most 3 away from columns 16 to 35, and Telea's level or two.
    hole = result.completed[..., 10:30, 16:36]
    assert hole.min() > 13 / 63 - 2 / 255
    assert hole.max() < 38 / 63 + 2 / 255


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("deeper", [False, True])
def test_known_pixels_stay_bit_for_bit(make_photo, fill, deeper):
    image = photo_batch(make_photo)
    if deeper:
        image = image * 0.987654
    mask = (torch.rand(2, 1, 40, 56, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    (result,) = fill().fill(image, mask)
    known = mask.expand_as(image) == 0
    assert torch.equal(result.completed[known], image[known])
    assert result.completed.dtype == torch.float32
    assert result.completed.min() >= 0
    assert result.completed.max() <= 1
    assert torch.equal(result.mask, mask)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("content", [0.0, 1.0, torch.nan, 1e30])
def test_what_the_hole_holds_is_never_looked_at(make_photo, fill, content):
    image, mask = photo_batch(make_photo), center_hole().expand(2, 1, 40, 56).clone()
    mask[0, :, :12, :9] = 1  # touches the border
    (expected,) = fill().fill(image, mask)
    (got,) = fill().fill(image.masked_fill(mask > 0, content), mask)
    assert torch.equal(got.completed, expected.completed)


@pytest.mark.parametrize("fill", FILLS)
def test_a_thin_hole_in_a_photo_is_filled_much_better_than_with_its_mean(make_photo, fill):
    image, mask = photo_batch(make_photo, batch=1), torch.zeros(1, 1, 40, 56)
    mask[..., ::6, :] = 1
    (result,) = fill().fill(image, mask)
    hole = mask[0, 0] > 0
    error = (result.completed - image)[0, :, hole].square().mean()
    mean = image[0, :, ~hole].mean(dim=1, keepdim=True)
    assert error < 0.25 * (image[0, :, hole] - mean).square().mean()


@pytest.mark.parametrize("fill", FILLS)
def test_a_batch_equals_its_images_alone(make_photo, fill):
    image, mask = photo_batch(make_photo, batch=3), center_hole().expand(3, 1, 40, 56).clone()
    mask[1] = 0
    mask[2] = mask[2].flip(-1)
    # One image needs 16 bit; that must not change how the others are treated.
    image[2] = image[2] * 0.9876
    (together,) = fill().fill(image, mask)
    alone = torch.cat([fill().fill(image[i : i + 1], mask[i : i + 1])[0].completed for i in range(3)])
    assert torch.equal(together.completed, alone)
    assert torch.equal(together.completed[1], image[1])


@pytest.mark.parametrize("function", [telea, navier_stokes])
def test_sixteen_bits_say_the_same_as_eight(make_photo, function):
    pixels, hole = make_photo(40, 56), (center_hole()[0, 0].numpy() * 255).astype(np.uint8)
    eight = function(pixels, hole)
    sixteen = function(pixels.astype(np.uint16) * 257, hole)
    assert eight.dtype == np.uint8
    assert sixteen.dtype == np.uint16
    # Rounding differs, and Telea's unit vector counts in levels of the depth; the march carries both inwards.
    assert np.abs(sixteen / 257 - eight)[10:30, 16:36].mean() < 2


@pytest.mark.parametrize("function", [telea, navier_stokes])
def test_the_pixels_given_are_not_changed(make_photo, function):
    pixels, hole = make_photo(40, 56), center_hole()[0, 0].numpy().astype(np.uint8)
    before = pixels.copy()
    function(pixels, hole)
    assert np.array_equal(pixels, before)


def test_the_radius_matters_and_its_default_is_three(make_photo):
    image, mask = photo_batch(make_photo, batch=1), center_hole()
    default, three, nine = (
        fill.fill(image, mask)[0].completed for fill in (Telea(), *(Telea(MarchingOptions(radius=r)) for r in (3, 9)))
    )
    assert torch.equal(default, three)
    assert not torch.equal(three, nine)


@pytest.mark.parametrize("radius", [0, -1, 101, 2.5, "3"])
def test_a_radius_that_opencv_would_silently_change_is_refused(radius):
    with pytest.raises(UsageError, match=r"radius.*must be an integer at least 1 and at most 100"):
        load("navier_stokes", radius=radius)


@pytest.mark.parametrize("fill", FILLS)
def test_an_image_that_is_all_hole_is_refused(fill):
    mask = torch.zeros(2, 1, 8, 9)
    mask[1] = 1
    with pytest.raises(MaskError, match="works from known pixels, but the mask of image 1 is all hole"):
        fill().fill(torch.zeros(2, 3, 8, 9), mask)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (7, 1), (2, 3)])
def test_the_smallest_images_are_filled(fill, size):
    image, mask = torch.full((1, 3, *size), 0.25), torch.ones(1, 1, *size)
    mask[..., -1, -1] = 0
    (result,) = fill().fill(image, mask)
    assert (result.completed - 0.25).abs().max() < 2 / 255


def test_guidance_is_refused():
    with pytest.raises(InputError, match=r"telea does not accept guidance.sketch; accepted: none"):
        Telea().fill(torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8), guidance={"sketch": torch.zeros(1, 1, 8, 8)})


@pytest.mark.parametrize("fill", FILLS)
def test_samples_progress_and_stopping(make_photo, fill):
    method: Inpainter = fill()
    image, mask = photo_batch(make_photo, batch=3), center_hole().expand(3, 1, 40, 56)
    reports = []
    fills = method.fill(image, mask, samples=2, progress=reports.append)
    assert len(fills) == 2
    assert torch.equal(fills[0].completed, fills[1].completed)
    assert [(report.done, report.total) for report in reports] == [(1, 3), (2, 3), (3, 3)]

    def stop(report):
        if report.done == 2:
            raise StopFill

    (stopped,) = method.fill(image, mask, progress=stop)
    assert torch.equal(stopped.completed[:2], fills[0].completed[:2])
    known = image[2][:, mask[2, 0] == 0].mean(dim=1)
    assert torch.allclose(stopped.completed[2][:, mask[2, 0] > 0], known[:, None], atol=1e-6)
